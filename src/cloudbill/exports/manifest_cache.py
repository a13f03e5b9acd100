"""Caches the manifests of a remote export, and the ends of packed parts, so none is read twice.

There is one SQLite file for each export, in the user's cache folder: `$XDG_CACHE_HOME/cloudbill`,
or `~/.cache/cloudbill`. The file may be deleted at any time; if it cannot be written, every
manifest is read again. A cached manifest is used only if the listing shows its object with the same
path, size, time and version as when it was read. It is parsed and checked each time, so only the
table depends on the version of cloudbill.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cloudbill.settings.cache_folder import cache_folder, is_private

if TYPE_CHECKING:
    from cloudbill.manifests import StoredObject
    from cloudbill.settings import SourceSettings
    from cloudbill.store import Store

__all__ = ["END_BYTES", "ManifestCache", "open_manifest_cache"]

_log = logging.getLogger(__name__)

END_BYTES: Final = 4
"""Of a gzipped part: how long it is unpacked (RFC 1952, 2.3.1)."""
_MAX_BYTES: Final = 64 * 1024 * 1024
"""Compressed; about 10,000 manifests of ordinary size. Beyond that, the oldest are read again."""
_PATIENCE_S: Final = 1.0
"""Another process writes for a few milliseconds; without the cache, manifests are read again."""

_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})

_Object = tuple[str, int, str, str | None]
"""A manifest or a part in the listing: path, size, time and version."""


class ManifestCache:
    """The cached manifests of one export; used by many threads at once.

    Without a file it remembers nothing; without `is_written` the file stays as it is.
    """

    def __init__(self, file: Path | None = None, *, is_written: bool = False) -> None:
        self._file = file
        self._is_written = is_written and file is not None
        self._kept: Mapping[_Object, bytes] = {} if file is None else _read(file)
        self._used: dict[_Object, bytes] = {}

    def content(self, stored: StoredObject) -> bytes | None:
        """The bytes of a manifest that has not changed since it was read, or None."""
        packed = self._kept.get(_object(stored))
        content = None if packed is None else _unpack(packed, stored.size)
        if packed is not None and content is not None:
            self._used[_object(stored)] = packed
        return content

    def keep(self, stored: StoredObject, content: bytes) -> None:
        """Remembers a manifest that was read and parsed.

        It does not if the store has no versions of objects, because the time alone may be too
        coarse, or if the size shows that the manifest was replaced after the listing.
        """
        if self._is_written and stored.version is not None and len(content) == stored.size:
            self._used[_object(stored)] = zlib.compress(content, 3)

    def end(self, stored: StoredObject) -> bytes | None:
        """The last bytes of a part that has not changed since they were read, or None."""
        end = self._kept.get(_object(stored))
        if end is None or len(end) != END_BYTES:
            return None
        self._used[_object(stored)] = end
        return end

    def keep_end(self, stored: StoredObject, end: bytes) -> None:
        """Remembers the last bytes of a part, where `keep` would remember a manifest."""
        if self._is_written and stored.version is not None and len(end) == END_BYTES:
            self._used[_object(stored)] = end

    def save(self) -> None:
        """Writes the manifests that were used since it was opened: all of them, or nothing."""
        if self._file is None or not self._is_written or self._used == self._kept:
            return
        try:
            _write(self._file, self._used)
        except (OSError, sqlite3.Error) as error:
            _log.info("The manifests are not cached in %s: %s", self._file, error)


def open_manifest_cache(
    store: Store, settings: SourceSettings, *, is_written: bool = False
) -> ManifestCache:
    """The cache for a source; it is empty if the store is a local disk."""
    folder = cache_folder()
    if not settings.cache or folder is None or store.local_path("") is not None:
        return ManifestCache()
    export = (store.address, settings.provider.NAME, settings.prefix, settings.export_name)
    name = sha256(json.dumps(export).encode()).hexdigest()[:32]
    return ManifestCache(folder / f"manifests-{name}", is_written=is_written)


def _object(stored: StoredObject) -> _Object:
    return stored.path, stored.size, stored.modified_at.isoformat(), stored.version


def _read(file: Path) -> dict[_Object, bytes]:
    """The manifests in a file; none if it is missing, damaged, or may be somebody else's."""
    try:
        # By `lstat` a link is not a regular file, so none is followed.
        if not (is_private(file.lstat()) and is_private(file.parent.stat(), is_folder=True)):
            return {}
        address = f"{file.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=_PATIENCE_S)) as opened:
            rows = opened.execute("SELECT path, size, modified_at, version, packed FROM manifests")
            return {
                (path, size, time, version): packed for path, size, time, version, packed in rows
            }
    except FileNotFoundError:
        return {}
    except (OSError, sqlite3.Error) as error:
        _log.info("%s cannot be used (%s); the manifests are read again", file, error)
        return {}


def _unpack(packed: bytes, size: int) -> bytes | None:
    """The manifest, if it is whole and as long as its object."""
    unpacker = zlib.decompressobj()
    try:
        # Unpacks at most that many bytes, whatever is in the file.
        content = unpacker.decompress(packed, size + 1)
    except (TypeError, zlib.error):  # something else lies there
        return None
    return content if unpacker.eof and len(content) == size else None


def _write(file: Path, entries: Mapping[_Object, bytes]) -> None:
    """Replaces the content of a file by these entries, in one step.

    Raises:
        OSError, sqlite3.Error: If they cannot be written; the file is then unchanged, or gone.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not is_private(file.parent.stat(), is_folder=True):
        raise PermissionError(f"{file.parent} can be written by others")
    if file.is_symlink() or (file.exists() and not is_private(file.stat())):
        file.unlink()
    try:
        _fill(file, entries)
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF in _BUSY:
            raise
        file.unlink()  # damaged, or no such file at all
        _fill(file, entries)


def _fill(file: Path, entries: Mapping[_Object, bytes]) -> None:
    file.touch(mode=0o600)  # SQLite itself would let others read it
    with (
        closing(sqlite3.connect(file, timeout=_PATIENCE_S, isolation_level=None)) as opened,
        opened,
    ):
        opened.execute(
            "PRAGMA secure_delete = ON"
        )  # a manifest that is deleted from the bucket must also be gone here
        opened.execute("BEGIN IMMEDIATE")
        opened.execute("DROP TABLE IF EXISTS manifests")
        opened.execute("CREATE TABLE manifests (path, size, modified_at, version, packed)")
        opened.executemany("INSERT INTO manifests VALUES (?, ?, ?, ?, ?)", _newest(entries))


def _newest(entries: Mapping[_Object, bytes]) -> Iterator[tuple[str | int | bytes | None, ...]]:
    """The rows of the newest entries, as many as may be kept."""
    size = 0
    for stored, packed in sorted(entries.items(), key=lambda one: one[0][2], reverse=True):
        size += len(packed)
        if size > _MAX_BYTES:
            return
        yield *stored, packed
