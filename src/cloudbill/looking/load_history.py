"""Every load of a month, and how its billed cost changed; read only from the tracking table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING

from cloudbill.costs.amounts import costs_of, subtract_amounts
from cloudbill.errors import CloudbillError
from cloudbill.ledger import Ledger
from cloudbill.models import LoadRecord
from cloudbill.periods import BillingPeriod
from cloudbill.warehouses import open_warehouse

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings

__all__ = ["Closing", "Load", "MonthHistory", "SourceHistory", "history_of", "read_history"]

Costs = Mapping[str, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One load of a month.

    `costs` is its billed cost by currency, None if no total was recorded. `changes` is that cost
    minus the cost of the previous load, by currency; None for the first load, or if one of the two
    totals was not recorded. `is_repeat` says that the previous load had the same run, rows and
    totals.
    """

    record: LoadRecord
    costs: Costs | None
    changes: Costs | None = None
    is_repeat: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """The cost of a month when it closed, and how much the last load changed it.

    A month closes with the first load whose run was submitted after its last day had ended, in UTC.
    `differences` is the cost of the last load minus the cost at closing, by currency; None if one
    of the two was not recorded.
    """

    load: Load
    last: Load
    differences: Costs | None

    @property
    def is_last(self) -> bool:
        """Whether nothing was loaded after it."""
        return self.load is self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthHistory:
    """The loads of a month, oldest first; `closing` is None while the month is open.

    A load that an older tool recorded without the time of its run does not close a month.
    """

    period: BillingPeriod
    loads: tuple[Load, ...]
    closing: Closing | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceHistory:
    """The months of a source, newest first; `error` is the error that ended the reading, if any.

    `asked` are the months that were asked for, empty if all were. `recorded` are all months that
    have a record.
    """

    settings: SourceSettings
    asked: frozenset[BillingPeriod] = frozenset()
    months: tuple[MonthHistory, ...] = ()
    recorded: frozenset[BillingPeriod] = frozenset()
    error: CloudbillError | None = None

    @property
    def exit_code(self) -> int:
        """The exit code of its error, or 0."""
        return 0 if self.error is None else self.error.exit_code


def read_history(settings: SourceSettings, periods: frozenset[BillingPeriod]) -> SourceHistory:
    """Reads the loads of every month, or of the months that are asked for; changes nothing.

    An error is in the result.
    """
    try:
        with closing(open_warehouse(settings.warehouse, read_only=True)) as warehouse:
            records = Ledger(settings, warehouse).loads()
    except CloudbillError as error:
        return SourceHistory(settings=settings, asked=periods, error=error)
    months = history_of(
        [record for record in records if not periods or record.period in periods],
        settings.provider.BILLED_COLUMN,
    )
    return SourceHistory(
        settings=settings,
        asked=periods,
        months=months,
        recorded=frozenset(record.period for record in records),
    )


def history_of(records: Sequence[LoadRecord], column: str) -> tuple[MonthHistory, ...]:
    """The months of some loads, newest first; the loads are given oldest first."""
    by_period: dict[BillingPeriod, list[LoadRecord]] = defaultdict(list)
    for record in records:
        by_period[record.period].append(record)
    return tuple(_month(period, by_period[period], column) for period in sorted(by_period)[::-1])


def _month(period: BillingPeriod, records: Sequence[LoadRecord], column: str) -> MonthHistory:
    loads: list[Load] = []
    for record in records:
        costs = costs_of(record, column)
        before = loads[-1] if loads else None
        loads.append(
            Load(
                record=record,
                costs=costs,
                changes=_differences(before.costs, costs) if before else None,
                is_repeat=before is not None and _is_repeat(before.record, record),
            )
        )
    return MonthHistory(period=period, loads=tuple(loads), closing=_closing(period, loads))


def _differences(before: Costs | None, after: Costs | None) -> Costs | None:
    """The cost after minus the cost before; a currency that is not there costs nothing."""
    if before is None or after is None:
        return None
    nothing = Decimal(0)
    return {
        currency: subtract_amounts(after.get(currency, nothing), before.get(currency, nothing))
        for currency in sorted({*before, *after})
    }


def _is_repeat(before: LoadRecord, after: LoadRecord) -> bool:
    return (before.run_id, before.rows, before.totals) == (after.run_id, after.rows, after.totals)


def _closing(period: BillingPeriod, loads: Sequence[Load]) -> Closing | None:
    ended_at = datetime.combine(period.next.first_day, time(), tzinfo=UTC)
    for load in loads:
        submitted_at = load.record.submitted_at
        if submitted_at is not None and submitted_at >= ended_at:
            last = loads[-1]
            return Closing(load=load, last=last, differences=_differences(load.costs, last.costs))
    return None
