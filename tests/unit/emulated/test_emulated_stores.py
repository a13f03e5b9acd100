"""The emulated stores keep what was uploaded."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from unit.emulated.web import get, listed

if TYPE_CHECKING:
    from pathlib import Path

    from emulators.gcs import GcsEmulator
    from emulators.s3 import S3Emulator


class TestStores:
    def test_gcs_knows_size_and_generation_of_what_was_uploaded(
        self, gcs: GcsEmulator, tmp_path: Path
    ) -> None:
        (tmp_path / "a b").mkdir()
        (tmp_path / "a b" / "1.csv").write_bytes(b"hello")
        (tmp_path / "2.csv").write_bytes(b"")
        gcs.create_bucket("billing")
        names = gcs.upload_tree(tmp_path, "billing", "x/y")
        assert names == ["x/y/2.csv", "x/y/a b/1.csv"]
        first = listed(gcs)
        assert {name: item["size"] for name, item in first.items()} == {
            "x/y/2.csv": "0",
            "x/y/a b/1.csv": "5",
        }
        assert (gcs.root / "billing/x/y/a b/1.csv").read_bytes() == b"hello"
        gcs.put("billing", "x/y/2.csv", b"more")
        second = listed(gcs)
        assert second["x/y/2.csv"]["size"] == "4"
        assert second["x/y/2.csv"]["generation"] > first["x/y/2.csv"]["generation"]
        gcs.delete("billing", "x/y/2.csv")
        assert list(listed(gcs)) == ["x/y/a b/1.csv"]

    def test_gcs_takes_hundreds_of_files_quickly(self, gcs: GcsEmulator, tmp_path: Path) -> None:
        for number in range(200):
            (tmp_path / f"{number}.csv").write_bytes(b"x" * 1000)
        gcs.create_bucket("billing")
        started = time.process_time()
        gcs.upload_tree(tmp_path, "billing")
        assert time.process_time() - started < 5
        assert len(listed(gcs)) == 200

    def test_gcs_is_empty_after_a_reset(self, gcs: GcsEmulator) -> None:
        gcs.create_bucket("billing")
        gcs.put("billing", "1", b"x")
        gcs.reset()
        assert list(gcs.root.iterdir()) == []
        gcs.create_bucket("billing")
        assert listed(gcs) == {}

    def test_s3_keeps_what_was_uploaded_until_a_reset(self, s3: S3Emulator, tmp_path: Path) -> None:
        (tmp_path / "1.csv").write_bytes(b"hello")
        s3.create_bucket("billing")
        assert s3.upload_tree(tmp_path, "billing", "cur") == ["cur/1.csv"]
        s3.put("billing", "2.csv", b"x")
        s3.delete("billing", "2.csv")
        assert get(f"{s3.url}/billing/cur/1.csv", **s3.signed) == b"hello"
        s3.reset()
        with pytest.raises(urllib.error.HTTPError, match="404"):
            get(f"{s3.url}/billing/cur/1.csv", **s3.signed)
