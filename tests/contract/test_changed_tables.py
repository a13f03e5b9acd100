"""A month whose rows are all there, but whose costs something else changed, is noticed."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from cloudbill.doctor.examination import examine
from cloudbill.errors import SchemaError, VerificationError
from cloudbill.loading.events import Drifted
from cloudbill.loading.words import lines, outcomes_json
from cloudbill.looking.status import Pending, SourceStatus
from cloudbill.looking.status_reading import read_status
from cloudbill.looking.status_words import status_json, status_lines
from cloudbill.periods import utc_now
from cloudbill.pipeline import load_source
from cloudbill.planning import Selection
from cloudbill.sql import Fragment
from cloudbill.warehouses import open_warehouse
from contract.conftest import LOOKING_WAYS
from contract.deliveries import AzureWriter, Delivery, at, charges
from contract.places import Case

if TYPE_CHECKING:
    from pathlib import Path

    from contract.deliveries import Written
    from contract.places import Place

WAYS = LOOKING_WAYS
OWN_FILE = True


@pytest.fixture
def one_case(place: Place, tmp_path: Path) -> Case:
    """One provider, for what does not depend on what the table was loaded from."""
    return Case(place=place, writer=AzureWriter(), scratch=tmp_path)


def deliver(case: Case, month: str, *costs: str) -> Written:
    """A run of a month with one charge a day, in the store."""
    written = case.write(
        Delivery(
            period=month,
            charges=charges(month, *costs, note=month),
            submitted_at=at(f"{month}-28 04:00"),
            run_id=f"run-{month}",
        )
    )
    case.place.put(written.folder)
    return written


def change(case: Case, cost: int = 2) -> None:
    """Adds one to the charges of this cost, past cloudbill."""
    case.place.query(
        f"UPDATE {{table}} SET {{cost}} = {{cost}} + 1 WHERE {{cost}} = {cost}",  # noqa: S608
        table=case.table,
        cost=case.writer.cost_column,
    )


def drifted_of(case: Case) -> list[Drifted]:
    return [event for event in case.events if isinstance(event, Drifted)]


def is_as_left(case: Case) -> bool:
    with closing(open_warehouse(case.settings.warehouse, read_only=True)) as warehouse:
        return warehouse.is_as_left


def test_a_cost_that_something_else_changed_is_told_and_loaded_again(case: Case) -> None:
    deliver(case, "2025-09", "1", "2")
    deliver(case, "2025-10", "3", "4")
    case.load()
    change(case)

    status = read_status(case.settings, now=utc_now())
    october, september = status.months
    assert september.is_drifted
    assert not october.is_drifted
    assert [run.pending for run in september.pending] == [Pending.AGAIN]
    text = "\n".join(status_lines(status))
    assert f"{case.writer.cost_column} is 4.00 EUR in the table, 3.00 was loaded" in text
    document = json.loads(status_json([status]))
    (difference,) = document["sources"][0]["months"][1]["ledger_differences"]
    assert Decimal(difference["difference"]) == 1
    looks = [check for check in examine([case.settings]) if "was loaded" in check.found]
    assert [check.subject.rpartition(" ")[2] for check in looks] == ["2025-09"]

    case.events.clear()
    outcome = case.load()
    assert outcome.exit_code == 0
    assert [str(result.planned.period) for result in outcome.results] == ["2025-09"]
    assert [drifted.found for drifted in drifted_of(case)] == [
        f"{case.writer.cost_column} is 4.00 EUR in the table, 3.00 was loaded"
    ]
    assert [charge.cost for charge in case.held("2025-09")] == [1, 2]
    assert not read_status(case.settings, now=utc_now()).months[1].is_drifted
    assert case.load().results == ()


def test_a_changed_month_whose_files_are_gone_ends_a_load_with_seven_each_time(case: Case) -> None:
    written = deliver(case, "2025-10", "1", "2")
    case.load()
    for file in [path for path in written.folder.rglob("*") if path.is_file()]:
        case.place.remove(file.relative_to(written.folder).as_posix())
    assert case.load().exit_code == 3, "nothing is in the store any more"
    change(case)
    for outcome in (case.load(), case.load()):
        (reason,) = [one for one in outcome.reasons if isinstance(one.error, VerificationError)]
        assert "4.00 EUR in the table, 3.00 was loaded" in str(reason.error)
        assert "no manifest of run run-2025-10" in str(reason.error)
        assert outcome.exit_code == 7
        failures = json.loads(outcomes_json([outcome]))["failures"]
        assert ("2025-10", "VerificationError") in {
            (one["period"], one["error"]) for one in failures
        }
    assert case.load(dry_run=True).exit_code == 7
    told = [check for check in examine([case.settings]) if not check.is_well]
    assert [check.exit_code for check in told] == [3, 7], "one line, and not to load it again"
    assert "It cannot be loaded again" in told[1].found
    deliver(case, "2025-10", "1", "2")
    assert case.load().exit_code == 0
    assert [charge.cost for charge in case.held()] == [1, 2]


def test_a_changed_month_that_was_not_asked_for_is_left_for_the_next_load(one_case: Case) -> None:
    case = one_case
    deliver(case, "2025-09", "1", "2")
    deliver(case, "2025-10", "3", "4")
    case.load()
    change(case)
    case.events.clear()
    assert case.load("2025-10").results == ()
    assert drifted_of(case) == []
    assert [str(result.planned.period) for result in case.load().results] == ["2025-09"]


def test_a_cost_column_that_is_gone_is_told_and_comes_back(one_case: Case) -> None:
    case = one_case
    deliver(case, "2025-10", "1", "2")
    case.load()
    case.place.query(
        "ALTER TABLE {table} DROP COLUMN {cost}", table=case.table, cost=case.writer.cost_column
    )
    assert read_status(case.settings, now=utc_now()).months[0].is_drifted is (
        # A change of the schema alone writes no partition, so that BigQuery does not tell of it.
        case.place.name == "duckdb"
    )
    if case.place.name == "duckdb":
        assert len(case.load().results) == 1
        assert [charge.cost for charge in case.held()] == [1, 2]


def give_type(case: Case, kind: str) -> SourceStatus:
    """Gives the cost column of the table another type behind the ledger; the status then."""
    if case.place.name != "duckdb":
        pytest.skip("BigQuery makes no double of a decimal column")
    deliver(case, "2025-10", "1", "2")
    case.load()
    case.place.query(
        "ALTER TABLE {table} ALTER {cost} TYPE {kind}",
        table=case.table,
        cost=case.writer.cost_column,
        kind=Fragment(kind),
    )
    return read_status(case.settings, now=utc_now())


def test_a_cost_column_that_became_a_double_is_told_and_made_exact_again(one_case: Case) -> None:
    case = one_case
    status = give_type(case, "DOUBLE")
    said = f"{case.writer.cost_column} is float now, which holds no exact amounts"
    told = "\n".join(status_lines(status))
    assert said in told
    assert "`cloudbill load` loads run" in told
    assert [check.found for check in examine([case.settings]) if check.found == said]
    case.events.clear()
    outcome = case.load()
    assert any(said in line for event in drifted_of(case) for line in lines(event))
    assert outcome.exit_code == 0
    assert [charge.cost for charge in case.held()] == [1, 2]
    assert case.load().results == ()
    assert not read_status(case.settings, now=utc_now()).months[0].is_drifted


def test_a_cost_column_that_takes_no_amounts_is_an_alarm_and_no_load_is_promised(
    one_case: Case,
) -> None:
    case = one_case
    status = give_type(case, "BOOLEAN")
    said = f"{case.writer.cost_column} is boolean now, which holds no exact amounts"
    told = "\n".join(status_lines(status))
    assert said in told
    assert "give the column its type back" in told
    assert "loads run" not in told, "no load can"
    (reason,) = status.reasons
    assert said in str(reason.error)
    checks = [check for check in examine([case.settings]) if not check.is_well]
    assert [(check.found, check.exit_code) for check in checks] == [(str(reason.error), 7)]
    assert status.check_code == 7
    outcome = case.load()
    (failure,) = outcome.failures
    assert isinstance(failure.error, SchemaError)
    assert outcome.exit_code == 7, "it failed, and the month is not what was loaded"


class TestWhatIsNotReadAgain:
    """To sum months costs time in DuckDB and money in BigQuery."""

    def test_a_load_knows_a_file_that_it_left_so(self, one_case: Case) -> None:
        case = one_case
        if case.place.name != "duckdb":
            pytest.skip("partitions say when they were written")
        deliver(case, "2025-10", "1", "2")
        assert not is_as_left(case)
        case.load()
        assert is_as_left(case)
        case.load()
        assert is_as_left(case)
        change(case)
        assert not is_as_left(case)
        case.load()
        assert is_as_left(case)
        case.place.query("SELECT * FROM {table}", table=case.table)
        assert is_as_left(case)

    def test_without_a_note_the_months_are_compared(self, one_case: Case, tmp_path: Path) -> None:
        case = one_case
        settings = replace(case.settings, cache=False)
        deliver(case, "2025-10", "1", "2")
        load_source(settings, Selection(), case.events.append)
        assert not list((tmp_path / "cache").rglob("left-*"))
        change(case)
        assert len(load_source(settings, Selection(), case.events.append).results) == 1

    def test_what_one_source_left_is_no_word_of_another(self, one_case: Case) -> None:
        first, second = one_case, replace(one_case, export="other", events=[])
        if first.place.name != "duckdb":
            pytest.skip("partitions say when they were written")
        deliver(first, "2025-10", "1", "2")
        first.load()
        second.load()
        change(first)
        second.load()
        assert is_as_left(second)
        assert not is_as_left(first)
        assert len(first.load().results) == 1
