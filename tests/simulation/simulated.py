"""One history in one world: what happens, and what must hold after each run of the loader."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from cloudbill.loading.events import Discovered, LoadFinished, LoadStarted
from cloudbill.loading.outcome import Outcome
from cloudbill.sample.history.simulation import (
    ADDED_COLUMNS,
    Event,
    HistoryRun,
    Month,
    PartState,
    PutManifest,
    PutPart,
    Remove,
    deliver,
    simulate,
)
from figures import record_figure
from simulation.books import OWN_SCOPE, Books, Expected
from simulation.killing import KillPoint, run_and_kill
from simulation.worlds import Loader, World, costs_of, size_of

__all__ = ["MONTHS", "STAGES", "Arrival", "Simulated"]

MONTHS: Final = (Month(2025, 9), Month(2025, 10))
STAGES: Final = {"discovered": Discovered, "started": LoadStarted, "finished": LoadFinished}
_START: Final = MONTHS[0].start


class _InterruptedError(BaseException):
    """What ends the loader where it stands, as Ctrl-C does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A run that a test makes up, and how much of it arrives at first."""

    month: Month
    days: tuple[int, int]
    rows: int
    parts: int
    submitted_day: int
    states_rows: bool = True
    is_drifted: bool = False
    keeps_runs: bool = True
    way: str = "whole"
    scope: str | None = None
    time_frame: str | None = None
    has_costs: bool = True
    is_never: bool = False
    """Whether it says that it was submitted at a time that has not come."""
    is_again: bool = False
    """Whether it comes under the id of the run that a test made up before."""


@dataclass(kw_only=True)
class Simulated:
    """A world, the books that say what must be true in it, and all that can happen."""

    world: World
    loader: Loader
    seed: int
    books: Books = field(default_factory=Books)
    _coming: list[Event] = field(default_factory=list)
    _made: int = 0

    def __post_init__(self) -> None:
        self._coming = list(simulate(seed=self.seed, has_oddities=True).events)
        self.books.size_of = size_of
        self.books.knows_costs = self.world.case.place.name == "duckdb"

    # What happens to the store.

    def pass_time(self, events: int) -> None:
        """The next events of the simulated export."""
        for event in self._coming[:events]:
            self._apply(event)
        del self._coming[:events]

    def arrive(self, arrival: Arrival) -> None:
        """A run that no schedule would have made."""
        self._made += 1
        submitted_at = _START + timedelta(days=arrival.submitted_day)
        first, last = arrival.days
        if last > arrival.month.days:
            # A run over several months has no rows of days that are still to come.
            last = max(first, min(last, (submitted_at - arrival.month.start).days))
        is_again = arrival.is_again and self._made > 1
        run = HistoryRun(
            run_id=f"made-{self._made - is_again}",
            edition=self._made if is_again else 0,
            month=arrival.month,
            # Two runs have no folder in common.
            submitted_at=(submitted_at.replace(year=2099) if arrival.is_never else submitted_at)
            + timedelta(minutes=self._made),
            scope=arrival.scope,
            time_frame=arrival.time_frame,
            has_costs=arrival.has_costs,
            first_day=first,
            last_day=last,
            rows=arrival.rows if arrival.parts else 0,
            parts=arrival.parts,
            states_rows=arrival.states_rows,
            added=ADDED_COLUMNS[1:2] if arrival.is_drifted else (),
            dropped=("x_SkuDetails",) if arrival.is_drifted else (),
            keeps_runs=arrival.keeps_runs,
        )
        at = run.submitted_at
        if arrival.way == "manifest first":
            self._apply(PutManifest(at=at, run=run))
        elif arrival.way in {"cut", "longer"}:
            for part in range(run.parts):
                state: PartState = "cut" if arrival.way == "cut" else "longer"
                self._apply(PutPart(at=at, run=run, part=part, state="whole" if part else state))
            self._apply(PutManifest(at=at, run=run))
        elif arrival.way == "unreadable":
            for part in range(run.parts):
                self._apply(PutPart(at=at, run=run, part=part))
            self._apply(PutManifest(at=at, run=run, is_readable=False))
        else:
            for event in deliver(run, at):
                self._apply(event)

    def continue_arrival(self, place: tuple[HistoryRun, int]) -> None:
        """One missing piece of a run arrives: a part, or at last the manifest."""
        run, copy = place
        missing = self.books.shelf.missing(run, copy)
        if missing:
            self._apply(PutPart(at=_START, run=run, part=missing[-1], copy=copy))
        else:
            self._apply(PutManifest(at=_START, run=run, copy=copy))

    def unfinished(self) -> list[tuple[HistoryRun, int]]:
        """Runs of which something is missing."""
        shelf = self.books.shelf
        return [
            (run, copy)
            for run, copy in shelf.places()
            if shelf.missing(run, copy) or not shelf.has_manifest(run, copy)
        ]

    def vanish(self, place: tuple[HistoryRun, int]) -> None:
        """A run is taken away."""
        self._apply(Remove(at=_START, run=place[0], copy=place[1]))

    def copy(self, run: HistoryRun) -> None:
        """A copy tool leaves a run in a second place."""
        for event in deliver(run, _START, copy=1):
            self._apply(event)

    def damage(self, run: HistoryRun) -> None:
        """A part is broken inside, so that its load fails halfway."""
        self._apply(PutPart(at=_START, run=run, part=0, state="damaged"))
        record_figure("loads made to fail")

    def alone(self) -> list[HistoryRun]:
        """Runs that lie in one place and are whole."""
        shelf, places = self.books.shelf, self.books.shelf.places()
        return [
            run
            for run, copy in places
            if copy == 0
            and (run, 1) not in places
            and shelf.has_manifest(run)
            and not shelf.missing(run)
            and not shelf.damaged(run)
        ]

    def mend(self) -> None:
        """Everything that is cut, broken or unreadable arrives once more, as it should be."""
        for run, copy in self.books.shelf.places():
            for event in deliver(run, _START, copy=copy):
                self._apply(event)

    def _apply(self, event: Event) -> None:
        self.world.apply(event)
        self.books.shelf.apply(event)

    # What the loader does.

    def load(self, months: Collection[Month] = (), *, force: bool = False) -> Outcome:
        """Runs the loader, and compares what it did with what it should have done."""
        expected = self._expect(months or MONTHS, force=force)
        outcome = self.loader.load(months, force=force)
        record_figure("loader runs")
        assert outcome.error is None, outcome.error
        assert outcome.exit_code == self.books.exit_code(expected.values()), outcome
        self.books.write(expected)
        self.check()
        return outcome

    def load_and_kill(self, point: KillPoint) -> None:
        """Runs the loader in a process that is killed."""
        expected = self._expect(MONTHS)
        if run_and_kill(self.loader.load, point):
            record_figure("loader processes killed at a chosen call")
        record_figure("loader runs")
        self._settle(expected)

    def load_and_interrupt(self, stage: str, nth: int) -> None:
        """Runs the loader in this process, and ends it at a stage by an exception of no kind."""
        expected = self._expect(MONTHS)
        left = nth

        def interrupt(event: object) -> None:
            nonlocal left
            if isinstance(event, STAGES[stage]):
                left -= 1
                if left == 0:
                    raise _InterruptedError

        try:
            self.loader.load_listening(interrupt)
        except _InterruptedError:
            record_figure("loader runs interrupted")
        record_figure("loader runs")
        self._settle(expected)

    def load_under_faults(self) -> None:
        """Runs the loader while the warehouse fails at something."""
        expected = self._expect(MONTHS)
        self.loader.load()
        record_figure("loader runs")
        self._settle(expected)

    def load_twice_at_once(self) -> None:
        """Runs two loaders at the same time."""
        expected = self._expect(MONTHS)
        outcomes = self._at_once([self.loader.load, self.loader.load])
        record_figure("loader runs", 2)
        record_figure("pairs of loaders at once")
        assert [outcome.error for outcome in outcomes] == [None, None]
        self._settle(expected, is_through=True)

    def _expect(
        self, months: Collection[Month], *, force: bool = False
    ) -> Mapping[Month, Expected]:
        self._observe()
        return self.books.expect(months, force=force)

    def _observe(self) -> None:
        """What decides what a run is compared with, and is not what a month holds."""
        failed = self.loader.failed()
        self.books.failed = [
            run for run, _ in self.books.shelf.places() if (run.run_id, run.submitted_at) in failed
        ]
        own = {scope: scope for run, _ in self.books.shelf.places() if (scope := run.scope)}
        self.books.scopes = {
            Month(*map(int, since.split("-"))): own.get(scope, OWN_SCOPE)
            for since, scope in self.loader.scopes().items()
        }

    def accept(self, waiting: tuple[Month, HistoryRun]) -> None:
        """Somebody says that a held run is right."""
        month, run = waiting
        self._observe()
        self.books.accept(month, run)
        expected = self.books.expect([month])
        outcome = self.world.case.accept(str(month), run.run_id, takes_slice=True)
        record_figure("held runs accepted")
        assert outcome.error is None, outcome.error
        self.books.write(expected)
        self.check()

    def held(self) -> list[tuple[Month, HistoryRun]]:
        """Every run that waits for a person now; of those under one id, the newest."""
        self._observe()
        newest = {(month, run.run_id): run for month in MONTHS for run in self.books.waiting(month)}
        return [(month, run) for (month, _), run in newest.items()]

    # What must hold.

    def check(self) -> None:
        """Every month is what the books say, to the last digit, and so is the ledger."""
        held, remembered = self.loader.held(), self.loader.remembered()
        for month in MONTHS:
            assert held[str(month)] == costs_of(self.books.table.get(month), month), month
        assert remembered == {str(month): run.run_id for month, run in self.books.ledger.items()}

    def finish(self) -> None:
        """Whatever happened before: once all is there, every month is the truth, and stays so."""
        self.mend()
        self.load()
        again = self.load()
        assert not again.results
        record_figure("histories that ended with every month equal to the truth")

    def _settle(self, expected: Mapping[Month, Expected], *, is_through: bool = False) -> None:
        """Takes in what a loader did that was ended: of each month all or nothing."""
        held, remembered = self.loader.held(), self.loader.remembered()
        for month, told in expected.items():
            costs, run_id = held[str(month)], remembered.get(str(month))
            # Where the newest did not go in for a passing reason, the next one may have.
            new = next((run for run in told.tried if costs == costs_of(run, month)), None)
            is_new = new is not None
            may_be_old = told.loaded is None or not is_through
            is_old = may_be_old and costs == costs_of(told.before, month)
            assert is_new or is_old, (month, told, costs)
            if is_new and new is not None:
                self.books.table[month] = new
            if new is not None and run_id == new.run_id:
                assert is_new, "the ledger says that a run is loaded which is not"
                self.books.ledger[month] = new
            else:
                assert run_id == (told.remembered.run_id if told.remembered else None)

    @staticmethod
    def _at_once(calls: Sequence[Callable[[], Outcome]]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        together = threading.Barrier(len(calls))

        def run(call: Callable[[], Outcome]) -> None:
            together.wait()
            outcomes.append(call())

        threads = [threading.Thread(target=run, args=(call,)) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return outcomes
