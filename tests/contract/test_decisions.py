"""What a person decided of a run holds for every later load, and for nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cloudbill.accepting import dismiss_runs
from cloudbill.errors import Guard
from cloudbill.manifests import DiscoveredRun, Part, StoredObject
from cloudbill.periods import BillingPeriod, utc_now
from contract import ledgers
from contract.conftest import PLANNING_WAYS
from contract.deliveries import at
from contract.test_which_run import A, B, held, loaded, needs_days, october
from unit.builders import manifest

if TYPE_CHECKING:
    from contract.places import Case

WAYS = PLANNING_WAYS
OCTOBER = BillingPeriod(year=2025, month=10)


def test_an_accepted_run_whose_time_has_not_come_does_not_come_back_over_a_later_one(
    case: Case,
) -> None:
    needs_days(case)
    case.deliver(october(10, run_id="never", submitted_at=at("2099-10-20 04:00")))
    assert case.load().exit_code == 6
    assert loaded(case.accept("2025-10")) == ["never"]
    case.deliver(october(28, run_id="honest", submitted_at=utc_now()))

    assert loaded(case.load()) == ["honest"]

    assert loaded(case.load()) == []
    assert loaded(case.load(force=True)) == ["honest"]


def test_a_scope_that_is_configured_later_is_not_older_than_what_the_table_holds(
    case: Case,
) -> None:
    case.deliver(october(20, "1", run_id="a", scope=A), october(21, "9", run_id="b", scope=B))
    case.load()
    case.accept("2025-10", "b")
    only_a = replace(case, keys={"scope": A})

    first = only_a.load()

    assert (first.exit_code, held(first)) == (6, {"a": Guard.SCOPE})
    assert loaded(only_a.accept("2025-10")) == ["a"]
    assert only_a.load().exit_code == 0


def test_a_dismissed_slice_makes_no_other_run_one(case: Case) -> None:
    needs_days(case)
    case.deliver(october(7, run_id="so far"), october(10, run_id="days", days=(9, 10)))
    assert set(held(case.load()).values()) == {Guard.SLICE}

    dismiss_runs(case.settings, OCTOBER, "days")

    outcome = case.load()
    assert (outcome.exit_code, loaded(outcome)) == (0, ["so far"])


def test_a_dismissed_scope_is_no_rival(case: Case) -> None:
    case.deliver(october(20, run_id="a", scope=A), october(21, run_id="b", scope=B))
    assert set(held(case.load()).values()) == {Guard.SCOPE}

    dismiss_runs(case.settings, OCTOBER, "b")

    outcome = case.load()
    assert (outcome.exit_code, loaded(outcome)) == (0, ["a"])


def test_a_ledger_that_lost_its_state_has_the_scope_of_the_loaded_run(case: Case) -> None:
    case.deliver(october(20, run_id="b", scope=B))
    case.load()
    ledgers.drop_table(case, ledgers.STATES)
    case.deliver(october(21, run_id="a", scope=A))

    outcome = case.load()

    assert (outcome.exit_code, held(outcome)) == (6, {"a": Guard.SCOPE})


def test_a_run_whose_only_part_was_cut_off_is_not_gone() -> None:
    stored = StoredObject(path="part", size=9, modified_at=at("2025-10-20 04:00"))
    part = Part(path="part", size=10, stored=stored)
    run = DiscoveredRun(manifest=manifest(parts=[part]), missing=(part,))

    assert not run.is_gone
    assert replace(run, manifest=manifest(parts=[replace(part, stored=None)])).is_gone
