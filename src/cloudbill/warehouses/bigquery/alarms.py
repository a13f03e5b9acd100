"""What a guard says of a month that is already replaced: a native load sums costs only then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudbill.planning.costs import billed_costs_of
from cloudbill.warehouses.reconciliation import fallen_costs_of

if TYPE_CHECKING:
    from cloudbill.models import PlannedLoad, Totals
    from cloudbill.warehouses.bigquery.dataset import Dataset

__all__ = ["alarm_of_costs"]


def alarm_of_costs(
    dataset: Dataset, planned: PlannedLoad, totals: Totals, *, billed_column: str
) -> str | None:
    """Why the run would have been held for its costs, had they been known; None if it is fine."""
    billed = billed_costs_of(totals, billed_column)
    if not billed:
        return None
    fallen = fallen_costs_of(
        planned,
        billed=billed,
        read_charged=lambda: dataset.billed(planned.table, planned, without_credits=True) or {},
    )
    return None if fallen is None else fallen.alarm
