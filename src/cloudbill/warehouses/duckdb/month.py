"""One month of a DuckDB table, during the transaction that replaces it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import duckdb

from cloudbill.costs.sums import Charges, is_inexact
from cloudbill.errors import SchemaError
from cloudbill.files.columns import fit_columns
from cloudbill.files.damage import reason_of
from cloudbill.files.decimals import double_value, filled_text, text_of, text_value
from cloudbill.files.duckdb_types import TABLE_TYPES, table_type_of
from cloudbill.files.relation import PartsRelation
from cloudbill.manifests import Column, ColumnType
from cloudbill.models import PlannedLoad, Totals
from cloudbill.periods import BillingPeriod
from cloudbill.sql import DUCKDB, Fragment
from cloudbill.warehouses.duckdb.dataset import Dataset
from cloudbill.warehouses.duckdb.headers import write_headers
from cloudbill.warehouses.duckdb.totals import Summed, sum_charged, sum_month

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["MonthTable", "charges_of", "ends_of"]


class MonthTable:
    """One month of the table of a load; the table need not exist yet."""

    def __init__(self, dataset: Dataset, planned: PlannedLoad) -> None:
        self._connection = dataset.connection
        self._dataset = dataset
        self._planned = planned
        self._table = dataset.table(planned.table)
        self._in_month = DUCKDB.in_month(planned.period_column)
        columns = dataset.columns(planned.table)
        self._types = {name: table_type_of(kind) for name, kind in columns.items()}
        self._is_new = not columns

    @property
    def exists(self) -> bool:
        """Whether there is such a table."""
        return bool(self._types)

    @property
    def types(self) -> Mapping[str, ColumnType | str]:
        """The types of its columns, by their names in lower case."""
        return {name.lower(): kind for name, kind in self._types.items()}

    def take(
        self,
        columns: Sequence[Column],
        headers: Mapping[str, str],
        *,
        amounts: Callable[[str, ColumnType], bool],
    ) -> None:
        """Makes the table hold the columns of a run, and records the original headers.

        `amounts` says of a name and a type whether such a column holds amounts.

        Raises:
            SchemaError: If a column of the table has a type that cannot hold those of the run.
        """
        if self.exists:
            fit = fit_columns(columns, self._types, table=self._planned.table, amounts=amounts)
            added = fit.added
            for column in added:
                statement = "ALTER TABLE {table} ADD COLUMN {column}"
                self._execute(statement, table=self._table, column=_definition(column))
            for name, kind in {**self._inexact(amounts), **fit.widened}.items():
                self._widen(name, kind)
        else:
            added = tuple(columns)
            self._execute("CREATE SCHEMA IF NOT EXISTS {schema}", schema=self._dataset.path)
            definitions = [_definition(column) for column in added]
            self._execute(
                "CREATE TABLE {table} ({columns})", table=self._table, columns=definitions
            )
        self._types |= {column.target: column.type for column in added}
        self._write_headers(headers)

    def _inexact(self, amounts: Callable[[str, ColumnType], bool]) -> dict[str, ColumnType]:
        """The columns of amounts that do not hold what the files say, whatever the run has."""
        return {
            name: ColumnType.DECIMAL
            for name, kind in self._types.items()
            if is_inexact(kind) and amounts(name, ColumnType.DECIMAL)
        }

    def _widen(self, name: str, kind: ColumnType) -> None:
        """Gives a column of the table another type, and its values in all months that type."""
        value = DUCKDB.compose("{name}", name=name)
        if kind is ColumnType.STRING:
            value = text_of(value, self._types[name])
        elif self._types[name] is ColumnType.FLOAT:
            value = double_value(name)
        elif self._types[name] is ColumnType.STRING:
            value = text_value(filled_text(name))
        try:
            self._execute(
                "ALTER TABLE {table} ALTER COLUMN {name} TYPE {type} USING {value}",
                table=self._table,
                name=name,
                type=Fragment(TABLE_TYPES[kind]),
                value=value,
            )
        except (duckdb.OutOfMemoryException, duckdb.InterruptException):
            raise  # neither is a fault of the table
        except duckdb.Error as error:
            raise SchemaError(
                f"Column '{name}' of {self._planned.table} is {self._types[name]}, and cannot "
                f"become {kind}: {reason_of(error)}. Nothing was changed. Drop what depends on the "
                "table, such as an index, and run again; or rename the table, and the next load "
                "makes it again from the files that are there",
                is_of_run=False,
            ) from error
        self._types[name] = kind

    def _write_headers(self, headers: Mapping[str, str]) -> None:
        """Records the header of each column that has none yet, unless it is the column's name."""
        other = {column: header for column, header in headers.items() if header != column}
        if not other:
            return
        noted = {} if self._is_new else self._dataset.headers(self._planned.table)
        known = {name.lower() for name, header in noted.items() if header}
        new = {column: header for column, header in other.items() if column.lower() not in known}
        if new:
            write_headers(
                self._connection,
                self._table,
                new,
                width=len(self._types),
                comment=self._dataset.comment(self._planned.table),
            )

    def delete(self) -> None:
        """Deletes the rows of the month."""
        self._execute(
            "DELETE FROM {table} WHERE {in_month}",
            ends_of(self._planned.period),
            table=self._table,
            in_month=self._in_month,
        )

    def insert(self, source: PartsRelation) -> None:
        """Inserts all rows of some parts, of any month.

        Of a run over several months, only the rows of this month are inserted.
        """
        # Rows of other months are inserted as well, and found by the count: a condition would drop
        # them silently. Those of a run over several months were counted by month before.
        where, ends = Fragment("TRUE"), dict[str, object]()
        if self._planned.manifest.spans:
            where, ends = source.in_month(self._planned.period_column, self._planned.period)
        # By name, because the order of columns differs from run to run.
        self._execute(
            "INSERT INTO {table} BY NAME SELECT {columns} FROM {relation} WHERE {where}",
            {**source.parameters, **ends},
            table=self._table,
            columns=source.projection(self.types),
            relation=source.relation,
            where=where,
        )

    def count(self) -> int:
        """The rows of the month."""
        return self._count(Fragment("*"))

    def has_any(self, column: str) -> bool:
        """Whether any row of the month has a value in a column."""
        return self._count(column) > 0

    def _count(self, what: str | Fragment) -> int:
        row = self._execute(
            "SELECT count({what}) FROM {table} WHERE {in_month}",
            ends_of(self._planned.period),
            what=what,
            table=self._table,
            in_month=self._in_month,
        ).fetchone()
        return int(row[0]) if row else 0

    def totals(self, summed: Summed) -> Totals:
        """The totals of the month."""
        table = charges_of(self._table, self._types)
        ends = ends_of(self._planned.period)
        return sum_month(self._connection, table, ends, summed, where=self._in_month)

    def charged(self, summed: Summed) -> Mapping[str, Decimal]:
        """What the month bills by currency without its credits, by the first of the columns."""
        table = charges_of(self._table, self._types)
        ends = ends_of(self._planned.period)
        return sum_charged(self._connection, table, ends, summed, where=self._in_month)

    def _execute(
        self,
        template: str,
        parameters: Mapping[str, object] | None = None,
        **pieces: str | tuple[str, ...] | Fragment | list[Fragment],
    ) -> DuckDBPyConnection:
        return self._connection.execute(DUCKDB.compose(template, **pieces).text, parameters or {})


def ends_of(period: BillingPeriod) -> dict[str, object]:
    """The parameters `month_start` and `month_end`, the start of the next month."""
    return {"month_start": period.first_day, "month_end": period.next.first_day}


def charges_of(table: tuple[str, ...], kinds: Mapping[str, ColumnType | str]) -> Charges:
    """The rows of a table that has these columns."""
    return Charges(dialect=DUCKDB, relation=DUCKDB.compose("{table}", table=table), kinds=kinds)


def _definition(column: Column) -> Fragment:
    return DUCKDB.compose(
        "{name} {type}", name=column.target, type=Fragment(TABLE_TYPES[column.type])
    )
