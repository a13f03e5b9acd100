"""Two processes at once load a month once, and never an older run after a newer one."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from cloudbill.loading.months import load_planned
from cloudbill.loading.outcome import Outcome
from cloudbill.models import Skip
from cloudbill.planning import Selection
from cloudbill.surveying import read_present, survey
from cloudbill.warehouses import open_warehouse
from contract.deliveries import Delivery, at, charges

if TYPE_CHECKING:
    from contract.places import Case
    from emulators.fixtures import Cloud


@pytest.fixture
def place(
    request: pytest.FixtureRequest, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> object:
    """BigQuery alone: DuckDB's file lets one process in at a time."""
    from contract.places import GcsAndBigQuery

    assert tmp_path
    cloud: Cloud = request.getfixturevalue("cloud")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", cloud.gcs.url)
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", cloud.bigquery.url)
    return GcsAndBigQuery(cloud)


def october(*costs: str, day: int, run_id: str) -> Delivery:
    """A run of October, submitted on a day."""
    return Delivery(
        period="2025-10",
        charges=charges("2025-10", *costs, note=run_id),
        submitted_at=at(f"2025-10-{day} 04:00"),
        run_id=run_id,
    )


def test_a_plan_that_was_overtaken_by_a_newer_run_is_not_carried_out(case: Case) -> None:
    case.deliver(october("1", day=10, run_id="older"))
    with closing(open_warehouse(case.settings.warehouse)) as warehouse:
        present = read_present(case.settings, warehouse)
        prepared = survey(case.settings, present, Selection(), case.events.append)
        # Before this process gets to load it, another one finds and loads a newer run.
        newer = october("1", "2", day=20, run_id="newer")
        case.deliver(newer)
        assert case.load().exit_code == 0
        (outcome,) = load_planned(
            warehouse, prepared.store, prepared.plan.loads, case.events.append
        )
    assert isinstance(outcome, Skip)
    assert "another process wrote 2025-10" in outcome.detail
    assert case.held() == list(newer.charges)


def test_two_processes_with_the_same_plan_run_one_job_and_both_succeed(
    case: Case, cloud: Cloud
) -> None:
    delivery = october("1", "2", day=20, run_id="only")
    case.deliver(delivery)
    outcomes: list[Outcome] = []
    together = threading.Barrier(2)

    def load() -> None:
        together.wait()
        outcomes.append(case.load())

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [outcome.exit_code for outcome in outcomes] == [0, 0]
    jobs = {
        job["job_id"]
        for job in cloud.bigquery.jobs()
        if job["kind"] in {"load", "copy"} and f"{case.table}$202510" in str(job["configuration"])
    }
    assert len(jobs) == 1
    assert case.held() == list(delivery.charges)
