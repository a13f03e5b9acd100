"""Events and messages as JSON, one line each, for log collectors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from cloudbill.costs.amounts import rests_to_text, totals_to_text
from cloudbill.errors import CloudbillError, HeldError
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
from cloudbill.manifests import Manifest, ManifestFailure
from cloudbill.models import LoadFailure, Skip
from cloudbill.redaction import redacted

__all__ = ["error_log_line", "event_log_line", "finished_log_line", "text_log_line"]


def event_log_line(event: Event, source: str | None, now: datetime) -> str | None:
    """The line of an event, or None for an event that is not logged.

    Every line has `time`, `level`, `event` and `source`; amounts are exact text.
    """
    level, name, told = _told(event)
    if name is None:
        return None
    return _line(now, level, name, {"source": source, **told})


def finished_log_line(
    counts: Mapping[str, int], *, seconds: float, exit_code: int, now: datetime
) -> str:
    """The last line of a load: its exit code, its time, and the counts of `counts_of`."""
    level = {0: "info", HeldError.exit_code: "warning"}.get(exit_code, "error")
    told = {"exit_code": exit_code, "seconds": round(seconds, 3), **counts}
    return _line(now, level, "finished", told)


def error_log_line(source: str | None, error: CloudbillError, now: datetime) -> str:
    """The line of the error that ended a source, or the command."""
    return _line(now, "error", "failed", {"source": source, **_error(error)})


def text_log_line(level: str, text: str, now: datetime, *, logger: str | None = None) -> str:
    """The line of a message for people."""
    place = {} if logger is None else {"logger": logger}
    return _line(now, level, "message", {"message": redacted(text), **place})


def _told(event: Event) -> tuple[str, str | None, Mapping[str, object]]:
    match event:
        case Discovered():
            told = {"manifests": event.manifests, "address": event.address}
            return "info" if event.manifests else "warning", "discovered", told
        case Drifted() | OddRows() | UnrecordedRows() | NewlyHeld():
            return ("warning", *_found(event))
        case Skip():
            return "warning" if event.is_held else "info", "skipped", _skipped(event)
        case Progressed() | Stopping():
            return "debug", None, {}
        case LoadStarted() | LoadFinished() | LoadFailure() | ManifestFailure():
            return _told_of_load(event)


def _found(
    event: Drifted | OddRows | UnrecordedRows | NewlyHeld,
) -> tuple[str, Mapping[str, object]]:
    match event:
        case Drifted():
            return "drifted", _drifted(event)
        case OddRows():
            return "rows_of_no_month", {"rows": event.rows}
        case UnrecordedRows():
            told = {"period": str(event.period), "rows": event.rows}
            return "unrecorded_rows", {**told, "is_replaced": event.is_replaced}
        case NewlyHeld():
            runs = [{**_run(skip.manifest), "guard": str(skip.guard)} for skip in event.skips]
            return "newly_held", {"runs": runs}


def _told_of_load(
    event: LoadStarted | LoadFinished | LoadFailure | ManifestFailure,
) -> tuple[str, str | None, Mapping[str, object]]:
    match event:
        case LoadStarted():
            return "info", "load_started", _started(event)
        case LoadFinished():
            level = "warning" if event.result.notes else "info"
            return level, "load_finished", _finished(event)
        case LoadFailure():
            run = _run(event.planned.manifest)
            return "error", "load_failed", {**run, **_error(event.error)}
        case ManifestFailure():
            return "error", "manifest_failed", {"path": event.path, **_error(event.error)}


def _drifted(event: Drifted) -> Mapping[str, object]:
    record = event.record
    return {
        "period": str(record.period),
        "run_id": record.run_id,
        "rows": record.rows,
        "held_rows": event.rows_in_table,
        "differences": [
            {
                "currency": one.currency,
                "column": one.column,
                "ledger": f"{one.ledger:f}",
                "warehouse": f"{one.warehouse:f}",
            }
            for one in event.differences
        ],
        "inexact": dict(event.inexact),
        "is_loaded_again": event.is_loaded_again,
    }


def _skipped(event: Skip) -> Mapping[str, object]:
    guard = {"guard": str(event.guard)} if event.guard else {}
    return {
        **_run(event.manifest),
        "reason": str(event.reason),
        "detail": event.detail,
        **guard,
    }


def _started(event: LoadStarted) -> Mapping[str, object]:
    manifest = event.planned.manifest
    return {
        **_run(manifest),
        "table": event.planned.table,
        "parts": len(manifest.parts),
        "bytes": manifest.size,
    }


def _finished(event: LoadFinished) -> Mapping[str, object]:
    result = event.result
    return {
        **_run(result.planned.manifest),
        "table": result.planned.table,
        "rows": result.rows,
        "totals": totals_to_text(result.totals),
        **rests_to_text(result.rests),
        "job_id": result.job_id,
        "seconds": round(result.seconds, 3),
        **result.notes,
    }


def _run(manifest: Manifest) -> Mapping[str, object]:
    return {"period": str(manifest.period), "run_id": manifest.run_id}


def _error(error: CloudbillError) -> Mapping[str, object]:
    return {
        "error": type(error).__name__,
        "exit_code": error.exit_code,
        "message": str(error),
    }


def _line(now: datetime, level: str, event: str, told: Mapping[str, object]) -> str:
    return json.dumps({"time": now.isoformat(), "level": level, "event": event, **told})
