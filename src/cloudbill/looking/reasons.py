"""Why a person should look at a source: all that `status --check` ends for, as one list."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cloudbill.errors import HeldError, LastTryError, StaleError, VerificationError
from cloudbill.looking.status import MonthStatus, Pending, SourceStatus
from cloudbill.models import Reason
from cloudbill.text.times import age_in_words, shown_time

if TYPE_CHECKING:
    from cloudbill.loading.failures import PastFailure

__all__ = ["reasons_of"]


def reasons_of(status: SourceStatus) -> tuple[Reason, ...]:
    """Everything that a person should look at, of the source first, then the newest month first."""
    found = [Reason(error=error) for error in status.errors]
    found += status.seen
    if status.failure is not None:
        found.append(_failed(status, status.failure))
    found += [reason for month in status.months for reason in _of_month(status, month)]
    return tuple(found)


def _of_month(status: SourceStatus, month: MonthStatus) -> Iterator[Reason]:
    if month.failure is not None:
        yield _failed(status, month.failure)
    held = [run for run in month.pending if run.pending is Pending.HELD]
    if held:
        others = f" (and {len(held) - 1} older runs)" if len(held) > 1 else ""
        why = str(held[0].detail).removeprefix("held: ")
        error = HeldError(
            f"Run {held[0].run_id} of {month.period}{others} is held: {why}. Look at it, then "
            f"`cloudbill accept {month.period}` loads it"
        )
        yield Reason(error=error, period=month.period, run_id=held[0].run_id)
    loadable = [run for run in month.pending if run.pending in {Pending.NEW, Pending.AGAIN}]
    if month.is_drifted and not loadable and status.error is None:
        yield _lost(month)
    for run in loadable:
        since, limit = run.newest_file_at, status.max_age
        if limit is not None and since is not None and status.looked_at - since > limit:
            left = StaleError(
                f"Run {run.run_id} of {month.period} has been complete since {shown_time(since)} "
                f"UTC and is not loaded, for longer than {status.max_age_name} allows. Look at "
                "what should run `cloudbill load`"
            )
            yield Reason(error=left, period=month.period, run_id=run.run_id)


def _failed(status: SourceStatus, failure: PastFailure) -> Reason:
    what = "load the source"
    if failure.period is not None:
        what = f"load {failure.period} (run {failure.run_id})"
    error = LastTryError(
        f"The last try to {what} failed {age_in_words(status.looked_at - failure.at)} "
        f"({shown_time(failure.at)} UTC): {failure.message}. Run `cloudbill load` once that is "
        "mended"
    )
    return Reason(error=error, period=failure.period, run_id=failure.run_id)


def _lost(month: MonthStatus) -> Reason:
    """A month that is not as it was recorded, without a run in the store that would mend it."""
    run_id = None if month.record is None else month.record.run_id
    loaded = "no load of it is recorded"
    if month.record is not None:
        loaded = f"{month.record.rows:,} were loaded"
    error = VerificationError(
        f"The table holds {month.table_rows:,} rows of {month.period}, but {loaded}, and the store "
        "has no run that could be loaded again. Put a run of the month back into the store and run "
        "`cloudbill load`, or restore the table from a backup"
    )
    return Reason(error=error, period=month.period, run_id=run_id)
