"""A folder on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cloudbill.errors import StoreError
from cloudbill.models import StoredObject
from cloudbill.store.address import Address, require_inside
from cloudbill.store.client import store_errors

__all__ = ["LocalStore"]


class LocalStore:
    """A folder on disk."""

    scheme = "file"
    title = Address(scheme="file", place="").title

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self.address = str(folder)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Every file below a folder; links to folders are not followed."""
        if not self._folder.is_dir():
            raise StoreError(f"There is no folder {self._folder}; check 'bucket'")
        require_inside(prefix)
        top = str(self._folder / prefix)
        cut = len(str(self._folder / "x")) - 1
        for file in _files_below(top):
            with store_errors(file.path):
                try:
                    status = file.stat()
                except OSError:
                    if not Path(file).exists():
                        continue  # it went since the folder was read, or is a link to nothing
                    raise
                yield StoredObject(
                    path=file.path[cut:].replace(os.sep, "/"),
                    size=status.st_size,
                    modified_at=datetime.fromtimestamp(status.st_mtime, UTC),
                )

    def read(self, path: str) -> bytes:
        """A whole file."""
        with store_errors(path):
            return self._file(path).read_bytes()

    def read_head(self, path: str, length: int) -> bytes:
        """The beginning of a file."""
        with store_errors(path), self._file(path).open("rb") as file:
            return file.read(length)

    def read_tail(self, path: str, length: int) -> bytes:
        """The end of a file."""
        with store_errors(path), self._file(path).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - length))
            return file.read(length)

    def download(self, path: str, target: Path) -> None:
        """Copies a file."""
        with store_errors(path):
            target.write_bytes(self._file(path).read_bytes())

    def local_path(self, path: str) -> Path | None:
        """The file itself."""
        return self._file(path)

    def uri(self, path: str) -> str:
        """The absolute path."""
        return str(self._file(path))

    def _file(self, path: str) -> Path:
        require_inside(path)
        return self._folder / path


def _files_below(top: str) -> Iterator[os.DirEntry[str]]:
    """Every file and broken link; `os.walk` would ask the disk once more for each folder."""
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
            elif not (entry.is_symlink() and Path(entry.path).is_dir()):
                yield entry


def _raise_store_error(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise StoreError(f"{error.filename} cannot be listed: {error.strerror}") from error
