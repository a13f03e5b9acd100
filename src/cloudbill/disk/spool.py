"""Temporary folders, and the removal of those that killed processes left behind.

Each folder has a lock file next to it, which its process keeps locked as long as it lives. This
also works across containers, where a process id says nothing about another container's processes.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from cloudbill.disk.room import full_disk_of
from cloudbill.errors import CloudbillError, LoadError

try:
    import fcntl
except ImportError:  # Windows; what a killed process leaves there, it leaves
    fcntl = None  # type: ignore[assignment]

__all__ = ["ANOTHER_FOLDER", "clear_spool", "room_for", "spool_folder"]

ANOTHER_FOLDER: Final = "name a folder on another disk in TMPDIR, and run again"
"""What helps where the folder of temporary files is full."""

_PREFIX: Final = "cloudbill-"
_LOCK: Final = ".lock"
_OURS: Final = re.compile(rf"{_PREFIX}[0-9]+-[0-9a-f]{{12}}{_LOCK}", re.ASCII)
"""The names that `_take_lock` makes. Others that begin so are somebody else's."""


@contextmanager
def spool_folder(home: Path | None = None) -> Iterator[Path]:
    """An empty folder for temporary files, in `home` or where all of them are.

    It is removed at the end.

    Raises:
        LoadError: If it cannot be made where all of them are.
        OSError: If it cannot be made in `home`.
    """
    if fcntl is None:
        with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=home) as plain:
            yield Path(plain)
        return
    with _temporary_folder_errors() if home is None else nullcontext():
        lock, held = _take_lock(home or Path(tempfile.gettempdir()))
    folder = lock.with_suffix("")
    try:
        with _temporary_folder_errors() if home is None else nullcontext():
            folder.mkdir(mode=0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.unlink(missing_ok=True)
        os.close(held)


@contextmanager
def room_for(what: str, file: Path, *, needed: int | None) -> Iterator[None]:
    """Says what could not be written into such a folder while the block ran, if that was why.

    Raises:
        LoadError: If the disk is full; all other errors stay what they are.
    """
    try:
        yield
    except (CloudbillError, OSError) as error:
        full = full_disk_of(error, file, needed=needed, remedy=ANOTHER_FOLDER)
        if full is None:
            raise
        raise LoadError(f"{what} cannot be kept for a while: {full}") from error


@contextmanager
def _temporary_folder_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = Path(tempfile.tempdir or os.environ.get("TMPDIR") or "/tmp")  # noqa: S108
        full = full_disk_of(error, place, remedy=ANOTHER_FOLDER)
        reason = full or f"{error.strerror or error}. Or {ANOTHER_FOLDER}"
        raise LoadError(f"No temporary files can be made in {place}: {reason}") from error


def clear_spool(home: Path | None = None) -> None:
    """Removes the folders of processes that were killed, and nothing that others made."""
    if fcntl is None:
        return
    for lock in (home or Path(tempfile.gettempdir())).glob(f"{_PREFIX}*{_LOCK}"):
        if _OURS.fullmatch(lock.name):
            with suppress(OSError):  # its process lives, it is another user's, or it is gone by now
                _remove_if_dead(lock)


def _take_lock(home: Path) -> tuple[Path, int]:
    """A lock of this process, which no other process mistook for that of a dead one meanwhile."""
    while True:
        # The file is created first and locked after that. In between it looks like the lock of a
        # dead process, and another process may remove it. Then a lock on the open file would
        # protect nothing, so this checks that the file still has its name, or starts over.
        lock = home / f"{_PREFIX}{os.getpid()}-{uuid4().hex[:12]}{_LOCK}"
        held = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        fcntl.flock(held, fcntl.LOCK_EX)
        if lock.exists():
            return lock, held
        os.close(held)


def _remove_if_dead(lock: Path) -> None:
    """Removes a folder and its lock file if no process has it locked.

    Raises:
        OSError: If somebody does, or the lock is another user's.
    """
    held = os.open(lock, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        # Getting the lock is the proof that its process is dead: the system releases the locks of
        # a process when it ends, however it ends.
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_own(os.fstat(held), stat.S_ISREG) and _is_own_folder(lock.with_suffix("")):
            # `rmtree` goes into no link, whether it is the folder or lies in it.
            shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
            lock.unlink(missing_ok=True)
    finally:
        os.close(held)


def _is_own_folder(folder: Path) -> bool:
    """Whether a folder is there that this user made, or nothing is."""
    try:
        return _is_own(folder.lstat(), stat.S_ISDIR)
    except FileNotFoundError:  # a process may be killed between making its lock and its folder
        return True


def _is_own(status: os.stat_result, is_kind: Callable[[int], bool]) -> bool:
    return is_kind(status.st_mode) and status.st_uid == os.getuid()
