"""Finds the runs of an export in a store, and their missing parts; changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from cloudbill.errors import CloudbillError, ManifestError, StoreError
from cloudbill.exports.limits import require_manifest, require_path
from cloudbill.exports.manifest_cache import END_BYTES, ManifestCache
from cloudbill.exports.months import runs_by_month, with_months
from cloudbill.exports.updating import updating_since
from cloudbill.manifests import DiscoveredRun, Manifest, ManifestFailure, Part, StoredObject
from cloudbill.periods import utc_now
from cloudbill.providers import Listing, Provider
from cloudbill.providers.json_object import MAX_DOCUMENT_BYTES
from cloudbill.store import Store

__all__ = ["Discovery", "discover"]

_READERS: Final = 32
"""Manifests are small: what they cost is the time to the first byte."""
_WITH_EMPTY_FOLDERS: Final = frozenset({"gs", "s3"})
"""Stores whose keys may have folders without a name; elsewhere two slashes are one."""
_SETTLE: Final = timedelta(hours=1)
_CHECKOUT: Final = timedelta(minutes=1)
"""What a checkout or a small copy writes in one go, in any order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """The runs of each month that were found, and the manifests that cannot be read.

    A run over several months is a run of each of them. `others` are runs of other scopes than the
    one that is wanted. `listing` has every object below `root`, the folder that was listed last.
    """

    runs: tuple[DiscoveredRun, ...]
    failures: tuple[ManifestFailure, ...]
    others: tuple[DiscoveredRun, ...] = ()
    root: str = field(default="", compare=False)
    listing: Listing = field(default_factory=dict, compare=False, repr=False)

    @property
    def deliveries(self) -> int:
        """How many manifests could be read."""
        return len({run.manifest.path for run in self.runs})

    @property
    def manifests(self) -> int:
        """How many manifests there are."""
        return self.deliveries + len(self.failures)

    def of_scope(self, scope: str | None) -> Discovery:
        """What was found of one scope, None being any; a run that names no scope is of any."""
        if scope is None:
            return self
        own = tuple(run for run in self.runs if run.manifest.scope in {None, scope})
        others = tuple(run for run in self.runs if run.manifest.scope not in {None, scope})
        return replace(self, runs=own, others=others)


def discover(
    store: Store,
    provider: Provider,
    *,
    prefix: str,
    export_name: str,
    cache: ManifestCache | None = None,
    now: datetime | None = None,
) -> Discovery:
    """Lists an export and reads its manifests, many at a time.

    A manifest that cannot be read fails alone. The folders that may contain the export are listed
    one after the other, until one has a manifest. A manifest that `cache` has is not read again,
    unless the cached bytes cannot be parsed.

    Raises:
        StoreError: If the store cannot be listed.
    """
    root, listing, manifests = _find_manifests(store, provider, prefix, export_name)
    cache = cache or ManifestCache()
    export = _Export(
        provider=provider,
        name=export_name,
        root=root,
        listing=listing,
        store=store,
        cache=cache,
        now=now or utc_now(),
        updating_since=updating_since(store, listing),
    )
    found: list[DiscoveredRun | ManifestFailure] = []
    unread: list[StoredObject] = []
    for stored in manifests:
        run = _remembered(export, cache, stored)
        if run is None:
            unread.append(stored)
        else:
            found.append(run)
    for stored, content in zip(unread, _contents(store, unread), strict=True):
        found.append(_understood(export, cache, stored, content))
    cache.save()
    return replace(_sorted(found), root=root, listing=listing)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Export:
    """An export whose manifests are read: its folder, and every object in it."""

    provider: Provider
    name: str
    root: str
    listing: Listing
    store: Store
    cache: ManifestCache
    now: datetime
    updating_since: datetime | None

    def run_of(self, stored: StoredObject, content: bytes) -> DiscoveredRun:
        """The run of a manifest.

        Raises:
            ManifestError: If the manifest describes a run that cannot exist.
            StoreError: If a part is not a file that can be read.
        """
        manifest = self.provider.read_manifest(
            content, stored=stored, root=self.root, export=self.name, listing=self.listing
        )
        manifest = with_months(manifest)
        require_manifest(manifest, root=self.root)
        manifest = _with_stored_parts(manifest, self.listing)
        for part in manifest.parts:
            if part.stored is not None:
                _require_readable(part.stored, f" (a part of {manifest.path})")
        parts = [part for part in manifest.parts if not self._is_whole(part)]
        longer = tuple(part for part in parts if part.is_whole)
        return DiscoveredRun(
            manifest=manifest,
            missing=tuple(part for part in parts if not part.is_whole),
            longer=longer,
            settles_at=_settles_at(manifest, self.now, has_longer=bool(longer)),
            is_updated=self._is_updated(manifest),
        )

    def _is_updated(self, manifest: Manifest) -> bool:
        """Whether a part is newer than the status that says that files are being overwritten."""
        since = self.updating_since
        times = [part.stored.modified_at for part in manifest.parts if part.stored is not None]
        return since is not None and any(time > since for time in times)

    def _is_whole(self, part: Part) -> bool:
        """Whether a part has the size that its manifest states, packed or unpacked.

        A copy tool may have packed a part; gzip itself then says how long it was before, modulo
        2^32 (RFC 1952, 2.3.1).
        """
        if part.stored is None or part.size is None or part.stored.size == part.size:
            return part.is_whole
        if not part.path.endswith(".gz"):
            return False
        end = self.cache.end(part.stored)
        if end is None:
            end = self.store.read_tail(part.path, END_BYTES)
            self.cache.keep_end(part.stored, end)
        return int.from_bytes(end, "little") == part.size % 2**32


def _remembered(
    export: _Export, cache: ManifestCache, stored: StoredObject
) -> DiscoveredRun | None:
    content = cache.content(stored)
    if content is None:
        return None
    # A cached manifest that cannot be parsed may be damaged in the cache only, so it is read again.
    with suppress(ManifestError):
        return export.run_of(stored, content)
    return None


def _understood(
    export: _Export, cache: ManifestCache, stored: StoredObject, content: bytes | CloudbillError
) -> DiscoveredRun | ManifestFailure:
    if isinstance(content, CloudbillError):
        return ManifestFailure(path=stored.path, error=content)
    try:
        run = export.run_of(stored, content)
    except CloudbillError as error:
        return ManifestFailure(path=stored.path, error=error)
    # Only now, so the cache never has a manifest that could not be parsed.
    cache.keep(stored, content)
    return run


def _contents(store: Store, manifests: Sequence[StoredObject]) -> Iterator[bytes | CloudbillError]:
    """The bytes of the manifests, in their order, or the error; many are read at a time.

    The caller parses them in its own thread: parsing does not wait for anything, so more threads
    would only slow each other down.
    """

    def read(stored: StoredObject) -> bytes | CloudbillError:
        try:
            require_path(stored.path)
            _require_readable(stored)
            return _read_content(store, stored)
        except CloudbillError as error:
            return error

    if store.scheme == "file":
        # A disk answers at once, so threads would gain nothing here either.
        yield from map(read, manifests)
        return
    with ThreadPoolExecutor(_READERS, thread_name_prefix="manifest") as readers:
        yield from readers.map(read, manifests)


def _find_manifests(
    store: Store, provider: Provider, prefix: str, export_name: str
) -> tuple[str, Listing, list[StoredObject]]:
    """The first root that has manifests, every object below it, and its manifests.

    If no root has manifests, the first that has files. A later root may contain much more than the
    export, so it is listed only if necessary.
    """
    roots = [
        root
        for root in provider.export_roots(prefix, export_name)
        if store.scheme in _WITH_EMPTY_FOLDERS or not _has_empty_folder(root)
    ]
    without: tuple[str, Listing] | None = None
    for root in roots:
        listing = {stored.path: stored for stored in store.list(root)}
        manifests = [
            stored
            for stored in listing.values()
            if provider.is_manifest(stored.path.removeprefix(root), export_name)
        ]
        if manifests:
            return root, listing, manifests
        if listing and without is None:
            without = root, listing
    return (*(without or (roots[0], {})), [])


def _has_empty_folder(root: str) -> bool:
    return root.startswith("/") or "//" in root


def _require_readable(stored: StoredObject, of: str = "") -> None:
    if stored.fault is not None:
        raise StoreError(f"{stored.path}{of} {stored.fault}")


def _read_content(store: Store, stored: StoredObject) -> bytes:
    if stored.size > MAX_DOCUMENT_BYTES:
        problem = f"{stored.size} bytes are more than a manifest has:"
        raise ManifestError(problem, path=stored.path)
    return store.read(stored.path)


def _with_stored_parts(manifest: Manifest, listing: Listing) -> Manifest:
    parts = (replace(part, stored=_stored(part.path, listing)) for part in manifest.parts)
    return replace(manifest, parts=tuple(parts))


def _stored(path: str, listing: Listing) -> StoredObject | None:
    """A file as it is listed, or what is wrong with the folder that it should be in."""
    found, folder = listing.get(path), path
    while found is None and "/" in folder:
        folder = folder.rpartition("/")[0]
        found = listing.get(folder)
    return found if folder == path or (found is not None and found.fault is not None) else None


def _settles_at(manifest: Manifest, now: datetime, *, has_longer: bool) -> datetime | None:
    """Until when more files of a run may come; None where nothing says that they may.

    A part that is longer than stated, or newer than a manifest that states no sizes, may be one of
    the next delivery, whose manifest comes last. A part that is far older than such a manifest may
    be one of the delivery before, where a copy brings the manifest first. Once all files are an
    hour old, their order means nothing: a copy writes them in any.
    """
    stored = [part.stored for part in manifest.parts if part.stored is not None]
    if not stored or manifest.stored_at is None:
        return None
    newest = max(manifest.stored_at, *(one.modified_at for one in stored))
    has_unstated = any(
        part.size is None
        and part.stored is not None
        and not -_SETTLE <= part.stored.modified_at - manifest.stored_at <= _CHECKOUT
        for part in manifest.parts
    )
    settles_at = newest + _SETTLE
    return settles_at if (has_longer or has_unstated) and now < settles_at else None


def _sorted(found: Iterable[DiscoveredRun | ManifestFailure]) -> Discovery:
    runs: list[DiscoveredRun] = []
    failures: list[ManifestFailure] = []
    for item in found:
        if isinstance(item, DiscoveredRun):
            runs += runs_by_month(item)
        else:
            failures.append(item)
    return Discovery(
        runs=tuple(sorted(runs, key=lambda run: (run.manifest.path, run.manifest.period))),
        failures=tuple(sorted(failures, key=lambda failure: failure.path)),
    )
