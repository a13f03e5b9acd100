"""What the table holds of a month that was replaced: its rows, and its totals where possible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloudbill.errors import BytesLimitError
from cloudbill.models import Totals
from cloudbill.warehouses.bigquery.alarms import alarm_of_costs
from cloudbill.warehouses.reconciliation import require_rows_in_table

if TYPE_CHECKING:
    from cloudbill.models import PlannedLoad
    from cloudbill.settings.warehouse import WarehouseSettings
    from cloudbill.warehouses.bigquery.dataset import Dataset

__all__ = ["Counted", "count_month"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A month in the table, and what a person should know of it.

    `untotalled` is why it has no totals although they are wanted, `alarm` why its run would have
    been held.
    """

    rows: int
    totals: Totals
    untotalled: str | None = None
    alarm: str | None = None


def count_month(
    dataset: Dataset, planned: PlannedLoad, settings: WarehouseSettings, *, expected: int | None
) -> Counted:
    """Counts a month, compares its rows with those that were loaded, if known, and sums its costs.

    Raises:
        ReconciliationError: If the table has other rows.
        BytesLimitError: If not even the rows can be counted for what a query may bill.
    """
    untotalled = None
    try:
        rows, totals = dataset.rows_and_totals(planned)
    except BytesLimitError as error:
        rows, totals = _listed_rows(dataset, planned, expected), {}
        untotalled = str(error) if settings.totals else None
    in_files = rows if expected is None else expected
    # The job has told its rows already, so with other ones another process has just written.
    require_rows_in_table(planned, expected=in_files, in_table=rows, is_of_run=False)
    billed = settings.provider.BILLED_COLUMN
    alarm = alarm_of_costs(dataset, planned, totals, billed_column=billed)
    return Counted(rows=rows, totals=totals, untotalled=untotalled, alarm=alarm)


def _listed_rows(dataset: Dataset, planned: PlannedLoad, expected: int | None) -> int:
    """The rows of a month by the list of partitions, which was asked after its job."""
    listed = dataset.table_months(planned.table).months.get(planned.period)
    if listed is not None and expected in {None, listed.rows}:
        return listed.rows
    # The list may be late. This scans the period column, and none of the costs.
    return dataset.rows_and_totals(planned, with_totals=False)[0]
