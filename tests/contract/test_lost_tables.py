"""Tables of the ledger that are gone or damaged cost nothing that is written anywhere else."""

from __future__ import annotations

import base64
import json
import zlib
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from google.api_core.exceptions import NotFound

from cloudbill.errors import LedgerError
from cloudbill.ledger.rebuilding import Rebuilding, rebuild_ledger, rebuilding_lines
from contract import ledgers
from contract.conftest import in_duckdb
from contract.deliveries import AzureWriter, Delivery, at, charges
from contract.places import Case

if TYPE_CHECKING:
    from pathlib import Path

    from contract.places import Place

TRACKING = "bill_load_tracking"
TABLES = (TRACKING, ledgers.STATES, ledgers.LOADS, ledgers.VERSIONS)
LOSSES = {
    **{table: (table,) for table in TABLES},
    "all of dlt's": TABLES[1:],
    "all but the states": (TRACKING, ledgers.LOADS, ledgers.VERSIONS),
}
TABLES_TOGETHER = ("all of dlt's", "all but the states")
"""Those of BigQuery; what a lost table means is the same for both, but each makes it itself."""

COLUMNS = (
    (TRACKING, "run_id"),
    (TRACKING, "loaded_at"),
    (TRACKING, "sequence"),
    (TRACKING, "_dlt_load_id"),
    (ledgers.STATES, "state"),
    (ledgers.STATES, "version"),
    (ledgers.STATES, "pipeline_name"),
    (ledgers.STATES, "_dlt_load_id"),
    (ledgers.LOADS, "status"),
    (ledgers.VERSIONS, "schema"),
)

TOGETHER = (
    ((TRACKING, "run_id"), (ledgers.STATES, "version"), (ledgers.LOADS, "status")),
    ((TRACKING, "loaded_at"), (ledgers.STATES, "pipeline_name"), (ledgers.VERSIONS, "schema")),
    ((TRACKING, "sequence"), (ledgers.STATES, "_dlt_load_id")),
    ((TRACKING, "_dlt_load_id"), (ledgers.STATES, "state")),
)
"""The same: what a lost column means is the same for both warehouses, but each adds it itself."""


def packed(state: object) -> str:
    """A state as dlt encodes it."""
    return base64.b64encode(zlib.compress(json.dumps(state).encode())).decode()


def state_with(ledger: object) -> dict[str, Any]:
    """A state of dlt whose part that is the ledger's is given."""
    return {
        "pipeline_name": "azure_billing_pipeline",
        "sources": {"azure_billing_source": {"resources": {TRACKING: ledger}}},
    }


GARBAGE = {
    "no base64": "%%% not base64 %%%",
    "base64 of no zlib": base64.b64encode(b"not packed at all").decode(),
    "zlib of no JSON": base64.b64encode(zlib.compress(b"{half")).decode(),
    "zlib of no text": base64.b64encode(zlib.compress(b"\xff\xfe\x00")).decode(),
    "empty": "",
    "a list": packed([1, 2]),
    "sources that are a text": packed({"sources": "none"}),
    "a ledger that is a number": packed(state_with(7)),
    "a version that is a text": packed(state_with({"cloudbill": {"version": "x", "periods": {}}})),
    "no periods": packed(state_with({"cloudbill": {"version": 2}})),
    "a month that is none": packed(
        state_with({"cloudbill": {"version": 2, "periods": {"2025-13": {"run_id": "x"}}}})
    ),
    "a record of wrong types": packed(
        state_with({"cloudbill": {"version": 2, "periods": {"2025-10": {"run_id": [1]}}}})
    ),
    "a newer version": packed(state_with({"cloudbill": {"version": 99, "periods": {}}})),
    "runs that are a number": packed(state_with({"loaded_executions": 5})),
}


@pytest.fixture
def case(place: Place, tmp_path: Path) -> Case:
    """A place with two months that were loaded by two loads."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    case = Case(place=place, writer=AzureWriter(), scratch=scratch)
    case.deliver(run("september", month="2025-09"))
    case.load()
    case.deliver(run("october"))
    case.load()
    return case


def run(run_id: str, *, month: str = "2025-10", day: int = 10) -> Delivery:
    """A run of a month."""
    return Delivery(
        period=month,
        charges=charges(month, "1", "2", note=run_id),
        submitted_at=at(f"2025-11-{day:02d} 04:00"),
        run_id=run_id,
    )


def require_whole(case: Case, newest: str = "newer", *, day: int = 11) -> None:
    """Every place that remembers says the same, and the next loads are as if nothing had been.

    `newest` is delivered and loaded, which no load had.
    """
    assert case.load().results == ()
    case.deliver(run(newest, day=day))
    outcome = case.load()
    assert (outcome.error, len(outcome.results)) == (None, 1)
    assert case.load().results == ()
    everything = {"2025-09": "september", "2025-10": newest}
    periods = ledgers.restored_by_dlt(case)["cloudbill"]["periods"]
    assert {month: entry["run_id"] for month, entry in periods.items()} == everything
    assert {tuple(row[:2]) for row in case.tracked()} >= {*everything.items()}


def rebuild(case: Case, *, forget: bool = False) -> tuple[Rebuilding, list[str]]:
    """Rebuilds the ledger; what was said before that."""
    said: list[str] = []
    rebuilding = rebuild_ledger(
        case.settings, lambda rebuilding: said.extend(rebuilding_lines(rebuilding)), forget=forget
    )
    return rebuilding, said


def losses_in(case: Case) -> dict[str, tuple[str, ...]]:
    """The tables that are lost at once, by a name for that."""
    names = TABLES_TOGETHER if case.place.name == "bigquery" else LOSSES
    return {name: LOSSES[name] for name in names}


# One ledger takes one damage after the other: each has to be mended as if it were the first.


def test_tables_that_were_dropped_are_made_again_with_what_they_had(
    case: Case, subtests: pytest.Subtests
) -> None:
    for day, (name, lost) in enumerate(losses_in(case).items(), start=11):
        with subtests.test(name):
            for table in lost:
                ledgers.drop_table(case, table)
            require_whole(case, f"newer {day}", day=day)


def test_rebuilding_after_a_loss_forgets_nothing(case: Case, subtests: pytest.Subtests) -> None:
    for name, lost in losses_in(case).items():
        with subtests.test(name):
            for table in lost:
                ledgers.drop_table(case, table)
            rebuilding, _ = rebuild(case)
            assert [record.run_id for record in rebuilding.records] == ["september", "october"]
            assert {row[1] for row in case.tracked()} == {"september", "october"}
            outcome = case.load()
            assert (outcome.error, outcome.results) == (None, ())
    require_whole(case)


def test_when_everything_is_lost_the_months_are_loaded_again(case: Case) -> None:
    for table in TABLES:
        ledgers.drop_table(case, table)
    assert len(case.load().results) == 2
    require_whole(case)


def test_a_column_that_was_dropped_is_made_again(case: Case, subtests: pytest.Subtests) -> None:
    losses = TOGETHER if case.place.name == "bigquery" else tuple((one,) for one in COLUMNS)
    for day, lost in enumerate(losses, start=11):
        with subtests.test(" and ".join(f"{column} of {table}" for table, column in lost)):
            august = f"august {day}"
            for table, column in lost:
                ledgers.drop_column(case, table, column)
            case.deliver(run(august, month="2025-08", day=day))
            assert case.load("2025-08").error is None
            assert all(column in case.place.columns(table) for table, column in lost)
            periods = ledgers.restored_by_dlt(case)["cloudbill"]["periods"]
            assert {entry["run_id"] for entry in periods.values()} == {
                august,
                "september",
                "october",
            }
            assert case.load().results == ()


def test_tables_and_columns_are_lost_together_as_they_are_alone() -> None:
    assert {table for name in TABLES_TOGETHER for table in LOSSES[name]} == {*TABLES}
    assert sorted(column for lost in TOGETHER for column in lost) == sorted(COLUMNS)


# A state is decoded in the same way wherever it was read: every kind of garbage once, and one
# that is no state at all, an empty one and one that is a state but for a value elsewhere.
KINDS = {
    ("duckdb", "newest state"): tuple(GARBAGE),
    ("duckdb", "all states"): ("no base64", "a record of wrong types"),
    ("bigquery", "newest state"): ("empty", "a record of wrong types"),
    ("bigquery", "all states"): ("no base64",),
}


@pytest.mark.parametrize("where", ["newest state", "all states"])
def test_a_state_that_cannot_be_read_is_named_and_rebuilt(
    case: Case, where: str, subtests: pytest.Subtests
) -> None:
    damaged: set[str] = set()
    for name in KINDS[case.place.name, where]:
        garbage = GARBAGE[name]
        with subtests.test(name):
            newest = ledgers.load_ids(case)[-1]
            damaged.add(newest)
            ledgers.put_state(case, garbage, newest if where == "newest state" else None)
            error = case.load().error
            assert isinstance(error, LedgerError)
            assert any(f"The state of load {one} cannot be read" in str(error) for one in damaged)
            assert "`cloudbill state rebuild azure_billing`" in str(error)
            rebuilding, said = rebuild(case)
            assert [record.run_id for record in rebuilding.records] == ["september", "october"]
            assert any("cannot be read" in line for line in said)
            outcome = case.load()
            assert (outcome.error, outcome.results) == (None, ())
    require_whole(case)


def test_a_damaged_schema_of_dlt_is_replaced(case: Case) -> None:
    case.place.query(
        "UPDATE {table} SET schema = {text} WHERE TRUE",
        table=ledgers.VERSIONS,
        text=ledgers.text(base64.b64encode(b"not packed at all").decode()),
    )
    require_whole(case)


def damage_rows(case: Case) -> None:
    """Makes the table hold another count of rows than any load had."""
    case.place.query(
        "DELETE FROM {table} WHERE {note} = {october} AND {cost} = 2",
        table=case.table,
        note=case.writer.note_column,
        october=ledgers.text("october"),
        cost=case.writer.cost_column,
    )


@in_duckdb
def test_rebuilding_says_what_it_would_learn_and_keep_before_it_writes(case: Case) -> None:
    ledgers.drop_table(case, ledgers.STATES)

    def stop(rebuilding: Rebuilding) -> None:
        raise InterruptedError("\n".join(rebuilding_lines(rebuilding)))

    with pytest.raises(InterruptedError) as stopped:
        rebuild_ledger(case.settings, stop)
    assert str(stopped.value).splitlines() == [
        "Rebuilding the ledger of azure_billing: 2 months, 0 of them as they were",
        "  2025-09: learns run september, 2 rows",
        "  2025-10: learns run october, 2 rows",
        (
            "  What else was accepted, dismissed or pinned is lost: only states have it, and there "
            "is none. A run that a guard holds again has to be accepted or dismissed again, and a "
            "month be pinned again with `cloudbill load --run`"
        ),
    ]
    with pytest.raises((duckdb.CatalogException, NotFound)):
        ledgers.load_ids(case)
    rebuild(case)
    assert rebuild(case)[1] == [
        "Rebuilding the ledger of azure_billing: 2 months, 2 of them as they were"
    ]


@in_duckdb
def test_rebuilding_keeps_what_was_decided_and_says_where_it_may_be_lost(case: Case) -> None:
    few = Delivery(
        period="2025-10",
        charges=charges("2025-10", note="few"),
        submitted_at=at("2025-11-11 04:00"),
        run_id="few",
    )
    case.deliver(few)
    assert case.load().exit_code == 6
    case.dismiss("2025-10")
    kept = "  Keeps that 0 runs were accepted and 1 dismissed"
    assert rebuild(case)[1][1:] == [kept]
    newest = ledgers.load_ids(case)[-1]
    ledgers.put_state(case, next(iter(GARBAGE.values())), newest)
    said = rebuild(case)[1]
    assert kept in said, "an older state has it"
    assert any("is lost: only states have it, and not all can be read" in line for line in said)
    assert case.load().exit_code == 0
    ledgers.drop_table(case, ledgers.STATES)
    assert any(
        "is lost: only states have it, and there is none" in line for line in rebuild(case)[1]
    )
    assert case.load().exit_code == 6, "it is held again, which is not silent"


@in_duckdb
def test_a_month_whose_rows_are_of_no_load_is_forgotten_on_request_alone(case: Case) -> None:
    damage_rows(case)
    kept, said = rebuild(case)
    assert [record.run_id for record in kept.records] == ["september", "october"]
    assert said[1] == (
        "  2025-10: keeps run october, 2 rows, but the table holds 1 row. The next load puts its "
        "newest run in; `--forget` forgets it"
    )
    forgotten, said = rebuild(case, forget=True)
    assert [record.run_id for record in forgotten.records] == ["september"]
    assert said[1].startswith("  2025-10: forgets run october")
    assert ledgers.restored_by_dlt(case)["loaded_executions"] == {
        "2025-09": ["september"],
        "2025-10": [],
    }
    # It stays forgotten, although older states and the tracking table have it.
    assert [record.run_id for record in rebuild(case)[0].records] == ["september"]
    assert [result.planned.manifest.run_id for result in case.load().results] == ["october"]
    require_whole(case)


@in_duckdb
def test_a_table_that_was_restored_from_a_backup_is_what_its_rows_say(case: Case) -> None:
    case.deliver(
        Delivery(
            period="2025-10",
            charges=charges("2025-10", "1", "2", "3", note="newer"),
            submitted_at=at("2025-11-11 04:00"),
            run_id="newer",
        )
    )
    case.load()
    case.place.query(
        "DELETE FROM {table} WHERE {note} = {newer} AND {cost} = 3",
        table=case.table,
        note=case.writer.note_column,
        newer=ledgers.text("newer"),
        cost=case.writer.cost_column,
    )
    _, said = rebuild(case)
    assert said[1] == "  2025-10: changes from run newer to run october, 2 rows"
    assert [result.planned.manifest.run_id for result in case.load().results] == ["newer"]
