"""The simulated history has bills of many services, and says what each day brings."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from cloudbill.sample.history.events import PutManifest, PutPart
from cloudbill.sample.history.expectations import day_lines
from cloudbill.sample.history.simulation import HistoryRun, Month, deliver, write_history

SEPTEMBER = Month(2025, 9)


def at(day: int, hour: int = 6) -> datetime:
    """A time in September."""
    return datetime(2025, 9, day, hour, tzinfo=UTC)


def run_of(day: int, name: str, *, last_day: int | None = None, rows: int = 4) -> HistoryRun:
    """A run that is submitted on a day of September."""
    return HistoryRun(
        run_id=name,
        month=SEPTEMBER,
        submitted_at=at(day),
        last_day=last_day or day,
        rows=rows,
        parts=2,
    )


def test_services_accounts_and_tags_vary(tmp_path: Path) -> None:
    write_history(tmp_path, months=1, seed=1, days=9)

    counts = duckdb.execute(
        "SELECT count(DISTINCT ServiceName), count(DISTINCT SubAccountName), count(DISTINCT Tags), "
        "count(DISTINCT RegionId) FROM read_parquet($files)",
        {"files": str(tmp_path / "**" / "*.parquet")},
    ).fetchall()[0]

    assert all(count >= 3 for count in counts), counts


def test_each_day_is_told_as_a_load_at_its_end_finds_it() -> None:
    first, whole, late = run_of(1, "first"), run_of(3, "whole"), run_of(2, "late")
    narrow = replace(run_of(3, "narrow", last_day=2), submitted_at=at(3, 11))
    empty, cut, torn = run_of(4, "empty", rows=0), run_of(6, "cut"), run_of(7, "torn")
    events = [
        *deliver(first, at(1)),
        *deliver(first, at(1), copy=1),
        *deliver(whole, at(3)),
        *deliver(narrow, at(3, 11)),
        *deliver(empty, at(4)),
        *deliver(late, at(4, 9)),
        PutManifest(at=at(6), run=cut),
        PutPart(at=at(6), run=cut, part=0, state="cut"),
        PutPart(at=at(6), run=cut, part=1),
        PutManifest(at=at(7), run=torn, is_readable=False),
        PutPart(at=at(7), run=cut, part=0),
    ]

    until = "(exit code 6 until a newer run, `accept` or `dismiss`)"
    told = [line[len("day   1  2025-09-") :] for line in day_lines(events)]
    assert [line.replace("2025-09  run ", "") for line in told] == [
        "01  first is loaded: days 1 to 1, 4 rows; it is in two places, and counts once",
        "02  no delivery",
        "03  whole is loaded: days 1 to 3, 4 rows; it replaces days 1 to 1, 4 rows",
        f"03  narrow is held: it ends with day 2 {until}",
        "04  late is not loaded: a newer run is there",
        f"04  empty is held: it has no rows {until}",
        "05  no delivery",
        "06  cut waits: 1 of 2 parts are not there in full",
        "07  cut is loaded: days 1 to 6, 4 rows; it replaces days 1 to 3, 4 rows",
        "07  torn cannot be read: its manifest is cut off (exit code 3)",
    ]
