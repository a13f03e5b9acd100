"""The columns, rows and totals of the parts of a run, added up as the parts arrive, for DuckDB."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cloudbill.costs.amounts import add_amounts
from cloudbill.costs.sums import billed_costs
from cloudbill.errors import SchemaError
from cloudbill.files.columns import MergedColumns, require_dataset
from cloudbill.files.duckdb_types import TABLE_TYPES
from cloudbill.files.relation import PartsRelation
from cloudbill.manifests import Column, ColumnType, Manifest
from cloudbill.models import PlannedLoad, Totals
from cloudbill.sql import DUCKDB, Fragment
from cloudbill.warehouses.duckdb.totals import Summed, count_parts
from cloudbill.warehouses.reconciliation import require_footers, require_months

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from cloudbill.files.downloads import Batch
    from cloudbill.providers import Provider

__all__ = ["Tally"]


class Tally:
    """The columns, rows and totals of the parts so far.

    Each part is counted and summed independently of the INSERT, and the sums are compared with
    those of the table. So a mistake of the INSERT cannot also be in the number to compare with.
    """

    def __init__(
        self,
        connection: DuckDBPyConnection,
        planned: PlannedLoad,
        provider: Provider,
        *,
        is_summed: bool,
    ) -> None:
        self._connection = connection
        self._planned = planned
        self._provider = provider
        self._is_summed = is_summed
        self._merged = MergedColumns()
        self._part_rows: list[int] = []
        self._amounts: dict[str, dict[str, Decimal]] = {}
        self._months: Counter[str] = Counter()
        self._has_several_months = bool(planned.manifest.spans)
        self.columns: tuple[Column, ...] = ()
        """The columns of all parts so far, in the order of their first appearance."""
        self.headers: dict[str, str] = {}
        """The names of columns in these parts, if they differ from the names in the table."""

    @property
    def rows(self) -> int:
        """The rows of the month in all parts so far."""
        if self._has_several_months:
            return self._months[str(self._planned.period)]
        return sum(self._part_rows)

    @property
    def summed(self) -> Summed:
        """The columns to sum, of the columns so far."""
        return self._summed(self.columns)

    @property
    def totals(self) -> Totals:
        """The totals of all parts so far."""
        costs = self.summed.costs
        return {
            currency: {cost: amounts.get(cost.lower(), Decimal(0)) for cost in costs}
            for currency, amounts in self._amounts.items()
            if costs
        }

    def describe(self, source: PartsRelation) -> None:
        """Adds the columns of a batch.

        Raises:
            SchemaError: If they contradict those of earlier batches.
        """
        self.columns = self._merged.add(source.described)
        self.headers.update(source.headers)

    def add(self, batch: Batch, source: PartsRelation) -> int:
        """Counts and sums the parts of a batch that `describe` was given; returns the rows.

        Raises:
            SchemaError: If a number has too many digits.
            ReconciliationError: If a part, or the run after its last batch, has more or fewer rows
                than stated.
        """
        summed = self._summed(source.columns)
        one_of_several = self._planned if self._has_several_months else None
        counted = count_parts(self._connection, source, summed, one_of_several=one_of_several)
        self._part_rows += counted.part_rows
        self._months.update(counted.months)
        self._require_rows(batch, counted.part_rows)
        self._require_digits(source)
        for currency, amounts in counted.totals.items():
            sums = self._amounts.setdefault(currency, {})
            for cost, amount in amounts.items():
                sums[cost.lower()] = add_amounts(sums.get(cost.lower(), Decimal(0)), amount)
        if self._is_summed and not summed.costs and not batch.is_whole:
            # Nothing was summed, so the currencies of these rows are not known yet. If another
            # batch has costs, the table has a total of 0 for each of these currencies as well.
            for currency in self._currencies(source):
                self._amounts.setdefault(currency, {})
        return sum(counted.part_rows)

    def note_months(self, source: PartsRelation, *, rows: int, of_month: int) -> None:
        """Notes the months of the rows of a batch; `of_month` rows are in the month of the run.

        The parts are read again only if some rows are not, to name their months in the error. The
        rows of a run over several months were counted by month before.
        """
        if self._has_several_months:
            return
        if of_month == rows:
            self._months[str(self._planned.period)] += rows
            return
        for month, count in self._execute(
            "SELECT strftime({period}, '%Y-%m') AS month, count(*) FROM {relation} GROUP BY month",
            source,
            period=next(
                source.value(column.name) for column in source.columns if self._is_period(column)
            ),
        ):
            self._months[month or ""] += count

    def require_period_column(self) -> None:
        """Checks that the parts so far say which month their rows belong to.

        Raises:
            SchemaError: If they do not, or not as a time or a date.
            DatasetError: If they are of another dataset.
        """
        for column in self.columns:
            if self._is_period(column):
                if column.type in {ColumnType.TIMESTAMP, ColumnType.DATE}:
                    return
                raise SchemaError(
                    f"Column '{column.name}' is a {column.type}, but the month of a row is read "
                    "from it, so it must be a timestamp or a date"
                )
        run_id = self._planned.manifest.run_id
        require_dataset(self.columns, self._provider, run_id=run_id)
        raise SchemaError(
            f"Run {run_id} has no column '{self._planned.period_column}', "
            "which says which month a row belongs to"
        )

    def require_months(self) -> None:
        """Refuses the run if rows belong to other months than its own, and names those months.

        Raises:
            ReconciliationError: If any row belongs to another month, or to none.
        """
        column = self._planned.period_column
        require_months(self._planned, self._months, period_column=column)

    def kind_of(self, name: str) -> ColumnType | None:
        """What a column of the parts so far holds; None where there is none of that name."""
        found = (column.type for column in self.columns if column.target.lower() == name.lower())
        return next(found, None)

    def _summed(self, columns: tuple[Column, ...]) -> Summed:
        if not self._is_summed:
            return Summed()
        kinds = {column.target: column.type for column in columns}
        return Summed(
            costs=billed_costs(kinds, self._provider), currency=self._provider.CURRENCY_COLUMN
        )

    def _require_rows(self, batch: Batch, part_rows: tuple[int, ...]) -> None:
        manifest: Manifest = self._planned.manifest
        if batch.is_last:
            require_footers(manifest, self._part_rows)
        else:
            require_footers(
                replace(manifest, parts=manifest.parts[batch.slice], rows=None, run_rows=None),
                part_rows,
            )

    def _require_digits(self, source: PartsRelation) -> None:
        where, ends = self._of_month(source)
        for column in source.inexact:
            found = self._execute(
                "SELECT {name} FROM {relation} "
                "WHERE CAST({name} AS {type}) <> {name} AND {where} LIMIT 1",
                source,
                ends,
                name=column.name,
                where=where,
                type=Fragment(TABLE_TYPES[ColumnType.DECIMAL]),
            )
            for (value,) in found:
                raise SchemaError(
                    f"{value} in column '{column.name}' has more digits than "
                    f"{TABLE_TYPES[ColumnType.DECIMAL]} holds, and nothing is rounded"
                )

    def _currencies(self, source: PartsRelation) -> list[str]:
        where, ends = self._of_month(source)
        currency = source.charges().text(self._provider.CURRENCY_COLUMN)
        found = self._execute(
            "SELECT DISTINCT {value} FROM {relation} WHERE {where}",
            source,
            ends,
            value=currency,
            where=where,
        )
        return [str(row[0]) for row in found]

    def _is_period(self, column: Column) -> bool:
        return column.target.lower() == self._planned.period_column.lower()

    def _of_month(self, source: PartsRelation) -> tuple[Fragment, Mapping[str, object]]:
        """Which rows of the parts may be loaded, and the parameters of that."""
        if not self._has_several_months:
            return Fragment("TRUE"), {}
        return source.in_month(self._planned.period_column, self._planned.period)

    def _execute(
        self,
        template: str,
        source: PartsRelation,
        parameters: Mapping[str, object] = MappingProxyType({}),
        **pieces: str | Fragment,
    ) -> list[tuple[Any, ...]]:
        statement = DUCKDB.compose(template, relation=source.relation, **pieces)
        values = {**source.parameters, **parameters}
        return self._connection.execute(statement.text, values).fetchall()
