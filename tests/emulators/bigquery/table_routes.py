"""tables.insert, get, patch, update and delete."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from bqemulator.api.dependencies import AppContext, get_context
from bqemulator.api.routes import jobs as stock_jobs
from bqemulator.api.routes import tables as stock
from bqemulator.catalog.etag import generate_etag
from bqemulator.catalog.models import TableMeta, TableSchema
from bqemulator.domain.errors import (
    DomainError,
    PermissionDeniedError,
    ResourceRef,
    ValidationError,
    resource_not_found,
)
from fastapi import APIRouter, Depends, Request, Response

from emulators.bigquery.errors import JobError
from emulators.bigquery.filters import set_filter, with_filter
from emulators.bigquery.partitions import is_expired
from emulators.bigquery.protection import rights_to_set, tags_of, with_tags
from emulators.bigquery.schema import (
    Field,
    check_names,
    columns_sql,
    fields_of,
    merged,
    normalised,
)
from emulators.bigquery.tables import TableRef, in_partition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emulators.bigquery.jobs import JobRunner

Context = Annotated[AppContext, Depends(get_context)]

# https://cloud.google.com/bigquery/docs/creating-partitioned-tables#limitations
_PARTITIONED_BY = {
    "DAY": ("DATE", "TIMESTAMP", "DATETIME"),
    "MONTH": ("DATE", "TIMESTAMP", "DATETIME"),
    "YEAR": ("DATE", "TIMESTAMP", "DATETIME"),
    "HOUR": ("TIMESTAMP", "DATETIME"),
}
_MAX_CLUSTERING_COLUMNS = 4
_PLAIN_PROPERTIES = {"description": "description", "friendlyName": "friendly_name"}


def table_routes(runner: JobRunner) -> APIRouter:
    """The routes of one table, and the one that creates it."""
    router = APIRouter(prefix="/bigquery/v2/projects/{project_id}/datasets/{dataset_id}/tables")

    @router.post("")
    async def insert(
        project_id: str, dataset_id: str, request: Request, context: Context
    ) -> dict[str, Any]:
        body = await request.json()
        fields = (body.get("schema") or {}).get("fields")
        if fields:
            body["schema"]["fields"] = [normalised(field) for field in fields]
            _check_table(body)
        ref = TableRef.from_rest({**_names(project_id, dataset_id, body)})
        _check_tags(runner, ref, fields or ())
        await stock.insert_table(project_id, dataset_id, request, context)
        runner.catalog.tags[ref.key] = tags_of(fields or ())
        set_filter(runner.catalog, ref, body)
        table = _with_expiration(_table(runner, ref), body)
        return _answer(runner, runner.catalog.update_table(table))

    @router.get("/{table_id}")
    async def get(
        project_id: str, dataset_id: str, table_id: str, context: Context
    ) -> dict[str, Any]:
        ref = TableRef.of(project_id, dataset_id, table_id)
        table = runner.catalog.get_table(*ref.key)
        if table is None:
            return stock.get_table(project_id, dataset_id, table_id, context)
        return await _with_columns_of_view(
            runner, table, context, _answer(runner, _counted(ref, table, context))
        )

    @router.patch("/{table_id}")
    @router.put("/{table_id}")
    async def change(
        project_id: str, dataset_id: str, table_id: str, request: Request, context: Context
    ) -> dict[str, Any]:
        ref = TableRef.of(project_id, dataset_id, table_id)
        body = await request.json()
        async with context.engine.write_lock():
            _check_sandbox(runner, body)
            _check_etag(request, _table(runner, ref))
            _set_tags(runner, ref, body)
            set_filter(runner.catalog, ref, body)
            changed = _changed(ref, _table(runner, ref), body, context)
            if changed.table_type == "TABLE":
                expired = is_expired(changed.time_partitioning, context.clock.now())
                context.engine.execute(f"DELETE FROM {ref.sql} WHERE {expired}").fetchall()
        return _answer(runner, runner.catalog.update_table(changed))

    @router.delete("/{table_id}", status_code=204)
    async def delete(project_id: str, dataset_id: str, table_id: str, context: Context) -> Response:
        ref = TableRef.of(project_id, dataset_id, table_id)
        if ref.partition is None:
            return await stock.delete_table(project_id, dataset_id, table_id, context)
        table = _table(runner, ref)
        try:
            inside = in_partition(ref, table.time_partitioning)
        except JobError as error:
            raise ValidationError(error.message) from error
        async with context.engine.write_lock():
            context.engine.execute(f"DELETE FROM {ref.sql} WHERE {inside}").fetchall()
            now = context.clock.now()
            changed = _table(runner, ref).model_copy(update={"last_modified_time": now})
            runner.catalog.update_table(changed)
            runner.catalog.stamp(ref.key, [ref.partition], now)
        return Response(status_code=204)

    return router


_columns_of_views: dict[str, list[Field]] = {}
"""By the query: those of one query are the same in all tests, and take long to find."""


async def _with_columns_of_view(
    runner: JobRunner, table: TableMeta, context: AppContext, body: dict[str, Any]
) -> dict[str, Any]:
    """The resource with the columns of a view, which the emulator does not keep."""
    if not (table.view_query and runner.knows_columns_of_views):
        return body
    if table.view_query not in _columns_of_views:
        try:
            preview = await stock_jobs._dry_run_response(  # noqa: SLF001
                project_id=table.project_id,
                job_id="bqemu_columns_of_view",
                bq_sql=table.view_query,
                query_params=None,
                ctx=context,
                caller=runner.access.identity(),
                wire_shape="query",
            )
        except DomainError:  # a table that it is over is gone
            return body
        _columns_of_views[table.view_query] = preview["schema"]["fields"]
    return {**body, "schema": {"fields": _columns_of_views[table.view_query]}}


def permission_routes(runner: JobRunner) -> APIRouter:
    """tables.testIamPermissions."""
    router = APIRouter()

    @router.post(
        "/bigquery/v2/projects/{project_id}/datasets/{dataset_id}/tables/{table_id}"
        ":testIamPermissions"
    )
    async def permissions(
        project_id: str, dataset_id: str, table_id: str, request: Request
    ) -> dict[str, Any]:
        # https://cloud.google.com/bigquery/docs/reference/rest/v2/tables/testIamPermissions : of a
        # table that is not there, "an empty set of permissions, not a NOT_FOUND error".
        known = runner.catalog.get_table(project_id, dataset_id, table_id) is not None
        asked = (await request.json()).get("permissions") or []
        had = [one for one in asked if known and runner.access.may(one)]
        return {"permissions": had} if had else {}

    return router


def _check_etag(request: Request, table: TableMeta) -> None:
    """Refuse a change of a table that is no longer as it was read.

    https://cloud.google.com/bigquery/docs/api-performance#etag ; the text is that of reports.
    """
    wanted = request.headers.get("if-match")
    if wanted not in {None, "*", table.etag}:
        raise _ConditionNotMetError("Precondition check failed.")


class _ConditionNotMetError(DomainError):
    """An etag that is not the one of the resource."""

    http_status: ClassVar[int] = 412
    bq_reason: ClassVar[str] = "conditionNotMet"


def _set_tags(runner: JobRunner, ref: TableRef, body: dict[str, Any]) -> None:
    """Set the policy tags that a schema states; "if not set, defaults to empty policy_tags"."""
    fields = (body.get("schema") or {}).get("fields")
    if not fields:
        return
    _check_tags(runner, ref, fields)
    runner.catalog.tags[ref.key] = tags_of(fields)


def _check_tags(runner: JobRunner, ref: TableRef, fields: Sequence[Field]) -> None:
    """Refuse tags that the table does not have yet, where they may not be set."""
    for permission in rights_to_set(runner.catalog.tags.get(ref.key, {}), tags_of(fields)):
        runner.access.require(permission, ref)


def _names(project: str, dataset: str, body: dict[str, Any]) -> dict[str, str]:
    table = body.get("tableReference", {}).get("tableId") or body.get("tableId", "")
    return {"projectId": project, "datasetId": dataset, "tableId": table}


def _table(runner: JobRunner, ref: TableRef) -> TableMeta:
    table = runner.catalog.get_table(*ref.key)
    if table is None:
        raise resource_not_found(ResourceRef("table", *ref.key))
    return table


def _counted(ref: TableRef, table: TableMeta, context: AppContext) -> TableMeta:
    """The table with its rows counted, also after SQL has changed them."""
    if table.table_type != "TABLE":
        return table
    (rows,) = context.engine.execute(f"SELECT count(*) FROM {ref.sql}").fetchall()[0]
    return table.model_copy(update={"num_rows": rows})


def _check_table(body: dict[str, Any]) -> None:
    """Refuse a layout that the columns cannot bear."""
    fields: list[Field] = body["schema"]["fields"]
    try:
        check_names(fields)
    except JobError as error:
        raise ValidationError(error.message) from error
    types = {field["name"].lower(): field["type"] for field in fields}
    by = body.get("timePartitioning") or {}
    column = by.get("field")
    if column and types.get(column.lower()) not in _PARTITIONED_BY[by.get("type", "DAY")]:
        raise ValidationError(
            "The field specified for time partitioning must be a top-level DATE, TIMESTAMP or "
            f"DATETIME of the schema: {column}"
        )
    clustered = (body.get("clustering") or {}).get("fields") or []
    unknown = [name for name in clustered if name.lower() not in types]
    if unknown:
        raise ValidationError(f"The field specified for clustering cannot be found: {unknown[0]}")
    if len(clustered) > _MAX_CLUSTERING_COLUMNS:
        raise ValidationError("At most 4 columns can be specified for clustering")


def _with_expiration(table: TableMeta, body: dict[str, Any]) -> TableMeta:
    """The table with the time of its end, if the body states it."""
    if "expirationTime" not in body:
        return table
    stated = body["expirationTime"]
    at = datetime.fromtimestamp(int(stated) / 1000, tz=UTC) if stated else None
    return table.model_copy(update={"expiration_time": at})


def _answer(runner: JobRunner, table: TableMeta) -> dict[str, Any]:
    """The table as a resource, with what the emulator keeps but does not tell."""
    body = stock._table_to_rest(table)  # noqa: SLF001
    ref = TableRef.of(table.project_id, table.dataset_id, table.table_id)
    tags = runner.catalog.tags.get(ref.key)
    if tags:
        body["schema"]["fields"] = with_tags(body["schema"]["fields"], tags)
    if table.view_query:
        body["view"] = {"query": table.view_query, "useLegacySql": False}
    if table.expiration_time:
        body["expirationTime"] = str(int(table.expiration_time.timestamp() * 1000))
    return with_filter(runner.catalog, ref, {**body, "location": "US"})


def _changed(
    ref: TableRef, table: TableMeta, body: dict[str, Any], context: AppContext
) -> TableMeta:
    """The table after a patch, whose physical columns are changed already.

    https://cloud.google.com/bigquery/docs/managing-table-schemas
    """
    now = context.clock.now()
    # Each change has another etag, also within one tick of the clock.
    etag = generate_etag(*ref.key, str(now), table.etag)
    update: dict[str, Any] = {"last_modified_time": now, "etag": etag}
    for name, attribute in _PLAIN_PROPERTIES.items():
        if name in body:
            update[attribute] = body[name]
    if "view" in body:
        if table.table_type != "VIEW":
            raise ValidationError(f"Cannot change the type of table {ref} to a view")
        update["view_query"] = body["view"]["query"]
    if "labels" in body:
        labels = {**table.labels, **(body["labels"] or {})}
        update["labels"] = {key: value for key, value in labels.items() if value is not None}
    fields = (body.get("schema") or {}).get("fields")
    if fields:
        update["schema_"] = _patched_schema(ref, table, fields, context)
    update |= _patched_partitioning(table, body)
    return _with_expiration(table.model_copy(update=update), body)


def _patched_schema(
    ref: TableRef, table: TableMeta, given: list[Field], context: AppContext
) -> TableSchema:
    """Add the new columns; existing ones may change their description, or be relaxed."""
    fields = [normalised(field) for field in given]
    existing = fields_of(table)
    named = {field["name"].lower(): field for field in fields}
    gone = [field["name"] for field in existing if field["name"].lower() not in named]
    known = {field["name"].lower() for field in existing}
    added = [field for field in fields if field["name"].lower() not in known]
    if gone:
        raise ValidationError(
            f"Provided Schema does not match Table {ref}. Field {gone[0]} is missing in new schema"
        )
    required = [field["name"] for field in added if field["mode"] == "REQUIRED"]
    if required:
        raise ValidationError(
            f"Provided Schema does not match Table {ref}. Cannot add required fields to an "
            f"existing schema. (field: {required[0]})"
        )
    try:
        check_names(fields)
        after = merged(ref, existing, fields, ["ALLOW_FIELD_ADDITION", "ALLOW_FIELD_RELAXATION"])
    except JobError as error:
        raise ValidationError(error.message) from error
    for field in added:
        context.engine.execute(f"ALTER TABLE {ref.sql} ADD COLUMN {columns_sql([field])}")
    described = [
        {**field, "description": named[field["name"].lower()].get("description")} for field in after
    ]
    return TableSchema(fields=stock._parse_schema_fields(described))  # noqa: SLF001


def _check_sandbox(runner: JobRunner, body: dict[str, Any]) -> None:
    """A project without billing keeps no table for longer than 60 days.

    https://cloud.google.com/bigquery/docs/sandbox#limitations ; the text is that of reports.
    """
    partitioning = body.get("timePartitioning") or {}
    unlimited = [
        resource
        for resource, key in ((body, "expirationTime"), (partitioning, "expirationMs"))
        if key in resource and not resource[key]
    ]
    if runner.is_sandbox and unlimited:
        raise PermissionDeniedError(
            "Billing has not been enabled for this project. Enable billing at "
            "https://console.cloud.google.com/billing."
        )


def _patched_partitioning(table: TableMeta, body: dict[str, Any]) -> dict[str, Any]:
    """A table keeps its partitioning; only its expiration and filter rule may change."""
    stated = body.get("timePartitioning")
    if not stated:
        return {}
    new = stock._rest_to_time_partitioning(stated, None)  # noqa: SLF001
    old = table.time_partitioning
    if new is None or old is None or (new.type, new.field) != (old.type, old.field):
        raise ValidationError("Cannot change the partitioning specification of a table")
    if "expirationMs" not in stated:  # a patch changes what it states
        new = new.model_copy(update={"expiration_ms": old.expiration_ms})
    return {"time_partitioning": new}
