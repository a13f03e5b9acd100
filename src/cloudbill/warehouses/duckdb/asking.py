"""The SQL of a user in DuckDB: nothing that it says writes, or leaves the file.

The file is opened read only; SELECT and EXPLAIN alone are let through; and the connection may read
no other file, load no extension, and change no setting ("Securing DuckDB").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import duckdb

from cloudbill.errors import ConfigError, LoadError, QueryError
from cloudbill.files.damage import reason_of
from cloudbill.sql import DUCKDB
from cloudbill.text.counts import counted
from cloudbill.warehouses.asking import Answer, AnswerColumn, Questions, ScanListener, refusal

if TYPE_CHECKING:
    from cloudbill.settings.warehouse import WarehouseSettings
    from cloudbill.warehouses.duckdb.dataset import Dataset

__all__ = ["DuckDBQuestions"]

_BATCH: Final = 1_000
_LOCKS: Final = (
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)
_NUMBER: Final = re.compile(r"DECIMAL\(\d+,\d+\)|DOUBLE|FLOAT|U?(BIG|HUGE|SMALL|TINY)INT|U?INTEGER")
_OF_THE_SQL: Final = (
    duckdb.DataError,
    duckdb.NotSupportedError,
    duckdb.PermissionException,
    duckdb.ProgrammingError,
)


class DuckDBQuestions(Questions):
    """Answers questions by a connection that can do nothing else from then on."""

    def __init__(self, dataset: Dataset, settings: WarehouseSettings) -> None:
        """Locks the connection of a dataset.

        Raises:
            ConfigError: If there is no file, or no schema in it, that could be asked.
            LoadError: If the file is open for writing.
        """
        self._dataset = dataset
        self._connection = dataset.connection
        if not settings.database.exists():
            raise ConfigError(
                f"There is no DuckDB file {settings.database} yet. Run `cloudbill load` first"
            )
        if not self._is_read_only():
            raise LoadError(f"This process has {settings.database} open for writing; close it")
        try:
            self._connection.execute(DUCKDB.compose("USE {schema}", schema=dataset.path).text)
        except duckdb.CatalogException as error:
            raise ConfigError(
                f"{settings.database} has no schema '{settings.dataset}' yet. Run `cloudbill load` "
                "first"
            ) from error
        for lock in _LOCKS:
            self._connection.execute(lock)

    def _is_read_only(self) -> bool:
        row = self._connection.execute(
            "SELECT readonly FROM duckdb_databases() WHERE database_name = current_database()"
        ).fetchone()
        return bool(row and row[0])

    def ask(self, sql: str, tell: ScanListener) -> Answer:  # noqa: ARG002 - nothing is billed
        """The answer to one SELECT; see `Questions.ask`."""
        with self._errors():
            statement = _only_statement(sql)
            cursor = self._connection.execute(statement)
            columns = tuple(
                AnswerColumn(
                    name=str(name),
                    type=str(kind),
                    is_number=_NUMBER.fullmatch(str(kind)) is not None,
                )
                for name, kind, *_ in cursor.description or ()
            )
        return Answer(
            columns=columns, batches=self._batches(), count=lambda: self._count(statement)
        )

    def _batches(self) -> Iterator[Sequence[Sequence[object]]]:
        while True:
            # A value that cannot be computed is found only when its row is.
            with self._errors():
                rows = self._connection.fetchmany(_BATCH)
            if not rows:
                return
            yield rows

    def _count(self, statement: str) -> int:
        """Counts the rows without fetching them; nothing can write the file meanwhile."""
        try:
            # On lines of their own, because the statement may end with a comment.
            counted = f"SELECT count(*) FROM (\n{statement.rstrip().rstrip(';')}\n)"  # noqa: S608
            row = self._connection.execute(counted).fetchone()
        except duckdb.ParserException:  # such as of EXPLAIN, or of a comment after the semicolon
            with self._errors():
                return len(self._connection.execute(statement).fetchall())
        return int(row[0]) if row else 0

    def names(self) -> Sequence[str]:
        """The tables and views of the schema; see `Questions.names`."""
        catalog, schema = self._dataset.path
        rows = self._connection.execute(
            "SELECT name FROM (SELECT view_name AS name, TRUE AS is_view, database_name, "
            "schema_name FROM duckdb_views() UNION ALL SELECT table_name, FALSE, database_name, "
            "schema_name FROM duckdb_tables()) WHERE database_name = $catalog "
            "AND lower(schema_name) = lower($schema) AND NOT starts_with(name, '_dlt') "
            "ORDER BY is_view DESC, name",
            {"catalog": catalog, "schema": schema},
        ).fetchall()
        return [str(name) for (name,) in rows]

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except _OF_THE_SQL as error:
            raise refusal(_told(error), self.names, self._dataset.name) from error
        except duckdb.OutOfMemoryException as error:
            raise LoadError(
                f"The query needs more than 'memory_limit' allows: {reason_of(error)}. Raise it, "
                "or ask for less"
            ) from error
        except duckdb.Error as error:
            raise LoadError(f"The query failed: {reason_of(error)}") from error


def _only_statement(sql: str) -> str:
    """The text of the only statement of some SQL.

    Raises:
        QueryError: If it is none, or several, or may be one that changes something.
    """
    statements = duckdb.extract_statements(sql)
    if len(statements) != 1:
        found = counted(len(statements), "statement") if statements else "no statement"
        raise QueryError(f"`query` takes one SELECT, and got {found}")
    (statement,) = statements
    if statement.type not in {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}:
        kind = str(statement.type).rpartition(".")[2].upper()
        raise QueryError(f"`query` only reads: it takes one SELECT, and got {kind}")
    return str(statement.query)


def _told(error: duckdb.Error) -> str:
    """What DuckDB says, with the line of the SQL and the mark under it."""
    reason, gap, line = str(error).strip().partition("\n\nLINE ")
    reason = reason_of(error)
    return f"{reason}\nLINE {line}" if gap else reason
