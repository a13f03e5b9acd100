"""Whatever happens in whatever order, every month ends as the truth."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cloudbill.sample.history.simulation import Month
from figures import draws_anew, examples, record_figure
from simulation.killing import KillPoint
from simulation.simulated import MONTHS, STAGES, Arrival, Simulated
from simulation.worlds import BigQueryWorld, DuckDBWorld, Loader, World

if TYPE_CHECKING:
    from emulators.fixtures import Cloud

SEEDS = st.integers(1, 3)  # few, because making their files takes longer than loading them

ARRIVALS = st.builds(
    Arrival,
    month=st.sampled_from(MONTHS),
    days=st.sampled_from([(1, 30), (1, 30), (1, 20), (1, 3), (5, 30), (8, 14), (1, 45)]),
    rows=st.sampled_from([0, 1, 2, 4, 5, 8, 9]),
    parts=st.integers(0, 3),
    submitted_day=st.integers(1, 50),
    states_rows=st.booleans(),
    is_drifted=st.booleans(),
    keeps_runs=st.booleans(),
    way=st.sampled_from(["whole", "whole", "manifest first", "cut", "longer", "unreadable"]),
    scope=st.sampled_from([None, None, None, "subscriptions/another"]),
    time_frame=st.sampled_from([None, None, None, None, "WeekToDate"]),
    has_costs=st.sampled_from([True, True, True, False]),
    is_never=st.sampled_from([False, False, False, False, True]),
    is_again=st.booleans(),
)

KILLS = st.one_of(
    st.builds(KillPoint, calls=st.integers(1, 1500), where=st.just("cloudbill")),
    st.builds(KillPoint, calls=st.integers(1, 300_000), where=st.just("anywhere")),
)


class AnyHistory(RuleBasedStateMachine):
    """Deliveries, partial arrivals, loader runs, crashes, faults, accepts and fresh machines."""

    make_world: ClassVar[Callable[[Path], World]]

    @initialize(seed=SEEDS, events=st.integers(0, 90), is_loaded=st.booleans())
    def begin(self, *, seed: int, events: int, is_loaded: bool) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="history-"))
        world = type(self).make_world(self.folder)
        loader = Loader(world, Path(os.environ["DLT_DATA_DIR"]))
        self.simulated = Simulated(world=world, loader=loader, seed=seed)
        self.simulated.pass_time(events)
        if is_loaded:
            self.simulated.load()

    @rule(events=st.integers(3, 40), is_loaded=st.booleans())
    def time_passes(self, *, events: int, is_loaded: bool) -> None:
        self.simulated.pass_time(events)
        if is_loaded:
            self.simulated.load()

    @rule(arrival=ARRIVALS, is_loaded=st.booleans())
    def run_arrives(self, *, arrival: Arrival, is_loaded: bool) -> None:
        self.simulated.arrive(arrival)
        if is_loaded:
            self.simulated.load()

    @precondition(lambda self: self.simulated.books.ledger)
    @rule(
        data=st.data(),
        states_rows=st.booleans(),
        is_narrow=st.booleans(),
        answer=st.sampled_from(["none yet", "load", "accept"]),
    )
    def run_arrives_that_may_be_less_than_the_loaded_one(
        self, *, data: st.DataObject, states_rows: bool, is_narrow: bool, answer: str
    ) -> None:
        month, loaded = data.draw(st.sampled_from(sorted(self.simulated.books.ledger.items())))
        less = [loaded.rows // 2, loaded.rows // 3, 0]
        arrival = Arrival(
            month=month,
            days=(1, max(1, loaded.last_day - 1) if is_narrow else loaded.last_day),
            rows=data.draw(st.sampled_from([*less, loaded.rows])),
            parts=data.draw(st.integers(0, 2)),
            submitted_day=data.draw(st.integers(51, 60)),
            states_rows=states_rows,
        )
        self.simulated.arrive(arrival)
        if answer == "load":
            self.simulated.load()
        elif answer == "accept" and self.simulated.held():
            self.simulated.accept(self.simulated.held()[-1])

    @precondition(lambda self: self.simulated.unfinished())
    @rule(data=st.data())
    def missing_piece_arrives(self, data: st.DataObject) -> None:
        place = data.draw(st.sampled_from(self.simulated.unfinished()))
        self.simulated.continue_arrival(place)

    @precondition(lambda self: self.simulated.books.shelf.places())
    @rule(data=st.data())
    def run_vanishes(self, data: st.DataObject) -> None:
        self.simulated.vanish(data.draw(st.sampled_from(self.simulated.books.shelf.places())))

    @precondition(lambda self: self.simulated.alone())
    @rule(data=st.data())
    def run_is_copied(self, data: st.DataObject) -> None:
        self.simulated.copy(data.draw(st.sampled_from(self.simulated.alone())))

    @precondition(lambda self: any(run.rows for run in self.simulated.alone()))
    @rule(data=st.data())
    def part_is_damaged(self, data: st.DataObject) -> None:
        runs = [run for run in self.simulated.alone() if run.rows]
        # Mostly the newest, for the others are not loaded anyway.
        newest = max(runs, key=lambda run: run.age)
        self.simulated.damage(data.draw(st.sampled_from([newest, *runs])))

    @rule()
    def everything_is_mended(self) -> None:
        self.simulated.mend()

    @rule(months=st.sets(st.sampled_from(MONTHS)), force=st.booleans(), is_fresh=st.booleans())
    def loader_runs(self, *, months: set[Month], force: bool, is_fresh: bool) -> None:
        if is_fresh:
            self.simulated.loader.on_a_fresh_machine()
        self.simulated.load(sorted(months), force=force)

    @rule(point=KILLS)
    def loader_is_killed(self, point: KillPoint) -> None:
        self.simulated.load_and_kill(point)

    @rule(stage=st.sampled_from(sorted(STAGES)), nth=st.integers(1, 2))
    def loader_is_interrupted(self, stage: str, nth: int) -> None:
        self.simulated.load_and_interrupt(stage, nth)

    @precondition(lambda self: self.simulated.held())
    @rule(data=st.data())
    def held_run_is_accepted(self, data: st.DataObject) -> None:
        self.simulated.accept(data.draw(st.sampled_from(self.simulated.held())))

    def teardown(self) -> None:
        if not hasattr(self, "simulated"):
            return
        self.simulated.finish()
        record_figure("interleavings tried")
        shutil.rmtree(self.folder)


class AnyHistoryOnBigQuery(AnyHistory):
    """What only a warehouse that others share can go through."""

    @rule(stage=st.sampled_from(["start", "read:0", "read:1", "commit"]), of_ledger=st.booleans())
    def jobs_fail(self, *, stage: str, of_ledger: bool) -> None:
        world = self.simulated.world
        assert isinstance(world, BigQueryWorld)
        with world.failing_jobs(stage, of_ledger=of_ledger):
            self.simulated.load_under_faults()

    @rule()
    def two_loaders_run_at_once(self) -> None:
        self.simulated.load_twice_at_once()


def run(
    machine: type[AnyHistory], make: Callable[[Path], World], *, histories: int, steps: int
) -> None:
    """Tries a machine in worlds that are made for it."""
    kind = type(machine.__name__, (machine,), {"make_world": staticmethod(make)})
    run_state_machine_as_test(
        kind,
        settings=settings(
            max_examples=examples(histories),
            stateful_step_count=steps,
            derandomize=not draws_anew(),
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # Each try takes seconds, and shrinking takes hundreds of them.
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            print_blob=True,
        ),
    )


@pytest.mark.timeout(0)
def test_every_month_ends_as_the_truth_on_duckdb() -> None:
    run(AnyHistory, DuckDBWorld, histories=12, steps=8)


@pytest.mark.timeout(0)
def test_every_month_ends_as_the_truth_on_bigquery(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", cloud.gcs.url)
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", cloud.bigquery.url)

    def make(folder: Path) -> World:
        return BigQueryWorld(folder, cloud)

    run(AnyHistoryOnBigQuery, make, histories=4, steps=8)
