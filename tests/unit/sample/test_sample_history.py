"""The simulated history of an export, and what it says the months must hold."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from cloudbill.exports.discovery import discover
from cloudbill.providers import PROVIDERS
from cloudbill.sample.history.simulation import (
    FEW_COLUMNS,
    History,
    HistoryRun,
    Layout,
    Month,
    PutManifest,
    PutPart,
    Remove,
    Shelf,
    deliver,
    is_less,
    simulate,
    write_history,
)
from cloudbill.store.local import LocalStore
from simulation.books import Books

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

    @pytest.mark.parametrize("seed", range(6))
    def test_its_months_are_those_of_a_loader_that_runs_every_day(self, seed: int) -> None:
        history = simulate(seed=seed, months=3, overwrite=seed % 2 == 1)
        books = Books()
        for index, event in enumerate(history.events):
            books.shelf.apply(event)
            following = history.events[index + 1 : index + 2]
            if not following or following[0].at.date() != event.at.date():
                months = {seen.run.month for seen in history.events}
                books.write(books.expect(months))
        assert books.table == history.months()

    def test_what_is_accepted_when_it_is_held_is_what_the_month_holds(self) -> None:
        whole, empty = (
            run(run_id="whole"),
            run(run_id="empty", rows=0, submitted_at=run().month.plus(2).start),
        )
        events = (*deliver(whole, whole.submitted_at), *deliver(empty, empty.submitted_at))
        history = History(events=events, layout=FEW)
        assert history.months() == {SEPTEMBER: whole}
        assert history.months(accepted={"empty"}) == {SEPTEMBER: empty}


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


def test_a_run_is_less_if_it_covers_fewer_days_or_has_fewer_than_half_of_the_rows() -> None:
    assert is_less(run(last_day=29), run())
    assert is_less(run(rows=3), run())
    assert not is_less(run(rows=4), run())
    assert is_less(run(rows=0), run(rows=1), Decimal(1))
