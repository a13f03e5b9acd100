"""What the ledger says is held against what the table holds, before anything is planned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudbill.loading.events import Drifted
from contract.deliveries import Delivery, at, charges

if TYPE_CHECKING:
    from contract.places import Case

EARLY, LATE = at("2025-10-15 04:00"), at("2025-10-31 22:00")


def october(*costs: str, run_id: str = "run", early: bool = False) -> Delivery:
    """A run of October with one charge a day."""
    return Delivery(
        period="2025-10",
        charges=charges("2025-10", *costs, note=run_id),
        submitted_at=EARLY if early else LATE,
        run_id=run_id,
    )


def test_a_table_that_was_dropped_is_loaded_again(case: Case) -> None:
    delivery = october("1", "2")
    case.deliver(delivery)
    case.load()
    case.place.query("DROP TABLE {table}", table=case.table)
    assert [result.rows for result in case.load().results] == [2]
    assert case.held() == list(delivery.charges)


def test_rows_that_somebody_deleted_come_back_and_that_is_said(case: Case) -> None:
    delivery = october("1", "2", "3")
    case.deliver(delivery)
    case.load()
    case.place.query(
        "DELETE FROM {table} WHERE {cost} = 2", table=case.table, cost=case.writer.cost_column
    )
    case.events.clear()
    assert case.load().exit_code == 0
    assert case.held() == list(delivery.charges)
    (drifted,) = [event for event in case.events if isinstance(event, Drifted)]
    assert (drifted.rows_in_table, drifted.record.rows) == (2, 3)


def test_a_damaged_month_is_not_replaced_by_an_older_run(case: Case) -> None:
    newer = case.write(october("1", "2", "3", run_id="newer"))
    case.place.put(newer.folder)
    case.load()
    for file in sorted(path for path in newer.folder.rglob("*") if path.is_file()):
        case.place.remove(file.relative_to(newer.folder).as_posix())
    case.deliver(october("7", "8", run_id="older", early=True))
    case.place.query(
        "DELETE FROM {table} WHERE {cost} = 2", table=case.table, cost=case.writer.cost_column
    )
    if case.writer.states_rows:
        outcome = case.load()
        assert not outcome.results
        assert {str(skip.reason) for skip in outcome.skips} == {"older_than_loaded"}
    assert {charge.note for charge in case.held()} == {"newer"}


def test_without_a_state_the_tracking_table_keeps_an_older_run_from_the_month(case: Case) -> None:
    newer = case.write(october("1", "2", run_id="newer"))
    case.place.put(newer.folder)
    case.load()
    case.place.query("DROP TABLE {table}", table="_dlt_pipeline_state")
    assert case.load().results == ()
    assert {charge.note for charge in case.held()} == {"newer"}


def test_a_run_that_is_delivered_again_under_the_same_names_is_not_taken_for_loaded(
    case: Case,
) -> None:
    first = october("1", "2")
    written = case.write(first)
    case.place.put(written.folder)
    case.load_unrecorded()
    again = october("10", "20")
    case.place.put(case.write(again).folder)
    case.load()
    assert case.held() == list(again.charges)
