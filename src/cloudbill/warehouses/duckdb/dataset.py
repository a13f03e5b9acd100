"""The schema that the tables are in, named in full: without its catalog a name may mean another.

DuckDB names the catalog after the file, so in `billing.duckdb` the schema `billing` is ambiguous,
and `temp` and `system` are catalogs of DuckDB itself.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import duckdb

from cloudbill.errors import ConfigError, LoadError
from cloudbill.sql import DUCKDB, Fragment
from cloudbill.warehouses.duckdb.headers import headers_in

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["Dataset"]

_RESERVED: Final = frozenset({"information_schema", "pg_catalog", "system", "temp"})
"""DuckDB keeps its own tables under the first two, and shows the last two as catalogs."""
_OF_TABLE: Final = Fragment(
    "WHERE database_name = $catalog AND lower(schema_name) = lower($schema) "
    "AND lower(table_name) = lower($table)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A schema of the file that a connection has open; it need not exist yet."""

    connection: DuckDBPyConnection
    catalog: str
    name: str

    @classmethod
    def of(cls, connection: DuckDBPyConnection, name: str) -> Dataset:
        """The schema of that name in the file itself."""
        row = connection.execute("SELECT current_database()").fetchone()
        return cls(connection=connection, catalog=str(row[0] if row else ""), name=name)

    @staticmethod
    def require_legal(name: str, *, source: str) -> None:
        """Refuses the names that DuckDB keeps for itself.

        Raises:
            ConfigError: If it is one of them.
        """
        if name.lower() in _RESERVED:
            raise ConfigError(
                f"'dataset' of [sources.{source}] must not be '{name}': DuckDB keeps its own "
                "tables there. Give it another name, such as billing"
            )

    @property
    def path(self) -> tuple[str, ...]:
        """The full name of the schema."""
        return self.catalog, self.name

    def table(self, name: str) -> tuple[str, ...]:
        """The full name of a table."""
        return self.catalog, self.name, name

    def columns(self, table: str) -> dict[str, str]:
        """The type of each column of a table; nothing where there is no such table.

        Raises:
            LoadError: If they cannot be read.
        """
        # Asked by name, because the first list of all columns takes DuckDB 20 ms: it makes the
        # views of its own for it. By a cursor, because the error would end a transaction.
        name = DUCKDB.compose("{table}", table=self.table(table)).text
        try:
            with closing(self.connection.cursor()) as cursor:
                rows = cursor.execute(
                    "SELECT name, type FROM pragma_table_info($table)", {"table": name}
                ).fetchall()
        except duckdb.Error as error:
            # The columns of a view that cannot be read, because another table is gone, are listed.
            gone = (f"with name {table} does not exist", f'.{table}" does not exist because schema')
            if isinstance(error, duckdb.CatalogException) and any(
                text in str(error) for text in gone
            ):
                return {}
            return {name: kind for name, kind, _ in self._listed(table)}
        return {str(name): str(kind) for name, kind in rows}

    def headers(self, table: str) -> dict[str, str]:
        """The CSV header that each column of a table came from, from its comments.

        Raises:
            LoadError: If they cannot be read.
        """
        if not self.columns(table):
            return {}
        return {name: header for name, _, header in self._listed(table)}

    def _listed(self, table: str) -> list[tuple[str, str, str]]:
        """Name, type and header of each column in DuckDB's list of all columns."""
        try:
            rows = self._about(
                table, "SELECT column_name, data_type, comment FROM duckdb_columns() {of_table}"
            ).fetchall()
            headers = headers_in(self.comment(table)) if rows else {}
        except duckdb.Error as error:
            raise LoadError(f"The columns of {table} cannot be read: {error}") from error
        return [
            (str(name), str(kind), headers.get(name) or str(comment or ""))
            for name, kind, comment in rows
        ]

    def comment(self, table: str) -> str:
        """The comment of a table, empty if it has none."""
        row = self._about(table, "SELECT comment FROM duckdb_tables() {of_table}").fetchone()
        return str(row[0] or "") if row else ""

    def _about(self, table: str, template: str) -> DuckDBPyConnection:
        """What DuckDB's own lists have of a table."""
        return self.connection.execute(
            DUCKDB.compose(template, of_table=_OF_TABLE).text,
            {"catalog": self.catalog, "schema": self.name, "table": table},
        )
