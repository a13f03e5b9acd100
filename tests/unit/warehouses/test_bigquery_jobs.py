"""BigQuery jobs: none runs twice, burnt ids are passed over, failures that may pass retried."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from google.api_core import exceptions as api

from cloudbill.errors import LoadError, PartMissingError, SchemaError, TransientLoadError
from cloudbill.models import PlannedLoad
from cloudbill.warehouses.bigquery.jobs import FinishedJob, job_identity, run_job
from unit.builders import SEPTEMBER, manifest, record, to_load

BUSY = {"reason": "backendError", "message": "try again"}
BROKEN = {"reason": "invalid", "message": "broken"}


@dataclass
class Job:
    """A job as the client shows it: pending until its result is asked for."""

    job_id: str
    error_result: dict[str, str] | None = None
    state: str = "PENDING"
    answer: api.GoogleAPICallError | None = None

    def result(self, timeout: float) -> Job:
        """Waits, as the client does: a job that failed raises its error."""
        assert timeout > 60
        if self.answer is not None:
            raise self.answer
        self.state = "DONE"
        if self.error_result is not None:
            raise api.BadRequest(self.error_result["message"])
        return self


@dataclass
class Project:
    """A project that remembers its jobs, and how the next ones end."""

    endings: Iterator[dict[str, str] | None]
    jobs: dict[str, Job] = field(default_factory=dict)
    submitted: list[str] = field(default_factory=list)
    current: bool = True

    def submit(self, job_id: str) -> Job:
        """`jobs.insert`, which answers 409 where the id is taken."""
        if job_id in self.jobs:
            raise api.Conflict(f"Already Exists: Job {job_id}")
        self.submitted.append(job_id)
        self.jobs[job_id] = Job(job_id, next(self.endings))
        return self.jobs[job_id]

    def run(self) -> FinishedJob:
        """Runs a load in this project."""
        return run_job(
            "id",
            submit=self.submit,
            find=self.jobs.__getitem__,
            is_current=lambda _: self.current,
            what="Loading 2025-10",
        )


def project(*endings: dict[str, str] | None, done: tuple[Job, ...] = ()) -> Project:
    """A project whose next jobs end so, with jobs of an earlier process."""
    return Project(iter(endings), {job.job_id: job for job in done})


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were taken, without taking them."""
    taken: list[float] = []
    monkeypatch.setattr("time.sleep", taken.append)
    return taken


class TestRunJob:
    """After a crash the same id answers 409 and the job is resumed; a failed job burns its id."""

    def test_first_id_is_taken(self, pauses: list[float]) -> None:
        finished = project(None).run()

        assert (finished.job.job_id, finished.is_resumed) == ("id_0", False)
        assert pauses == []

    @pytest.mark.parametrize("state", ["PENDING", "RUNNING", "DONE"])
    def test_job_of_an_earlier_process_is_taken_up(self, state: str) -> None:
        jobs = project(done=(Job("id_0", state=state),))

        finished = jobs.run()

        assert (finished.job.job_id, finished.is_resumed) == ("id_0", True)
        assert jobs.submitted == []

    def test_job_that_is_taken_up_while_it_runs_is_current(self) -> None:
        jobs = project(done=(Job("id_0", state="RUNNING"),))
        jobs.current = False

        assert jobs.run().job.job_id == "id_0"

    def test_job_that_succeeded_before_the_month_was_written_again_is_passed_over(self) -> None:
        jobs = project(None, done=(Job("id_0", state="DONE"),))
        jobs.current = False

        finished = jobs.run()

        assert (finished.job.job_id, finished.is_resumed) == ("id_1", False)

    @pytest.mark.parametrize("error", [BUSY, BROKEN], ids=["passing", "lasting"])
    def test_burnt_ids_are_passed_over_without_a_pause(
        self, error: dict[str, str], pauses: list[float]
    ) -> None:
        burnt = tuple(Job(f"id_{index}", error, "DONE") for index in range(20))
        jobs = project(None, done=burnt)

        assert jobs.run().job.job_id == "id_20"
        assert jobs.submitted == ["id_20"]
        assert pauses == []

    def test_failure_that_may_pass_is_tried_again_under_the_next_id(
        self, pauses: list[float]
    ) -> None:
        jobs = project(BUSY, BUSY, None)

        assert jobs.run().job.job_id == "id_2"
        assert len(pauses) == 2
        assert 0 < pauses[0] <= 4 < 2 * pauses[1] <= 16

    def test_failure_that_does_not_pass_is_raised_in_the_end(self, pauses: list[float]) -> None:
        jobs = project(BUSY, BUSY, BUSY, BUSY, None)

        with pytest.raises(TransientLoadError, match=r"was not changed \(job id_3, backendE"):
            jobs.run()
        assert len(pauses) == 3

    def test_job_that_fails_while_it_is_waited_for_is_a_fresh_failure(self) -> None:
        jobs = project(None, done=(Job("id_0", BUSY, "RUNNING"),))

        assert jobs.run().job.job_id == "id_1"

    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (BROKEN, LoadError),
            ({"reason": "quotaExceeded", "message": "too many loads today"}, LoadError),
            (
                {"reason": "notFound", "message": "Not found: URI gs://b/p.parquet"},
                PartMissingError,
            ),
            ({"reason": "notFound", "message": "Not found: Table t"}, LoadError),
            ({"reason": "invalid", "message": "Provided Schema does not match"}, SchemaError),
            ({}, LoadError),
        ],
        ids=["broken", "quota", "part is gone", "table is gone", "schema", "no reason"],
    )
    def test_lasting_failure_is_raised_at_once(
        self, error: dict[str, str], kind: type[Exception]
    ) -> None:
        jobs = project({"message": ""} | error, None)

        with pytest.raises(kind) as raised:
            jobs.run()

        assert type(raised.value) is kind
        assert "the month was not changed (job id_0" in str(raised.value)
        assert jobs.submitted == ["id_0"]

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (api.ServiceUnavailable("later"), TransientLoadError),
            (api.TooManyRequests("later"), TransientLoadError),
            (api.Forbidden("no right to"), LoadError),
        ],
        ids=["unavailable", "too many requests", "forbidden"],
    )
    def test_failure_to_ask_is_no_failure_of_the_job(
        self, answer: api.GoogleAPICallError, kind: type[Exception]
    ) -> None:
        jobs = project(done=(Job("id_0", answer=answer, state="RUNNING"),))

        with pytest.raises(kind, match=r"^Loading 2025-10") as raised:
            jobs.run()

        assert type(raised.value) is kind
        assert raised.value.__cause__ is answer

    def test_ids_come_to_an_end(self) -> None:
        jobs = project(done=tuple(Job(f"id_{index}", BROKEN, "DONE") for index in range(1000)))

        with pytest.raises(LoadError, match=r"failed 1000 times; see the jobs id_\*"):
            jobs.run()


class TestJobIdentity:
    """The job id is derived from what is loaded; a forced reload salts it."""

    LOAD = to_load(manifest("run"), record("before"))
    DESTINATION = "p.d.bill$202510"

    def test_same_load_has_the_same_id(self) -> None:
        again = to_load(manifest("run"), record("before"))

        identity = job_identity(self.LOAD, self.DESTINATION)

        assert identity == job_identity(again, self.DESTINATION)
        assert identity.startswith("cloudbill_202510_")
        # "Running jobs programmatically": letters, digits, underscores and dashes, up to 1,024.
        assert identity.replace("_", "").isalnum()

    @pytest.mark.parametrize(
        ("other", "destination"),
        [
            (LOAD, "p.d.other$202510"),
            (replace(LOAD, manifest=replace(LOAD.manifest, run_id="other")), DESTINATION),
            (replace(LOAD, manifest=replace(LOAD.manifest, period=SEPTEMBER)), DESTINATION),
            (
                replace(
                    LOAD,
                    manifest=replace(
                        LOAD.manifest, submitted_at=LOAD.manifest.submitted_at + timedelta(hours=1)
                    ),
                ),
                DESTINATION,
            ),
            (replace(LOAD, uris=LOAD.uris[:1]), DESTINATION),
            (replace(LOAD, replaces=None), DESTINATION),
            (replace(LOAD, replaces=record("another")), DESTINATION),
            (replace(LOAD, is_forced=True), DESTINATION),
        ],
        ids=["table", "run", "month", "time", "parts", "nothing before", "other before", "forced"],
    )
    def test_other_load_has_another_id(self, other: PlannedLoad, destination: str) -> None:
        assert job_identity(other, destination) != job_identity(self.LOAD, self.DESTINATION)

    def test_forced_loads_differ_from_each_other(self) -> None:
        forced = replace(self.LOAD, is_forced=True)

        assert job_identity(forced, self.DESTINATION) != job_identity(forced, self.DESTINATION)
