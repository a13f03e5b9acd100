"""The ledger, the tracking table and the table are compared, and the ledger is written anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudbill.doctor.examination import examine
from cloudbill.ledger.rebuilding import rebuild_ledger
from contract.deliveries import Delivery, at, charges

if TYPE_CHECKING:
    from contract.places import Case

EARLY, LATE = at("2025-10-15 04:00"), at("2025-10-31 22:00")


def run(period: str, *costs: str, run_id: str = "run", late: bool = True) -> Delivery:
    """A run with one charge a day."""
    return Delivery(
        period=period,
        charges=charges(period, *costs),
        submitted_at=LATE if late else EARLY,
        run_id=run_id,
    )


def troubles(case: Case) -> list[str]:
    """What an examination finds to be wrong."""
    return [check.found for check in examine([case.settings]) if not check.is_well]


def forget_state(case: Case) -> None:
    """Loses what dlt keeps, as when somebody drops its tables."""
    case.place.query("DROP TABLE {table}", table="_dlt_pipeline_state")


def test_nothing_is_wrong_before_the_first_load_and_after_it(case: Case) -> None:
    case.deliver(run("2025-10", "1", "2"))
    assert troubles(case) == []
    case.load()
    assert troubles(case) == []


def test_rows_that_were_deleted_are_missed(case: Case) -> None:
    case.deliver(run("2025-10", "1", "2"))
    case.load()
    case.place.query(
        "DELETE FROM {table} WHERE {cost} = 2", table=case.table, cost=case.writer.cost_column
    )
    rows, costs = troubles(case)
    assert rows == "the ledger has 2 rows, the table has 1"
    assert "in the table" in costs


def test_a_lost_state_is_rebuilt_from_the_tracking_table_and_nothing_is_loaded_twice(
    case: Case,
) -> None:
    case.deliver(run("2025-09", "9", run_id="september"), run("2025-10", "1", run_id="october"))
    case.load()
    forget_state(case)
    rebuilt = rebuild_ledger(case.settings, lambda _: None)
    assert [record.run_id for record in rebuilt.records] == ["september", "october"]
    assert not [change for change in rebuilt.changes if change.is_in_doubt]
    assert troubles(case) == []
    assert case.load().results == ()


def test_a_month_that_the_tracking_table_is_wrong_about_is_loaded_again(case: Case) -> None:
    delivery = run("2025-10", "1", "2")
    case.deliver(delivery)
    case.load()
    case.place.query(
        "DELETE FROM {table} WHERE {cost} = 2", table=case.table, cost=case.writer.cost_column
    )
    rebuilt = rebuild_ledger(case.settings, lambda _: None)
    in_doubt = [str(change.period) for change in rebuilt.changes if change.is_in_doubt]
    assert in_doubt == ["2025-10"]
    assert len(case.load().results) == 1
    assert case.held() == list(delivery.charges)
