"""What a person should look at, by the same facts as `cloudbill status`; changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from cloudbill.errors import HeldError, LastTryError
from cloudbill.loading.words import likewise
from cloudbill.looking.status import MonthStatus, Pending, PendingRun, SourceStatus
from cloudbill.looking.status_reading import status_before, status_of
from cloudbill.periods import utc_now
from cloudbill.report import model
from cloudbill.report.model import (
    FailedLoad,
    OpenPoint,
    PinnedMonth,
    RunState,
    SourceReport,
    StoreReport,
)

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings
    from cloudbill.surveying import Present

__all__ = ["with_standing"]

_STORE_PATIENCE_S: Final = 20.0
"""The store only says which runs are not loaded yet, which is not worth a long wait."""
_DETAILS: Final = {
    Pending.NEW: "the next load takes it",
    Pending.AGAIN: "the table no longer holds it as it was loaded; the next load loads it again",
}


def with_standing(report: SourceReport, settings: SourceSettings, present: Present) -> SourceReport:
    """The report with what `cloudbill status` says; an error of the store is part of it."""
    patience = min(settings.retry_for_s, _STORE_PATIENCE_S)
    hasty = replace(settings, retry_for_s=patience)
    status = status_of(status_before(hasty, utc_now(), by_key=True), present)
    return replace(
        report,
        store=_store(status),
        failures=tuple(_failures(status)),
        pins=tuple(_pins(status)),
        open_points=tuple(
            OpenPoint(period=reason.period, message=str(reason.error))
            for reason in status.reasons
            # What is held and what failed is told by itself.
            if not isinstance(reason.error, HeldError | LastTryError)
        ),
        newest_delivery_at=status.newest_delivery_at,
        is_stale=status.stale is not None,
    )


def _store(status: SourceStatus) -> StoreReport:
    if status.error is not None:
        return StoreReport(error=str(status.error))
    pending = [_pending(month, run) for month in status.months for run in month.pending]
    pending.sort(key=lambda run: (run.period, run.submitted_at), reverse=True)
    return StoreReport(
        newest_submitted_at=max((run.submitted_at for run in status.delivered), default=None),
        pending=tuple(
            sorted(pending, key=lambda run: (run.period, run.submitted_at), reverse=True)
        ),
        unreadable=tuple(str(failure.error) for failure in status.manifest_failures),
        uncovered={month.period: month.uncovered for month in status.months if month.uncovered},
    )


def _pending(month: MonthStatus, run: PendingRun) -> model.PendingRun:
    failure = month.failure
    has_failed = run.pending in _DETAILS and failure and failure.run_id == run.run_id
    detail = _DETAILS.get(run.pending) or f"{run.detail}{likewise(run.older_alike)}"
    return model.PendingRun(
        period=month.period,
        run_id=run.run_id,
        submitted_at=run.submitted_at,
        state=RunState.FAILED if has_failed else RunState(run.pending),
        detail=failure.message if has_failed and failure else detail,
        is_alike=run.is_alike,
    )


def _failures(status: SourceStatus) -> Iterator[FailedLoad]:
    """The newest tries that failed; that the store cannot be read now does not take their place."""
    found = [status.failure, *(month.failure for month in status.months)]
    for one in found:
        if one is not None:
            yield FailedLoad(period=one.period, run_id=one.run_id, at=one.at, message=one.message)


def _pins(status: SourceStatus) -> Iterator[PinnedMonth]:
    for month in status.months:
        if month.pin is not None:
            yield PinnedMonth(
                period=month.period,
                run_id=month.pin.run_id,
                newest=month.pin.newest,
                is_loaded=month.record is not None and month.record.run_id == month.pin.run_id,
                is_stored=month.is_pin_stored,
            )
