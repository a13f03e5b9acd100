"""Finds the runs of an export in a store, and their missing parts; changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from cloudbill.errors import CloudbillError, ManifestError, StoreError
from cloudbill.exports.limits import require_manifest, require_path
from cloudbill.exports.manifest_cache import ManifestCache
from cloudbill.models import DiscoveredRun, Manifest, ManifestFailure, StoredObject
from cloudbill.providers import Listing, Provider
from cloudbill.providers.json_object import MAX_DOCUMENT_BYTES
from cloudbill.store import Store

__all__ = ["Discovery", "discover"]

_READERS: Final = 32
"""Manifests are small, so almost all of their cost is the time to the first byte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """The runs that were found, and the manifests that cannot be read.

    `listing` has every object below `root`, the folder that was listed last.
    """

    runs: tuple[DiscoveredRun, ...]
    failures: tuple[ManifestFailure, ...]
    root: str = field(default="", compare=False)
    listing: Listing = field(default_factory=dict, compare=False, repr=False)


def discover(
    store: Store,
    provider: Provider,
    *,
    prefix: str,
    export_name: str,
    cache: ManifestCache | None = None,
) -> Discovery:
    """Lists an export and reads its manifests, many at a time.

    A manifest that cannot be read fails alone. The folders that may contain the export are listed
    one after the other, until one has a manifest. A manifest that `cache` has is not read again,
    unless the cached bytes cannot be parsed.

    Raises:
        StoreError: If the store cannot be listed.
    """
    root, listing, manifests = _find_manifests(store, provider, prefix, export_name)
    export = _Export(provider=provider, name=export_name, root=root, listing=listing)
    cache = cache or ManifestCache()
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
    return _sorted(found, export)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Export:
    """An export whose manifests are read: its folder, and every object in it."""

    provider: Provider
    name: str
    root: str
    listing: Listing

    def run_of(self, stored: StoredObject, content: bytes) -> DiscoveredRun:
        """The run of a manifest.

        Raises:
            ManifestError: If the manifest describes a run that cannot exist.
            StoreError: If a part is not a file that can be read.
        """
        manifest = self.provider.read_manifest(
            content, stored=stored, root=self.root, export=self.name, listing=self.listing
        )
        require_manifest(manifest, root=self.root)
        manifest = _with_stored_parts(manifest, self.listing, stored)
        for part in manifest.parts:
            if part.stored is not None:
                _require_readable(part.stored, f" (a part of {manifest.path})")
        missing = tuple(part for part in manifest.parts if not part.is_whole)
        return DiscoveredRun(manifest=manifest, missing=missing)


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
    roots = provider.export_roots(prefix, export_name)
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


def _require_readable(stored: StoredObject, of: str = "") -> None:
    if stored.fault is not None:
        raise StoreError(f"{stored.path}{of} {stored.fault}")


def _read_content(store: Store, stored: StoredObject) -> bytes:
    if stored.size > MAX_DOCUMENT_BYTES:
        problem = f"{stored.size} bytes are more than a manifest has:"
        raise ManifestError(problem, path=stored.path)
    return store.read(stored.path)


def _with_stored_parts(manifest: Manifest, listing: Listing, stored: StoredObject) -> Manifest:
    parts = (replace(part, stored=listing.get(part.path)) for part in manifest.parts)
    return replace(manifest, parts=tuple(parts), written_at=stored.modified_at)


def _sorted(found: Iterable[DiscoveredRun | ManifestFailure], export: _Export) -> Discovery:
    runs: list[DiscoveredRun] = []
    failures: list[ManifestFailure] = []
    for item in found:
        if isinstance(item, DiscoveredRun):
            runs.append(item)
        else:
            failures.append(item)
    return Discovery(
        runs=tuple(sorted(runs, key=lambda run: run.manifest.path)),
        failures=tuple(sorted(failures, key=lambda failure: failure.path)),
        root=export.root,
        listing=export.listing,
    )
