"""Finds the runs of an export in a store, and which of their parts are there; changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from cloudbill.documents import MAX_DOCUMENT_BYTES
from cloudbill.errors import CloudbillError, ManifestError
from cloudbill.limits import check_manifest, check_path
from cloudbill.manifest_cache import ManifestCache
from cloudbill.models import DiscoveredRun, Manifest, ManifestFailure, StoredObject
from cloudbill.providers import Listing, Provider
from cloudbill.store import Store

__all__ = ["Discovery", "discover"]

_READERS: Final = 32
"""Manifests are small: what they cost is the time to the first byte."""
_LOCAL_READERS: Final = 2
"""A disk answers at once, and more threads than that only wait for each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """What was found: the runs, and the manifests that cannot be read."""

    runs: tuple[DiscoveredRun, ...]
    failures: tuple[ManifestFailure, ...]


def discover(
    store: Store,
    provider: Provider,
    *,
    prefix: str,
    export_name: str,
    cache: ManifestCache | None = None,
) -> Discovery:
    """Lists an export and reads its manifests, many at a time.

    A manifest that cannot be read is a failure of that manifest alone. The folders that an export
    may lie in are listed one after the other, until one has a manifest. What `cache` remembers is
    not read again, unless it cannot be understood.

    Raises:
        StoreError: If the store cannot be listed.
    """
    root, listing, manifests = _find_manifests(store, provider, prefix, export_name)
    cache = cache or ManifestCache()

    def parse(stored: StoredObject, content: bytes) -> Manifest:
        manifest = provider.read_manifest(
            content, stored=stored, root=root, export=export_name, listing=listing
        )
        check_manifest(manifest, root=root)
        return manifest

    def read_manifest(stored: StoredObject) -> Manifest:
        check_path(stored.path)
        remembered = cache.content(stored)
        if remembered is not None:
            with suppress(ManifestError):
                return parse(stored, remembered)
        content = _read_content(store, stored)
        manifest = parse(stored, content)
        cache.keep(stored, content)
        return manifest

    def read(stored: StoredObject) -> DiscoveredRun | ManifestFailure:
        try:
            manifest = read_manifest(stored)
        except CloudbillError as error:
            return ManifestFailure(path=stored.path, error=error)
        manifest = _with_stored_parts(manifest, listing)
        missing = tuple(part for part in manifest.parts if not part.is_whole)
        return DiscoveredRun(manifest=manifest, missing=missing)

    # To parse what is here takes no waiting, so threads would not help.
    found = [read(stored) for stored in manifests if cache.knows(stored)]
    unknown = [stored for stored in manifests if not cache.knows(stored)]
    count = _LOCAL_READERS if store.scheme == "file" else _READERS
    with ThreadPoolExecutor(max_workers=count, thread_name_prefix="manifest") as readers:
        found += readers.map(read, unknown)
    cache.save()
    return _sorted(found)


def _find_manifests(
    store: Store, provider: Provider, prefix: str, export_name: str
) -> tuple[str, Listing, list[StoredObject]]:
    """The first root that has manifests, what lies below it, and those of them that are manifests.

    A later root may hold much more than the export, so it is not listed without need.
    """
    roots = provider.export_roots(prefix, export_name)
    for root in roots:
        listing = {stored.path: stored for stored in store.list(root)}
        manifests = [
            stored
            for stored in listing.values()
            if provider.is_manifest(stored.path.removeprefix(root), export_name)
        ]
        if manifests:
            return root, listing, manifests
    return roots[0], {}, []


def _read_content(store: Store, stored: StoredObject) -> bytes:
    if stored.size > MAX_DOCUMENT_BYTES:
        problem = f"{stored.size} bytes are more than a manifest has:"
        raise ManifestError(problem, path=stored.path)
    return store.read(stored.path)


def _with_stored_parts(manifest: Manifest, listing: Listing) -> Manifest:
    parts = (replace(part, stored=listing.get(part.path)) for part in manifest.parts)
    return replace(manifest, parts=tuple(parts))


def _sorted(found: Iterable[DiscoveredRun | ManifestFailure]) -> Discovery:
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
    )
