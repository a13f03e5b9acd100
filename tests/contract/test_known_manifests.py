"""No manifest is read twice, and what is remembered of one is never trusted."""

from __future__ import annotations

import gzip
import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from cloudbill.doctor.examination import examine
from cloudbill.errors import ManifestError
from cloudbill.loading.outcome import Outcome
from cloudbill.pipeline import load_source, plan_source
from cloudbill.planning import Selection
from contract.deliveries import (
    AwsWriter,
    AzureCsvWriter,
    AzureWriter,
    Delivery,
    Writer,
    at,
    charges,
)
from contract.places import DATASET, Case
from emulators.fault_proxy import FaultProxy

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings
    from emulators.gcs import GcsEmulator

MONTHS = ("2025-09", "2025-10")


@dataclass
class Bucket:
    """An emulated bucket behind a proxy that counts, and a DuckDB file."""

    gcs: GcsEmulator
    proxy: FaultProxy
    folder: Path
    name: str = "duckdb"
    bucket: str = "bills"

    def options(self) -> dict[str, str]:
        return {"database": str(self.folder / "bills.duckdb"), "dataset": DATASET}

    def put(self, folder: Path) -> None:
        self.gcs.upload_tree(folder, self.bucket, "")

    def parts_read(self) -> list[str]:
        """The parts that were read since the last look, in whole or in part."""
        with self.proxy._lock:  # noqa: SLF001
            paths = [seen.path for seen in self.proxy.log if "/part_" in unquote(seen.path)]
        self.proxy.clear()
        return paths

    def manifests_read(self) -> list[str]:
        """The manifests that were asked for since the last look, by their paths."""
        with self.proxy._lock:  # noqa: SLF001
            paths = [seen.path for seen in self.proxy.log if "/o/" in seen.path]
        self.proxy.clear()
        return [path for path in paths if re.search(r"[mM]anifest\.json$", path)]


@dataclass
class World:
    """One export of two months in the bucket."""

    place: Bucket
    case: Case

    @property
    def settings(self) -> SourceSettings:
        return self.case.settings

    def load(self, *, dry_run: bool = False, **changes: bool) -> Outcome:
        settings = replace(self.settings, **changes)  # type: ignore[arg-type]
        run = plan_source if dry_run else load_source
        return run(settings, Selection(), self.case.events.append)


@pytest.fixture(params=[AzureWriter, AwsWriter], ids=["azure", "aws"])
def world(
    request: pytest.FixtureRequest,
    gcs: GcsEmulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    """A bucket with two runs, seen through a proxy."""
    writer: Callable[[], Writer] = request.param
    (tmp_path / "scratch").mkdir()
    with FaultProxy(gcs.url) as proxy:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxy.url)
        gcs.create_bucket("bills")
        place = Bucket(gcs=gcs, proxy=proxy, folder=tmp_path)
        case = Case(place=place, writer=writer(), scratch=tmp_path / "scratch")  # type: ignore[arg-type]
        case.deliver(*(a_run(month, "1") for month in MONTHS))
        yield World(place=place, case=case)


def a_run(month: str, cost: str, day: int = 20) -> Delivery:
    """A run of one charge."""
    return Delivery(
        period=month, charges=charges(month, cost), submitted_at=at(f"{month}-{day} 04:00")
    )


def cache_files(tmp_path: Path) -> list[Path]:
    """The caches of manifests; how a load left a DuckDB file is noted beside them."""
    folder = tmp_path / "cache" / "cloudbill"
    found = sorted(folder.iterdir()) if folder.exists() else []
    return [file for file in found if not file.name.startswith("left-")]


class TestTheSecondRun:
    def test_reads_no_manifest_again(self, world: World) -> None:
        first = world.load()
        read = world.place.manifests_read()
        second = world.load()

        assert first.exit_code == second.exit_code == 0
        assert len(first.results) == len(MONTHS)
        assert len(read) == len(set(read)) >= len(MONTHS)
        assert world.place.manifests_read() == []
        assert {str(skip.manifest.period) for skip in second.skips} == set(MONTHS)
        assert not second.results

    def test_reads_a_new_manifest_and_no_other(self, world: World) -> None:
        world.load()
        world.place.manifests_read()
        world.case.deliver(a_run("2025-10", "2", day=25))
        outcome = world.load()

        (result,) = outcome.results
        read = world.place.manifests_read()
        assert str(result.planned.period) == "2025-10"
        assert read
        assert all("20251001" in path for path in read)
        world.load()
        assert world.place.manifests_read() == []

    def test_reads_a_manifest_again_that_was_written_anew(self, world: World) -> None:
        """Even with the same bytes: nobody knows that before they are read."""
        written = world.case.write(a_run("2025-08", "1"))
        world.place.put(written.folder)
        world.load()
        world.place.manifests_read()
        path = written.manifest.relative_to(written.folder).as_posix()
        world.place.gcs.put("bills", path, written.manifest.read_bytes())
        world.load()

        (read,) = world.place.manifests_read()
        assert read.endswith(written.manifest.name)

    def test_forgets_what_is_gone_from_the_bucket(self, world: World, tmp_path: Path) -> None:
        written = world.case.write(a_run("2025-08", "1"))
        world.place.put(written.folder)
        world.load()
        (file,) = cache_files(tmp_path)
        assert b"20250801" in file.read_bytes()
        for part in (tmp_path / "scratch").rglob("*"):
            if part.is_file() and "20250801" in str(part):
                world.place.gcs.delete("bills", part.relative_to(written.folder).as_posix())
        world.load()

        assert b"20250801" not in file.read_bytes()

    def test_reads_a_manifest_again_that_could_not_be_understood(self, world: World) -> None:
        written = world.case.write(a_run("2025-08", "1"))
        written.manifest.write_text("{")
        world.place.put(written.folder)

        for _ in range(2):
            world.place.manifests_read()
            outcome = world.load()
            assert any(
                isinstance(failure.error, ManifestError) for failure in outcome.manifest_failures
            )
            assert any("20250801" in path for path in world.place.manifests_read())


@pytest.mark.parametrize("world", [AzureWriter], indirect=True, ids=["azure"])
class TestTheFile:
    """What is in it is of no provider."""

    def test_is_readable_by_its_owner_alone(self, world: World, tmp_path: Path) -> None:
        world.load()

        (file,) = cache_files(tmp_path)
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o777 == 0o700

    def test_is_not_made_where_it_is_switched_off(self, world: World, tmp_path: Path) -> None:
        for _ in range(2):
            world.place.manifests_read()
            world.load(cache=False)
            assert len(world.place.manifests_read()) >= len(MONTHS)

        assert cache_files(tmp_path) == []

    def test_is_not_written_by_what_changes_nothing(self, world: World, tmp_path: Path) -> None:
        world.load(dry_run=True)
        examine([world.settings])

        assert cache_files(tmp_path) == []
        world.load()
        (file,) = cache_files(tmp_path)
        before = file.stat()  # every writing makes another file
        world.case.deliver(a_run("2025-10", "2", day=25))
        world.place.manifests_read()
        world.load(dry_run=True)
        assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
        assert all("20251001" in path for path in world.place.manifests_read())

    @pytest.mark.parametrize(
        "damage",
        [
            lambda _: b"",
            lambda content: content[:4096],
            lambda content: content[:4096] + b"\xff" * (len(content) - 4096),
            lambda content: content[:18] + b"\x09\x09" + content[20:],
            lambda content: b"x" * len(content),
        ],
        ids=["empty", "cut off", "content", "another version", "something else"],
    )
    def test_is_harmless_when_damaged(
        self, world: World, tmp_path: Path, damage: Callable[[bytes], bytes]
    ) -> None:
        world.load()
        (file,) = cache_files(tmp_path)
        file.write_bytes(damage(file.read_bytes()))
        world.place.manifests_read()

        assert world.load().exit_code == 0
        assert len(world.place.manifests_read()) >= len(MONTHS)
        assert world.load().exit_code == 0
        assert world.place.manifests_read() == []

    @pytest.mark.parametrize("who", ["file", "folder", "link"])
    def test_is_not_used_when_others_may_have_written_it(
        self, world: World, tmp_path: Path, who: str
    ) -> None:
        world.load()
        (file,) = cache_files(tmp_path)
        match who:
            case "file":
                file.chmod(0o666)
            case "folder":
                file.parent.chmod(0o777)
            case _:
                file.rename(tmp_path / "elsewhere")
                file.symlink_to(tmp_path / "elsewhere")
        world.place.manifests_read()

        assert world.load().exit_code == 0
        assert len(world.place.manifests_read()) >= len(MONTHS)

    def test_that_another_user_owns_is_not_used(self, world: World, tmp_path: Path) -> None:
        if os.getuid() != 0:
            pytest.skip("only root gives files away")
        world.load()
        (file,) = cache_files(tmp_path)
        os.chown(file, 12345, 12345)
        world.place.manifests_read()

        assert world.load().exit_code == 0
        assert len(world.place.manifests_read()) >= len(MONTHS)

    def test_is_done_without_where_it_cannot_be_kept(self, world: World, tmp_path: Path) -> None:
        (tmp_path / "cache").write_text("not a folder")

        for _ in range(2):
            world.place.manifests_read()
            assert world.load().exit_code == 0
            assert len(world.place.manifests_read()) >= len(MONTHS)

    def test_of_two_processes_at_once_is_whole(self, world: World, tmp_path: Path) -> None:
        """They write at the same time, and read what the other one wrote."""
        settings = [
            replace(world.settings, database=tmp_path / f"{index}.duckdb") for index in range(2)
        ]
        codes: list[int] = []

        def work(own: SourceSettings) -> None:
            codes.extend(load_source(own, Selection(), lambda _: None).exit_code for _ in range(3))

        threads = [threading.Thread(target=work, args=(own,)) for own in settings]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert codes == [0] * 6
        assert len(cache_files(tmp_path)) == 1
        world.place.manifests_read()
        world.load()
        assert world.place.manifests_read() == []


@pytest.mark.parametrize("world", [AzureCsvWriter], indirect=True, ids=["azure csv"])
def test_the_end_of_a_packed_part_is_read_once(world: World) -> None:
    written = world.case.write(a_run("2025-10", "1", day=25))
    content = json.loads(written.manifest.read_text())
    # As if a copy tool had packed what the manifest speaks of.
    for part, told in zip(written.parts, content["blobs"], strict=True):
        told["byteCount"] = len(gzip.decompress(part.read_bytes()))
    written.manifest.write_text(json.dumps(content))
    world.place.put(written.folder)
    assert world.load().exit_code == 0
    assert len(world.place.parts_read()) >= len(written.parts)

    assert world.load().results == ()

    assert world.place.parts_read() == []
