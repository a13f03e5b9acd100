"""What a guard says of a month that is already replaced: a native load sums costs only then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudbill.errors import BytesLimitError
from cloudbill.planning.costs import billed_costs_of
from cloudbill.sql import BIGQUERY
from cloudbill.warehouses.bigquery.parameters import charges_of, month_of
from cloudbill.warehouses.bigquery.visibility import doubt_of_columns
from cloudbill.warehouses.reconciliation import fallen_costs_of

if TYPE_CHECKING:
    from cloudbill.models import PlannedLoad, Totals
    from cloudbill.warehouses.bigquery.dataset import Dataset

__all__ = ["alarm_of_costs", "has_any"]


def alarm_of_costs(
    dataset: Dataset, planned: PlannedLoad, totals: Totals, *, billed_column: str
) -> str | None:
    """Why the run would have been held for its costs, had they been known; None if it is fine.

    A month may cost nothing; one of which no row says what it costs is no bill.
    """
    billed = billed_costs_of(totals, billed_column)
    if not billed:
        return None
    if not any(billed.values()) and not has_any(dataset, planned.table, planned, billed_column):
        table = dataset.find_table(planned.table)
        doubt = None if table is None else doubt_of_columns(table, [billed_column])
        said = f"no row of it has a value in '{billed_column}': export it again, with that filled"
        return said if doubt is None else f"{said}. {doubt}"
    fallen = fallen_costs_of(
        planned,
        billed=billed,
        read_charged=lambda: dataset.billed(planned.table, planned, without_credits=True) or {},
    )
    return None if fallen is None else fallen.alarm


def has_any(dataset: Dataset, name: str, planned: PlannedLoad, column: str) -> bool:
    """Whether any row of a month in a table has a value in a column.

    True where that cannot be told: where there is no such column, and where the key for bytes keeps
    it from being counted.

    Raises:
        LoadError: If the table cannot be read.
    """
    table = dataset.find_table(name)
    charges = None if table is None else charges_of(table)
    if charges is None or charges.kind(column) is None:
        return True
    try:
        rows = dataset.query(
            "SELECT COUNT({column}) FROM {relation} WHERE {where}",
            *month_of(planned.period, charges, planned.period_column),
            what=f"Counting {column} of {planned.period}",
            column=charges.spelt(column) or column,
            relation=charges.relation,
            where=BIGQUERY.in_month(planned.period_column),
        )
    except BytesLimitError:
        return True
    return bool(rows and rows[0][0])
