"""A full disk is known by what the system and clients say of it, and by nothing else."""

from __future__ import annotations

import errno
from pathlib import Path

import duckdb
import pytest

from cloudbill.disk.room import (
    duckdb_needs,
    existing_folder,
    full_disk_of,
    is_disk_full,
    is_read_only,
)


def caused(error: Exception) -> Exception:
    """An error whose cause is another one."""
    outer = RuntimeError("outside")
    outer.__cause__ = error
    return outer


FULL = [
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.EDQUOT, "Disk quota exceeded"),
    OSError(errno.EFBIG, "File too large"),
    duckdb.IOException('IO Error: Could not write file "/x/b.duckdb": No space left on device'),
    RuntimeError("database or disk is full"),
    RuntimeError("There is not enough space on the disk."),
]


@pytest.mark.parametrize("error", FULL, ids=str)
def test_a_full_disk_is_known_also_as_a_cause(error: Exception) -> None:
    assert is_disk_full(error)
    assert is_disk_full(caused(error))


@pytest.mark.parametrize(
    "error", [OSError(errno.EACCES, "Permission denied"), ValueError("full"), KeyError("disk")]
)
def test_another_error_is_none(error: Exception, tmp_path: Path) -> None:
    assert not is_disk_full(error)
    assert full_disk_of(error, tmp_path, remedy="run again") is None


def test_the_disk_is_that_of_the_file_which_the_error_names(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    named = OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "here" / "file"))

    text = full_disk_of(caused(named), Path("/"), needed=10**15, remedy="run again") or ""

    assert text.startswith(f"there is no room on the disk of {tmp_path}/here")
    assert " are free, and about 1.0 PB are needed. Make room there, or run again" in text


def test_a_need_that_would_fit_by_now_is_not_said(tmp_path: Path) -> None:
    text = full_disk_of(FULL[0], tmp_path, needed=1, remedy="run again") or ""

    assert " are free, and more is needed. " in text


def test_a_limit_of_the_size_of_files_is_not_taken_for_a_full_disk(tmp_path: Path) -> None:
    text = full_disk_of(FULL[2], tmp_path, needed=1, remedy="run again") or ""

    assert text.startswith(f"a file in {tmp_path} may not grow any more, by a limit")
    assert "free" not in text


def test_a_place_that_is_not_there_lies_in_the_nearest_folder_that_is(tmp_path: Path) -> None:
    assert existing_folder(tmp_path / "a" / "b" / "c.duckdb") == tmp_path


def test_nothing_needs_no_room_and_little_needs_more_than_its_bytes() -> None:
    assert duckdb_needs(0) == 0
    assert duckdb_needs(1) > 4


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EROFS, "Read-only file system"),
        duckdb.IOException('IO Error: Cannot open file "/x/b.duckdb": Read-only file system'),
    ],
    ids=str,
)
def test_a_read_only_disk_is_known_by_the_words_of_an_error(
    error: Exception, tmp_path: Path
) -> None:
    assert is_read_only(tmp_path, error)
    assert is_read_only(tmp_path, caused(error))
    assert not is_read_only(tmp_path / "not there")
    assert not is_read_only(tmp_path, PermissionError(errno.EACCES, "Permission denied"))
