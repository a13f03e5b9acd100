"""Runs are found by their manifests, and their parts by the listing."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cloudbill.errors import ManifestError, PartMissingError, StoreError
from cloudbill.exports.discovery import Discovery, discover
from cloudbill.files.downloads import local_parts
from cloudbill.periods import utc_now
from cloudbill.providers import azure_focus
from cloudbill.providers.json_object import MAX_DOCUMENT_BYTES
from cloudbill.store.local import LocalStore
from unit.builders import blob, document

FOLDER = "billing/focus-daily/20251001-20251031"


def deliver(root: Path, run_id: str, sizes: list[int], **changes: Any) -> None:
    """Writes a run whose parts have so many bytes; the manifest states ten of each."""
    folder = root / FOLDER / run_id
    folder.mkdir(parents=True)
    blobs = [blob(f"part_{index}.parquet", byteCount=10) for index in range(len(sizes))]
    content = document(blobs=blobs, blobCount=len(sizes)) | changes
    content["runInfo"] = document()["runInfo"] | {"runId": run_id}
    (folder / "manifest.json").write_text(json.dumps(content))
    for index, size in enumerate(sizes):
        if size >= 0:
            (folder / f"part_{index}.parquet").write_bytes(b"." * size)


def found(root: Path, **changes: object) -> Discovery:
    """What is discovered of the export."""
    where: dict[str, Any] = {"prefix": "billing", "export_name": "focus-daily"} | changes
    return discover(LocalStore(root), azure_focus, **where)


LATER = timedelta(hours=2)


class TestParts:
    """A part that is longer than stated belongs to another delivery."""

    def test_longer_part_waits_until_the_files_of_its_run_have_settled(
        self, tmp_path: Path
    ) -> None:
        deliver(tmp_path, "run", [10, 11])

        (at_once,) = found(tmp_path).runs
        (later,) = found(tmp_path, now=utc_now() + LATER).runs

        assert (at_once.is_complete, later.is_complete) == (False, True)
        assert [part.path for part in later.longer] == [f"{FOLDER}/run/part_1.parquet"]
        assert at_once.settles_at is not None
        assert utc_now() < at_once.settles_at <= utc_now() + timedelta(hours=1)

    def test_packed_part_is_whole_where_gzip_says_the_stated_size(self, tmp_path: Path) -> None:
        deliver(tmp_path, "run", [10, 10])
        stated = json.loads((tmp_path / FOLDER / "run" / "manifest.json").read_text())
        for entry in stated["blobs"]:
            entry["blobName"] = entry["blobName"].replace(".parquet", ".csv.gz")
        (tmp_path / FOLDER / "run" / "manifest.json").write_text(json.dumps(stated))
        for index, size in enumerate((10, 9)):
            packed = gzip.compress(b"." * size)
            (tmp_path / FOLDER / "run" / f"part_{index}.csv.gz").write_bytes(packed)

        (run,) = found(tmp_path, now=utc_now() + LATER).runs

        assert [part.path for part in run.longer] == [f"{FOLDER}/run/part_1.csv.gz"]


class TestCompleteness:
    """A part that is missing, or shorter than its stated size, makes the run wait."""

    @pytest.mark.parametrize(
        ("sizes", "missing"),
        [
            ([10, 10], []),
            ([10, 9], ["part_1.parquet"]),
            ([0, 10], ["part_0.parquet"]),
            ([-1, 10], ["part_0.parquet"]),
            ([-1, -1], ["part_0.parquet", "part_1.parquet"]),
            ([], []),
        ],
        ids=["whole", "cut off", "empty", "one missing", "both missing", "no parts"],
    )
    def test_missing_parts(self, tmp_path: Path, sizes: list[int], missing: list[str]) -> None:
        deliver(tmp_path, "run", sizes)

        (run,) = found(tmp_path).runs

        assert [part.path for part in run.missing] == [f"{FOLDER}/run/{name}" for name in missing]
        assert run.is_complete == (not missing)

    def test_part_of_unknown_size_only_has_to_be_there(self, tmp_path: Path) -> None:
        deliver(tmp_path, "run", [0], blobs=[blob("part_0.parquet")])

        assert found(tmp_path).runs[0].is_complete


class TestManifests:
    def test_runs_are_in_the_order_of_their_paths(self, tmp_path: Path) -> None:
        for index in (7, 3, 20, 1):
            deliver(tmp_path, f"run-{index:02d}", [10])

        assert [run.manifest.run_id for run in found(tmp_path).runs] == [
            "run-01",
            "run-03",
            "run-07",
            "run-20",
        ]

    @pytest.mark.parametrize(
        "content",
        [b"", b"{", gzip.compress(b"{}"), b'{"runInfo": {}}'],
        ids=["zero bytes", "cut off", "compressed", "no run id"],
    )
    def test_manifest_that_cannot_be_read_stops_no_other(
        self, tmp_path: Path, content: bytes
    ) -> None:
        deliver(tmp_path, "good", [10])
        deliver(tmp_path, "bad", [10])
        (tmp_path / FOLDER / "bad" / "manifest.json").write_bytes(content)

        discovery = found(tmp_path)

        assert [run.manifest.run_id for run in discovery.runs] == ["good"]
        (failure,) = discovery.failures
        assert failure.path == f"{FOLDER}/bad/manifest.json"
        assert isinstance(failure.error, ManifestError)

    def test_manifest_of_a_giant_is_not_read(self, tmp_path: Path) -> None:
        deliver(tmp_path, "run", [10])
        with (tmp_path / FOLDER / "run" / "manifest.json").open("wb") as file:
            file.truncate(MAX_DOCUMENT_BYTES + 1)  # takes no room on the disk

        (failure,) = found(tmp_path).failures

        assert "67108865 bytes are more than a manifest has" in str(failure.error)

    def test_other_exports_are_not_looked_at(self, tmp_path: Path) -> None:
        deliver(tmp_path, "run", [10])
        beside = tmp_path / "billing" / "focus-daily-old"
        beside.mkdir()
        (tmp_path / FOLDER).rename(beside / "20251001-20251031")

        assert found(tmp_path) == Discovery(runs=(), failures=())
        assert len(found(tmp_path, export_name="focus-daily-old").runs) == 1

    def test_folder_that_is_not_there_holds_no_runs(self, tmp_path: Path) -> None:
        assert found(tmp_path, prefix="nowhere") == Discovery(runs=(), failures=())


class TestLocalParts:
    def test_parts_of_a_folder_stay_where_they_are(self, tmp_path: Path) -> None:
        deliver(tmp_path, "run", [10, 10])
        (run,) = found(tmp_path).runs

        with local_parts(LocalStore(tmp_path), run.manifest) as files:
            assert files == tuple(tmp_path / part.path for part in run.manifest.parts)

        assert all(file.exists() for file in files)

    def test_parts_of_a_bucket_are_downloaded_and_removed(self, tmp_path: Path) -> None:
        deliver(tmp_path, "run", [10, 12])
        (run,) = found(tmp_path).runs

        with local_parts(FarStore(tmp_path), run.manifest) as files:
            assert [file.stat().st_size for file in files] == [10, 12]
            assert all(file.suffix == ".parquet" for file in files)
            assert not any(file.is_relative_to(tmp_path / "billing") for file in files)

        assert not any(file.exists() for file in files)

    def test_part_that_was_cut_off_since_is_refused(self, tmp_path: Path) -> None:
        deliver(tmp_path, "run", [10, 10])
        (run,) = found(tmp_path).runs
        (tmp_path / FOLDER / "run" / "part_1.parquet").write_bytes(b"short")

        with (
            pytest.raises(StoreError, match=r"has 5 bytes, its manifest states 10"),
            local_parts(FarStore(tmp_path), run.manifest),
        ):
            pass

    def test_part_that_vanished_since_is_missing(self, tmp_path: Path) -> None:
        deliver(tmp_path, "run", [10, 10])
        (run,) = found(tmp_path).runs
        (tmp_path / FOLDER / "run" / "part_0.parquet").unlink()

        with pytest.raises(PartMissingError), local_parts(FarStore(tmp_path), run.manifest):
            pass


class FarStore(LocalStore):
    """A folder whose files have to be downloaded."""

    def local_path(self, path: str) -> Path | None:  # noqa: ARG002
        """None, as for a bucket."""
        return None
