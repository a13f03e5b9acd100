"""Lines of JSON for what collects logs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from cloudbill.errors import LoadError, ManifestError
from cloudbill.loading.events import (
    Discovered,
    Drifted,
    Event,
    LoadFinished,
    LoadStarted,
    OddRows,
    Progressed,
    Stopping,
)
from cloudbill.loading.log_lines import error_log_line, event_log_line, text_log_line
from cloudbill.manifests import ManifestFailure
from cloudbill.models import LoadFailure, LoadRecord, Skip, SkipReason
from cloudbill.periods import BillingPeriod
from cloudbill.progress import Progress, Stage
from unit.builders import manifest, result, to_load
from unit.loading.test_words import SETTINGS

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PLANNED = to_load(manifest("run"))
OCTOBER = {"period": "2025-10", "run_id": "run"}


def told(event: Event) -> dict[str, Any]:
    """What a log has of an event."""
    line = event_log_line(event, "azure_billing", NOW)
    assert line is not None
    assert "\n" not in line
    found: dict[str, Any] = json.loads(line)
    assert found.pop("time") == "2026-01-02T03:04:05+00:00"
    assert found.pop("source") == "azure_billing"
    return found


@pytest.mark.parametrize(
    ("event", "level", "expected"),
    [
        (
            Discovered(settings=SETTINGS, manifests=2, address="gs://b/x"),
            "info",
            {"event": "discovered", "manifests": 2, "address": "gs://b/x"},
        ),
        (
            Discovered(settings=SETTINGS, manifests=0, address="gs://b/x"),
            "warning",
            {"event": "discovered", "manifests": 0, "address": "gs://b/x"},
        ),
        (
            Drifted(
                record=LoadRecord(period=BillingPeriod.parse("2025-10"), run_id="run", rows=3),
                rows_in_table=1,
            ),
            "warning",
            {
                "event": "drifted",
                **OCTOBER,
                "rows": 3,
                "held_rows": 1,
                "differences": [],
                "inexact": {},
                "is_loaded_again": True,
            },
        ),
        (
            OddRows(settings=SETTINGS, rows=2),
            "warning",
            {"event": "rows_of_no_month", "rows": 2},
        ),
        (
            Skip(manifest=manifest("run"), reason=SkipReason.HELD, detail="fewer\ndays"),
            "warning",
            {"event": "skipped", **OCTOBER, "reason": "held", "detail": "fewer\ndays"},
        ),
        (
            Skip(manifest=manifest("run"), reason=SkipReason.WAITING, detail="1 of 2 parts"),
            "info",
            {"event": "skipped", **OCTOBER, "reason": "waiting", "detail": "1 of 2 parts"},
        ),
        (
            LoadFailure(planned=PLANNED, error=LoadError("it broke")),
            "error",
            {
                "event": "load_failed",
                **OCTOBER,
                "error": "LoadError",
                "exit_code": 5,
                "message": "it broke",
            },
        ),
        (
            ManifestFailure(path="m.json", error=ManifestError("No", path="m.json", key="k")),
            "error",
            {
                "event": "manifest_failed",
                "path": "m.json",
                "error": "ManifestError",
                "exit_code": 3,
                "message": "No 'k' of m.json",
            },
        ),
    ],
)
def test_every_event_has_a_level_a_name_and_its_facts(
    event: Event, level: str, expected: dict[str, object]
) -> None:
    assert told(event) == {"level": level, **expected}


def test_a_load_tells_its_beginning_and_its_end_with_exact_totals() -> None:
    finished = result(manifest("run"), rows=7, totals={"EUR": {"BilledCost": Decimal("0.10")}})

    begun = told(LoadStarted(planned=PLANNED, store_title="GCS"))
    ended = told(LoadFinished(result=finished))

    assert begun == {
        "level": "info",
        "event": "load_started",
        **OCTOBER,
        "table": PLANNED.table,
        "parts": len(PLANNED.manifest.parts),
        "bytes": None,
    }
    assert (ended["event"], ended["rows"]) == ("load_finished", 7)
    assert ended["totals"] == {"EUR": {"BilledCost": "0.10"}}


def test_progress_is_no_matter_for_a_log() -> None:
    moved = Progressed(planned=PLANNED, progress=Progress(stage=Stage.INSERTING))

    assert event_log_line(moved, None, NOW) is None
    assert event_log_line(Stopping(), None, NOW) is None


def test_messages_and_errors_hold_no_secret() -> None:
    secret = "https://a.blob.core.windows.net/c?sig=c2VjcmV0"  # noqa: S105

    said = json.loads(text_log_line("warning", f"Reading {secret} again", NOW, logger="x"))
    failed = json.loads(error_log_line(None, LoadError(f"no {secret}"), NOW))

    assert (said["event"], said["level"], said["logger"]) == ("message", "warning", "x")
    assert (failed["event"], failed["error"], failed["source"]) == ("failed", "LoadError", None)
    assert "c2VjcmV0" not in json.dumps([said, failed])
