"""A load that its user stops, and what is told of a load that somebody looks at."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from cloudbill.errors import StoppedError
from cloudbill.loading.events import Event, LoadFinished, LoadStarted, Progressed
from cloudbill.loading.outcome import Outcome
from cloudbill.loading.stopping import Stop
from cloudbill.pipeline import load_source
from cloudbill.planning import Selection
from cloudbill.progress import Progress, Stage, progress_told
from contract.conftest import LOOKING_WAYS, READING_WAYS
from contract.deliveries import Delivery, at, charges

if TYPE_CHECKING:
    from contract.places import Case
    from emulators.fixtures import Cloud

WAYS = LOOKING_WAYS

MONTHS = [f"2025-{month:02d}" for month in range(1, 13)]


def deliver_a_run_of_each(case: Case, months: list[str]) -> None:
    """A run of one charge for each month."""
    case.deliver(
        *(
            Delivery(
                period=month,
                charges=charges(month, str(index + 1)),
                submitted_at=at(f"{month}-28 04:00"),
            )
            for index, month in enumerate(months)
        )
    )


def load(case: Case, stop: Stop, listen: Callable[[Event], None], **options: bool) -> Outcome:
    """Runs the loader once, stoppable and watchable."""
    return load_source(case.settings, Selection(), listen, stop=stop, **options)


class TestAStoppedLoad:
    def test_keeps_and_records_what_was_loaded_and_the_next_run_does_the_rest(
        self, case: Case
    ) -> None:
        deliver_a_run_of_each(case, MONTHS)
        stop = Stop()

        def listen(event: Event) -> None:
            if isinstance(event, LoadFinished):
                stop.ask()

        stopped = load(case, stop, listen)

        loaded = {str(result.planned.period) for result in stopped.results}
        assert stopped.is_stopped
        assert stopped.exit_code == StoppedError.exit_code == 130
        assert 1 <= len(loaded) < len(MONTHS)
        assert {str(one.planned.period) for one in stopped.failures} == set(MONTHS) - loaded
        assert all(isinstance(one.error, StoppedError) for one in stopped.failures)
        again = case.load()
        assert {str(skip.manifest.period) for skip in again.skips} == loaded
        assert {str(result.planned.period) for result in again.results} == set(MONTHS) - loaded
        assert len(case.held()) == len(MONTHS)

    def test_is_not_asked_before_months_are_replaced(self, case: Case) -> None:
        deliver_a_run_of_each(case, MONTHS)
        stop = Stop()
        answers: list[bool] = []

        def listen(event: Event) -> None:
            if not isinstance(event, LoadStarted | LoadFinished):
                answers.append(stop.ask())

        assert load(case, stop, listen).exit_code == 0
        assert answers == [False] * len(answers)
        assert answers

    def test_is_asked_until_the_source_is_done_so_that_its_months_are_recorded(
        self, case: Case
    ) -> None:
        deliver_a_run_of_each(case, MONTHS)
        stop = Stop()

        with stop.for_a_source():
            # It is asked for after the last month, and while they are recorded.
            assert load(case, stop, lambda _: None).exit_code == 0
            assert stop.ask()

        assert not Stop().ask()
        late = Stop()
        with late.for_a_source():
            load(case, late, lambda _: None)
        assert not late.ask()


class TestOnBigQuery:
    @pytest.fixture
    def case(self, case: Case) -> Case:
        if case.place.name != "bigquery":
            pytest.skip("only BigQuery works on without the process that asked it")
        return case

    def test_a_job_goes_on_and_the_next_run_takes_it_up(self, case: Case, cloud: Cloud) -> None:
        case.deliver(
            Delivery(
                period="2025-10",
                charges=charges("2025-10", "1"),
                submitted_at=at("2025-10-28 04:00"),
                stated_rows=None,
            )
        )
        stop = Stop()
        is_stopped = threading.Event()
        cloud.bigquery.answer_after_s = 0.1

        def go_on_after_the_stop(stage: str, job: dict[str, object]) -> None:
            if stage == "start" and "bill$202510" in str(job["configuration"]):
                stop.ask()
                is_stopped.wait(60)

        cloud.bigquery.faults.append(go_on_after_the_stop)
        stopped = load(case, stop, lambda _: None)
        (failure,) = stopped.failures
        assert isinstance(failure.error, StoppedError)
        assert "may still finish, and the next run finds it" in str(failure.error)
        is_stopped.set()

        assert case.load().exit_code == 0
        assert len(case.held()) == 1
        replacing = [
            job for job in cloud.bigquery.jobs() if "bill$202510" in str(job["configuration"])
        ]
        assert len(replacing) == 1


class TestProgress:
    WAYS = READING_WAYS

    def test_is_told_to_who_looks_and_to_nobody_else(self, case: Case) -> None:
        deliver_a_run_of_each(case, MONTHS[:3])
        seen: list[Event] = []

        load(case, Stop(), seen.append, wants_progress=False)
        assert not [event for event in seen if isinstance(event, Progressed)]
        load_source(
            case.settings, Selection(force=True), seen.append, stop=Stop(), wants_progress=True
        )

        told = [event.progress for event in seen if isinstance(event, Progressed)]
        stages = {progress.stage for progress in told}
        if case.place.name == "duckdb":
            assert stages == {Stage.COUNTING, Stage.INSERTING}
        else:
            assert Stage.CHECKING in stages
            assert stages & {Stage.LOADING, Stage.COPYING}
            assert {progress.state for progress in told} & {"pending", "running", "done"}
        assert {progress.parts for progress in told} == {2}
        assert all(progress.total and progress.total > 0 for progress in told)
        assert len(case.held()) == 3

    def test_of_a_watcher_ends_with_what_it_watches(self) -> None:
        seen: list[Progress] = []

        with progress_told(seen.append, lambda: Progress(stage=Stage.FETCHING, done=len(seen))):
            deadline = time.monotonic() + 10
            while len(seen) < 3 and time.monotonic() < deadline:
                time.sleep(0.01)
        count = len(seen)

        assert [progress.done for progress in seen[:3]] == [0, 1, 2]
        time.sleep(0.5)
        assert len(seen) == count
        assert "watch" not in {thread.name for thread in threading.enumerate()}
