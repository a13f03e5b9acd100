"""The newest record of a month is the one with the greatest sequence, whatever a clock said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cloudbill.looking.load_history import read_history
from cloudbill.sql import Fragment
from contract import ledgers
from contract.conftest import in_duckdb
from contract.deliveries import AzureWriter, Delivery, Written, at, charges
from contract.places import Case

if TYPE_CHECKING:
    from pathlib import Path

    from contract.places import Place

CLOCKS = {
    "two hours ahead": "7200",
    "in 2100": "4102444800.5",
    "in 2001": "978307200.25",
}

on_clocks = pytest.mark.parametrize(
    ("warehouse", "clock"),
    # The newest state is found by its number, in both warehouses by the same query.
    [*(("duckdb", name) for name in CLOCKS), ("bigquery", "in 2100")],
    indirect=["warehouse"],
)


@pytest.fixture
def case(place: Place, tmp_path: Path) -> Case:
    """A place; the ledger does not depend on the provider."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return Case(place=place, writer=AzureWriter(), scratch=scratch)


def run(run_id: str, *, day: int = 10, month: str = "2025-10", rows: int = 2) -> Delivery:
    """A run of a month, submitted on a day of the month after it; newer runs have later days."""
    return Delivery(
        period=month,
        charges=charges(month, *["1"] * rows, note=run_id),
        submitted_at=at(f"2025-11-{day:02d} 04:00"),
        run_id=run_id,
    )


def take_away(case: Case, written: Written) -> None:
    """Removes a run from the bucket, as retention does."""
    for file in sorted(path for path in written.folder.rglob("*") if path.is_file()):
        case.place.remove(file.relative_to(written.folder).as_posix())


def set_clock(case: Case, name: str) -> None:
    """Makes the newest load one of a machine with another clock."""
    clock = CLOCKS[name]
    newest = ledgers.load_ids(case)[-1]
    text = str(float(newest) + float(clock)) if clock == "7200" else clock
    ledgers.rename_load(case, newest, text)


def loaded(case: Case) -> dict[str, str]:
    """The run of each month, as its rows in the table say."""
    return {f"{charge.day:%Y-%m}": charge.note for charge in case.held()}


def recorded(ledger: dict[str, Any]) -> dict[str, str]:
    """The run of each month, as a ledger says."""
    return {month: entry["run_id"] for month, entry in ledger["cloudbill"]["periods"].items()}


# What is merged was read: BigQuery is asked in its own words for all states and for the newest.


@on_clocks
def test_a_load_whose_clock_was_wrong_hides_nothing_that_came_after(case: Case, clock: str) -> None:
    case.deliver(run("first"))
    case.load()
    set_clock(case, clock)
    newer = case.write(run("second", day=11))
    case.place.put(newer.folder)
    assert len(case.load().results) == 1
    assert case.load().results == ()
    take_away(case, newer)
    case.deliver(run("older", day=9))
    assert case.load().results == ()
    assert loaded(case) == {"2025-10": "second"}
    assert recorded(ledgers.restored_by_dlt(case)) == {"2025-10": "second"}


@pytest.mark.parametrize("clock", CLOCKS)
@in_duckdb
def test_accepting_takes_effect_after_a_load_whose_clock_was_wrong(case: Case, clock: str) -> None:
    case.deliver(run("first", rows=30))
    case.load()
    set_clock(case, clock)
    case.deliver(run("fewer", day=11, rows=3))
    assert case.load().exit_code == 6
    assert len(case.accept("2025-10").results) == 1
    assert case.load().exit_code == 0
    assert loaded(case) == {"2025-10": "fewer"}


def test_two_writers_that_read_the_same_state_both_keep_what_they_wrote(case: Case) -> None:
    case.deliver(run("october"), run("september", month="2025-09"))
    case.load()
    case.deliver(run("newer october", day=11), run("newer september", day=12, month="2025-09"))
    case.load("2025-10")
    of_one = ledgers.load_ids(case)[-1]
    ledgers.hide_load(case, of_one)
    case.load("2025-09")
    of_other = ledgers.load_ids(case)[-1]
    ledgers.show_load(case, of_one)
    both = [ledgers.ledger_of(case, load_id) for load_id in (of_one, of_other)]
    assert [max(_sequences(ledger)) for ledger in both] == [3, 3]
    assert case.load().results == ()
    case.deliver(run("august", month="2025-08"))
    case.load()
    everything = {"2025-08": "august", "2025-09": "newer september", "2025-10": "newer october"}
    assert loaded(case) == everything
    assert recorded(ledgers.restored_by_dlt(case)) == everything


@in_duckdb
def test_of_two_writers_of_one_month_the_newer_run_is_believed(case: Case) -> None:
    case.deliver(run("base"))
    case.load()
    newest = case.write(run("newest", day=12))
    case.deliver(run("newer", day=11))
    case.load()
    of_one = ledgers.load_ids(case)[-1]
    ledgers.hide_load(case, of_one)
    case.place.put(newest.folder)
    case.load()
    # The one that wrote the older run has the later clock.
    ledgers.show_load(case, of_one)
    ledgers.rename_load(case, of_one, "4102444800.5")
    assert case.load().results == ()
    assert loaded(case) == {"2025-10": "newest"}


@in_duckdb
def test_runs_that_two_writers_accepted_are_all_accepted(case: Case) -> None:
    case.deliver(run("october", rows=30), run("september", rows=30, month="2025-09"))
    case.load()
    case.deliver(
        run("october 2", day=11, rows=3), run("september 2", day=11, rows=3, month="2025-09")
    )
    case.accept("2025-10")
    for load_id in ledgers.load_ids(case)[1:]:
        ledgers.hide_load(case, load_id)
    accepted = case.accept("2025-09")
    assert len(accepted.results) == 1
    for load_id in ledgers.load_ids(case):
        ledgers.show_load(case, load_id)
    assert (case.load().exit_code, case.load(force=True).exit_code) == (0, 0)
    assert loaded(case) == {"2025-09": "september 2", "2025-10": "october 2"}


def _sequences(ledger: dict[str, Any]) -> list[int]:
    return [entry["sequence"] for entry in ledger["cloudbill"]["periods"].values()]


@in_duckdb
def test_a_ledger_that_an_older_cloudbill_wrote_with_a_wrong_clock_is_healed(case: Case) -> None:
    deliveries = [run(f"run {day}", day=day) for day in (10, 11, 12)]
    for delivery in deliveries[:2]:
        case.deliver(delivery)
        case.load()
    newest = case.write(deliveries[2])
    case.place.put(newest.folder)
    case.load()
    first, second, third = ledgers.load_ids(case)
    ledgers.make_old(case)
    # The older cloudbill read the first state each time, and so counted to the same version.
    ledgers.rename_load(case, first, "4102444800.5")
    ledgers.number_state(case, second, 7)
    ledgers.number_state(case, third, 7)
    take_away(case, newest)
    assert case.load().results == ()
    case.deliver(run("september", month="2025-09"))
    case.load()
    everything = {"2025-09": "september", "2025-10": "run 12"}
    assert loaded(case) == everything
    assert recorded(ledgers.restored_by_dlt(case)) == everything
    assert [entry.run_id for entry in _history(case)] == ["run 10", "run 11", "run 12"]


def test_history_is_in_the_order_of_the_ledger_and_not_of_clocks(case: Case) -> None:
    for day in (10, 11, 12):
        case.deliver(run(f"run {day}", day=day))
        case.load()
    case.place.query(
        "UPDATE {table} SET loaded_at = CAST('2001-01-01 00:00:00' AS TIMESTAMP) "
        "WHERE run_id = {run_id}",
        table=ledgers.tracking(case),
        run_id=Fragment("'run 12'"),
    )
    assert [entry.run_id for entry in _history(case)] == ["run 10", "run 11", "run 12"]


def _history(case: Case) -> list[Any]:
    (october,) = [
        month
        for month in read_history(case.settings, frozenset()).months
        if str(month.period) == "2025-10"
    ]
    return [load.record for load in october.loads]


@in_duckdb
def test_what_the_older_tool_loaded_since_is_what_the_month_holds(case: Case) -> None:
    case.deliver(run("ours"))
    case.load()
    (load_id,) = ledgers.load_ids(case)

    def load_with_older_tool(ledger: dict[str, Any]) -> None:
        ledger["loaded_executions"]["2025-10"].append("theirs")

    ledgers.change_ledger(case, load_id, load_with_older_tool)
    case.deliver(run("theirs", day=11))
    assert case.load().results == ()


@in_duckdb
def test_keys_of_a_later_cloudbill_are_kept(case: Case) -> None:
    case.deliver(run("october"))
    case.load()
    (load_id,) = ledgers.load_ids(case)

    def add_keys(ledger: dict[str, Any]) -> None:
        ledger["cloudbill"]["dismissed"] = {"2025-10": ["x"]}
        ledger["cloudbill"]["periods"]["2025-10"]["scope"] = "/subscriptions/1"

    ledgers.change_ledger(case, load_id, add_keys)
    case.deliver(run("september", month="2025-09"))
    case.load()
    ours = ledgers.restored_by_dlt(case)["cloudbill"]
    assert ours["dismissed"] == {"2025-10": ["x"]}
    assert ours["periods"]["2025-10"]["scope"] == "/subscriptions/1"
