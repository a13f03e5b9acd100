"""What a dry run says: what would be loaded, in one line and month by month; prints nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cloudbill.models import PlannedLoad, SkipReason
from cloudbill.text.counts import counted
from cloudbill.text.sizes import shown_size

if TYPE_CHECKING:
    from cloudbill.loading.outcome import Outcome

__all__ = ["planned_line", "planned_lines", "planned_months"]


def planned_line(planned: PlannedLoad) -> str:
    """The line of a dry run for a month that it would load."""
    rows = planned.manifest.rows
    run = f"{planned.manifest.period} (run_id: {planned.manifest.run_id})"
    count = "an unknown number of rows" if rows is None else counted(rows, "row")
    size = shown_size(planned.manifest.size)
    return f"Would load {run} - {counted(len(planned.uris), 'part')}, {size}, {count}"


def planned_months(outcome: Outcome) -> str:
    """What a dry run comes to, in one line: how many months would be loaded, and how many not."""
    if outcome.error is not None:
        return f"{outcome.settings.source}: it is not known what would be loaded"
    loaded = {planned.period for planned in outcome.planned}
    told = [f"{_months_are(len(loaded), 'month would be', 'months would be')} loaded"]
    moved = loaded
    for reason, one, many in (
        (SkipReason.HELD, "is held", "are held"),
        (SkipReason.WAITING, "waits for parts", "wait for parts"),
        (SkipReason.GONE, "is gone from the store", "are gone from the store"),
    ):
        months = {skip.manifest.period for skip in outcome.skips if skip.reason is reason}
        if months:
            told.append(_months_are(len(months), one, many))
        moved = moved | months
    stay = len(outcome.months - moved)
    if stay:
        told.append(_months_are(stay, "stays as it is", "stay as they are"))
    return f"{outcome.settings.source}: {', '.join(told)}"


def _months_are(count: int, one: str, many: str) -> str:
    return f"{count or 'no'} {one if count < 2 else many}"  # noqa: PLR2004 more than one


def planned_lines(outcome: Outcome) -> Iterator[str]:
    """The lines of a dry run: the months that it would load, newest first, and their sums.

    Of a source that could not be read there are none.
    """
    if outcome.error is not None:
        return
    yield from map(planned_line, outcome.planned)
    sizes = [planned.manifest.size for planned in outcome.planned]
    total = shown_size(sum(size or 0 for size in sizes))
    parts = sum(len(planned.uris) for planned in outcome.planned)
    source = outcome.settings.source
    if not sizes:
        yield f"{source}: nothing to load"
        return
    jobs = ""
    if outcome.settings.project_id is not None:
        # Whether a CSV run needs a staging table depends on its headers, so this is a minimum.
        jobs = f", at least {counted(len(sizes), 'BigQuery job')}"
    yield f"{source}: {counted(len(sizes), 'month')}, {counted(parts, 'part')}, {total}{jobs}"
