"""A folder on disk.

Anybody who can write to the folder decides what is in it: reading a pipe or a device would never
end, and a link may lead anywhere. So only regular files are read, and only inside the folder.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Final

from cloudbill.errors import StoreError
from cloudbill.manifests import StoredObject
from cloudbill.store.address import Address, require_inside
from cloudbill.store.client import MAX_READ_BYTES
from cloudbill.store.faults import store_errors

__all__ = ["LocalStore", "require_folder"]

_KINDS: Final = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_TO_NOTHING: Final = "is a link to a file that is not there; put the file itself there"
# A pipe that nobody writes to would not even be opened. Neither flag exists on Windows.
_CAREFULLY: Final = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)


class LocalStore:
    """A folder on disk; if the folder itself is a link, the link is followed."""

    scheme = "file"
    title = Address(scheme="file", place="").title

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self.address = str(folder)
        self._plain: set[str] = set()
        """The paths that were no links when they were listed, so that they lead nowhere."""

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Every file below a folder; links to folders are not followed.

        An entry that is not a file, or that leads out of the store, comes with its fault; so does
        a link to a folder.
        """
        require_folder(self._folder)
        require_inside(prefix)
        top = str(self._folder / prefix)
        is_plain = self._is_inside(top)
        cut = len(str(self._folder / "x")) - 1
        for entry in _files_below(top):
            with store_errors(entry.path):
                path = entry.path[cut:].replace(os.sep, "/")
                fault = None
                try:
                    status = _status_of(entry.path)
                except FileNotFoundError:
                    if not entry.is_symlink():
                        continue  # it was removed since the folder was read
                    status, fault = Path(entry.path).lstat(), _TO_NOTHING
                if is_plain and not entry.is_symlink() and stat.S_ISREG(status.st_mode):
                    self._plain.add(path)
                else:
                    fault = fault or self._fault_of(entry.path, status)
                yield StoredObject(
                    path=path,
                    size=status.st_size,
                    modified_at=datetime.fromtimestamp(status.st_mtime, UTC),
                    fault=fault,
                )

    def read(self, path: str) -> bytes:
        """A whole file."""
        with self._opened(path) as file:
            content = file.read(MAX_READ_BYTES + 1)
        if len(content) > MAX_READ_BYTES:
            raise StoreError(f"{self.uri(path)} has more than {MAX_READ_BYTES} bytes")
        return content

    def read_head(self, path: str, length: int) -> bytes:
        """The beginning of a file."""
        with self._opened(path) as file:
            return file.read(length)

    def read_tail(self, path: str, length: int) -> bytes:
        """The end of a file."""
        with self._opened(path) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - length))
            return file.read(length)

    def download(self, path: str, target: Path) -> None:
        """Copies a file."""
        with self._opened(path) as file, target.open("wb") as copy:
            shutil.copyfileobj(file, copy)

    def local_path(self, path: str) -> Path | None:
        """The file itself, or the folder of the store for an empty path."""
        file = self._file(path)
        if path:
            with store_errors(path):
                self._require_file(path)
        return file

    def uri(self, path: str) -> str:
        """The absolute path."""
        return str(self._file(path))

    @contextmanager
    def _opened(self, path: str) -> Iterator[BinaryIO]:
        """A file that is open for reading.

        Raises:
            PartMissingError: If it is not there.
            StoreError: If it cannot be read, is not a regular file, or is outside the store.
        """
        with store_errors(path):
            self._require_file(path)
            with open(self._file(path), "rb", opener=_open_carefully) as file:
                # It may have been replaced since it was checked.
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise StoreError(f"{path} is not a regular file any more; run again")
                yield file

    def _require_file(self, path: str) -> None:
        file = str(self._file(path))
        if path in self._plain and stat.S_ISREG(Path(file).lstat().st_mode):
            return
        fault = self._fault_of(file, _status_of(file))
        if fault is not None:
            raise StoreError(f"{file} {fault}")

    def _fault_of(self, file: str, status: os.stat_result) -> str | None:
        """Why a file is not read, or None; the text continues a message after the file's name."""
        if stat.S_ISLNK(status.st_mode):
            return "is a link that leads back to itself; put the file itself there"
        if not self._is_inside(file):
            return (
                f"leads out of {self._folder}, to {os.path.realpath(file)}, and is not read; copy "
                "the file into the folder, or name the other folder in 'bucket'"
            )
        if stat.S_ISDIR(status.st_mode) and Path(file).is_symlink():
            return "is a link to a folder, which is not followed; put the folder itself there"
        kind = next((word for is_kind, word in _KINDS if is_kind(status.st_mode)), None)
        return None if kind is None else f"is {kind}, not a file, and is not read; remove it"

    def _is_inside(self, place: str) -> bool:
        """Whether a path is in the store after all links are followed."""
        return Path(os.path.realpath(place)).is_relative_to(self._real_folder)

    @cached_property
    def _real_folder(self) -> str:
        return os.path.realpath(self._folder)

    def _file(self, path: str) -> Path:
        require_inside(path)
        return self._folder / path


def require_folder(folder: Path) -> None:
    """Refuses a bucket on disk that is not a folder.

    Raises:
        StoreError: If it is not a folder, or cannot be accessed.
    """
    with store_errors(str(folder)):
        if not folder.is_dir():
            raise StoreError(f"There is no folder {folder}; check 'bucket'")


def _open_carefully(file: str, flags: int) -> int:
    return os.open(file, flags | _CAREFULLY)


def _status_of(file: str) -> os.stat_result:
    """The target of all links; for a link that leads back to itself, the link.

    Raises:
        OSError: If nothing is there, or it cannot be accessed.
    """
    try:
        return Path(file).stat()
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        return Path(file).lstat()


def _files_below(top: str) -> Iterator[os.DirEntry[str]]:
    """Every file and every link; `os.walk` would access the disk once more for each folder."""
    folders = [top]
    while folders:
        found: list[os.DirEntry[str]] = []
        try:
            with os.scandir(folders.pop()) as entries:
                found += entries
        except OSError as error:
            _raise_store_error(error)
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            else:
                yield entry


def _raise_store_error(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise StoreError(f"{error.filename} cannot be listed: {error.strerror}") from error
