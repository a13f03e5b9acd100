"""Remembers what could not be loaded, in a file of the source below dlt's data folder.

The ledger lies in the warehouse, which may be what failed. Each line is one JSON object: a failure,
a run that was held once it was read, or a later success that ends either. Nobody else can read the
file. When it has grown to half of what is kept it is set aside for one generation, so that no more
than 10 MB are on the disk.
"""

from __future__ import annotations

import json
import logging
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cloudbill.errors import CloudbillError, Guard, HeldError, StoppedError
from cloudbill.models import LoadRecord, Skip, SkipReason
from cloudbill.periods import BillingPeriod
from cloudbill.planning.guards import Held
from cloudbill.redaction import redacted
from cloudbill.text.times import iso_time, parse_time

if TYPE_CHECKING:
    from cloudbill.loading.outcome import Outcome
    from cloudbill.manifests import Manifest
    from cloudbill.settings import SourceSettings

__all__ = [
    "PastFailure",
    "failed_runs",
    "failures_file",
    "forget_failures",
    "past_holds",
    "read_failures",
    "remember",
    "standing_failures",
]

_log = logging.getLogger(__name__)

_KEPT_BYTES: Final = 10_000_000
_LONGEST_MESSAGE: Final = 2_000
_NO_MONTH: Final = ""
_OVER: Final = {"over": True}
_NO_LINKS: Final = getattr(os, "O_NOFOLLOW", 0)  # Windows has none


@dataclass(frozen=True, slots=True, kw_only=True)
class PastFailure:
    """The newest try of a month, which failed; `period` is None where all of a source failed.

    `error` is the name of the class of what was raised.
    """

    at: datetime
    period: BillingPeriod | None
    run_id: str | None
    error: str
    message: str
    is_of_run: bool = False
    """Whether the run itself is at fault for good."""


def failures_file(settings: SourceSettings) -> Path:
    """Where the failures of a source are remembered.

    Two projects on one machine may call their sources alike, so the table is part of the name.
    """
    from dlt.common.runtime.run_context import active

    table = json.dumps(settings.physical_table)
    digest = sha256(table.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    name = f"{settings.pipeline_name}-{digest}.jsonl"
    return Path(active().data_dir) / "cloudbill" / name


def read_failures(settings: SourceSettings) -> tuple[PastFailure, ...]:
    """The months whose newest try failed; that of the whole source first, then newest month first.

    A file that cannot be read says nothing.
    """
    newest: dict[str, PastFailure | None] = {}
    for entry in _entries(settings):
        _take(entry, newest)
    found = [failure for failure in newest.values() if failure is not None]
    found.sort(key=lambda failure: str(failure.period or "9"), reverse=True)
    return tuple(found)


def failed_runs(settings: SourceSettings) -> frozenset[str]:
    """The deliveries (`Manifest.identity`) that failed for a lasting reason.

    Those of a month are forgotten once a load of it succeeds.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for entry in _entries(settings):
        month, delivery = str(entry.get("period")), entry.get("lasting")
        if entry.get("over"):
            found.pop(month, None)
        elif isinstance(delivery, str):
            found[month].add(delivery)
    return frozenset(delivery for some in found.values() for delivery in some)


def past_holds(settings: SourceSettings) -> dict[str, Held]:
    """The deliveries (`Manifest.identity`) that were held once they were read, and why.

    A hold is forgotten once the run is loaded, or is not held any more for another reason; and it
    counts for nothing where the keys are others now by which it was held.
    """
    limits = _limits(settings)
    found: dict[str, Held] = {}
    for delivery, entry in _hold_entries(settings).items():
        with suppress(KeyError, ValueError):
            if entry["limits"] == limits:
                found[delivery] = Held(guard=Guard(entry["guard"]), why=str(entry["message"]))
    return found


def standing_failures(
    settings: SourceSettings, loaded: Mapping[BillingPeriod, LoadRecord]
) -> dict[BillingPeriod | None, PastFailure]:
    """The failures that no later load has ended, of this machine or of another one, by month."""
    newest = max((one.loaded_at for one in loaded.values() if one.loaded_at), default=None)
    standing: dict[BillingPeriod | None, PastFailure] = {}
    for failure in read_failures(settings):
        record = loaded.get(failure.period) if failure.period is not None else None
        ended_at = None if record is None else record.loaded_at
        if failure.period is None:
            ended_at = newest
        if ended_at is None or ended_at <= failure.at:
            standing[failure.period] = failure
    return standing


def remember(outcome: Outcome, now: datetime) -> None:
    """Writes down what failed or was held, and what of it is over; what was stopped is neither.

    A failure is over when a later try of its month succeeded, or when its run is in the store no
    more; a hold when its run was read again and passed, or needs not be read any more. Where the
    file cannot be written, it says so in the log, and nothing else.
    """
    lines = [*_failed(outcome, now)]
    known = read_failures(outcome.settings)
    over = _over(outcome, {str(failure.period or _NO_MONTH) for failure in known})
    lines += [{"at": iso_time(now), "period": period or None, "over": True} for period in over]
    lines += _changed_holds(outcome, now)
    _write(outcome.settings, lines)


def forget_failures(settings: SourceSettings, dismissed: Iterable[Manifest], now: datetime) -> None:
    """Writes down that the failures of runs are over that a person has dismissed."""
    runs = {(manifest.period, manifest.run_id) for manifest in dismissed}
    over: list[Mapping[str, object]] = [
        {"at": iso_time(now), "period": str(failure.period), "over": True}
        for failure in read_failures(settings)
        if (failure.period, failure.run_id) in runs
    ]
    _write(settings, over)


def _write(settings: SourceSettings, lines: list[Mapping[str, object]]) -> None:
    if not lines:
        return
    file = failures_file(settings)
    try:
        _append(file, lines)
    except OSError as error:
        _log.warning("What failed cannot be written to %s: %s", file, error.strerror or error)


def _failed(outcome: Outcome, now: datetime) -> Iterator[Mapping[str, object]]:
    for failure in outcome.failures:
        if not isinstance(failure.error, StoppedError):
            manifest = failure.planned.manifest
            entry = _entry(now, failure.error, str(manifest.period), manifest.run_id)
            is_lasting = failure.error.is_of_run
            yield {**entry, "lasting": manifest.identity} if is_lasting else entry
    if outcome.error is not None:
        yield _entry(now, outcome.error, None, None)


def _entry(
    now: datetime, error: CloudbillError, period: str | None, run_id: str | None
) -> Mapping[str, object]:
    return {
        "at": iso_time(now),
        "period": period,
        "run_id": run_id,
        "error": type(error).__name__,
        "message": redacted(str(error))[:_LONGEST_MESSAGE],
    }


def _changed_holds(outcome: Outcome, now: datetime) -> Iterator[Mapping[str, object]]:
    """What was held once it was read, unless that is known, and which such holds are over."""
    known, limits = _hold_entries(outcome.settings), _limits(outcome.settings)
    held = {skip.manifest.identity: skip for skip in outcome.skips if skip.is_held and skip.is_late}
    for delivery, skip in held.items():
        entry = _hold(skip, now, limits)
        told = known.get(delivery, {})
        if any(told.get(key) != entry[key] for key in ("message", "guard", "limits")):
            yield entry
    if outcome.error is not None:
        return
    tried = {failure.planned.manifest.identity for failure in outcome.failures}
    unseen = _unseen(outcome)
    for delivery, entry in known.items():
        if delivery not in held.keys() | tried and entry.get("period") not in unseen:
            yield {"at": iso_time(now), "period": entry.get("period"), "held": delivery} | _OVER


def _hold(skip: Skip, now: datetime, limits: list[str]) -> Mapping[str, object]:
    manifest = skip.manifest
    entry = _entry(now, HeldError(skip.detail), str(manifest.period), manifest.run_id)
    guard = None if skip.guard is None else str(skip.guard)
    return {**entry, "held": manifest.identity, "guard": guard, "limits": limits}


def _limits(settings: SourceSettings) -> list[str]:
    """The keys that decide whether a run is held that was read."""
    return [*map(str, (settings.max_row_drop, settings.max_cost_drop, settings.cost_trifle))]


def _hold_entries(settings: SourceSettings) -> dict[str, Mapping[str, Any]]:
    """The newest entry of each delivery that was held once it was read, and still is."""
    found: dict[str, Mapping[str, Any]] = {}
    for entry in _all_entries(settings):
        delivery = entry.get("held")
        if isinstance(delivery, str) and entry.get("over"):
            found.pop(delivery, None)
        elif isinstance(delivery, str):
            found[delivery] = entry
    return found


def _over(outcome: Outcome, remembered: set[str]) -> Iterator[str]:
    """The months, and the source itself, whose remembered failure is over."""
    if outcome.error is not None:
        return
    failed = {str(failure.planned.period) for failure in outcome.failures}
    for period in sorted(remembered):
        if period not in failed | _unseen(outcome):
            yield period


def _unseen(outcome: Outcome) -> set[str]:
    """The months that were not asked for."""
    return {
        str(skip.manifest.period)
        for skip in outcome.skips
        if skip.reason is SkipReason.NOT_SELECTED
    }


def _entries(settings: SourceSettings) -> Iterator[Mapping[str, Any]]:
    """The lines about failures; a run that is held did not fail."""
    return (entry for entry in _all_entries(settings) if "held" not in entry)


def _all_entries(settings: SourceSettings) -> Iterator[Mapping[str, Any]]:
    """The lines of a source, oldest first; one that was cut off is passed over."""
    file = failures_file(settings)
    for place in (_older(file), file):
        for line in _lines(place):
            with suppress(ValueError):
                entry = json.loads(line)
                if isinstance(entry, dict):
                    yield entry


def _take(entry: Mapping[str, Any], newest: dict[str, PastFailure | None]) -> None:
    """Brings the newest of each month up to date; what cannot be read is passed over."""
    with suppress(ValueError, KeyError, TypeError):
        period = entry["period"]
        failure = None
        if not entry.get("over"):
            failure = PastFailure(
                at=parse_time(entry["at"]),
                period=None if period is None else BillingPeriod.parse(period),
                run_id=entry["run_id"],
                error=str(entry["error"]),
                message=str(entry["message"]),
                is_of_run=isinstance(entry.get("lasting"), str),
            )
        newest[period or _NO_MONTH] = failure


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []


def _append(file: Path, lines: list[Mapping[str, object]]) -> None:
    """Adds lines by one write, so that those of two processes do not mix.

    Raises:
        OSError: If they cannot be written.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        if file.stat().st_size > _KEPT_BYTES // 2:
            file.replace(_older(file))
    # An empty line ends what a full disk may have cut off.
    text = "".join(f"\n{json.dumps(line)}" for line in lines) + "\n"
    opened = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _NO_LINKS, 0o600)
    try:
        os.write(opened, text.encode("ascii"))
    finally:
        os.close(opened)


def _older(file: Path) -> Path:
    return file.with_suffix(".older.jsonl")
