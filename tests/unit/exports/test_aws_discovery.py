"""An AWS report is found in its layouts, and its current run is the newest of its month."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cloudbill.exports.discovery import Discovery, discover
from cloudbill.manifests import DiscoveredRun, Manifest, StoredObject
from cloudbill.models import LoadRecord, Plan, SkipReason
from cloudbill.periods import utc_now
from cloudbill.providers import aws_cur
from cloudbill.sample import WrittenRun
from cloudbill.store.local import LocalStore
from samples import write_aws
from unit.builders import at, plan, record, result, run

REPORT = "cur-hourly"


class CountingStore(LocalStore):
    """A folder that remembers what was listed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.listed: list[str] = []

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Every file below a folder."""
        self.listed.append(prefix)
        return super().list(prefix)


def found(root: Path, *, prefix: str = "cur", export_name: str = REPORT) -> Discovery:
    """What is discovered of the report."""
    return discover(LocalStore(root), aws_cur, prefix=prefix, export_name=export_name)


def chosen(planned: Plan) -> list[str]:
    """The runs that are loaded, newest month first."""
    return [load.manifest.run_id for load in planned.loads]


def newest(runs: tuple[WrittenRun, ...]) -> list[str]:
    """The last run of each month, newest month first."""
    last = {run.period: run.run_id for run in runs}
    return [last[period] for period in sorted(last, reverse=True)]


def loaded(described: Manifest) -> LoadRecord:
    """What the ledger remembers of a run that was loaded."""
    return result(described).to_record()


def current(run_id: str = "a", *, day: int = 20, missing: int = 0) -> DiscoveredRun:
    """A run that the provider calls the newest, as its manifest in the folder of the month."""
    found = run(run_id, day=day, missing=missing, path="month/manifest.json")
    return replace(found, manifest=replace(found.manifest, is_current=True))


def flatten_times(root: Path) -> None:
    """Gives every file one time, as a checkout does."""
    for path in root.rglob("*"):
        os.utime(path, (1_700_000_000, 1_700_000_000))


class TestLayouts:
    @pytest.fixture
    def runs(self, tmp_path: Path) -> tuple[WrittenRun, ...]:
        return write_aws(tmp_path, months=2, rows=40, seed=1, open_month=False)

    def test_every_version_of_a_report_is_found_beside_the_current_one(
        self, tmp_path: Path, runs: tuple[WrittenRun, ...]
    ) -> None:
        discovery = found(tmp_path)

        assert discovery.failures == ()
        assert len(discovery.runs) == len(runs) + 2
        assert {run.manifest.run_id for run in discovery.runs} == {run.run_id for run in runs}
        assert all(run.is_complete for run in discovery.runs)
        current = [run.manifest.run_id for run in discovery.runs if run.manifest.is_current]
        assert sorted(current) == sorted(newest(runs))

    def test_each_run_is_planned_once(self, tmp_path: Path, runs: tuple[WrittenRun, ...]) -> None:
        planned = plan(found(tmp_path).runs)

        assert chosen(planned) == newest(runs)
        assert len(planned.loads) + len(planned.skips) == len(runs)
        assert {skip.reason for skip in planned.skips} == {SkipReason.SUPERSEDED}

    def test_parts_are_those_of_the_run(self, tmp_path: Path, runs: tuple[WrittenRun, ...]) -> None:
        parts = {run.run_id: set(run.part_paths) for run in runs}

        for discovered in found(tmp_path).runs:
            paths = {tmp_path / part.path for part in discovered.manifest.parts}
            assert paths == parts[discovered.manifest.run_id]

    def test_manifest_that_a_copy_brings_before_its_parts_waits_for_them(
        self, tmp_path: Path
    ) -> None:
        write_aws(tmp_path, months=1, rows=40, seed=1, overwrite=True)
        now = utc_now()
        for path in tmp_path.rglob("*"):
            old = now - timedelta(minutes=5 if path.suffix == ".json" else 24 * 60)
            os.utime(path, (old.timestamp(),) * 2)

        def is_complete(at: datetime) -> list[bool]:
            runs = discover(
                LocalStore(tmp_path), aws_cur, prefix="cur", export_name=REPORT, now=at
            ).runs
            return [run.is_complete for run in runs]

        assert is_complete(now) == [False]
        assert is_complete(now + timedelta(hours=1)) == [True]

    def test_report_that_overwrites_its_versions(self, tmp_path: Path) -> None:
        runs = write_aws(tmp_path, months=2, rows=40, seed=1, overwrite=True)

        discovery = found(tmp_path)

        assert [run.manifest.run_id for run in discovery.runs] == [run.run_id for run in runs]
        assert all(run.is_complete for run in discovery.runs)

    @pytest.mark.parametrize("prefix", ["cur", ""], ids=["prefix", "no prefix"])
    def test_folder_of_the_report_was_lost_in_a_copy(
        self, tmp_path: Path, runs: tuple[WrittenRun, ...], prefix: str
    ) -> None:
        copied = tmp_path / "copied" / prefix
        copied.parent.mkdir(exist_ok=True)
        shutil.move(tmp_path / "cur" / REPORT, copied)

        discovery = found(tmp_path / "copied", prefix=prefix)

        assert chosen(plan(discovery.runs)) == newest(runs)
        assert all(run.is_complete for run in discovery.runs)

    def test_other_reports_and_other_files_are_passed_over(
        self, tmp_path: Path, runs: tuple[WrittenRun, ...]
    ) -> None:
        write_aws(tmp_path, months=1, rows=40, seed=2, report_name="cur-hourly-2")
        month = next((tmp_path / "cur" / REPORT).iterdir())
        (month / f"{REPORT}-RedshiftManifest.json").write_text("{}")
        (month / f"{REPORT}-RedshiftCommands.sql").write_text("copy")
        (month / f"{REPORT}-create-table.sql").write_text("create")
        parquet = tmp_path / "cur" / REPORT / REPORT / "year=2025" / "month=9"
        parquet.mkdir(parents=True)
        (parquet / f"{REPORT}-00001.snappy.parquet").write_bytes(b"PAR1")

        discovery = found(tmp_path)

        assert discovery.failures == ()
        assert chosen(plan(discovery.runs)) == newest(runs)

    def test_reports_that_lost_their_folders_are_told_apart_by_name(self, tmp_path: Path) -> None:
        ours = write_aws(tmp_path / "a", months=1, rows=40, seed=1)
        write_aws(tmp_path / "b", months=1, rows=40, seed=2, report_name="other")
        for folder in (tmp_path / "a" / "cur" / REPORT, tmp_path / "b" / "cur" / "other"):
            shutil.copytree(folder, tmp_path / "copied" / "cur", dirs_exist_ok=True)

        assert chosen(plan(found(tmp_path / "copied").runs)) == newest(ours)

    def test_missing_part_makes_the_run_wait(
        self, tmp_path: Path, runs: tuple[WrittenRun, ...]
    ) -> None:
        runs[-1].part_paths[0].unlink()

        planned = plan(found(tmp_path).runs)

        assert chosen(planned)[0] == runs[-2].run_id
        waiting = [skip for skip in planned.skips if skip.reason is SkipReason.WAITING]
        assert [(skip.manifest.run_id, skip.detail) for skip in waiting] == [
            (runs[-1].run_id, "waiting, 1/2 parts there")
        ]

    @pytest.mark.usefixtures("runs")
    def test_no_more_is_listed_than_is_needed(self, tmp_path: Path) -> None:
        store = CountingStore(tmp_path)

        discover(store, aws_cur, prefix="cur", export_name=REPORT)
        assert store.listed == [f"cur/{REPORT}/"]

        discover(store, aws_cur, prefix="cur", export_name="other")
        assert store.listed[1:] == ["cur/other/", "cur/"]


class TestTimesThatTellNothing:
    def test_current_run_is_loaded_though_all_times_are_the_same(self, tmp_path: Path) -> None:
        runs = write_aws(tmp_path, months=2, rows=40, seed=1)
        flatten_times(tmp_path)

        assert chosen(plan(found(tmp_path).runs)) == newest(runs)

    def test_current_run_is_loaded_though_an_older_one_was_copied_later(
        self, tmp_path: Path
    ) -> None:
        runs = write_aws(tmp_path, months=1, rows=40, seed=1, open_month=False)
        os.utime(runs[0].manifest_path, (2_000_000_000, 2_000_000_000))

        planned = plan(found(tmp_path).runs)

        assert chosen(planned) == newest(runs)
        assert planned.loads[0].manifest.submitted_at.timestamp() == 2_000_000_000

    def test_second_look_has_nothing_to_do(self, tmp_path: Path) -> None:
        write_aws(tmp_path, months=2, rows=40, seed=1)
        flatten_times(tmp_path)
        loads = plan(found(tmp_path).runs).loads

        assert plan(found(tmp_path).runs, *(loaded(load.manifest) for load in loads)).loads == ()

    def test_later_checkout_of_the_same_runs_has_nothing_to_do(self, tmp_path: Path) -> None:
        write_aws(tmp_path, months=2, rows=40, seed=1)
        records = [loaded(load.manifest) for load in plan(found(tmp_path).runs).loads]
        flatten_times(tmp_path)

        assert plan(found(tmp_path).runs, *records).loads == ()


class TestCurrentRun:
    """The provider's word goes before the times of objects."""

    def test_current_run_is_the_newest(self) -> None:
        planned = plan([run("z", day=25), current("a", day=20), run("b", day=20)])

        assert chosen(planned) == ["a"]
        assert planned.loads[0].manifest.submitted_at == at(25)
        assert {skip.detail for skip in planned.skips} == {"superseded by a"}

    @pytest.mark.parametrize("day", [19, 20, 21], ids=["later", "same time", "earlier"])
    def test_current_run_replaces_the_loaded_one(self, day: int) -> None:
        runs = [run("z", day=day), current("a", day=20)]

        assert chosen(plan(runs, record("z", day=day))) == ["a"]

    def test_current_run_replaces_one_that_left_the_store_at_the_same_time(self) -> None:
        assert chosen(plan([current("a", day=20)], record("z", day=20))) == ["a"]

    def test_loaded_run_stays_while_it_is_current(self) -> None:
        planned = plan([run("z", day=25), current("a", day=20)], record("a", day=20))

        assert chosen(planned) == []
        assert [skip.reason for skip in planned.skips] == [
            SkipReason.ALREADY_LOADED,
            SkipReason.OLDER_THAN_LOADED,
        ]

    def test_loaded_run_stays_though_it_lost_a_part_and_others_look_newer(self) -> None:
        runs = [run("z", day=25), current("a", day=20, missing=1)]

        assert chosen(plan(runs, record("a", day=20))) == []

    def test_older_run_goes_first_while_the_current_one_waits(self) -> None:
        planned = plan([run("b", day=25), current("a", day=20, missing=1)], record("z", day=19))

        assert chosen(planned) == ["b"]
        assert planned.skips[0].reason is SkipReason.WAITING

    def test_both_manifests_of_the_current_run_are_one_run(self) -> None:
        other = run("a", day=18)

        for runs in ([current("a", day=20), other], [other, current("a", day=20)]):
            planned = plan(runs)
            assert [load.manifest.path for load in planned.loads] == ["month/manifest.json"]
            assert planned.skips == ()

    def test_whole_copy_of_the_current_run_is_current_too(self) -> None:
        planned = plan([current("a", day=20, missing=1), run("a", day=18), run("z", day=25)])

        assert chosen(planned) == ["a"]
        assert planned.loads[0].manifest.is_current
        assert planned.loads[0].manifest.submitted_at == at(25)

    def test_current_run_of_one_month_says_nothing_of_another(self) -> None:
        september = current("s", day=1)
        described = replace(
            september.manifest, period=type(september.manifest.period)(year=2025, month=9)
        )

        planned = plan([replace(september, manifest=described), run("o", day=25)])

        assert chosen(planned) == ["o", "s"]
        assert planned.loads[1].manifest.submitted_at == at(1)


def test_time_of_a_run_is_that_of_its_manifest(tmp_path: Path) -> None:
    runs = write_aws(tmp_path, months=1, rows=40, seed=1)
    submitted: dict[str, datetime] = {run.run_id: run.submitted_at for run in runs}

    for discovered in found(tmp_path).runs:
        assert discovered.manifest.submitted_at == submitted[discovered.manifest.run_id]
