"""A file is exchanged in one step: all of the new content, or what was there before."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from cloudbill.disk.exchanging import write_in_one_step


def test_a_file_is_made_with_its_folders_and_replaced_with_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "page.html"
    write_in_one_step(file, b"first")
    file.chmod(0o640)
    write_in_one_step(file, b"second")

    assert file.read_bytes() == b"second"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert [*file.parent.iterdir()] == [file]


def test_a_new_file_has_the_mode_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    write_in_one_step(tmp_path / "page", b"")

    assert (tmp_path / "page").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(b"first")
    (tmp_path / "link").symlink_to("page")
    write_in_one_step(tmp_path / "link", b"second")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "page").read_bytes() == b"second"


def test_a_file_that_cannot_be_replaced_stays_and_nothing_is_left_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "page").write_bytes(b"first")

    def refuse(descriptor: int) -> None:
        del descriptor
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="No space left"):
        write_in_one_step(tmp_path / "page", b"second")

    assert (tmp_path / "page").read_bytes() == b"first"
    assert [*tmp_path.iterdir()] == [tmp_path / "page"]


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_in_one_step(pipe, b"content")
    reader.join(10)

    assert read == [b"content"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
