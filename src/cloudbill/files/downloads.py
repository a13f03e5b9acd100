"""Brings the parts of a run to local files, for warehouses that cannot read the store."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cloudbill.errors import StoppedError, StoreError
from cloudbill.progress import Progress, ProgressListener, Stage, progress_told
from cloudbill.spool import room_for, spool_folder

if TYPE_CHECKING:
    from cloudbill.models import Manifest, Part
    from cloudbill.store import Store

__all__ = ["AwaitedParts", "Batch", "arriving_parts", "awaited_parts", "is_here", "local_parts"]

_DOWNLOADS: Final = 4
_HEED_EVERY_S: Final = 0.2
_LOOK_EVERY_S: Final = 0.01
_ROW_BYTES: Final = 100
"""A guess for parts whose rows the manifest does not state, which are compressed."""
_LARGE_BYTES: Final = 1024 * 1024
"""A smaller part takes a round trip, whatever it shares the line with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Parts that are here: consecutive ones of the manifest, from the one at `first` on.

    `is_last` says that no other parts come after them.
    """

    first: int
    files: tuple[Path, ...]
    is_last: bool

    @property
    def is_whole(self) -> bool:
        """Whether these are all parts of the run."""
        return self.first == 0 and self.is_last

    @property
    def slice(self) -> slice:
        """Where its parts stand in the manifest."""
        return slice(self.first, self.first + len(self.files))


@contextmanager
def local_parts(
    store: Store, manifest: Manifest, listen: ProgressListener | None = None
) -> Iterator[tuple[Path, ...]]:
    """The parts as local files, in the order of the manifest; downloads are removed at the end.

    Raises:
        StoreError: If a part cannot be read, or is not as long as the manifest states.
    """
    if is_here(store, manifest):
        yield tuple(_local(store, part) for part in manifest.parts)
        return
    with _downloads(store, manifest, is_even=False) as downloads:
        with progress_told(listen, downloads.look):
            files = downloads.take_all()
        yield files


@contextmanager
def arriving_parts(
    store: Store,
    manifest: Manifest,
    listen: ProgressListener | None = None,
    *,
    least_rows: int,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Iterator[Batch]]:
    """The parts as local files, in batches: each holds all that are here when it is asked for.

    There is at least one batch, and one alone where the store is on this disk. A batch that was
    downloaded is removed when the next is asked for. Asking waits for the next parts of the
    manifest, until they have about `least_rows`, while the others go on to be downloaded.

    Raises:
        StoreError: If a part cannot be read, or is not as long as the manifest states.
        StoppedError: If `is_stopped` says so while a batch is asked for.
    """
    if is_here(store, manifest):
        files = tuple(_local(store, part) for part in manifest.parts)
        yield iter([Batch(first=0, files=files, is_last=True)])
        return
    with (
        _downloads(store, manifest, is_even=True) as downloads,
        closing(downloads.batches(listen, least_rows, is_stopped)) as batches,
    ):
        yield batches


@contextmanager
def awaited_parts(
    store: Store, manifest: Manifest, *, is_stopped: Callable[[], bool] = lambda: False
) -> Iterator[AwaitedParts]:
    """The parts as local files, each of which can be waited for; they are removed at the end."""
    with _downloads(store, manifest, is_even=True) as downloads:
        yield AwaitedParts(downloads, is_stopped)


class AwaitedParts:
    """Parts that are being downloaded, in the order of the manifest; used by many threads."""

    def __init__(self, downloads: _Downloads, is_stopped: Callable[[], bool]) -> None:
        self._downloads = downloads
        self._is_stopped = is_stopped

    def wait_for(self, index: int) -> Path:
        """A part, once it is here.

        Raises:
            StoreError: If it, or another one meanwhile, cannot be read, or is not as long as the
                manifest states.
            StoppedError: If the load is stopped meanwhile.
        """
        return self._downloads.wait_for(index, self._is_stopped)

    def look(self) -> Progress | None:
        """How far the downloads are, or None where all have come."""
        progress = self._downloads.look()
        return None if progress.part == progress.parts else progress


@contextmanager
def _downloads(store: Store, manifest: Manifest, *, is_even: bool) -> Iterator[_Downloads]:
    """Downloads that are under way; at the end those that have not begun are not fetched."""
    with spool_folder() as folder:
        downloads = _Downloads(store, manifest, folder, is_even=is_even)
        try:
            yield downloads
        finally:
            downloads.close()


class _Downloads:
    """The parts of a run on their way into a folder, some of them at once, in their order.

    Where `is_even`, they come one after the other, at even distances: parts that
    begin together share the line and come together, and nothing could be done with one meanwhile.
    """

    def __init__(self, store: Store, manifest: Manifest, folder: Path, *, is_even: bool) -> None:
        self._store = store
        self._manifest = manifest
        self._folder = folder
        self._is_even = is_even
        self._is_closed = False
        self._taken = 0
        self._removed_bytes = 0
        self._failed: Future[Path] | None = None
        self._changed = threading.Condition()
        self._workers = ThreadPoolExecutor(_DOWNLOADS, thread_name_prefix="download")
        self._fetching: list[Future[Path]] = []
        for index, part in enumerate(manifest.parts):
            self._fetching.append(self._workers.submit(self._fetch, index, part))
        for fetching in self._fetching:
            fetching.add_done_callback(self._note)

    def look(self) -> Progress:
        """How many of the parts have come, and how many of their bytes."""
        return Progress(
            stage=Stage.FETCHING,
            part=sum(fetching.done() for fetching in self._fetching),
            parts=len(self._manifest.parts),
            done=self._removed_bytes + _size_of(self._folder),
            total=self._manifest.size,
        )

    def take_all(self) -> tuple[Path, ...]:
        """Waits for every part."""
        return tuple(file for batch in self._take_each() for file in batch.files)

    def batches(
        self, listen: ProgressListener | None, least_rows: int, is_stopped: Callable[[], bool]
    ) -> Generator[Batch, None, None]:
        """What has come, again and again; until the last of it `listen` hears of the downloads."""
        with progress_told(listen, self.look):
            for batch in self._take_each(least_rows, is_stopped):
                if batch.is_last:
                    break
                yield batch
                self._remove(batch)
        yield batch

    def wait_for(self, index: int, is_stopped: Callable[[], bool]) -> Path:
        """A part, once it is here; raises as `_wait`."""
        fetching = self._fetching[index]
        self._wait([fetching], is_stopped)
        return fetching.result()

    def _take_each(
        self, least_rows: int = 0, is_stopped: Callable[[], bool] = lambda: False
    ) -> Iterator[Batch]:
        while self._taken < len(self._fetching):
            first = self._taken
            self._wait(self._fetching[first : self._end_of(first, least_rows)], is_stopped)
            files = tuple(
                fetching.result() for fetching in takewhile(Future.done, self._fetching[first:])
            )
            self._taken += len(files)
            yield Batch(first=first, files=files, is_last=self._taken == len(self._fetching))

    def _end_of(self, first: int, least_rows: int) -> int:
        """The first part that need not be in a batch of so many rows."""
        rows = 0
        for index, part in enumerate(self._manifest.parts[first:], start=first):
            rows += _rows_of(part)
            if rows >= least_rows:
                return index + 1
        return len(self._manifest.parts)

    def _wait(self, wanted: Sequence[Future[Path]], is_stopped: Callable[[], bool]) -> None:
        """Until these parts are here; ends with the error of whatever part fails meanwhile."""
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
        """Ends what has not begun, and waits for the rest."""
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
        # The name of a part is not trusted with a place on this disk, but its ending matters.
        suffixes = Path(self._manifest.parts[index].path).suffixes[-2:]
        return self._folder / f"{index:05d}{''.join(suffixes)}"

    def _let_go_ahead(self, index: int) -> None:
        """Until a share of a part has come, or all of the first.

        Raises:
            StoreError: If meanwhile there is no more use for other parts.
        """
        stored = self._manifest.parts[index].stored
        if stored is None or stored.size < _LARGE_BYTES:
            return
        # The first has the line to itself, for nothing can be done until it is here.
        wanted = stored.size if index == 0 else stored.size / _DOWNLOADS
        target = self._target(index)
        while not self._fetching[index].done() and _size_of_file(target) < wanted:
            time.sleep(_LOOK_EVERY_S)
        if self._is_closed or self._failed is not None:
            raise StoreError("Other parts could not be fetched")

    def _note(self, fetching: Future[Path]) -> None:
        """Tells who waits; where one part fails, those not begun are not fetched for nothing."""
        is_failed = not fetching.cancelled() and fetching.exception() is not None
        with self._changed:
            if is_failed and self._failed is None:
                self._failed = fetching
            self._changed.notify_all()
        if is_failed:
            for other in self._fetching:
                other.cancel()

    def _remove(self, batch: Batch) -> None:
        for file in batch.files:
            self._removed_bytes += _size_of_file(file)
            with suppress(OSError):  # it is removed with its folder
                file.unlink()


def is_here(store: Store, manifest: Manifest) -> bool:
    """Whether nothing has to be downloaded."""
    return not manifest.parts or store.local_path(manifest.parts[0].path) is not None


def _rows_of(part: Part) -> int:
    """The rows of a part, as stated, else about as many as it has room for."""
    if part.rows is not None:
        return part.rows
    return part.stored.size // _ROW_BYTES if part.stored is not None else 0


def _size_of_file(file: Path) -> int:
    """The bytes that a file has by now, none where there is no such file yet."""
    with suppress(OSError):
        return file.stat().st_size
    return 0


def _size_of(folder: Path) -> int:
    """The bytes that lie in a folder by now, which may be about to go."""
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
    if part.size is not None and size < part.size:
        raise StoreError(
            f"{store.uri(part.path)} has {size} bytes, its manifest states {part.size}; it is "
            "being replaced or was cut off. Run again when the delivery is whole"
        )
