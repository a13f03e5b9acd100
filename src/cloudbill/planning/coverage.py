"""Which days of a month no run covers; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date
from typing import Protocol

from cloudbill.models import LoadRecord, Plan, SkipReason
from cloudbill.periods import BillingPeriod, days_between

__all__ = ["Known", "uncovered_days"]


class Known(Protocol):
    """What a ledger knows of the months: their runs, and what persons accepted."""

    @property
    def loaded(self) -> Mapping[BillingPeriod, LoadRecord]:
        """The run of each month."""

    @property
    def accepted(self) -> Mapping[BillingPeriod, Collection[str]]:
        """Held runs that are right, by month: run ids, or identities of deliveries."""


def uncovered_days(plan: Plan, known: Known, today: date) -> dict[BillingPeriod, tuple[date, ...]]:
    """The days before today that no run covers, of months whose loaded run begins after day 1.

    Days after the last that is covered may still come, and are none of them. Neither are the days
    of a run that a person accepted, such as a slice: the person was told of them.
    """
    covered: dict[BillingPeriod, set[date]] = defaultdict(set)
    for load in plan.loads:
        covered[load.period] |= load.manifest.days or set()
    for skip in plan.skips:
        if skip.reason is not SkipReason.GONE:
            covered[skip.manifest.period] |= skip.manifest.days or set()
    found: dict[BillingPeriod, tuple[date, ...]] = {}
    for period, record in known.loaded.items():
        own = record.days
        if own is None or _is_accepted(record, known.accepted.get(period, ())):
            continue
        days = own | covered[period]
        before = days_between(period, period.first_day, min(max(own), today), None) or frozenset()
        missing = sorted(day for day in before - days if day < today)
        if missing:
            found[period] = tuple(missing)
    return found


def _is_accepted(record: LoadRecord, accepted: Collection[str]) -> bool:
    delivery = f"{record.run_id}@{record.digest}@"
    return any(one == record.run_id or one.startswith(delivery) for one in accepted)
