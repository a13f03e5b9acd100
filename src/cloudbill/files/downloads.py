"""Downloads the parts of a run to local files, for warehouses that cannot read the store."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cloudbill.disk.spool import room_for, spool_folder
from cloudbill.errors import StoppedError, StoreError
from cloudbill.progress import Progress, ProgressListener, Stage, progress_told

if TYPE_CHECKING:
    from cloudbill.manifests import Manifest, Part
    from cloudbill.store import Store

__all__ = ["AwaitedParts", "awaited_parts", "is_here", "local_parts"]

_DOWNLOADS: Final = 4
_HEED_EVERY_S: Final = 0.2
_LOOK_EVERY_S: Final = 0.01
_LARGE_BYTES: Final = 1024 * 1024
"""A smaller part takes one round trip, however many downloads share the bandwidth."""


@contextmanager
def local_parts(
    store: Store,
    manifest: Manifest,
    listen: ProgressListener | None = None,
    *,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[Path, ...]]:
    """The parts as local files, in the order of the manifest; downloads are removed at the end.

    Raises:
        StoreError: If a part cannot be read, or is not as long as the manifest states.
        StoppedError: If `is_stopped` says so while they are awaited.
    """
    if is_here(store, manifest):
        yield tuple(_local(store, part) for part in manifest.parts)
        return
    with _downloads(store, manifest, is_even=False) as downloads:
        with progress_told(listen, downloads.look):
            files = downloads.wait_for_all(is_stopped)
        yield files


@contextmanager
def awaited_parts(
    store: Store, manifest: Manifest, *, is_stopped: Callable[[], bool] = lambda: False
) -> Iterator[AwaitedParts]:
    """The parts as local files that can be awaited one by one; they are removed at the end."""
    with _downloads(store, manifest, is_even=True) as downloads:
        yield AwaitedParts(downloads, is_stopped)


class AwaitedParts:
    """Parts that are being downloaded, in the order of the manifest; used by many threads."""

    def __init__(self, downloads: _Downloads, is_stopped: Callable[[], bool]) -> None:
        self._downloads = downloads
        self._is_stopped = is_stopped

    def wait_for(self, index: int) -> Path:
        """Waits for a part, and returns its file.

        Raises:
            StoreError: If this part, or any other part in the meantime, cannot be read or is not
                as long as the manifest states.
            StoppedError: If the load is stopped in the meantime.
        """
        return self._downloads.wait_for(index, self._is_stopped)

    def look(self) -> Progress | None:
        """How far the downloads are, or None if all parts have arrived."""
        progress = self._downloads.look()
        return None if progress.part == progress.parts else progress


@contextmanager
def _downloads(store: Store, manifest: Manifest, *, is_even: bool) -> Iterator[_Downloads]:
    """Starts the downloads; at the end, downloads that have not begun are cancelled."""
    with spool_folder() as folder:
        downloads = _Downloads(store, manifest, folder, is_even=is_even)
        try:
            yield downloads
        finally:
            downloads.close()


class _Downloads:
    """Downloads the parts of a run into a folder, in order, a few at a time.

    Downloads that begin together share the bandwidth and also end together, so the reader would
    first wait for a long time and then get all parts at once. With `is_even` each download begins
    when a share of the previous part has arrived, so parts arrive at even intervals and the reader
    works on one part while the next arrives.
    """

    def __init__(self, store: Store, manifest: Manifest, folder: Path, *, is_even: bool) -> None:
        self._store = store
        self._manifest = manifest
        self._folder = folder
        self._is_even = is_even
        self._is_closed = False
        self._failed: Future[Path] | None = None
        self._changed = threading.Condition()
        self._workers = ThreadPoolExecutor(_DOWNLOADS, thread_name_prefix="download")
        self._fetching: list[Future[Path]] = []
        for index, part in enumerate(manifest.parts):
            self._fetching.append(self._workers.submit(self._fetch, index, part))
        # Only now, because a failure cancels the others, and must find all of them in the list.
        for fetching in self._fetching:
            fetching.add_done_callback(self._note)

    def look(self) -> Progress:
        """How many parts have arrived, and how many bytes."""
        return Progress(
            stage=Stage.FETCHING,
            part=sum(fetching.done() for fetching in self._fetching),
            parts=len(self._manifest.parts),
            done=_size_of(self._folder),
            total=self._manifest.size,
        )

    def wait_for_all(self, is_stopped: Callable[[], bool]) -> tuple[Path, ...]:
        """Waits for every part; raises what `_wait` raises."""
        self._wait(self._fetching, is_stopped)
        return tuple(fetching.result() for fetching in self._fetching)

    def wait_for(self, index: int, is_stopped: Callable[[], bool]) -> Path:
        """Waits for a part, and returns its file; raises what `_wait` raises."""
        fetching = self._fetching[index]
        self._wait([fetching], is_stopped)
        return fetching.result()

    def _wait(self, wanted: Sequence[Future[Path]], is_stopped: Callable[[], bool]) -> None:
        """Waits until these parts are here, or raises the error of the first part that fails.

        A failure of any part ends the wait, because without that part the month cannot be loaded.
        """
        # A stop wakes nobody up, so the wait looks for one every now and then.
        with self._changed:
            while self._failed is None and not all(map(Future.done, wanted)):
                if is_stopped():
                    raise StoppedError("The load was stopped")
                self._changed.wait(_HEED_EVERY_S)
        if is_stopped():
            raise StoppedError("The load was stopped")
        if self._failed is not None:
            self._failed.result()

    def close(self) -> None:
        """Cancels downloads that have not begun, and waits for the others.

        It must wait, because the folder that they write to is removed next.
        """
        self._is_closed = True
        self._workers.shutdown(cancel_futures=True)

    def _fetch(self, index: int, part: Part) -> Path:
        target = self._target(index)
        if self._is_even and index:
            self._let_go_ahead(index - 1)
        with room_for(self._store.uri(part.path), target, needed=self._manifest.size):
            self._store.download(part.path, target)
        _require_size(self._store, part, target)
        return target

    def _target(self, index: int) -> Path:
        # The name of a part is not trusted as a path on this disk, but its extension matters.
        suffixes = Path(self._manifest.parts[index].path).suffixes[-2:]
        return self._folder / f"{index:05d}{''.join(suffixes)}"

    def _let_go_ahead(self, index: int) -> None:
        """Waits until a share of a part has arrived, or all of the first part.

        Raises:
            StoreError: If the other parts are no longer needed.
        """
        stored = self._manifest.parts[index].stored
        if stored is None or stored.size < _LARGE_BYTES:
            return
        # The first part gets all of the bandwidth, because the reader can do nothing without it.
        # After it, as many downloads run as there are workers, each a quarter of a part ahead of
        # the next. The size of the file tells, because no store reports the bytes that arrived.
        wanted = stored.size if index == 0 else stored.size / _DOWNLOADS
        target = self._target(index)
        while not self._fetching[index].done() and _size_of_file(target) < wanted:
            time.sleep(_LOOK_EVERY_S)
        if self._is_closed or self._failed is not None:
            raise StoreError("Other parts could not be fetched")

    def _note(self, fetching: Future[Path]) -> None:
        """Wakes up the waiting threads; a failed part cancels the downloads that have not begun."""
        is_failed = not fetching.cancelled() and fetching.exception() is not None
        with self._changed:
            if is_failed and self._failed is None:
                self._failed = fetching
            self._changed.notify_all()
        if is_failed:
            for other in self._fetching:
                other.cancel()


def is_here(store: Store, manifest: Manifest) -> bool:
    """Whether nothing has to be downloaded."""
    return not manifest.parts or store.local_path(manifest.parts[0].path) is not None


def _size_of_file(file: Path) -> int:
    """The bytes that a file has so far, 0 if there is no such file yet."""
    with suppress(OSError):
        return file.stat().st_size
    return 0


def _size_of(folder: Path) -> int:
    """The bytes in a folder so far, which may be removed at the same time."""
    size = 0
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            size += entry.stat().st_size
    return size


def _local(store: Store, part: Part) -> Path:
    path = store.local_path(part.path)
    if path is None:
        raise StoreError(f"{store.uri(part.path)} is not a local file")
    return path


def _require_size(store: Store, part: Part, target: Path) -> None:
    size = target.stat().st_size
    # A part that a copy tool packed is whole, though it is shorter than stated.
    listed = part.size if part.stored is None else part.stored.size
    if part.size is not None and listed is not None and size < min(part.size, listed):
        raise StoreError(
            f"{store.uri(part.path)} has {size} bytes, its manifest states {part.size}; it is "
            "being replaced or was cut off. Run again when the delivery is whole"
        )
