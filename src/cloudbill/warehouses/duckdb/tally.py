"""The columns, rows and totals of the parts of a run, for DuckDB."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from cloudbill.costs.sums import billed_costs
from cloudbill.errors import SchemaError
from cloudbill.files.relation import PartsRelation
from cloudbill.files.required_columns import require_bill
from cloudbill.manifests import Column, ColumnType
from cloudbill.models import PlannedLoad, Totals
from cloudbill.sql import DUCKDB
from cloudbill.warehouses.duckdb.totals import Counted, Summed, count_parts
from cloudbill.warehouses.reconciliation import require_footers, require_months

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from cloudbill.providers import Provider

__all__ = ["Tally"]


class Tally:
    """The rows and totals of the parts of a run.

    They are counted and summed independently of the INSERT, and the sums are compared with those of
    the table. So a mistake of the INSERT cannot also be in the number to compare with.
    """

    def __init__(
        self,
        connection: DuckDBPyConnection,
        planned: PlannedLoad,
        provider: Provider,
        source: PartsRelation,
        *,
        is_summed: bool,
    ) -> None:
        """Looks at the columns of the parts.

        Raises:
            SchemaError: If they do not say which month a row belongs to, or not as a time or a
                date; or what it bills, and in which currency.
            DatasetError: If they are of another dataset.
        """
        self._connection = connection
        self._planned = planned
        self._provider = provider
        self._source = source
        self._counted = Counted(totals={})
        self._has_several_months = bool(planned.manifest.spans)
        self.summed = self._summed() if is_summed else Summed()
        """The columns that are summed."""
        require_bill(
            source.columns, source.described_parts(), provider, run_id=planned.manifest.run_id
        )
        self._period = self._period_column()

    @property
    def rows(self) -> int:
        """The rows of the month, once they are counted."""
        if self._has_several_months:
            return self._counted.months.get(str(self._planned.period), 0)
        return sum(self._counted.part_rows)

    @property
    def totals(self) -> Totals:
        """The totals of the month, once they are counted."""
        costs = self.summed.costs
        return {
            currency: {cost: amounts.get(cost, Decimal(0)) for cost in costs}
            for currency, amounts in self._counted.totals.items()
        }

    @property
    def rests(self) -> Totals:
        """What is rounded away of the totals of the month, once they are counted."""
        return self._counted.rests

    def count(self) -> None:
        """Counts and sums the parts.

        Raises:
            ReconciliationError: If a part or the run has more or fewer rows than stated.
        """
        one_of_several = self._planned if self._has_several_months else None
        self._counted = count_parts(
            self._connection, self._source, self.summed, one_of_several=one_of_several
        )
        require_footers(self._planned.manifest, self._counted.part_rows)

    def require_months(self) -> None:
        """Refuses the run if rows belong to other months than its own, and names those months.

        Raises:
            ReconciliationError: If any row belongs to another month, or to none.
        """
        months = self._counted.months if self._has_several_months else self._months()
        require_months(self._planned, months, period_column=self._planned.period_column)

    def _months(self) -> dict[str, int]:
        """The rows of each month; the parts are read again, to name the months in the error."""
        statement = DUCKDB.compose(
            "SELECT strftime({period}, '%Y-%m') AS month, count(*) FROM {relation} GROUP BY month",
            period=self._source.value(self._period.name),
            relation=self._source.relation,
        )
        found = self._connection.execute(statement.text, self._source.parameters).fetchall()
        return {month or "": count for month, count in found}

    def _period_column(self) -> Column:
        columns = self._source.columns
        for column in columns:
            if column.target.lower() == self._planned.period_column.lower():
                if column.type in {ColumnType.TIMESTAMP, ColumnType.DATE}:
                    return column
                raise SchemaError(
                    f"Column '{column.name}' has the type {column.type}, but the month of a row is "
                    "read from it, so it must be a timestamp or a date"
                )
        run_id = self._planned.manifest.run_id
        raise SchemaError(
            f"Run {run_id} has no column '{self._planned.period_column}', "
            "which says which month a row belongs to"
        )

    def _summed(self) -> Summed:
        kinds = {column.target: column.type for column in self._source.columns}
        return Summed(
            costs=billed_costs(kinds, self._provider), currency=self._provider.CURRENCY_COLUMN
        )
