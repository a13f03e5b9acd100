"""The runs that lack a part for longer than `max_wait` allows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from cloudbill.errors import StaleError
from cloudbill.models import Plan, Reason, Skip, SkipReason
from cloudbill.periods import BillingPeriod
from cloudbill.planning.guards import Guards, bytes_of
from cloudbill.text.counts import counted

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings

__all__ = ["late_runs"]

_SHORTEST_RETENTION: Final = timedelta(days=7)
"""No bucket deletes what is younger, so such parts were not brought."""


def late_runs(
    settings: SourceSettings, plan: Plan, now: datetime, *, loaded: Container[BillingPeriod]
) -> Iterator[Reason]:
    """The newest run of each month that lacks a part for longer than `max_wait`.

    A run that is gone is one where nothing else is loaded, or while a rule of the bucket cannot be
    why: then its parts never came.
    """
    guards = Guards(now=now, max_wait=settings.max_wait)
    patient = Guards(now=now, max_wait=max(settings.max_wait, _SHORTEST_RETENTION))
    coming = {load.period for load in plan.loads}
    late: dict[BillingPeriod, list[Skip]] = defaultdict(list)
    for skip in plan.skips:
        period = skip.manifest.period
        is_alone = not (period in loaded or period in coming)
        if skip.reason is SkipReason.GONE:
            is_late = is_alone or not patient.is_overdue(skip.manifest)
        else:
            is_late = skip.reason is SkipReason.WAITING and guards.is_overdue(skip.manifest)
        if is_late:
            late[period].append(skip)
    for period, of_month in late.items():
        newest = max(of_month, key=lambda skip: skip.manifest.submitted_at)
        run_id, path = newest.manifest.run_id, newest.manifest.path
        others = f" (and {counted(len(of_month) - 1, 'older run')})" if len(of_month) > 1 else ""
        error = StaleError(
            f"Run {run_id} of {period}{others} {_waits(newest)}. Check the job that copies the "
            f"export. If you do not need the run, `cloudbill dismiss {settings.source} {period} "
            f"{run_id}` ends the alarm, or delete its manifest, {path}"
        )
        yield Reason(error=error, period=period, run_id=run_id)


def _waits(skip: Skip) -> str:
    """What a run waits for too long: parts that are not there, or one that is not whole."""
    unwhole = [part for part in skip.manifest.parts if not part.is_whole]
    absent = [part.path for part in unwhole if part.stored is None]
    if unwhole and not absent:
        return (
            f"is waiting for longer than 'max_wait' allows: its part {bytes_of(unwhole[0])} that "
            "its manifest states"
        )
    lacking = (absent or [skip.manifest.path])[0]
    there, _, _ = str(skip.detail).partition("; ")
    return f"is {there}, for longer than 'max_wait' allows; it lacks {lacking}"
