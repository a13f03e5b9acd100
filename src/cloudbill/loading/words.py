"""Turns events into lines, and the outcome into one JSON document; prints nothing itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from cloudbill.costs.amounts import rests_to_text, shown_rests, totals_to_text
from cloudbill.errors import Guard, StoppedError
from cloudbill.loading.events import (
    Discovered,
    Drifted,
    Event,
    LoadFinished,
    LoadStarted,
    NewlyHeld,
    OddRows,
    Progressed,
    Stopping,
    UnrecordedRows,
)
from cloudbill.loading.outcome import Outcome
from cloudbill.manifests import ManifestFailure
from cloudbill.models import LoadFailure, LoadResult, Pin, PlannedLoad, Skip, SkipReason
from cloudbill.periods import BillingPeriod
from cloudbill.text.counts import counted
from cloudbill.text.failures import SourceFailure, failure_entry, failures_json
from cloudbill.text.odd_rows import odd_rows_found
from cloudbill.text.table import printable

__all__ = [
    "UNCHECKED",
    "UNLISTED",
    "accept_command",
    "but_not_begun",
    "finished_line",
    "held_line",
    "likewise",
    "lines",
    "note_lines",
    "outcomes_json",
    "pin_lines",
    "same_fault_line",
    "stopped_lines",
]

UNLISTED: Final = frozenset(
    {SkipReason.SUPERSEDED, SkipReason.OLDER_THAN_LOADED, SkipReason.NOT_SELECTED}
)
"""Runs that are skipped for these reasons are only counted: a daily export has about a hundred."""

_COUNTED: Final = {
    "loaded": "month(s) loaded",
    "already_loaded": "already loaded",
    "superseded": "superseded",
    "older_than_loaded": "older than loaded",
    "not_selected": "not selected",
    "waiting": "waiting",
    "gone": "gone",
    "held": "held",
    "dismissed": "dismissed",
    "expired": "outside of what is kept",
    "pinned": "set aside by a pin",
    "failed": "failed",
    "unreadable_manifests": "unreadable manifest(s)",
    "failed_sources": "source(s) failed",
    "reasons": "to look at",
}
_FORMATS = {"parquet": "Parquet", "csv": "CSV"}


def lines(event: Event, source: str | None = None) -> Iterator[str]:
    """The plain lines of an event, for people and for logs; a name in the data cannot forge one.

    `source` is named where the event itself does not say whose it is.
    """
    # Only an error may have more than one line, such as the statements that fix the cause.
    kept = "\n" if isinstance(event, LoadFailure | ManifestFailure) else ""
    for line in _lines(event, source):
        yield printable(line, kept)


def _lines(event: Event, source: str | None) -> Iterator[str]:
    match event:
        case Discovered():
            yield from _discovered_lines(event)
        case Drifted() | OddRows() | UnrecordedRows() | NewlyHeld():
            yield _found_line(event)
        case Skip():
            yield f"Skipping {_run(event)} - {event.detail}{likewise(event.older_alike)}"
        case LoadStarted():
            planned = event.planned
            yield f"Processing {_run(planned)}"
            kind = _FORMATS[planned.manifest.file_format]
            yield f"  Loading {len(planned.uris)} {kind} files from {event.store_title}..."
            yield from (f"    {uri}" for uri in planned.uris)
        case Stopping():
            yield "Stopping; again to leave at once"
        case Progressed():
            pass  # for a terminal, not for a log
        case LoadFinished():
            yield from _finished_lines(event.result)
        case LoadFailure():
            yield f"Failed {_run(event.planned)} - {event.error}"
        case ManifestFailure():
            whose = "" if source is None else f" of {source}"
            yield f"Failed manifest{whose} - {event.error}"


def _newly_held_line(event: NewlyHeld) -> str:
    """What is said once after an upgrade; the lines of the runs follow."""
    one = len(event.skips) == 1
    months = sorted({str(skip.manifest.period) for skip in event.skips}, reverse=True)
    return (
        f"This version of cloudbill holds {counted(len(event.skips), 'run')} of "
        f"{', '.join(months)} that the version before did not hold; nothing was changed for "
        f"{'it' if one else 'them'} yet"
    )


def likewise(older: int) -> str:
    """What follows the reason of a held run where the same guard holds older runs of its month."""
    return f"; likewise {counted(older, 'older run')}" if older else ""


def _discovered_lines(event: Discovered) -> Iterator[str]:
    # As this line, "Loading" and "Loaded" have always been: scripts look for them in logs.
    yield f"Discovered {event.manifests} {event.settings.provider.TITLE} manifests"
    if not event.manifests and not event.is_explained:
        yield f"  Nothing was found in {event.address}; check 'prefix' and 'export_name'"


def _finished_lines(result: LoadResult) -> Iterator[str]:
    yield f"  Loaded {result.rows} rows to {result.planned.table}"
    if result.rests:
        yield f"  Rounded away at the 18th digit: {shown_rests(result.rests)}"
    yield f"Completed loading {_run(result.planned)}"
    yield from note_lines(result)


UNCHECKED: Final = "no bill can be compared with them. Export the month with its currency"
"""What follows from costs without a currency, and what to do."""


def note_lines(result: LoadResult) -> Iterator[str]:
    """A line for each thing that a person should know of a month that was loaded.

    Its costs could not be summed; it has no rows, or costs without a currency, which may be a
    mistake of the export; or a person should look at its run, which nobody knew before.
    """
    run = _run(result.planned)
    if result.untotalled is not None:
        yield f"Loaded {run} without totals: {result.untotalled}"
    if result.rowless is not None:
        yield f"Loaded {run} without rows: {result.rowless}"
    currencyless = result.notes.get("without_currency")
    if currencyless is not None:
        yield f"Loaded {run}, but {currencyless}: {UNCHECKED}"
    if result.alarm is not None:
        yield f"Look at {run} - it was loaded, but {result.alarm}"


def _found_line(event: Drifted | OddRows | UnrecordedRows | NewlyHeld) -> str:
    """What the table holds that no load left there, or what an upgrade newly holds."""
    if isinstance(event, NewlyHeld):
        return _newly_held_line(event)
    if isinstance(event, UnrecordedRows):
        what = "loading the month"
        if not event.is_replaced:
            what = "no run in the store replaces them; `cloudbill doctor` says what to do"
        table = event.settings.table_name
        return (
            f"Found {counted(event.rows, 'row', ',')} of {event.period} in {table} that "
            f"{'belongs' if event.rows == 1 else 'belong'} to no recorded "
            f"load - {what}"
        )
    if isinstance(event, OddRows):
        settings = event.settings
        found = odd_rows_found(event.rows, settings.table_name, settings.provider.PERIOD_COLUMN)
        return f"Found that {found}; `cloudbill doctor` says how to see them"
    record = event.record
    what = "loading the month again" if event.is_loaded_again else "it is not loaded again now"
    if event.differences or event.inexact:
        return f"Found {record.period} changed: {event.found} - {what}"
    return (
        f"Found {counted(event.rows_in_table, 'row')} of {record.period} in the table, where "
        f"{record.rows} "
        f"were loaded - {what}"
    )


def pin_lines(
    outcome: Outcome, pins: Mapping[BillingPeriod, Pin | None], *, dry_run: bool
) -> Iterator[str]:
    """What became of the runs that a person chose for months, or would become."""
    source = outcome.settings.source
    failed = {one.planned.period for one in outcome.failures if one.error.is_of_run}
    for period, pin in pins.items() if outcome.error is None else ():
        if pin is None:
            yield f"{source}: {period} {'would not be' if dry_run else 'is not'} pinned any more"
        elif period in failed:
            yield f"{source}: {period} is not pinned to run {pin.run_id}, which cannot be loaded"
        else:
            yield (
                f"{source}: {period} {'would be' if dry_run else 'is'} pinned to run {pin.run_id} "
                f"until a run comes that is newer than {pin.newest}; `cloudbill load {source} "
                f"--month {period} --release` ends that"
            )


def finished_line(counts: Mapping[str, int], *, seconds: float, exit_code: int) -> str:
    """What a load did, in one line: its exit code, its time, and what there was of each kind."""
    told = [
        counted(counts[name], title.replace("(s)", ""), plural=title.replace("(s)", "s"))
        for name, title in _COUNTED.items()
        if counts[name]
    ]
    passed = sum(counts[str(reason)] for reason in UNLISTED)
    hint = "; -v lists all" if passed else ""
    return (
        f"Finished with exit code {exit_code} in {seconds:.1f} s: "
        f"{', '.join(told) or 'nothing to do'}{hint}"
    )


def held_line(outcome: Outcome) -> str | None:
    """What to do with the runs that are held, if any are."""
    source = outcome.settings.source
    periods = sorted({skip.manifest.period for skip in outcome.skips if skip.is_held}, reverse=True)
    if not periods:
        return None
    newest = periods[0]
    # The first of the month is the newest, which is what `accept` takes.
    held = next(skip for skip in outcome.skips if skip.is_held and skip.manifest.period == newest)
    accept = accept_command(newest, held.guard, source)
    # What no plan knows is dismissed by its id alone.
    run = f" {held.manifest.run_id}" if held.is_late else ""
    others = f"; likewise {', '.join(map(str, periods[1:]))}" if len(periods) > 1 else ""
    return (
        f"{source}: look at what is held, then `{accept}` loads it, or `cloudbill dismiss {source} "
        f"{newest}{run}` ends the alarm{others}"
    )


def accept_command(period: BillingPeriod, guard: Guard | None, source: str | None = None) -> str:
    """The command that loads a held run of a month."""
    of_source = "" if source is None else f" --source {source}"
    return f"cloudbill accept {period}{of_source}{' --slice' if guard is Guard.SLICE else ''}"


def same_fault_line(outcome: Outcome) -> str | None:
    """What to say if every run that was tried has the same fault, else None."""
    is_of_data = all(failure.error.is_of_run for failure in outcome.failures)
    faults = {_fault(failure) for failure in outcome.failures}
    if outcome.results or len(outcome.failures) == 1 or len(faults) != 1 or not is_of_data:
        return None
    return (
        f"{outcome.settings.source}: all {len(outcome.failures)} runs that were tried failed for "
        "the same reason, so it is in the export, or in what brings its files into the store; to "
        "deliver one month again will not help"
    )


def _fault(failure: LoadFailure) -> tuple[str, str]:
    """An error without what differs from run to run: names, numbers and values of cells."""
    text = str(failure.error)
    manifest = failure.planned.manifest
    for name in (*failure.planned.uris, *(part.path for part in manifest.parts), manifest.run_id):
        text = text.replace(name, "")
    text = re.sub(r"'[^']*' in column", "in column", text)
    return type(failure.error).__name__, re.sub(r"\d+", "", text)


def but_not_begun(ended: Iterable[SourceFailure]) -> list[SourceFailure]:
    """All but the sources that a stopped load has not begun, of which `stopped_lines` tells."""
    return [one for one in ended if not isinstance(one.error, StoppedError)]


def stopped_lines(
    outcomes: Sequence[Outcome], ended: Sequence[SourceFailure], command: str
) -> Iterator[str]:
    """What was loaded before the user stopped the load, what was not, and how to continue."""
    not_begun = [one for one in ended if isinstance(one.error, StoppedError)]
    if not (not_begun or any(outcome.is_stopped for outcome in outcomes)):
        return
    loaded = [str(result.planned.period) for one in outcomes for result in one.results]
    if loaded:
        yield f"Loaded and recorded: {', '.join(loaded)}"
    for outcome in outcomes:
        for failure in outcome.failures:
            if isinstance(failure.error, StoppedError):
                yield f"{failure.planned.period}: {failure.error}"
    for one in not_begun:
        yield f"{one.source}: {one.error}"
    yield f"Run the same command again to continue: {command}"


def outcomes_json(
    outcomes: Sequence[Outcome],
    ended: Sequence[SourceFailure] = (),
    *,
    dry_run: bool = False,
    more: Mapping[str, object] = MappingProxyType({}),
) -> str:
    """The JSON document of a load, and `more` of its command; amounts are exact decimal text.

    The document of a dry run lists under `planned` what would be loaded.
    """
    loads: list[object] = []
    planned: list[object] = []
    skips: list[object] = []
    failures: list[object] = failures_json(ended)
    for outcome in outcomes:
        source = outcome.settings.source
        loads += [
            {
                "source": source,
                "period": str(result.planned.period),
                "run_id": result.planned.manifest.run_id,
                "rows": result.rows,
                "parts": len(result.planned.manifest.parts),
                "totals": totals_to_text(result.totals),
                **rests_to_text(result.rests),
                "job_id": result.job_id,
                "seconds": round(result.seconds, 3),
                **result.notes,
            }
            for result in outcome.results
        ]
        planned += [
            {
                "source": source,
                "period": str(load.period),
                "run_id": load.manifest.run_id,
                "rows": load.manifest.rows,
                "parts": len(load.manifest.parts),
                "bytes": load.manifest.size,
            }
            for load in outcome.planned
        ]
        skips += [
            {
                "source": source,
                "period": str(skip.manifest.period),
                "run_id": skip.manifest.run_id,
                "reason": str(skip.reason),
                "detail": skip.detail,
                **({"guard": str(skip.guard)} if skip.guard else {}),
            }
            for skip in outcome.skips
        ]
        failures += _failures(outcome)
    result = {"loads": loads, "skips": skips, "failures": failures, **more}
    return json.dumps(result | ({"planned": planned} if dry_run else {}), indent=2)


def _failures(outcome: Outcome) -> Iterator[object]:
    source = outcome.settings.source
    for failure in outcome.failures:
        manifest = failure.planned.manifest
        yield failure_entry(source, str(manifest.period), manifest.run_id, failure.error)
    for unread in outcome.manifest_failures:
        yield failure_entry(source, None, None, unread.error)
    for reason in outcome.reasons:
        period = None if reason.period is None else str(reason.period)
        yield failure_entry(source, period, reason.run_id, reason.error)
    if outcome.error is not None:
        yield failure_entry(source, None, None, outcome.error)


def _run(item: Skip | PlannedLoad) -> str:
    return f"{item.manifest.period} (run_id: {item.manifest.run_id})"
