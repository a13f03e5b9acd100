"""What is remembered of a manifest counts for the very object that was read, and no other."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cloudbill.exports import manifest_cache
from cloudbill.exports.manifest_cache import ManifestCache, cache_folder
from cloudbill.models import StoredObject
from unit.builders import MODIFIED_AT

CONTENT = b'{"runInfo": {}}' * 40
STORED = StoredObject(
    path="a/manifest.json", size=len(CONTENT), modified_at=MODIFIED_AT, version="1"
)


def kept(file: Path, *objects: StoredObject, content: bytes = CONTENT) -> ManifestCache:
    """A cache that was written with these objects, opened anew."""
    cache = ManifestCache(file, is_written=True)
    for stored in objects:
        cache.keep(stored, content)
    cache.save()
    return ManifestCache(file)


class TestWhatIsRemembered:
    def test_is_what_was_read(self, tmp_path: Path) -> None:
        assert kept(tmp_path / "cache", STORED).content(STORED) == CONTENT

    @pytest.mark.parametrize(
        "changes",
        [
            {"path": "b/manifest.json"},
            {"size": STORED.size + 1},
            {"modified_at": MODIFIED_AT + timedelta(microseconds=1)},
            {"version": "2"},
            {"version": None},
        ],
        ids="".join,
    )
    def test_is_nothing_of_an_object_that_changed(
        self, tmp_path: Path, changes: dict[str, Any]
    ) -> None:
        assert kept(tmp_path / "cache", STORED).content(replace(STORED, **changes)) is None

    def test_is_nothing_where_the_store_knows_no_versions(self, tmp_path: Path) -> None:
        stored = replace(STORED, version=None)

        assert kept(tmp_path / "cache", stored).content(stored) is None

    def test_is_nothing_where_the_object_had_another_size_when_it_was_read(
        self, tmp_path: Path
    ) -> None:
        assert kept(tmp_path / "cache", STORED, content=CONTENT[1:]).content(STORED) is None

    def test_is_the_newest_where_not_all_has_room(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(manifest_cache, "_MAX_BYTES", 100)
        objects = [
            replace(STORED, path=str(day), modified_at=MODIFIED_AT + timedelta(days=day))
            for day in range(20)
        ]
        cache = kept(tmp_path / "cache", *objects)

        found = [stored.path for stored in objects if cache.content(stored) is not None]
        assert 1 <= len(found) < len(objects)
        assert found == [stored.path for stored in objects[-len(found) :]]

    def test_is_not_written_without_need(self, tmp_path: Path) -> None:
        file = tmp_path / "cache"
        kept(file, STORED)
        before = file.stat()
        cache = ManifestCache(file, is_written=True)
        cache.content(STORED)
        cache.save()

        assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)

    def test_leaves_no_other_file_behind(self, tmp_path: Path) -> None:
        abandoned, busy = tmp_path / "cache.abc", tmp_path / "cache.def"
        abandoned.touch()
        busy.touch()
        os.utime(abandoned, (0, 0))
        kept(tmp_path / "cache", STORED)

        assert sorted(tmp_path.iterdir()) == [tmp_path / "cache", busy]


class TestWhereItLies:
    def test_is_the_folder_of_the_specification(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")

        assert cache_folder() == Path("/somewhere/cloudbill")

    @pytest.mark.parametrize("named", ["", "relative/path"])
    def test_is_below_the_home_where_nothing_absolute_is_named(
        self, monkeypatch: pytest.MonkeyPatch, named: str
    ) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", named)
        monkeypatch.setenv("HOME", "/home/somebody")

        assert cache_folder() == Path("/home/somebody/.cache/cloudbill")
