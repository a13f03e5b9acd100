"""The FOCUS views in BigQuery; see `warehouses.viewing.Views`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from google.api_core import exceptions as api
from google.cloud import bigquery

from cloudbill.manifests import ColumnType
from cloudbill.sql import BIGQUERY, Fragment, bigquery_text
from cloudbill.warehouses.bigquery.client import PersistentClient, bigquery_errors
from cloudbill.warehouses.bigquery.parameters import charges_of
from cloudbill.warehouses.ledger_rows import STATE_TABLE
from cloudbill.warehouses.view_dialects import BIGQUERY_FOCUS, FocusDialect
from cloudbill.warehouses.viewing import FoundObject

if TYPE_CHECKING:
    from cloudbill.warehouses.bigquery.dataset import Dataset

__all__ = ["BigQueryViews"]

_TIMES: Final = 3
_VIEWS: Final = frozenset({"VIEW", "MATERIALIZED_VIEW"})


class BigQueryViews:
    """The views in one dataset of a project."""

    dialect: FocusDialect = BIGQUERY_FOCUS
    longest: int | None = 256_000
    """Characters ("Quotas and limits", views: the length of a standard SQL query)."""

    def __init__(self, client: PersistentClient, dataset: Dataset) -> None:
        self._client = client
        self._dataset = dataset

    def path(self, *names: str) -> tuple[str, ...]:
        """The full name of the dataset, or of a table in it."""
        return self._dataset.path(*names)

    def pipelines(self) -> Mapping[str, str]:
        """The newest state of every pipeline; see `Views.pipelines`."""
        found = self._dataset.find_table(STATE_TABLE)
        names = {str(field.name) for field in found.schema} if found else set()
        if not {"pipeline_name", "version", "state"} <= names:
            return {}
        rows = self.rows(
            BIGQUERY.compose(
                "SELECT pipeline_name, ARRAY_AGG(state ORDER BY version DESC LIMIT 1)[OFFSET(0)] "
                "FROM {table} WHERE pipeline_name IS NOT NULL AND state IS NOT NULL "
                "GROUP BY pipeline_name",
                table=self.path(STATE_TABLE),
            ),
            what="Reading the ledgers of the dataset",
        )
        return {str(name): str(state) for name, state in rows}

    def kinds(self, table: str) -> Mapping[str, ColumnType | str]:
        """The types of a table's columns; see `Views.kinds`."""
        found = self._dataset.find_table(table)
        return {} if found is None else charges_of(found).kinds

    def find(self, names: Iterable[str]) -> Mapping[str, FoundObject]:
        """Those of some tables or views that are there; see `Views.find`."""
        return {
            name: FoundObject(
                is_view=found.table_type in _VIEWS, comment=str(found.description or "")
            )
            for name in names
            if (found := self._dataset.find_table(name)) is not None
        }

    def replace_view(self, name: str, query: Fragment, comment: str) -> None:
        """Makes a view, or replaces it, by one request; see `Views.replace_view`.

        A view in a dataset whose tables expire would expire as they do, so it gets no expiration.
        """
        self._dataset.prepare_dataset()
        with bigquery_errors(f"Making the view {name}"):
            view = bigquery.Table(self._dataset.reference(name))
            view.view_query = query.text
            view.description = comment
            try:
                made = self._client.create_table(view)
            except api.Conflict:
                self._update(name, query, comment)
                return
            if made.expires is not None:
                made.expires = None
                self._client.update_table(made, ["expires"])

    def _update(self, name: str, query: Fragment, comment: str) -> None:
        """Replaces a view that is there; one that another run replaces meanwhile is read again."""
        for attempt in range(1, _TIMES + 1):
            there = self._client.get_table(self._dataset.reference(name))
            there.view_query, there.description, there.expires = query.text, comment, None
            try:
                self._client.update_table(there, ["view_query", "description", "expires"])
            except api.PreconditionFailed:
                if attempt == _TIMES:
                    raise
            else:
                return

    def replace_table(self, name: str, query: Fragment, comment: str) -> None:
        """Makes a table of the rows of a query, by one statement; see `Views.replace_table`.

        It is no INSERT, which a project without billing refuses.
        """
        statement = BIGQUERY.compose(
            "CREATE OR REPLACE TABLE {name} OPTIONS (description = {comment}{kept}) AS {query}",
            name=self.path(name),
            comment=bigquery_text(comment),
            kept=Fragment(", expiration_timestamp = NULL" if self._dataset.is_expiring else ""),
            query=query,
        )
        self.rows(statement, what=f"Making {name}")

    def drop_view(self, name: str) -> None:
        """Drops a view; see `Views.drop_view`."""
        with bigquery_errors(f"Dropping the view {name}"):
            self._client.delete_table(self._dataset.reference(name), not_found_ok=True)

    def rows(self, query: Fragment, *, what: str) -> Sequence[Sequence[object]]:
        """The rows of a query; see `Views.rows`."""
        rows = self._dataset.query("{statement}", what=what, statement=query)
        return [tuple(row.values()) for row in rows]
