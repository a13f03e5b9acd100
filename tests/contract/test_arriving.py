"""A month is loaded into DuckDB while its parts come, and is the same as if all had been there."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from cloudbill.errors import ReconciliationError, SchemaError, StoreError
from cloudbill.files.parquet_tail import PARQUET_MAGIC
from cloudbill.loading.events import Progressed
from cloudbill.loading.stopping import Stop
from cloudbill.progress import Stage
from cloudbill.store.local import LocalStore
from cloudbill.warehouses.duckdb.awaited import AwaitedFiles
from contract.arriving import (
    LAST,
    LONGER,
    NEW,
    OLD,
    PARTS,
    WAIT_S,
    SlowStore,
    World,
    after,
    assert_old_month_stands,
)
from contract.deliveries import AzureCsvWriter, AzureWriter, at
from contract.places import Case, DiskAndDuckDB


@pytest.fixture(params=[AzureWriter, AzureCsvWriter], ids=["parquet", "csv"])
def world(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """An old run that was loaded, and a folder for temporary files of its own."""
    for name in ("scratch", "spool"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "spool"))
    place = DiskAndDuckDB(tmp_path)
    writer = request.param()
    world = World(
        case=Case(place=place, writer=writer, scratch=tmp_path / "scratch"),
        place=place,
        writer=writer,
        spool=tmp_path / "spool",
        monkeypatch=monkeypatch,
    )

    def read(files: AwaitedFiles, index: int, start: int, length: int) -> bytes:
        content = read_awaited(files, index, start, length)
        if start == len(PARQUET_MAGIC):
            world.read.add(index)
        return content

    read_awaited = AwaitedFiles.read
    monkeypatch.setattr(AwaitedFiles, "read", read)
    world.put(OLD)
    assert world.load().exit_code == 0
    world.events.clear()
    world.open(SlowStore)
    return world


def test_first_part_is_loaded_before_the_last_has_come(world: World) -> None:
    world.put(NEW)
    world.store.before = after(world, {LAST: 0})

    outcome = world.load()

    (result,) = outcome.results
    assert world.case.held() == sorted(NEW.charges, key=lambda charge: charge.day)
    assert result.rows == len(NEW.charges)
    assert [str(costs["BilledCost"]) for costs in result.totals.values()] == [
        "78.000000000000000012"
    ]
    assert sorted(world.store.asked) == list(range(PARTS))
    assert world.left() == []


def test_progress_is_that_of_the_downloads_as_long_as_there_are_any(world: World) -> None:
    world.put(NEW)
    world.store.before = after(world, {LAST: 0})

    world.load()

    told = [event.progress for event in world.events if isinstance(event, Progressed)]
    stages = [progress.stage for progress in told]
    if world.writer.changes_type:
        # Its parts are inserted as they come, which may end with the last of them.
        order = [Stage.FETCHING, Stage.INSERTING, Stage.CHECKING]
        least = {Stage.FETCHING, Stage.CHECKING}
    else:
        order = [Stage.FETCHING, Stage.COUNTING, Stage.INSERTING]
        least = {*order}
    assert stages == sorted(stages, key=order.index)
    assert least <= set(stages) <= {*order}
    assert all(0 <= (one.done or 0) <= (one.total or 0) for one in told)
    assert {one.rows for one in told if one.stage is order[-1]} == {len(NEW.charges)}


def test_last_part_that_cannot_be_fetched_leaves_the_old_month(world: World) -> None:
    world.put(NEW)

    def fail_at_last(index: int) -> None:
        if index == LAST:
            world.wait_until_loaded(0)
            raise StoreError("for ever")

    world.store.before = fail_at_last

    (failure,) = world.load().failures

    assert "for ever" in str(failure.error)
    assert_old_month_stands(world)


def test_parts_that_have_not_begun_are_not_fetched_once_one_failed(world: World) -> None:
    world.put(replace(NEW, parts=12))
    failed = threading.Event()

    def fail_at_second(index: int) -> None:
        if index == 1:
            failed.set()
            raise StoreError("for ever")
        assert failed.wait(WAIT_S)
        time.sleep(0.3)

    world.store.before = fail_at_second

    (failure,) = world.load().failures

    assert "for ever" in str(failure.error)
    assert len(world.store.asked) < 12
    assert_old_month_stands(world)


def test_last_part_that_is_damaged_leaves_the_old_month(world: World) -> None:
    world.put(replace(NEW, damaged=True))
    world.store.before = after(world, {LAST: 0})

    assert len(world.load().failures) == 1

    assert_old_month_stands(world)


def put_with_last(world: World) -> Path:
    """Delivers a run whose parts have ends that are read before the rest, and gives the last."""
    if not world.writer.changes_type:
        pytest.skip("these parts are read as a whole")
    world.put(NEW)
    return next(Path(world.place.bucket).rglob(f"part_{LAST}_*"))


def test_part_that_is_replaced_after_its_end_was_read_leaves_the_old_month(world: World) -> None:
    path = put_with_last(world)

    def replace_last(index: int) -> None:
        if index == LAST:
            world.wait_until_loaded(0)
            content = bytearray(path.read_bytes())
            content[-200] ^= 1  # no longer nor shorter, in what describes the part
            path.write_bytes(content)

    world.store.before = replace_last

    (failure,) = world.load().failures

    assert isinstance(failure.error, StoreError)
    assert "was replaced while it was read; run again" in str(failure.error)
    assert_old_month_stands(world)


def test_part_whose_end_cannot_be_read_is_found_before_any_is_inserted(world: World) -> None:
    path = put_with_last(world)
    path.write_bytes(path.read_bytes()[:-4] + b"ABCD")

    (failure,) = world.load().failures

    assert "is not a Parquet file, or was cut off. Copy the part again" in str(failure.error)
    assert world.read == set()
    assert_old_month_stands(world)


@pytest.mark.parametrize("is_new", [False, True], ids=["old table", "new table"])
def test_parts_with_other_columns_make_the_table_that_local_parts_make(
    world: World, *, is_new: bool
) -> None:
    narrow = replace(NEW, dropped=frozenset({"ListCost"}), added=LONGER)
    late = replace(NEW, added={"late": "x", "later": "y", **LONGER})
    last = replace(
        narrow, dropped=frozenset({"ResourceId"}), added={"last": "z", "late": "x", **narrow.added}
    )
    world.put(NEW, {0: narrow, 1: narrow, 2: late, LAST: last})
    old = world.place.database
    tables = []
    for kind in (SlowStore, LocalStore):
        world.place.database = old.with_name(f"{kind.__name__}.duckdb")
        if not is_new:
            shutil.copyfile(old, world.place.database)
        world.open(kind)
        world.store.before = after(world, {2: 0, LAST: 2})
        (result,) = world.load().results
        assert result.rows == len(NEW.charges)
        tables.append((world.table(), result.totals))

    assert tables[0] == tables[1]
    assert {"x_late", "x_later", "x_last"} <= {name for name, _, _ in tables[0][0][0]}


def test_part_that_contradicts_an_earlier_one_leaves_the_old_month(world: World) -> None:
    if not world.writer.changes_type:
        pytest.skip("types go by the names of the columns in this format")
    world.put(NEW, {LAST: replace(NEW, cost_as_day=True, added=LONGER)})

    (failure,) = world.load().failures

    assert isinstance(failure.error, SchemaError)
    assert "Column 'BilledCost' is date, but it is documented as an amount" in str(failure.error)
    assert "part_5" in str(failure.error)
    assert_old_month_stands(world)


def test_rows_of_another_month_are_counted_over_all_parts(world: World) -> None:
    september = replace(NEW, period_start=replace(NEW, period="2025-09").first_day)
    world.put(NEW, {0: september, LAST: september})
    world.store.before = after(world, {LAST: 0})

    (failure,) = world.load().failures

    assert isinstance(failure.error, ReconciliationError)
    assert "belong to 2025-09 (4 rows), 2025-10 (8 rows). The month was" in str(failure.error)
    assert_old_month_stands(world)


def test_run_with_too_few_rows_is_held_once_all_parts_are_counted(world: World) -> None:
    newer = replace(NEW, submitted_at=at("2025-10-29 04:00"), run_id="newer")
    world.put(newer)
    assert world.load().exit_code == 0
    few = replace(
        NEW,
        charges=NEW.charges[:3],
        submitted_at=at("2025-10-30 04:00"),
        parts=3,
        stated_rows=None,
        run_id="few",
    )
    world.put(few)
    world.open(SlowStore)
    world.store.before = after(world, {2: 0})

    outcome = world.load()

    assert [skip.manifest.run_id for skip in outcome.skips if skip.is_held] == ["few"]
    assert world.store.came == {0, 1, 2}
    assert len(world.case.held()) == len(NEW.charges)
    assert world.left() == []


def test_stop_while_parts_are_awaited_leaves_the_old_month(world: World) -> None:
    world.put(NEW)
    stop = Stop()

    def stop_at_last(index: int) -> None:
        if index == LAST:
            world.wait_until_loaded(0)
            assert stop.ask()
            time.sleep(1)

    world.store.before = stop_at_last

    outcome = world.load(stop)

    assert outcome.is_stopped
    assert_old_month_stands(world)
    world.open(SlowStore)
    assert world.load().exit_code == 0
    assert len(world.case.held()) == len(NEW.charges)
