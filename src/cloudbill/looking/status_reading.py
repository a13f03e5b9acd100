"""Reads the status of a source: its ledger, its table and its store; changes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from cloudbill.costs.amounts import costs_of
from cloudbill.errors import CloudbillError
from cloudbill.loading.drift import mended_months
from cloudbill.loading.failures import standing_failures
from cloudbill.loading.unaccounted import unaccounted_reasons
from cloudbill.looking.status import MonthStatus, Pending, PendingRun, SourceStatus
from cloudbill.manifests import Manifest
from cloudbill.models import LoadRecord, Pin, Plan, Reason, Skip, SkipReason
from cloudbill.periods import BillingPeriod
from cloudbill.planning import Selection
from cloudbill.planning.coverage import uncovered_days
from cloudbill.planning.pins import standing_pins
from cloudbill.surveying import Present, Survey, compare_recorded, read_present, survey
from cloudbill.warehouses import open_warehouse

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings

__all__ = ["read_recorded", "read_status", "status_before", "status_of", "with_survey"]

_RECORDED_WITHIN: Final = timedelta(minutes=5)
"""A load that goes on writes its months before it records them; only a warehouse that can be read
meanwhile shows that, and it says when a month was written."""
_PENDING: Final = {
    SkipReason.WAITING: Pending.WAITING,
    SkipReason.HELD: Pending.HELD,
    SkipReason.GONE: Pending.GONE,
}


def read_status(
    settings: SourceSettings,
    *,
    now: datetime,
    max_age: timedelta | None = None,
    by_key: bool = False,
) -> SourceStatus:
    """Reads ledger, table and store of a source, and plans like a load; changes nothing.

    The loaded months are included even if the store cannot be read. `max_age` is how old the newest
    delivery may be; if it is None and `by_key` is true, the key of that name counts. An error is in
    the result.
    """
    status = status_before(settings, now, max_age, by_key=by_key)
    try:
        with closing(open_warehouse(settings.warehouse, read_only=True)) as warehouse:
            present = read_present(settings, warehouse)
            present = compare_recorded(settings, warehouse, present, trusts_file=False)
    except CloudbillError as error:
        return replace(status, error=error)
    return status_of(status, present)


def status_of(status: SourceStatus, present: Present) -> SourceStatus:
    """The status with what is loaded, and with the runs of the store, or why they are not known."""
    try:
        found = survey(status.settings, present, Selection(), lambda _: None, now=status.looked_at)
    except CloudbillError as error:
        return _with_months(replace(status, error=error), present)
    return with_survey(status, present, found)


def read_recorded(settings: SourceSettings, *, now: datetime) -> SourceStatus:
    """Reads ledger and table of a source alone; an error is in the result."""
    status = status_before(settings, now)
    try:
        with closing(open_warehouse(settings.warehouse, read_only=True)) as warehouse:
            return _with_months(status, read_present(settings, warehouse))
    except CloudbillError as error:
        return replace(status, error=error)


def status_before(
    settings: SourceSettings,
    now: datetime,
    max_age: timedelta | None = None,
    *,
    by_key: bool = False,
) -> SourceStatus:
    """The status before anything was read; the arguments are those of `read_status`."""
    if by_key and max_age is None:
        return SourceStatus(
            settings=settings,
            looked_at=now,
            max_age=settings.max_age,
            is_by_key=True,
        )
    return SourceStatus(settings=settings, looked_at=now, max_age=max_age)


def with_survey(status: SourceStatus, present: Present, found: Survey) -> SourceStatus:
    """The status with the runs of the store."""
    status = replace(
        status,
        address=found.address,
        manifests=found.manifests,
        manifest_failures=found.manifest_failures,
        delivered=tuple(run.manifest for run in found.discovery.runs),
        surveyed=(*_changed(status, present, found), *found.reasons),
    )
    return _with_months(status, present, found.plan)


def _changed(status: SourceStatus, present: Present, found: Survey) -> Iterator[Reason]:
    """What of the table is not what was recorded, but for what a load may be about to record."""
    settings = status.settings

    def is_settled(period: BillingPeriod) -> bool:
        month = present.table.months.get(period)
        at = None if month is None else month.written_at
        return at is None or status.looked_at - at >= _RECORDED_WITHIN

    unrecorded = tuple(
        one for one in found.unrecorded if not one.is_replaced or is_settled(one.period)
    )
    drifted = [one for one in found.drifted if is_settled(one.record.period)]
    yield from unaccounted_reasons(settings, present.table, unrecorded)
    yield from mended_months(settings.source, settings.table_name, drifted)


def _with_months(status: SourceStatus, present: Present, plan: Plan | None = None) -> SourceStatus:
    loaded, rows = present.loaded, present.rows
    pending = {} if plan is None else _pending_runs(plan, loaded)
    drifted = present.drifted
    failures = standing_failures(status.settings, loaded)
    uncovered = uncovered_days(plan, present.remembered, status.looked_at.date()) if plan else {}
    pins = standing_pins(present.remembered.pins, present.remembered.loaded, status.looked_at)
    known = {*loaded, *rows, *pending, *(period for period in failures if period is not None)}
    months = tuple(
        MonthStatus(
            period=period,
            record=loaded.get(period),
            costs=_costs(status.settings, loaded.get(period)),
            table_rows=rows.get(period, 0),
            drifted=drifted.get(period),
            pending=tuple(pending.get(period, ())),
            failure=failures.get(period),
            pin=pins.get(period),
            is_pin_stored=plan is None or _is_stored(pins.get(period), status.delivered),
            uncovered=uncovered.get(period, ()),
        )
        for period in reversed(_without_gaps(known))
    )
    return replace(
        status,
        is_loaded_known=True,
        rows_of_no_month=present.table.of_no_month,
        months=months,
        failure=failures.get(None),
        newest_delivery_at=_newest_delivery(plan, loaded),
    )


def _is_stored(pin: Pin | None, delivered: Iterable[Manifest]) -> bool:
    return any(
        pin is not None and pin.is_of(manifest) and all(part.is_whole for part in manifest.parts)
        for manifest in delivered
    )


def _costs(settings: SourceSettings, record: LoadRecord | None) -> Mapping[str, Decimal] | None:
    return None if record is None else costs_of(record, settings.provider.BILLED_COLUMN)


def _pending_runs(
    plan: Plan, loaded: Mapping[BillingPeriod, LoadRecord]
) -> dict[BillingPeriod, list[PendingRun]]:
    """The runs of each month that are newer than the one it holds, newest first."""
    found: list[tuple[BillingPeriod, PendingRun]] = []
    for load in plan.loads:
        record = loaded.get(load.period)
        is_again = record is not None and record.run_id == load.manifest.run_id
        pending = Pending.AGAIN if is_again else Pending.NEW
        found.append((load.period, _pending_run(load.manifest, pending)))
    for skip in plan.skips:
        if skip.reason in _PENDING:
            run = _pending_run(skip.manifest, _PENDING[skip.reason], skip.detail)
            run = replace(
                run, guard=skip.guard, older_alike=skip.older_alike, is_alike=skip.is_alike
            )
            found.append((skip.manifest.period, run))
    by_period: dict[BillingPeriod, list[PendingRun]] = defaultdict(list)
    for period, run in sorted(found, key=lambda one: one[1].submitted_at, reverse=True):
        by_period[period].append(run)
    return by_period


def _pending_run(manifest: Manifest, pending: Pending, detail: str | None = None) -> PendingRun:
    return PendingRun(
        pending=pending,
        run_id=manifest.run_id,
        submitted_at=manifest.submitted_at,
        parts=len(manifest.parts),
        parts_missing=sum(not part.is_whole for part in manifest.parts),
        rows=manifest.rows,
        detail=detail,
        newest_file_at=max(
            [
                *([] if manifest.stored_at is None else [manifest.stored_at]),
                *(part.stored.modified_at for part in manifest.parts if part.stored is not None),
            ],
            default=None,
        ),
    )


def _newest_delivery(
    plan: Plan | None, loaded: Mapping[BillingPeriod, LoadRecord]
) -> datetime | None:
    plan = plan or Plan(loads=(), skips=())
    delivered = [load.manifest.submitted_at for load in plan.loads]
    delivered += [skip.manifest.submitted_at for skip in plan.skips if _is_delivered(skip)]
    recorded = [record.submitted_at for record in loaded.values()]
    return max([*delivered, *(at for at in recorded if at is not None)], default=None)


def _is_delivered(skip: Skip) -> bool:
    if skip.reason is SkipReason.DISMISSED:
        return all(part.is_whole for part in skip.manifest.parts)
    return skip.reason not in {SkipReason.WAITING, SkipReason.GONE}


def _without_gaps(periods: Iterable[BillingPeriod]) -> list[BillingPeriod]:
    """Every month from the first to the last."""
    known = sorted(periods)
    every = known[:1]
    while every and every[-1] < known[-1]:
        every.append(every[-1].next)
    return every
