"""The next month is fetched while the present one is loaded, and that makes nothing fail."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest

from cloudbill.errors import StoppedError, StoreError
from cloudbill.loading.events import Event, LoadFinished, Progressed
from cloudbill.loading.outcome import Outcome
from cloudbill.loading.stopping import Stop
from cloudbill.models import LoadFailure
from cloudbill.pipeline import load_source
from cloudbill.planning import Selection
from cloudbill.progress import Stage
from cloudbill.store.local import LocalStore
from contract.deliveries import AzureCsvWriter, AzureWriter, Delivery, at, charges
from contract.places import Case, DiskAndDuckDB

NEWEST_FIRST = ("2025-10", "2025-09", "2025-08", "2025-07")


class FarStore(LocalStore):
    """A folder whose files have to be downloaded; tells what is, and does what a test wants."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.downloads: list[str] = []
        self.began = {month: threading.Event() for month in NEWEST_FIRST}
        self.before: Callable[[str], None] = lambda _: None

    def local_path(self, path: str) -> Path | None:  # noqa: ARG002
        """None, as for a bucket."""
        return None

    def download(self, path: str, target: Path) -> None:
        """Copies a file, and notes that."""
        self.downloads.append(path)
        self.began[month_of(path)].set()
        self.before(path)
        super().download(path, target)


def month_of(path: str) -> str:
    """The month that a part belongs to."""
    return next(month for month in NEWEST_FIRST if f"/{month.replace('-', '')}01-" in path)


@dataclass
class World:
    """Four months of three parts each, far away."""

    case: Case
    store: FarStore
    spool: Path
    events: list[Event] = field(default_factory=list)

    def load(
        self, listen: Callable[[Event], None] = lambda _: None, stop: Stop | None = None
    ) -> Outcome:
        def both(event: Event) -> None:
            self.events.append(event)
            listen(event)

        return load_source(self.case.settings, Selection(), both, stop=stop, wants_progress=True)

    def left(self) -> list[Path]:
        """What lies in the folder for temporary files."""
        return list(self.spool.iterdir())


@pytest.fixture(params=[AzureWriter, AzureCsvWriter], ids=["parquet", "csv"])
def world(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """The months, their store, and a folder for temporary files of its own."""
    for name in ("scratch", "spool"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "spool"))
    place = DiskAndDuckDB(tmp_path)
    case = Case(place=place, writer=request.param(), scratch=tmp_path / "scratch")
    case.deliver(
        *(
            Delivery(
                period=month,
                charges=charges(month, "1", "2", "3"),
                submitted_at=at(f"{month}-28 04:00"),
                parts=3,
            )
            for month in NEWEST_FIRST
        )
    )
    store = FarStore(Path(place.bucket))
    monkeypatch.setattr("cloudbill.surveying.open_store", lambda *_, **__: store)
    return World(case=case, store=store, spool=tmp_path / "spool")


def is_here(event: Event, month: str) -> bool:
    """Whether all parts of a month have come, and it is not committed."""
    return (
        isinstance(event, Progressed)
        and event.progress.stage in {Stage.COUNTING, Stage.CHECKING}
        and str(event.planned.period) == month
    )


def test_next_month_is_fetched_while_the_present_one_is_loaded(world: World) -> None:
    waited: list[bool] = []

    def listen(event: Event) -> None:
        for month, following in pairwise(NEWEST_FIRST):
            if is_here(event, month):
                waited.append(world.store.began[following].wait(30))

    outcome = world.load(listen)

    assert waited
    assert all(waited)
    assert [str(result.planned.period) for result in outcome.results] == list(NEWEST_FIRST)
    assert [result.rows for result in outcome.results] == [3] * len(NEWEST_FIRST)
    assert len(world.case.held()) == 3 * len(NEWEST_FIRST)
    assert set(Counter(world.store.downloads).values()) == {1}
    assert len(world.store.downloads) == 3 * len(NEWEST_FIRST)
    assert world.left() == []


def test_no_more_than_one_run_is_fetched_ahead(world: World) -> None:
    def listen(event: Event) -> None:
        if is_here(event, NEWEST_FIRST[0]):
            assert world.store.began[NEWEST_FIRST[1]].wait(30)
            time.sleep(0.2)
            assert not world.store.began[NEWEST_FIRST[2]].is_set()

    assert world.load(listen).exit_code == 0


def test_nothing_is_fetched_ahead_where_the_disk_has_no_room(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10))

    def listen(event: Event) -> None:
        if isinstance(event, LoadFinished):
            following = NEWEST_FIRST.index(str(event.result.planned.period)) + 1
            for month in NEWEST_FIRST[following:]:
                assert not world.store.began[month].is_set()

    assert world.load(listen).exit_code == 0
    assert len(world.case.held()) == 3 * len(NEWEST_FIRST)


def test_what_could_not_be_fetched_ahead_is_fetched_again(world: World) -> None:
    failed: list[str] = []

    def fail_once(path: str) -> None:
        if month_of(path) == NEWEST_FIRST[1] and path not in failed:
            failed.append(path)
            raise StoreError("for now")

    world.store.before = fail_once

    def listen(event: Event) -> None:
        if is_here(event, NEWEST_FIRST[0]):
            assert world.store.began[NEWEST_FIRST[1]].wait(30)

    outcome = world.load(listen)

    assert outcome.exit_code == 0
    assert failed
    assert len(outcome.results) == len(NEWEST_FIRST)
    assert world.left() == []


def test_month_whose_part_cannot_be_fetched_fails_alone(world: World) -> None:
    def fail(path: str) -> None:
        if month_of(path) == NEWEST_FIRST[1] and "part_1" in path:
            raise StoreError("for ever")

    world.store.before = fail

    outcome = world.load()

    (failure,) = outcome.failures
    assert str(failure.planned.period) == NEWEST_FIRST[1]
    assert "for ever" in str(failure.error)
    assert {str(result.planned.period) for result in outcome.results} == {
        month for month in NEWEST_FIRST if month != NEWEST_FIRST[1]
    }
    assert world.left() == []


def test_stopped_load_leaves_no_files_and_loads_nothing_that_was_fetched_ahead(
    world: World,
) -> None:
    stop = Stop()

    def listen(event: Event) -> None:
        if is_here(event, NEWEST_FIRST[0]) and not stop.is_asked:
            assert world.store.began[NEWEST_FIRST[1]].wait(30)
            stop.ask()

    outcome = world.load(listen, stop)

    assert outcome.is_stopped
    stopped = {str(one.planned.period) for one in outcome.failures}
    assert stopped >= set(NEWEST_FIRST[1:])
    assert all(
        isinstance(event.error, StoppedError)
        for event in world.events
        if isinstance(event, LoadFailure)
    )
    deadline = time.monotonic() + 20
    while world.left() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert world.left() == []
    world.store.before = lambda _: None
    assert world.load().exit_code == 0
    assert len(world.case.held()) == 3 * len(NEWEST_FIRST)
