"""Says what lies where a source looks for manifests and finds none; only reads.

An export that was never found, files without a manifest and a dataset of another kind all look
like "nothing to load"; they are errors, so that nobody believes in a bill that is not loaded.
"""

from __future__ import annotations

import csv
import posixpath
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from cloudbill.errors import CloudbillError, DatasetError, NoManifestError, StoreError
from cloudbill.exports.updating import is_status
from cloudbill.manifests import StoredObject
from cloudbill.providers import PROVIDERS
from cloudbill.providers.data_exports import SECTIONS, partition_of
from cloudbill.providers.datasets import (
    AWS_FOCUS,
    FOCUS,
    dataset_of_columns,
    dataset_of_manifest,
    may_be,
)
from cloudbill.providers.json_object import MAX_DOCUMENT_BYTES
from cloudbill.text.counts import counted

if TYPE_CHECKING:
    from cloudbill.exports.discovery import Discovery
    from cloudbill.settings import SourceSettings
    from cloudbill.store import Store

__all__ = ["absence_of", "other_scopes", "unannounced"]

_KINDS: Final = (
    (".parquet", "Parquet"),
    (".csv", "CSV"),
    (".csv.gz", "CSV"),
    (".csv.zip", "zipped CSV"),
    (".zip", "ZIP"),
    (".json.gz", "JSON"),
    (".gz", "gzipped"),
    (".orc", "ORC"),
    (".xlsx", "Excel"),
)
_DATA_EXPORT: Final = "an AWS Data Export"
"""Of a bill, and nothing says whether it is CUR 2.0 or FOCUS."""
_READ: Final = 3
"""So many manifests, or data files, are read to see what dataset they are of."""
_NAMED: Final = 5
_COMING: Final = timedelta(hours=1)
_HEADER_BYTES: Final = 64 * 1024
_ANY_GZIP: Final = 16 + zlib.MAX_WBITS


def absence_of(
    store: Store,
    settings: SourceSettings,
    found: Discovery,
    *,
    months_loaded: int,
    now: datetime,
    nearest: Callable[[], str],
) -> CloudbillError | None:
    """Why a source has no manifest: another dataset, files without one, or nothing at all.

    Nothing at all is told although months are loaded: somebody may have changed the name, and the
    bucket of an export that goes on is never empty. Where months are loaded, files that came within
    the hour are in order: an export that overwrites its runs removes the manifest before it writes
    the next files. `nearest` looks for names that may be meant, and gives a sentence; it is asked
    where no data file is there.
    """
    own = _own_files(settings, found)
    files = [one for one in own if not months_loaded or one.modified_at < now - _COMING]
    dataset = _other_dataset(store, settings, files)
    if dataset is not None:
        return dataset
    kinds = Counter(kind for stored in files if (kind := _kind(stored)))
    place = store.uri(found.root)
    if any(settings.provider.export_of(stored.path) for stored in files):
        return NoManifestError(f"{place} is not the folder of an export. {nearest()}")
    if kinds:
        return NoManifestError(f"{place} has {_without_manifest(settings, files, kinds, nearest)}")
    if len(files) < len(own):
        return None
    if files:
        return NoManifestError(
            f"{place} has {counted(len(files), 'file')}, none of them a "
            f"{_manifest_name(settings)} in the folder of a month. {nearest()}"
        )
    (root, *_) = settings.provider.export_roots(settings.prefix, settings.export_name)
    return NoManifestError(f"{_nothing_in(store.uri(root), months_loaded)}. {nearest()}")


def _without_manifest(
    settings: SourceSettings,
    files: Sequence[StoredObject],
    kinds: Counter[str],
    nearest: Callable[[], str],
) -> str:
    """What is there beside data files, and what to do: manifests may be in folders of no month."""
    misplaced = [one.path for one in files if one.path.lower().endswith("manifest.json")]
    if not misplaced:
        return f"{_counted(kinds)} {_lacking(settings, files)}"
    return (
        f"{counted(len(misplaced), 'manifest')}, such as {misplaced[0]}, but none in the folder of "
        "a month: 'prefix' and 'export_name' name a folder above or below that of the export. "
        f"{nearest()}"
    )


def _nothing_in(place: str, months_loaded: int) -> str:
    found = f"Nothing was found in {place}"
    if not months_loaded:
        return found
    loaded = counted(months_loaded, "month is", plural="months are")
    return f"{found}, although {loaded} loaded"


def unannounced(
    store: Store, settings: SourceSettings, found: Discovery, now: datetime
) -> NoManifestError | None:
    """Data files of later deliveries than the last that has a manifest, or None.

    Such as after the manifests are no longer copied. Files that are younger than 'max_wait' may
    still get their manifest, and older ones than the newest manifest are left over from runs that
    were overwritten.
    """
    if not found.runs or found.failures:
        return None
    runs = (*found.runs, *found.others)
    parts = {part.path for run in runs for part in run.manifest.parts}
    folders = {posixpath.dirname(run.manifest.path) for run in runs}
    newest = max(run.manifest.stored_at or run.manifest.submitted_at for run in runs)
    loose = [
        stored
        for stored in _own_files(settings, found)
        if stored.path not in parts
        and posixpath.dirname(stored.path) not in folders
        and _kind(stored)
        and newest < stored.modified_at < now - settings.max_wait
    ]
    if not loose:
        return None
    last = max(loose, key=lambda stored: stored.modified_at)
    kinds = Counter(kind for stored in loose if (kind := _kind(stored)))
    return NoManifestError(
        f"{_counted(kinds)} came to {store.uri(found.root)} after its newest manifest, the last of "
        f"them {posixpath.relpath(last.path, found.root or '.')}, but no "
        f"{_manifest_name(settings)} with them. {settings.provider.HOW_TO_GET_MANIFESTS}; or "
        "delete the files if they are of no use"
    )


def other_scopes(
    store: Store, settings: SourceSettings, found: Discovery
) -> NoManifestError | None:
    """That there are runs, but none of the scope that is wanted; None if there are no runs."""
    if not found.others:
        return None
    scopes = sorted({run.manifest.scope for run in found.others if run.manifest.scope is not None})
    return NoManifestError(
        f"No run in {store.uri(found.root)} is of scope {settings.scope}, which 'scope' of "
        f"[sources.{settings.source}] asks for; the runs there are of {', '.join(scopes[:_NAMED])}"
        f"{f' and {len(scopes) - _NAMED} others' if len(scopes) > _NAMED else ''}"
    )


def _own_files(settings: SourceSettings, found: Discovery) -> list[StoredObject]:
    """What lies in the folder of the export; elsewhere only what bears the name of the export."""
    own, *_ = settings.provider.export_roots(settings.prefix, settings.export_name)
    # AWS writes the status of a report again after each run, and without a manifest.
    files = [stored for path, stored in found.listing.items() if not is_status(path)]
    if found.root == own:
        return files
    name = settings.export_name.strip("/").rpartition("/")[2]
    return [stored for stored in files if posixpath.basename(stored.path).startswith(name)]


def _manifest_name(settings: SourceSettings) -> str:
    return settings.provider.manifest_name(settings.export_name)


def _kind(stored: StoredObject) -> str | None:
    """The format of a data file by its name, or None for any other file."""
    name = posixpath.basename(stored.path).lower()
    return next((kind for ending, kind in _KINDS if name.endswith(ending)), None)


def _counted(kinds: Counter[str]) -> str:
    """`1 CSV and 12 Parquet files`."""
    counts = [f"{count} {kind}" for kind, count in sorted(kinds.items())]
    return f"{' and '.join(counts)} {'file' if sum(kinds.values()) == 1 else 'files'}"


def _lacking(settings: SourceSettings, files: Iterable[StoredObject]) -> str:
    """What data files lack, and what to do."""
    partitions = [one for stored in files if (one := partition_of(stored.path)) is not None]
    if partitions and not any(one.is_metadata for one in partitions):
        return (
            "of a Data Export in data/, but no metadata/ beside it, to which AWS writes the "
            "manifest of each month. What copies or replicates the bucket has to bring metadata/ "
            "as well"
        )
    return f"but no {_manifest_name(settings)}. {settings.provider.HOW_TO_GET_MANIFESTS}"


def _other_dataset(
    store: Store, settings: SourceSettings, files: Iterable[StoredObject]
) -> DatasetError | None:
    """What the files are of, where they say so and it is not what the source loads."""
    readable = [stored for stored in files if stored.fault is None]
    newest_first = sorted(readable, key=lambda stored: stored.modified_at, reverse=True)
    manifests = [stored for stored in newest_first if _is_like_a_manifest(stored)]
    for stored in manifests[:_READ]:
        if stored.size <= MAX_DOCUMENT_BYTES:
            dataset = _of_partition(stored, dataset_of_manifest(_content(store, stored)))
            if dataset is not None and not may_be(dataset, settings.provider.DATASET):
                return _named(store, settings, stored, dataset)
    for stored in [one for one in newest_first if _kind(one) == "CSV"][:_READ]:
        dataset = _of_partition(stored, dataset_of_columns(_header(store, stored)))
        if dataset is not None and not may_be(dataset, settings.provider.DATASET):
            return _named(store, settings, stored, dataset)
    for stored in newest_first:
        partition = partition_of(stored.path)
        if partition is not None and partition.dataset is not None:
            return _named(store, settings, stored, partition.dataset)
        if partition is not None and settings.provider.DATASET not in SECTIONS:
            return _named(store, settings, stored, _DATA_EXPORT)
    return None


def _of_partition(stored: StoredObject, dataset: str | None) -> str | None:
    """A dataset as the folders of a file of it say more of it."""
    partition = partition_of(stored.path)
    if partition is None:
        return dataset
    if partition.dataset is not None and (dataset is None or dataset in SECTIONS):
        return partition.dataset
    return AWS_FOCUS if dataset == FOCUS else dataset


def _named(
    store: Store, settings: SourceSettings, stored: StoredObject, dataset: str
) -> DatasetError:
    """The error that names a dataset, and the section for it where another source loads it."""
    loader = next((one.SECTION for one in PROVIDERS.values() if dataset == one.DATASET), None)
    sections = tuple(SECTIONS.values()) if dataset == _DATA_EXPORT else (loader,)
    where = " or ".join(f"[sources.{section}]" for section in sections if section)
    advice = f"For this source, {settings.provider.HOW_TO_EXPORT}"
    if where:
        advice = f"Configure it in {where}. {advice}"
    return DatasetError(
        f"{store.uri(stored.path)} is of {dataset}, which [sources.{settings.source}] does not "
        f"load. {advice}"
    )


def _is_like_a_manifest(stored: StoredObject) -> bool:
    name = posixpath.basename(stored.path).lower()
    return name.endswith("manifest.json") and not name.endswith("redshiftmanifest.json")


def _content(store: Store, stored: StoredObject) -> bytes:
    try:
        return store.read(stored.path)
    except StoreError:
        return b""


def _header(store: Store, stored: StoredObject) -> Iterator[str]:
    """The cells of the first line, as far as they can be read; no fault is told from here."""
    try:
        head = store.read_head(stored.path, _HEADER_BYTES)
        if head.startswith(b"\x1f\x8b"):
            head = zlib.decompressobj(_ANY_GZIP).decompress(head, _HEADER_BYTES)
        (line, *_) = head.decode("utf-8-sig", "replace").splitlines() or [""]
        for delimiter in ",;\t":
            yield from next(csv.reader([line], delimiter=delimiter), [])
    except (StoreError, zlib.error, csv.Error):
        return
