"""A run over several months becomes a run of each of them; pure.

Azure exports up to three months in one run, and people fill a new table so.
"""

from __future__ import annotations

from dataclasses import replace

from cloudbill.exports.limits import MAX_MONTHS
from cloudbill.manifests import DiscoveredRun, Manifest
from cloudbill.periods import BillingPeriod

__all__ = ["runs_by_month", "with_months"]


def with_months(manifest: Manifest) -> Manifest:
    """A manifest that names its months, where its days lie in several.

    Days after it was submitted are none, because nothing had been billed for them. A billing month
    that begins in the middle of a calendar month is one month: all its rows have the same start.
    """
    if "billingmonth" in (manifest.time_frame or "").lower():
        return manifest
    last = min(manifest.covers_to, manifest.submitted_at.date())
    first = BillingPeriod.of(manifest.covers_from)
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    months = [first]
    # One too many is enough to refuse it.
    while len(months) < min(count, MAX_MONTHS + 1):
        months.append(months[-1].next)
    return replace(manifest, spans=tuple(months)) if len(months) > 1 else manifest


def runs_by_month(run: DiscoveredRun) -> tuple[DiscoveredRun, ...]:
    """The run itself, or one for each of its months.

    How many rows a month has is unknown until the parts are read, unless the run has none. Whole
    months that end on the first day of the next one are stated with an exclusive end: that day is
    no month of its own, which would be empty. Should the files have rows of it after all, they are
    counted, and the month gets them with its own runs.
    """
    manifest = run.manifest
    months = manifest.spans
    if manifest.covers_from.day == 1 and months and manifest.covers_to == months[-1].first_day:
        months = months[:-1]
    rows = 0 if manifest.rows == 0 else None
    return tuple(
        replace(
            run,
            manifest=replace(
                manifest,
                period=month,
                covers_from=max(manifest.covers_from, month.first_day),
                covers_to=min(manifest.covers_to, month.last_day),
                rows=rows,
                run_rows=manifest.rows,
            ),
        )
        for month in months
    ) or (run,)
