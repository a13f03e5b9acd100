"""tabledata.list, which the emulator does not do of a partition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from bqemulator.api.dependencies import AppContext, get_context
from bqemulator.domain.errors import ResourceRef, resource_not_found
from bqemulator.storage.arrow_bridge import arrow_table_to_bq_rows
from fastapi import APIRouter, Depends

from emulators.bigquery.tables import TableRef, in_partition, quoted

if TYPE_CHECKING:
    from emulators.bigquery.jobs import JobRunner

Context = Annotated[AppContext, Depends(get_context)]


def row_routes(runner: JobRunner) -> APIRouter:
    """The route that lists the rows of a table or partition, for free."""
    router = APIRouter(prefix="/bigquery/v2/projects/{project_id}/datasets/{dataset_id}/tables")

    @router.get("/{table_id}/data")
    def list_rows(  # noqa: PLR0917
        project_id: str,
        dataset_id: str,
        table_id: str,
        context: Context,
        selectedFields: str = "",  # noqa: N803
        maxResults: int = 10_000,  # noqa: N803
        pageToken: int = 0,  # noqa: N803
    ) -> dict[str, Any]:
        ref = TableRef.of(project_id, dataset_id, table_id)
        table = runner.catalog.get_table(*ref.key)
        if table is None:
            raise resource_not_found(ResourceRef("table", *ref.key))
        found = f"FROM {ref.sql} WHERE {in_partition(ref, table.time_partitioning)}"
        ((total,),) = context.engine.execute(f"SELECT count(*) {found}").fetchall()
        names = ", ".join(map(quoted, filter(None, selectedFields.split(",")))) or "*"
        page = context.engine.fetch_arrow(
            f"SELECT {names} {found} ORDER BY rowid LIMIT {maxResults} OFFSET {pageToken}"
        )
        rows = arrow_table_to_bq_rows(page)
        end = pageToken + len(rows)
        return {"totalRows": str(total), "rows": rows} | (
            {"pageToken": str(end)} if end < total else {}
        )

    return router
