"""The FOCUS views in DuckDB; see `warehouses.viewing.Views`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import duckdb

from cloudbill.errors import LoadError
from cloudbill.files.damage import reason_of
from cloudbill.files.duckdb_types import table_type_of
from cloudbill.manifests import ColumnType
from cloudbill.sql import DUCKDB, Fragment, duckdb_text
from cloudbill.warehouses.duckdb.dataset import Dataset
from cloudbill.warehouses.ledger_rows import STATE_TABLE
from cloudbill.warehouses.view_dialects import DUCKDB_FOCUS, FocusDialect
from cloudbill.warehouses.viewing import FoundObject

__all__ = ["DuckDBViews"]


class DuckDBViews:
    """The views in a schema of one DuckDB file."""

    dialect: FocusDialect = DUCKDB_FOCUS
    longest: int | None = None

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._connection = dataset.connection

    def path(self, *names: str) -> tuple[str, ...]:
        """The full name of the schema, or of a table in it."""
        return (*self._dataset.path, *names)

    def pipelines(self) -> Mapping[str, str]:
        """The newest state of every pipeline; see `Views.pipelines`."""
        if not {"pipeline_name", "version", "state"} <= self._dataset.columns(STATE_TABLE).keys():
            return {}
        rows = self.rows(
            DUCKDB.compose(
                "SELECT pipeline_name, arg_max(state, version) FROM {table} "
                "WHERE pipeline_name IS NOT NULL AND state IS NOT NULL GROUP BY 1",
                table=self.path(STATE_TABLE),
            ),
            what="The ledgers of the dataset",
        )
        return {str(name): str(state) for name, state in rows}

    def kinds(self, table: str) -> Mapping[str, ColumnType | str]:
        """The types of a table's columns; see `Views.kinds`."""
        return {name: table_type_of(kind) for name, kind in self._dataset.columns(table).items()}

    def find(self, names: Iterable[str]) -> Mapping[str, FoundObject]:
        """Those of some tables or views that are there; see `Views.find`."""
        # Not by the columns, for which DuckDB plans the whole of a view.
        found = DUCKDB.compose(
            "SELECT view_name, TRUE, comment FROM duckdb_views() WHERE {of_schema} "
            "UNION ALL SELECT table_name, FALSE, comment FROM duckdb_tables() WHERE {of_schema}",
            of_schema=self._of_schema(),
        )
        rows = self.rows(found, what="Looking for the views")
        known = {
            str(name).lower(): FoundObject(is_view=bool(is_view), comment=str(comment or ""))
            for name, is_view, comment in rows
        }
        return {name: known[name.lower()] for name in names if name.lower() in known}

    def _of_schema(self) -> Fragment:
        catalog, schema = (duckdb_text(part) for part in self.path())
        return Fragment(f"database_name = {catalog} AND lower(schema_name) = lower({schema})")

    def replace_view(self, name: str, query: Fragment, comment: str) -> None:
        """Makes a view, or replaces it; see `Views.replace_view`."""
        self._replace("VIEW", name, query, comment)

    def replace_table(self, name: str, query: Fragment, comment: str) -> None:
        """Makes a table of the rows of a query; see `Views.replace_table`."""
        self._replace("TABLE", name, query, comment)

    def _replace(self, what: str, name: str, query: Fragment, comment: str) -> None:
        with self._errors(f"The {what.lower()} {name} cannot be made"):
            self._connection.execute("BEGIN")
            try:
                for statement in (
                    f"CREATE OR REPLACE {what} {{name}} AS {{query}}",
                    f"COMMENT ON {what} {{name}} IS {{comment}}",
                ):
                    composed = DUCKDB.compose(
                        statement, name=self.path(name), query=query, comment=duckdb_text(comment)
                    )
                    self._connection.execute(composed.text)
                self._connection.execute("COMMIT")
            except duckdb.Error:
                with suppress(duckdb.Error):
                    self._connection.execute("ROLLBACK")
                raise

    def drop_view(self, name: str) -> None:
        """Drops a view; see `Views.drop_view`."""
        with self._errors(f"The view {name} cannot be dropped"):
            self._connection.execute(
                DUCKDB.compose("DROP VIEW IF EXISTS {name}", name=self.path(name)).text
            )

    def rows(self, query: Fragment, *, what: str) -> Sequence[Sequence[object]]:
        """The rows of a query; see `Views.rows`."""
        with self._errors(f"{what}: the query failed"):
            return self._connection.execute(query.text).fetchall()

    @contextmanager
    def _errors(self, problem: str) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            raise LoadError(f"{problem}: {reason_of(error)}") from error
