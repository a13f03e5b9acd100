"""Finds exports in a store without knowing their place, by the layouts of the providers.

It goes down folder by folder and stops at the folders of months, so its cost depends on the number
of folders above the exports, not on the number of files in the bucket.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Final

from cloudbill.manifests import StoredObject
from cloudbill.providers import PROVIDERS, Provider
from cloudbill.store import Store
from cloudbill.store.folders import Browser

__all__ = ["Finding", "FoundExport", "find_exports"]

_MAX_FOLDERS: Final = 1_000
"""About a minute of requests to a distant store."""
_LOOKERS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundExport:
    """An export, found by its folders; `newest_at` is when its newest manifest was written."""

    provider: Provider
    prefix: str
    export_name: str
    months: int
    manifests: int
    newest_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The found exports, newest first; `folders` counts the searched folders."""

    exports: tuple[FoundExport, ...]
    folders: int
    is_whole: bool
    """Whether everything was searched; if not, the rest needs a prefix."""


def find_exports(
    store: Store,
    browser: Browser,
    prefix: str = "",
    *,
    providers: Sequence[Provider] = tuple(PROVIDERS.values()),
    max_folders: int = _MAX_FOLDERS,
) -> Finding:
    """Finds exports below a folder; the prefix may also be the folder of an export itself.

    With the prefix and the name that are found here, discovery finds the same manifests.

    Raises:
        StoreError: If the store cannot be listed.
    """
    start = "".join(f"{folder}/" for folder in prefix.split("/") if folder)
    months: list[str] = []
    level, looked, is_whole = [start], 0, True
    # Level by level, not depth first: the folders of one level are listed at the same time, and if
    # the limit is reached, it is the deepest folders that were not searched.
    with ThreadPoolExecutor(max_workers=_LOOKERS, thread_name_prefix="folder") as lookers:
        while level:
            if looked + len(level) > max_folders:
                level, is_whole = level[: max_folders - looked], False
            looked += len(level)
            below = list(
                chain.from_iterable(
                    [f"{above}{name}/" for name in names]
                    for above, names in zip(level, lookers.map(browser.folders, level), strict=True)
                )
            )
            months += [folder for folder in below if _is_month(folder, providers)]
            level = [folder for folder in below if not _is_month(folder, providers)]
        # A prefix may also be the folder of a month, or a folder inside it.
        months = months or ([start] if start else [])
        listed = chain.from_iterable(lookers.map(lambda month: list(store.list(month)), months))
        exports = sorted(
            _exports(listed, providers),
            key=lambda export: (export.newest_at, export.prefix, export.export_name),
            reverse=True,
        )
    return Finding(exports=tuple(exports), folders=looked, is_whole=is_whole)


def _is_month(folder: str, providers: Iterable[Provider]) -> bool:
    name = folder.removesuffix("/").rpartition("/")[2]
    return any(provider.is_month_folder(name) for provider in providers)


def _exports(
    listed: Iterable[StoredObject], providers: Sequence[Provider]
) -> Iterator[FoundExport]:
    by_export: dict[tuple[str, str, str], list[StoredObject]] = defaultdict(list)
    for stored in listed:
        for provider in providers:
            place = provider.export_of(stored.path)
            if place is not None:
                by_export[(provider.NAME, *place)].append(stored)
    for (name, prefix, export_name), manifests in by_export.items():
        provider = PROVIDERS[name]
        root, seen = _as_discovered(provider, prefix, export_name, manifests)
        if seen:
            yield FoundExport(
                provider=provider,
                prefix=prefix,
                export_name=export_name,
                months=len({provider.month_of(stored.path.removeprefix(root)) for stored in seen}),
                manifests=len(seen),
                newest_at=max(stored.modified_at for stored in seen),
            )


def _as_discovered(
    provider: Provider, prefix: str, export_name: str, manifests: Iterable[StoredObject]
) -> tuple[str, list[StoredObject]]:
    """The manifests that discovery would read with this prefix and name, and their root.

    Empty if a path cannot be written as a prefix, for example with a folder without a name.
    """
    manifests = list(manifests)
    for root in provider.export_roots(prefix, export_name):
        seen = [
            stored
            for stored in manifests
            if stored.path.startswith(root)
            and provider.is_manifest(stored.path.removeprefix(root), export_name)
        ]
        if seen:
            return root, seen
    return "", []
