"""Brings the parts of a run to local files, for warehouses that cannot read the store."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cloudbill.errors import StoreError
from cloudbill.progress import Progress, Stage, Tell, watched
from cloudbill.spool import spool_folder

if TYPE_CHECKING:
    from cloudbill.models import Manifest, Part
    from cloudbill.store import Store

__all__ = ["local_parts"]

_DOWNLOADS: Final = 4


@contextmanager
def local_parts(
    store: Store, manifest: Manifest, tell: Tell | None = None
) -> Iterator[tuple[Path, ...]]:
    """The parts as local files, in the order of the manifest; downloads are removed at the end.

    Raises:
        StoreError: If a part cannot be read, or is not as long as the manifest states.
    """
    if not manifest.parts or store.local_path(manifest.parts[0].path) is not None:
        yield tuple(_local(store, part) for part in manifest.parts)
        return
    with spool_folder() as folder:

        def fetch(item: tuple[int, Part]) -> Path:
            index, part = item
            # The name of a part is not trusted with a place on this disk, but its ending matters.
            target = Path(folder, f"{index:05d}{''.join(Path(part.path).suffixes[-2:])}")
            store.download(part.path, target)
            _check_size(store, part, target)
            return target

        finished: list[Path] = []

        def fetch_and_count(item: tuple[int, Part]) -> Path:
            target = fetch(item)
            finished.append(target)
            return target

        def look() -> Progress:
            return Progress(
                stage=Stage.FETCHING,
                part=len(finished),
                parts=len(manifest.parts),
                done=_size_of(folder),
                total=manifest.size,
            )

        downloads = ThreadPoolExecutor(_DOWNLOADS, thread_name_prefix="download")
        try:
            with watched(tell, look):
                files = tuple(downloads.map(fetch_and_count, enumerate(manifest.parts)))
        finally:
            # Where one part fails, those that have not begun are not fetched for nothing.
            downloads.shutdown(cancel_futures=True)
        yield files


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


def _check_size(store: Store, part: Part, target: Path) -> None:
    size = target.stat().st_size
    if part.size is not None and size < part.size:
        raise StoreError(
            f"{store.uri(part.path)} has {size} bytes, its manifest states {part.size}; it is "
            "being replaced or was cut off. Run again when the delivery is whole"
        )
