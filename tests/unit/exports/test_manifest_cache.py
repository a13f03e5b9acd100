"""What is remembered of a manifest counts for the very object that was read, and no other."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cloudbill.exports import manifest_cache
from cloudbill.exports.manifest_cache import ManifestCache
from cloudbill.manifests import StoredObject
from cloudbill.settings.cache_folder import cache_folder
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


def change(file: Path, statement: str, *values: bytes) -> None:
    """Changes a file as no cloudbill does."""
    with closing(sqlite3.connect(file)) as opened, opened:
        opened.execute(statement, values)


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


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda file: file.write_bytes(b""),
    "cut off": lambda file: file.write_bytes(file.read_bytes()[:4096]),
    "overwritten": lambda file: file.write_bytes(file.read_bytes()[:4096] + b"\xff" * 4096),
    "not a database": lambda file: file.write_bytes(b"cloudbill manifests 1\n" + b"x" * 8192),
    "a database of the future": lambda file: file.write_bytes(
        file.read_bytes()[:18] + b"\x09\x09" + file.read_bytes()[20:]
    ),
    "another table": lambda file: change(file, "ALTER TABLE manifests DROP COLUMN version"),
    "no table": lambda file: change(file, "DROP TABLE manifests"),
    "no manifest": lambda file: change(file, "UPDATE manifests SET packed = NULL"),
    "text": lambda file: change(file, "UPDATE manifests SET packed = 'packed'"),
    "bytes that are lost": lambda file: change(
        file, "UPDATE manifests SET packed = substr(packed, 1, length(packed) - 1)"
    ),
    "bytes that changed": lambda file: change(
        file,
        "UPDATE manifests SET packed = CAST(substr(packed, 3) || x'ff' AS BLOB)",
    ),
    "another manifest": lambda file: change(
        file, "UPDATE manifests SET packed = ?", zlib.compress(CONTENT + b" ")
    ),
}


class TestAFile:
    @pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
    def test_that_is_damaged_is_as_if_empty_and_is_replaced(
        self, tmp_path: Path, damage: Callable[[Path], object]
    ) -> None:
        file = tmp_path / "cache"
        kept(file, STORED)
        damage(file)

        assert ManifestCache(file).content(STORED) is None
        assert kept(file, STORED).content(STORED) == CONTENT
        assert file.stat().st_mode & 0o777 == 0o600

    def test_that_another_process_has_locked_is_as_if_empty_and_is_left(
        self, tmp_path: Path
    ) -> None:
        file = tmp_path / "cache"
        kept(file, STORED)
        other = replace(STORED, path="b/manifest.json")
        with closing(sqlite3.connect(file, isolation_level=None)) as locking:
            locking.execute("BEGIN EXCLUSIVE")
            locked = ManifestCache(file, is_written=True)
            assert locked.content(STORED) is None
            locked.keep(other, CONTENT)
            locked.save()

        assert ManifestCache(file).content(STORED) == CONTENT
        assert ManifestCache(file).content(other) is None

    def test_that_a_killed_process_left_half_written_is_as_if_empty_and_is_replaced(
        self, tmp_path: Path
    ) -> None:
        file = tmp_path / "cache"
        kept(file, STORED)
        writing = (
            "import os, sqlite3, sys; file = sqlite3.connect(sys.argv[1]);"
            "file.execute('PRAGMA cache_size = 1'); file.execute('DELETE FROM manifests');"
            "file.executemany('INSERT INTO manifests (packed) VALUES (?)', [(bytes(9999),)] * 99);"
            "os._exit(9)"
        )
        subprocess.run([sys.executable, "-c", writing, file], check=False)

        assert file.stat().st_size > 100_000
        assert ManifestCache(file).content(STORED) is None
        assert kept(file, STORED).content(STORED) == CONTENT
        assert file.stat().st_size < 100_000
        assert sorted(tmp_path.iterdir()) == [file]

    def test_holds_nothing_that_was_not_used_again(self, tmp_path: Path) -> None:
        file, other = tmp_path / "cache", replace(STORED, path="b/manifest.json")
        kept(file, STORED, other)

        assert b"b/manifest.json" in file.read_bytes()
        assert kept(file, STORED).content(other) is None
        assert b"b/manifest.json" not in file.read_bytes()


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
