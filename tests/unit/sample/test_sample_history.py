"""The simulated history of an export, and what it says the months must hold."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import duckdb
import pytest

from cloudbill.exports.discovery import discover
from cloudbill.providers import PROVIDERS
from cloudbill.sample.history.simulation import (
    FEW_COLUMNS,
    HistoryRun,
    Layout,
    Month,
    PutManifest,
    PutPart,
    Remove,
    Shelf,
    deliver,
    simulate,
    write_history,
)
from cloudbill.store.local import LocalStore

FEW = Layout(columns=FEW_COLUMNS)
SEPTEMBER = Month(2025, 9)


def run(**changes: object) -> HistoryRun:
    """A run of September."""
    values: dict[str, object] = {
        "run_id": "run",
        "month": SEPTEMBER,
        "submitted_at": SEPTEMBER.end,
        "last_day": 30,
        "rows": 7,
    }
    return HistoryRun(**(values | changes))  # type: ignore[arg-type]


class TestSimulate:
    @pytest.mark.parametrize("overwrite", [False, True])
    def test_the_same_seed_gives_the_same_history(self, *, overwrite: bool) -> None:
        assert simulate(seed=3, overwrite=overwrite) == simulate(seed=3, overwrite=overwrite)
        assert simulate(seed=3) != simulate(seed=4)

    def test_all_that_goes_wrong_in_reality_happens(self) -> None:
        happened: Counter[str] = Counter()
        for seed in range(8):
            history = simulate(seed=seed, overwrite=seed % 2 == 1)
            for event in history.events:
                match event:
                    case PutPart(state="cut"):
                        happened["cut"] += 1
                    case PutManifest(is_readable=False):
                        happened["unreadable"] += 1
                    case Remove():
                        happened["overwritten"] += 1
                    case _:
                        happened["copied"] += event.copy
            for made in history.runs():
                happened["empty"] += made.rows == 0
                happened["without parts"] += made.parts == 0
                happened["narrow"] += made.last_day == 5 and made.submitted_at.day > 5
                happened["reopened"] += made.submitted_at >= made.month.end
                happened["drifted"] += bool(made.added)
                happened["vanished column"] += bool(made.dropped)
                happened["uncounted"] += not made.states_rows
        assert len(happened) == 11
        assert min(happened.values()) > 0, happened

    def test_what_should_not_come_and_does_happens_where_it_is_asked_for(self) -> None:
        happened: Counter[str] = Counter()
        for seed in range(8):
            history = simulate(seed=seed, has_oddities=True)
            happened["longer"] += sum(
                isinstance(event, PutPart) and event.state == "longer" for event in history.events
            )
            for made in history.runs():
                happened["week"] += made.time_frame is not None
                happened["other scope"] += made.scope is not None
                happened["two months"] += len(made.months) > 1
                happened["same id"] += made.edition > 0
                happened["never"] += made.submitted_at.year > 2026
                happened["no costs"] += not made.has_costs
        assert len(happened) == 7
        assert min(happened.values()) > 0, happened


class TestFiles:
    def test_the_parts_hold_what_the_run_says(self, tmp_path: Path) -> None:
        made = run(parts=3, added=("x_SkuPlanName",), dropped=("x_SkuDetails",))
        for event in deliver(made, made.submitted_at):
            FEW.apply(event, tmp_path)
        (row,) = duckdb.execute(
            "SELECT count(*), sum(BilledCost), any_value(ChargeDescription), "
            "any_value(x_SkuPlanName) FROM read_parquet($files)",
            {"files": str(tmp_path / "**" / "*.parquet")},
        ).fetchall()
        assert row == (7, made.total, "run", "drift")

    def test_what_the_shelf_says_is_what_a_loader_discovers(self, tmp_path: Path) -> None:
        history, shelf = simulate(seed=2, layout=FEW), Shelf()
        for event in history.events[:120]:
            shelf.apply(event)
            FEW.apply(event, tmp_path)
        found = discover(
            LocalStore(tmp_path), PROVIDERS["azure"], prefix="billing", export_name="focus-daily"
        )
        complete = {item.manifest.run_id for item in found.runs if item.is_complete}
        assert complete == {
            made.run_id
            for month in (SEPTEMBER, SEPTEMBER.plus(1))
            for made in shelf.complete(month)
        }
        assert len(found.failures) == shelf.unreadable()

    def test_more_days_leave_what_was_there(self, tmp_path: Path) -> None:
        write_history(tmp_path, months=1, seed=1, days=3)
        before = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
        write_history(tmp_path, months=1, seed=1, days=5)
        after = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
        assert before.items() < after.items()
