"""Remembers what the manifests of a remote export said, so that no run reads one twice.

One file for each export, in the user's cache folder: `$XDG_CACHE_HOME/cloudbill`, else
`~/.cache/cloudbill`. It may be deleted at any time, and where it cannot be kept every manifest is
read again. What it holds is used only for an object that the listing shows with the same path,
size, time and version as when it was read; and it is parsed and checked anew each time, so nothing
but the shape of the file depends on the version of cloudbill.

    cloudbill manifests 1 <newline>
    SHA-256 of all that follows, 32 bytes
    length of the index, 8 bytes, and the index: JSON, [path, size, time, version, length] each
    the manifests in the order of the index, each compressed by zlib
"""

from __future__ import annotations

import json
import logging
import os
import stat
import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cloudbill.models import StoredObject
    from cloudbill.settings import SourceSettings
    from cloudbill.store import Store

__all__ = ["ManifestCache", "cache_folder", "open_manifest_cache"]

_log = logging.getLogger(__name__)

_MAGIC: Final = b"cloudbill manifests 1\n"
_DIGEST_BYTES: Final = 32
_LENGTH_BYTES: Final = 8
_MAX_BYTES: Final = 64 * 1024 * 1024
"""Compressed; some 10,000 manifests of usual size. Beyond that the oldest are read again."""
_ABANDONED_AFTER_S: Final = 3600
"""What a process that was killed was writing lies there for longer than any writing takes."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A manifest: what the listing said of it, and its bytes, compressed."""

    size: int
    modified_at: str
    version: str
    packed: bytes

    def is_of(self, stored: StoredObject) -> bool:
        """Whether the object is still the one that was read."""
        return (self.size, self.modified_at, self.version) == (
            stored.size,
            stored.modified_at.isoformat(),
            stored.version,
        )


class ManifestCache:
    """The manifests of one export, as they were read last; used by many threads at once.

    Without a file it remembers nothing; unless `is_written` it stays as it is.
    """

    def __init__(self, file: Path | None = None, *, is_written: bool = False) -> None:
        self._file = file
        self._is_written = is_written and file is not None
        self._kept: Mapping[str, _Entry] = {} if file is None else _read(file)
        self._used: dict[str, _Entry] = {}

    def content(self, stored: StoredObject) -> bytes | None:
        """The bytes of a manifest that has not changed since they were read, or None."""
        entry = self._kept.get(stored.path)
        if entry is None or not entry.is_of(stored):
            return None
        content = _unpack(entry)
        if content is not None:
            self._used[stored.path] = entry
        return content

    def keep(self, stored: StoredObject, content: bytes) -> None:
        """Remembers a manifest that was read and understood.

        Not one of a store that has no versions of objects, for its time alone may be too coarse;
        nor one that was replaced between the listing and the reading, as far as its size tells.
        """
        if self._is_written and stored.version is not None and len(content) == stored.size:
            self._used[stored.path] = _Entry(
                size=stored.size,
                modified_at=stored.modified_at.isoformat(),
                version=stored.version,
                packed=zlib.compress(content, 3),
            )

    def save(self) -> None:
        """Writes what was used since it was opened, and nothing else; all of it, or nothing."""
        if self._file is None or not self._is_written or self._used == self._kept:
            return
        try:
            _write(self._file, self._used)
        except OSError as error:
            _log.info("What the manifests said is not kept in %s: %s", self._file, error)


def open_manifest_cache(
    store: Store, settings: SourceSettings, *, is_written: bool = False
) -> ManifestCache:
    """What is remembered of the manifests of a source; nothing where the store is a local disk."""
    folder = cache_folder()
    if not settings.cache or folder is None or store.local_path("") is not None:
        return ManifestCache()
    export = (store.address, settings.provider.NAME, settings.prefix, settings.export_name)
    name = sha256(json.dumps(export).encode()).hexdigest()[:32]
    return ManifestCache(folder / f"manifests-{name}", is_written=is_written)


def cache_folder() -> Path | None:
    """Where caches of cloudbill lie, by the XDG Base Directory Specification; None without a home.

    The specification has relative paths ignored.
    """
    named = Path(os.environ.get("XDG_CACHE_HOME") or ".")
    if named.is_absolute():
        return named / "cloudbill"
    try:
        return Path.home() / ".cache" / "cloudbill"
    except RuntimeError:  # a user without a home, as in some containers
        return None


def _read(file: Path) -> dict[str, _Entry]:
    """What a file holds; nothing where it is missing, damaged, or may be somebody else's."""
    try:
        with os.fdopen(os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as opened:
            if not _is_private(os.fstat(opened.fileno())) or not _is_private(
                file.parent.stat(), is_folder=True
            ):
                return {}
            return dict(_entries(opened.read()))
    except OSError:
        return {}
    except (KeyError, TypeError, ValueError, RecursionError):
        _log.info("%s is damaged; the manifests are read again", file)
        return {}


def _is_private(status: os.stat_result, *, is_folder: bool = False) -> bool:
    """Whether nobody but this user can have written it."""
    others_write = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    is_kind = stat.S_ISDIR if is_folder else stat.S_ISREG
    if not hasattr(os, "getuid"):  # Windows, where the profile of a user is the user's alone
        return is_kind(status.st_mode)
    return is_kind(status.st_mode) and not others_write and status.st_uid == os.getuid()


def _entries(content: bytes) -> Iterator[tuple[str, _Entry]]:
    """The entries of a file.

    Raises:
        ValueError, TypeError, KeyError: If it is not whole, or was not written by `_write`.
    """
    body = content[len(_MAGIC) + _DIGEST_BYTES :]
    digest = content[len(_MAGIC) : len(_MAGIC) + _DIGEST_BYTES]
    if not content.startswith(_MAGIC) or sha256(body).digest() != digest:
        raise ValueError("not whole")
    start = _LENGTH_BYTES + int.from_bytes(body[:_LENGTH_BYTES])
    for path, size, modified_at, version, length in json.loads(body[_LENGTH_BYTES:start]):
        packed = body[start : start + length]
        yield path, _Entry(size=size, modified_at=modified_at, version=version, packed=packed)
        start += length


def _unpack(entry: _Entry) -> bytes | None:
    """The manifest, if it is as long as its object."""
    try:
        # Never more than that, whatever is in the file.
        content = zlib.decompressobj().decompress(entry.packed, entry.size + 1)
    except zlib.error:
        return None
    return content if len(content) == entry.size else None


def _write(file: Path, entries: Mapping[str, _Entry]) -> None:
    """Puts entries in the place of a file, in one step.

    Raises:
        OSError: If they cannot be written; the file is then what it was.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _is_private(file.parent.stat(), is_folder=True):
        raise PermissionError(f"{file.parent} can be written by others")
    _remove_abandoned(file)
    kept = list(_newest(entries))
    index = json.dumps(
        [
            [path, entry.size, entry.modified_at, entry.version, len(entry.packed)]
            for path, entry in kept
        ]
    ).encode()
    body = len(index).to_bytes(_LENGTH_BYTES) + index + b"".join(entry.packed for _, entry in kept)
    # Readable by this user alone, as `mkstemp` makes it.
    descriptor, name = tempfile.mkstemp(prefix=f"{file.name}.", dir=file.parent)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(_MAGIC + sha256(body).digest() + body)
        Path(name).replace(file)
    finally:
        # There is none any more, unless something went wrong.
        Path(name).unlink(missing_ok=True)


def _newest(entries: Mapping[str, _Entry]) -> Iterable[tuple[str, _Entry]]:
    """The newest of the entries, as many as may be kept."""
    size = 0
    for path, entry in sorted(entries.items(), key=lambda one: one[1].modified_at, reverse=True):
        size += len(entry.packed)
        if size > _MAX_BYTES:
            return
        yield path, entry


def _remove_abandoned(file: Path) -> None:
    """Removes what processes that were killed were writing."""
    for other in file.parent.glob(f"{file.name}.*"):
        with suppress(OSError):  # another process was faster
            if other.stat().st_mtime < time.time() - _ABANDONED_AFTER_S:
                other.unlink()
