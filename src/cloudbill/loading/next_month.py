"""Downloads the parts of the next month while the current month is loaded.

`FetchingStore` wraps the real store, so the warehouse that reads from it needs to know nothing.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cloudbill.disk.spool import spool_folder
from cloudbill.errors import StoreError

if TYPE_CHECKING:
    from cloudbill.manifests import Manifest, StoredObject
    from cloudbill.store import Store

__all__ = ["FetchingStore"]

_DOWNLOADS: Final = 4
_ROOM: Final = 3
"""The parts must fit this many times on the disk, because the rows in the table need space too."""


class FetchingStore:
    """A remote store that downloads at most one run ahead, for a warehouse that reads local files.

    A part that was downloaded ahead is handed out once, to the next `download` of it. Everything
    else goes to the real store, also a part that could not be downloaded ahead. So nothing fails
    that would not fail without this class.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.scheme = store.scheme
        self.address = store.address
        self._changing = threading.Lock()
        self._awaited: set[str] = set()
        self._following: Manifest | None = None
        self._ahead: _Ahead | None = None

    def begin(self, present: Manifest, following: Manifest | None) -> None:
        """Tells which run is loaded now, and which run follows.

        The downloads of the second begin when the last part of the first is here: before that,
        they would take bandwidth from the run that the warehouse waits for. They do not begin if
        the disk has too little space.
        """
        with self._changing:
            self._awaited = {part.path for part in present.parts}
            self._following = following
            # The plan can change: a run that is held is followed by an older run of its month, so
            # the parts that were downloaded ahead may belong to no run that is still to come.
            is_left_over = self._ahead and self._ahead.manifest not in (present, following)
            left_over = self._ahead if is_left_over else None
            if left_over is not None:
                self._ahead = None
        if left_over is not None:
            left_over.close()

    def download(self, path: str, target: Path) -> None:
        """Copies an object to a local file, or moves the file that is already here."""
        ahead = self._ahead
        if ahead is None or not ahead.give(path, target):
            self._store.download(path, target)
        with self._changing:
            is_last = self._awaited == {path}
            self._awaited.discard(path)
            if is_last:
                self._fetch_following()

    def _fetch_following(self) -> None:
        following, self._following = self._following, None
        if self._ahead is not None and self._ahead.is_given:
            self._ahead.close()
            self._ahead = None
        # Without space or permission in the temporary folder, the parts are downloaded later.
        with suppress(OSError):
            if self._ahead is None and following is not None and _has_room(following):
                self._ahead = _Ahead(self._store, following)

    def close(self, *, wait: bool = True) -> None:
        """Removes parts that nobody asked for; without `wait`, in the background.

        If the process ends before that, the next process removes them.
        """
        with self._changing:
            ahead, self._ahead, self._following = self._ahead, None, None
        if ahead is None:
            return
        if wait:
            ahead.close()
        else:
            threading.Thread(target=ahead.close, name="clean", daemon=True).start()

    @property
    def title(self) -> str:
        """The name of the store for people."""
        return self._store.title

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Every object below a folder."""
        return self._store.list(prefix)

    def read(self, path: str) -> bytes:
        """A whole object."""
        return self._store.read(path)

    def read_head(self, path: str, length: int) -> bytes:
        """The beginning of an object."""
        return self._store.read_head(path, length)

    def read_tail(self, path: str, length: int) -> bytes:
        """The end of an object."""
        return self._store.read_tail(path, length)

    def local_path(self, path: str) -> Path | None:
        """None: the store is remote."""
        return self._store.local_path(path)

    def uri(self, path: str) -> str:
        """The address of an object."""
        return self._store.uri(path)


class _Ahead:
    """One run that is being downloaded into its own folder."""

    def __init__(self, store: Store, manifest: Manifest) -> None:
        self.manifest = manifest
        self._store = store
        self._stack = ExitStack()
        self._folder = self._stack.enter_context(spool_folder())
        self._fetchers = ThreadPoolExecutor(_DOWNLOADS, thread_name_prefix="ahead")
        self._fetching: dict[str, Future[Path]] = {
            part.path: self._fetchers.submit(self._fetch, index, part.path)
            for index, part in enumerate(manifest.parts)
        }

    @property
    def is_given(self) -> bool:
        """Whether every part was asked for."""
        return not self._fetching

    def give(self, path: str, target: Path) -> bool:
        """Moves a part to `target`; False if it is not here and will not be."""
        fetching = self._fetching.pop(path, None)
        # A download that has not begun is left to the caller, who would only wait for it here.
        if fetching is None or fetching.cancel():
            return False
        try:
            fetching.result().replace(target)
        except (StoreError, OSError):
            return False
        return True

    def close(self) -> None:
        """Cancels downloads that have not begun, waits for the others, and removes the folder."""
        self._fetchers.shutdown(cancel_futures=True)
        self._stack.close()

    def _fetch(self, index: int, path: str) -> Path:
        target = self._folder / f"{index:05d}"
        self._store.download(path, target)
        return target


def _has_room(manifest: Manifest) -> bool:
    free = shutil.disk_usage(tempfile.gettempdir()).free
    return manifest.size is not None and manifest.size * _ROOM <= free
