"""Parts that are still downloading, as files for DuckDB: a read waits until its bytes are here.

So a single INSERT can read all parts as they arrive. DuckDB first asks for the footers of all
parts; these are read from the store separately, so planning the INSERT waits for no part.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import duckdb
from fsspec import AbstractFileSystem

from cloudbill.errors import CloudbillError, LoadError, StoreError
from cloudbill.files.parquet_tail import read_parquet_tail

if TYPE_CHECKING:
    from cloudbill.files.downloads import AwaitedParts
    from cloudbill.manifests import Manifest
    from cloudbill.store import Store

__all__ = [
    "AwaitedFiles",
    "SCHEME",
]

_PROTOCOL: Final = "awaited"
SCHEME: Final = f"{_PROTOCOL}://"
_READERS: Final = 16
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


class AwaitedFiles:
    """The Parquet parts of a run under names that DuckDB can read."""

    def __init__(self, store: Store, manifest: Manifest, parts: AwaitedParts) -> None:
        """Reads the ends of all parts from the store.

        Raises:
            StoreError: If one cannot be read, or is not a Parquet file.
        """
        self._store = store
        self._manifest = manifest
        self._parts = parts
        self._here: dict[int, Path] = {}
        self._error: CloudbillError | None = None
        self._sizes = [part.stored.size if part.stored else 0 for part in manifest.parts]
        with ThreadPoolExecutor(_READERS, thread_name_prefix="footer") as readers:
            paths = [part.path for part in manifest.parts]
            self._tails = list(readers.map(lambda path: read_parquet_tail(store, path), paths))
        # DuckDB caches metadata by file name, so the names of the next run must be different.
        folder = PurePosixPath(secrets.token_hex(8))
        self.names: Sequence[PurePosixPath] = [
            folder / f"{index:05d}.parquet" for index in range(len(manifest.parts))
        ]

    @contextmanager
    def readable(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """While the block runs, DuckDB can open the parts by their names.

        Raises:
            StoreError: If a part could not be downloaded; it replaces the error that follows.
            StoppedError: If the load was stopped while a part was awaited; likewise.
        """
        # With prefetching, all columns of a row group are read at once and are in memory twice.
        connection.execute("SET disable_parquet_prefetching = true")
        connection.register_filesystem(_FileSystem(self))
        try:
            yield
        except (duckdb.Error, LoadError) as error:
            if self._error is not None:
                raise self._error from error
            raise
        finally:
            connection.unregister_filesystem(_PROTOCOL)

    def size(self, index: int) -> int:
        """The bytes of a part."""
        return self._sizes[index]

    def read(self, index: int, start: int, length: int) -> bytes:
        """Waits for some bytes of a part, and returns them.

        Raises:
            StoreError: If they cannot be downloaded, or the part was replaced.
            StoppedError: If the load is stopped in the meantime.
        """
        tail = self._tails[index]
        tail_start = self._sizes[index] - len(tail)
        if start >= tail_start:
            return tail[start - tail_start : start - tail_start + length]
        try:
            with self._file(index).open("rb") as file:
                file.seek(start)
                return file.read(length)
        except CloudbillError as error:
            # DuckDB turns an exception of a file system into its own error, and loses the type.
            self._error = self._error or error
            raise

    def wait_for_all(self) -> None:
        """Waits for all parts, also those that DuckDB did not read; raises what `read` raises."""
        for index in range(len(self.names)):
            self._file(index)

    def _file(self, index: int) -> Path:
        if index not in self._here:
            file = self._parts.wait_for(index)
            self._check(index, file)
            self._here[index] = file
        return self._here[index]

    def _check(self, index: int, file: Path) -> None:
        """Refuses a part that was replaced after its end was read.

        DuckDB would combine the footer of one file with the rows of another.
        """
        tail = self._tails[index]
        with file.open("rb") as opened:
            size = opened.seek(0, os.SEEK_END)
            opened.seek(max(0, size - len(tail)))
            is_same = size == self._sizes[index] and opened.read() == tail
        if not is_same:
            uri = self._store.uri(self._manifest.parts[index].path)
            raise StoreError(f"{uri} was replaced while it was read; run again")


class _FileSystem(AbstractFileSystem):  # type: ignore[misc]
    """The part of a file system that DuckDB uses."""

    protocol = _PROTOCOL
    cachable = False

    def __init__(self, files: AwaitedFiles) -> None:
        super().__init__()
        self._files = files

    def open(self, path: str, mode: str = "rb", **_: Any) -> _File:  # noqa: ARG002
        return _File(self._files, _index_of(path))

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        return {"name": path, "size": self._files.size(_index_of(path)), "type": "file"}

    def modified(self, path: str) -> datetime:  # noqa: ARG002
        # DuckDB compares the time with its cache, but these names are never used again.
        return _BEGINNING


class _File:
    """An open file; each thread of DuckDB opens its own."""

    def __init__(self, files: AwaitedFiles, index: int) -> None:
        self._files = files
        self._index = index
        self._position = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        starts = {
            os.SEEK_SET: 0,
            os.SEEK_CUR: self._position,
            os.SEEK_END: self._files.size(self._index),
        }
        self._position = starts[whence] + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, length: int = -1) -> bytes:
        start = self._position
        end = self._files.size(self._index)
        content = self._files.read(self._index, start, end - start if length < 0 else length)
        self._position = start + len(content)
        return content

    def close(self) -> None:
        """There is nothing to close: `read` opens the file for each call."""


def _index_of(path: str) -> int:
    return int(PurePosixPath(path).stem)
