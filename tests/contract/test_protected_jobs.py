"""The transaction that replaces a month of a protected table: done once, whoever is killed."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from cloudbill.models import LoadResult
from contract.places import Case
from contract.protected import NEW, OLD, allow, jobs_since, policies
from emulators.bigquery.errors import JobError

if TYPE_CHECKING:
    from google.cloud import bigquery as bq

    from emulators.fixtures import Cloud

WAYS = (("azure parquet", "bigquery"),)


@pytest.fixture
def loaded(case: Case) -> Case:
    """A case whose table holds the old run."""
    case.deliver(OLD)
    assert case.load().exit_code == 0
    return case


class TestJobs:
    def test_a_job_that_a_killed_process_finished_is_taken_up(
        self, loaded: Case, client: bq.Client, cloud: Cloud
    ) -> None:
        allow(client)
        loaded.deliver(NEW)
        before = len(cloud.bigquery.jobs())
        (first,) = loaded.load_unrecorded()
        (second,) = loaded.load().results
        assert isinstance(first, LoadResult)
        assert second.job_id == first.job_id
        assert [job["kind"] for job in jobs_since(cloud, before)] == ["load", "query"]
        assert loaded.held() == list(NEW.charges)

    def test_a_job_that_still_runs_is_waited_for_and_not_repeated(
        self, loaded: Case, client: bq.Client, cloud: Cloud
    ) -> None:
        allow(client)
        loaded.deliver(NEW)
        reached, released = threading.Event(), threading.Event()

        def wait(stage: str, job: dict[str, Any]) -> None:
            if stage == "commit" and job["kind"] == "query":
                reached.set()
                released.wait(20)

        cloud.bigquery.faults.append(wait)
        cloud.bigquery.answer_after_s = 0.05
        before = len(cloud.bigquery.jobs())
        killed = threading.Thread(target=loaded.load_unrecorded)
        killed.start()
        try:
            assert reached.wait(20)
            threading.Timer(0.5, released.set).start()
            (result,) = loaded.load().results
        finally:
            released.set()
            killed.join(20)
        done = [job for job in jobs_since(cloud, before) if job["kind"] == "query"]
        assert [job["job_id"] for job in done] == [result.job_id]
        assert loaded.held() == list(NEW.charges)

    def test_a_job_that_fails_midway_changes_nothing_and_the_next_one_does_it(
        self, loaded: Case, client: bq.Client, cloud: Cloud
    ) -> None:
        allow(client)
        loaded.deliver(NEW)

        def stop(stage: str, job: dict[str, Any]) -> None:
            if stage == "commit" and job["kind"] == "query":
                raise JobError("stopped", "Job execution was cancelled")

        cloud.bigquery.faults.append(stop)
        (failure,) = loaded.load().failures
        assert "cancelled" in str(failure.error)
        assert loaded.held() == list(OLD.charges)
        cloud.bigquery.faults.clear()
        (result,) = loaded.load().results
        assert str(result.job_id).endswith("_1")
        assert loaded.held() == list(NEW.charges)

    def test_a_transaction_that_another_one_cancelled_is_tried_again(
        self, loaded: Case, client: bq.Client, cloud: Cloud, caplog: pytest.LogCaptureFixture
    ) -> None:
        allow(client)
        loaded.deliver(NEW)
        cancelled = iter([True])

        def cancel(stage: str, job: dict[str, Any]) -> None:
            if stage == "commit" and job["kind"] == "query" and next(cancelled, False):
                raise JobError(
                    "invalidQuery",
                    "Transaction is aborted due to concurrent update against table bill",
                )

        cloud.bigquery.faults.append(cancel)
        loaded_again = replace(loaded, keys={"retry_for_s": "2"})
        assert loaded_again.load().exit_code == 0
        assert "changed the table at the same time" in caplog.text
        assert loaded.held() == list(NEW.charges)

    def test_a_job_that_was_done_the_other_way_is_another_job(
        self, case: Case, client: bq.Client
    ) -> None:
        case.deliver(OLD)
        (first,) = case.load_unrecorded()
        assert isinstance(first, LoadResult)
        allow(client)
        (second,) = case.load().results
        assert second.job_id != first.job_id
        assert case.held() == list(OLD.charges)
        assert policies(client) == ["p"]
