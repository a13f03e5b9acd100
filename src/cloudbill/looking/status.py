"""The status of a source: what each month holds, what is waiting, and how old it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from cloudbill.errors import (
    CloudbillError,
    Guard,
    HeldError,
    LastTryError,
    StaleError,
)
from cloudbill.loading.events import Drifted
from cloudbill.loading.failures import PastFailure
from cloudbill.loading.words import accept_command, likewise
from cloudbill.manifests import Manifest, ManifestFailure
from cloudbill.models import LoadRecord, Pin, Reason
from cloudbill.periods import BillingPeriod
from cloudbill.text.exit_codes import exit_code_of
from cloudbill.text.times import age_in_words, shown_time

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings

__all__ = [
    "MonthState",
    "MonthStatus",
    "Pending",
    "PendingRun",
    "SourceStatus",
    "held_reason",
]


class Pending(StrEnum):
    """Why a month does not hold a newer run; the values appear in JSON output."""

    NEW = "new"
    """The next load loads it."""
    AGAIN = "again"
    """It is loaded, but the table no longer has its rows: the next load loads it again."""
    WAITING = "waiting"
    """Some of its parts are not there yet, or not whole."""
    HELD = "held"
    """A guard found something that a person should check first."""
    GONE = "gone"
    """None of its parts is in the store any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingRun:
    """A run that is newer than the one its month holds; `rows` is None if they are unknown."""

    pending: Pending
    run_id: str
    submitted_at: datetime
    parts: int
    parts_missing: int
    rows: int | None
    detail: str | None = None
    """Why the plan holds the run or lets it wait, with the numbers."""
    guard: Guard | None = None
    """What holds it, if it is held."""
    older_alike: int = 0
    """How many older runs of its month the same guard holds."""
    is_alike: bool = False
    """Whether the same guard holds a newer run of its month."""
    newest_file_at: datetime | None = None
    """When the last of its files came, as far as they are there."""


class MonthState(StrEnum):
    """Whether a month exists; the values appear in JSON output."""

    LOADED = "loaded"
    NOT_LOADED = "not_loaded"
    """Runs of it were delivered, or the table has rows of it, but no load is recorded."""
    MISSING = "missing"
    """It is between other months, and nothing was delivered or loaded for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthStatus:
    """What a month holds, and its newer runs, newest first.

    `record` is what the ledger remembers, `costs` the billed cost of it by currency, None where no
    total was recorded; `table_rows` is what the table holds now, and `drifted` how that differs
    from what was recorded.
    """

    period: BillingPeriod
    record: LoadRecord | None = None
    costs: Mapping[str, Decimal] | None = None
    table_rows: int = 0
    drifted: Drifted | None = None
    pending: tuple[PendingRun, ...] = ()
    failure: PastFailure | None = None
    """The newest try to load it, if that failed."""
    pin: Pin | None = None
    """What it stays with, where a person chose a run."""
    is_pin_stored: bool = True
    """Whether the store still has that run in full, as far as it was read."""
    uncovered: tuple[date, ...] = ()
    """Days before those of the loaded run, or between those of others, that no run covers."""

    @property
    def state(self) -> MonthState:
        """Whether it is loaded, not loaded yet, or missing."""
        if self.record is not None:
            return MonthState.LOADED
        is_there = self.pending or self.table_rows or self.failure
        return MonthState.NOT_LOADED if is_there else MonthState.MISSING

    @property
    def is_drifted(self) -> bool:
        """Whether the table does not have what was loaded."""
        if self.drifted is not None:
            return True
        expected = 0 if self.record is None else self.record.rows
        return expected is not None and expected != self.table_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """The status of a source at one moment, months newest first; `error` ended the reading, if any.

    A delivery is a run that is complete, in the store or loaded; what still waits for parts is
    none. `is_loaded_known` says whether ledger and table could be read; `rows_of_no_month` are rows
    of the table that have no period, or an impossible one. `address` is the folder that was listed,
    None where the store was not.
    """

    settings: SourceSettings
    looked_at: datetime
    max_age: timedelta | None = None
    is_by_key: bool = False
    """Whether the key says how old it may be, which may be any age, and not an option."""
    is_loaded_known: bool = False
    rows_of_no_month: int = 0
    months: tuple[MonthStatus, ...] = ()
    newest_delivery_at: datetime | None = None
    address: str | None = None
    manifests: int = 0
    manifest_failures: tuple[ManifestFailure, ...] = ()
    delivered: tuple[Manifest, ...] = ()
    """The runs that are in the store."""
    surveyed: tuple[Reason, ...] = ()
    """What a load would end for as well, although it fails nowhere."""
    failure: PastFailure | None = None
    """The newest try to load the source, if all of it failed."""
    error: CloudbillError | None = None

    @property
    def max_age_name(self) -> str:
        """What allows that age: the option, or the key."""
        return "'max_age'" if self.is_by_key else "--max-age"

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """What a person should look at, although nothing failed: what `--check` adds to errors."""
        found = [*self.surveyed]
        # While the source cannot be read, that is told, and not that it could not be before.
        if self.failure is not None and self.error is None:
            found.append(_failed(self, self.failure))
        for month in self.months:
            found += _reasons_of(self, month)
        return tuple(found)

    @property
    def check_code(self) -> int:
        """The exit code of `--check`: the highest of all, that of a held run last."""
        return exit_code_of((*self.errors, *(reason.error for reason in self.reasons)))

    @property
    def age(self) -> timedelta | None:
        """How long ago the newest delivery was submitted."""
        if self.newest_delivery_at is None:
            return None
        return self.looked_at - self.newest_delivery_at

    @property
    def stale(self) -> StaleError | None:
        """Why the source is too old; None if it is not, or if its age is unknown or irrelevant."""
        if self.max_age is None or self.error is not None:
            return None
        remedy = "Check the export at the provider, and the job that copies it into the store"
        if self.age is None or self.newest_delivery_at is None:
            return StaleError(f"No complete run was ever delivered. {remedy}")
        if self.age <= self.max_age:
            return None
        return StaleError(
            f"The newest delivery was submitted {age_in_words(self.age)} "
            f"({shown_time(self.newest_delivery_at)} UTC), longer ago than {self.max_age_name} "
            f"allows. {remedy}"
        )

    @property
    def errors(self) -> tuple[CloudbillError, ...]:
        """Every error that determines the exit code."""
        found = [*(failure.error for failure in self.manifest_failures), self.error, self.stale]
        return tuple(error for error in found if error is not None)

    @property
    def exit_code(self) -> int:
        """The highest exit code of its errors, or 0; a waiting or held run is not an error."""
        return max((error.exit_code for error in self.errors), default=0)


def _reasons_of(status: SourceStatus, month: MonthStatus) -> Iterator[Reason]:
    """The try that failed, the newest run that each guard holds, and the runs nobody loads."""
    if month.failure is not None:
        yield _failed(status, month.failure)
    for run in month.pending:
        if run.pending is Pending.HELD and not run.is_alike:
            yield held_reason(
                status.settings.source,
                month.period,
                run.run_id,
                detail=str(run.detail),
                guard=run.guard,
                older_alike=run.older_alike,
            )
        since, limit = run.newest_file_at, status.max_age
        is_new = run.pending in {Pending.NEW, Pending.AGAIN}
        if is_new and since and limit is not None and status.looked_at - since > limit:
            left = StaleError(
                f"Run {run.run_id} of {month.period} has been complete since {shown_time(since)} "
                f"UTC and is not loaded, for longer than {status.max_age_name} allows. Check what "
                "should run `cloudbill load`"
            )
            yield Reason(error=left, period=month.period, run_id=run.run_id)


def held_reason(
    source: str,
    period: BillingPeriod,
    run_id: str,
    *,
    detail: str,
    guard: Guard | None,
    older_alike: int,
) -> Reason:
    """What is said of the newest run of a month that a guard holds."""
    why = f"{detail.removeprefix('held: ')}{likewise(older_alike)}"
    accept = accept_command(period, guard, source)
    error = HeldError(
        f"Run {run_id} of {period} is held: {why}. `{accept}` loads it, "
        f"`cloudbill dismiss {source} {period}` ends the alarm",
        guard,
    )
    return Reason(error=error, period=period, run_id=run_id)


def _failed(status: SourceStatus, failure: PastFailure) -> Reason:
    what, otherwise = "load the source", ""
    if failure.period is not None:
        what = f"load {failure.period} (run {failure.run_id})"
    if failure.period is not None and failure.is_of_run:
        dismiss = f"cloudbill dismiss {status.settings.source} {failure.period} {failure.run_id}"
        otherwise = f"; if it never is, `{dismiss}` ends the alarm"
    error = LastTryError(
        f"The last try to {what} failed {age_in_words(status.looked_at - failure.at)} "
        f"({shown_time(failure.at)} UTC): {failure.message}. Run `cloudbill load` once that is "
        f"repaired{otherwise}"
    )
    return Reason(error=error, period=failure.period, run_id=failure.run_id)
