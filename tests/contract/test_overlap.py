"""Two processes at once load a month once, and never an older run after a newer one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from cloudbill.errors import TransientLoadError
from cloudbill.loading.months import load_planned
from cloudbill.loading.outcome import Outcome
from cloudbill.models import Skip
from cloudbill.planning import Selection
from cloudbill.surveying import read_present, survey
from cloudbill.warehouses import open_warehouse
from cloudbill.warehouses.bigquery.client import PersistentClient
from contract.deliveries import AwsWriter, AzureWriter, Delivery, Writer, at, charges
from contract.places import PROJECT
from contract.protected import allow

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


@pytest.fixture
def azure(make: Callable[[Writer], Case]) -> Case:
    """A case of one provider, where others would show the same."""
    return make(AzureWriter())


@pytest.fixture
def aws(make: Callable[[Writer], Case]) -> Case:
    """A case whose runs are staged, for their headers may differ."""
    return make(AwsWriter())


@contextmanager
def planned(case: Case) -> Iterator[Callable[[], list[Any]]]:
    """What a process has planned, to be loaded later."""
    with closing(open_warehouse(case.settings.warehouse)) as warehouse:
        present = read_present(case.settings, warehouse)
        found = survey(case.settings, present, Selection(), case.events.append)
        yield lambda: list(
            load_planned(warehouse, found.store, found.plan.loads, case.events.append)
        )


def test_a_plan_that_was_overtaken_by_a_newer_run_is_not_carried_out(case: Case) -> None:
    case.deliver(october("1", day=10, run_id="older"))
    with planned(case) as load:
        # Before this process gets to load it, another one finds and loads a newer run.
        newer = october("1", "2", day=20, run_id="newer")
        case.deliver(newer)
        assert case.load().exit_code == 0
        (outcome,) = load()
    assert isinstance(outcome, Skip)
    assert "another process wrote 2025-10" in outcome.detail
    assert case.held() == list(newer.charges)


@pytest.mark.parametrize("is_protected", [False, True], ids=["plain", "with a policy"])
def test_a_run_without_rows_that_was_overtaken_empties_nothing(
    azure: Case, cloud: Cloud, *, is_protected: bool
) -> None:
    azure.deliver(october(day=10, run_id="empty"))
    with planned(azure) as load:
        newer = october("1", "2", day=20, run_id="newer")
        azure.deliver(newer)
        assert azure.load().exit_code == 0
        if is_protected:
            allow(cloud.bigquery.client(PROJECT))
        (outcome,) = load()
    assert isinstance(outcome, Skip)
    assert "another process wrote 2025-10" in outcome.detail
    assert azure.held() == list(newer.charges)


@pytest.mark.parametrize("is_protected", [False, True], ids=["plain", "with a policy"])
def test_a_run_that_was_overtaken_while_it_was_staged_replaces_nothing(
    aws: Case, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, *, is_protected: bool
) -> None:
    """Staging may take hours."""
    aws.deliver(october("1", day=10, run_id="old"))
    assert aws.load().exit_code == 0
    if is_protected:
        allow(cloud.bigquery.client(PROJECT))
    newer = october("1", "2", "3", day=20, run_id="newer")
    submit, others = PersistentClient.load_table_from_uri, iter([newer])

    def stage_and_be_overtaken(self: PersistentClient, *given: Any, **options: Any) -> Any:
        job = submit(self, *given, **options)
        for one in others:
            aws.deliver(one)
            assert aws.load().exit_code == 0
        return job

    monkeypatch.setattr(PersistentClient, "load_table_from_uri", stage_and_be_overtaken)
    aws.deliver(october("1", "2", day=15, run_id="older"))
    (outcome,) = [one for one in aws.load().skips if one.manifest.run_id == "older"]
    assert "another process wrote 2025-10" in outcome.detail
    assert aws.held() == list(newer.charges)


def test_a_month_that_is_loaded_right_after_it_was_emptied_is_not_recorded_as_empty(
    azure: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    azure.deliver(october("1", day=10, run_id="old"))
    azure.load()
    newer = october("1", "2", day=20, run_id="newer")
    delete, others = PersistentClient.delete_table, iter([newer])

    def delete_and_be_overtaken(self: PersistentClient, *given: Any, **options: Any) -> None:
        delete(self, *given, **options)
        for one in others:
            azure.deliver(one)
            assert azure.load().exit_code == 0

    monkeypatch.setattr(PersistentClient, "delete_table", delete_and_be_overtaken)
    azure.deliver(october(day=15, run_id="empty"))
    (failure,) = azure.accept("2025-10", "empty").failures
    assert isinstance(failure.error, TransientLoadError)
    assert "wrote the month at the same time" in str(failure.error)
    assert azure.held() == list(newer.charges)


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
