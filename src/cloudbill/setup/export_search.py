"""Finds exports in a store without knowing their place, by the layouts of the providers.

It goes down folder by folder and stops at the folders of months, so its cost depends on the number
of folders above the exports, not on the number of files in the bucket.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Final

from cloudbill.errors import ManifestError, StoreError
from cloudbill.manifests import Manifest, StoredObject
from cloudbill.providers import PROVIDERS, Provider
from cloudbill.providers.data_exports import SECTIONS, Partition, likely_dataset, partition_of
from cloudbill.providers.datasets import dataset_of_manifest
from cloudbill.providers.json_object import MAX_DOCUMENT_BYTES
from cloudbill.store import Store
from cloudbill.store.folders import Browser

__all__ = ["Finding", "FoundExport", "NotLoaded", "find_exports"]

_MAX_FOLDERS: Final = 1_000
"""About a minute of requests to a distant store."""
_LOOKERS: Final = 16
# Logs are laid out like this as well, but have folders for days below the months.
_BY_YEAR: Final = re.compile(r"(?:.*/)?year=\d{4}/month=\d{1,2}/", re.ASCII)
_NO_MANIFESTS: Final = (
    "its manifests are missing: AWS writes them to metadata/, beside data/, and what copies the "
    "bucket must bring them as well"
)

_Place = tuple[str, str]
"""The prefix and the name of an export."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundExport:
    """An export, found by its folders; `newest_at` is when its newest run was submitted.

    That is by its manifest, which `doctor` and `status` go by too; where none can be read, it is
    when the newest was written.

    `periods` are its months, as `YYYYMM`. `scope` is what it bills as one, if its newest manifest
    can be read and says so.
    """

    provider: Provider
    prefix: str
    export_name: str
    periods: frozenset[str]
    manifests: int
    newest_at: datetime
    scope: str | None = None
    is_readable: bool = True

    @property
    def months(self) -> int:
        """How many months it has delivered."""
        return len(self.periods)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotLoaded:
    """Something that looks like an export and cannot be loaded; `why` is the end of a sentence."""

    prefix: str
    export_name: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The found exports, newest first; `folders` counts the searched folders."""

    exports: tuple[FoundExport, ...]
    folders: int
    is_whole: bool
    """Whether everything was searched; if not, the rest needs a prefix."""
    others: tuple[NotLoaded, ...] = ()


def find_exports(
    store: Store,
    browser: Browser,
    prefix: str = "",
    *,
    providers: Sequence[Provider] = tuple(PROVIDERS.values()),
    max_folders: int = _MAX_FOLDERS,
) -> Finding:
    """Finds exports below a folder; the prefix may also be the folder of an export itself.

    With the prefix and the name that are found here, discovery finds the same manifests. Data
    Exports of AWS are told apart by their newest manifest; one that cannot be read is found all the
    same.

    Raises:
        StoreError: If the store cannot be listed.
    """
    start = "".join(f"{folder}/" for folder in prefix.split("/") if folder)
    with ThreadPoolExecutor(max_workers=_LOOKERS, thread_name_prefix="folder") as lookers:
        months, looked, is_whole = _walk(browser, start, providers, lookers, max_folders)
        by_year = [folder for folder in months if _BY_YEAR.fullmatch(folder)]
        of_logs = {
            folder
            for folder, below in zip(by_year, lookers.map(browser.folders, by_year), strict=True)
            if below
        }
        partitions = _Partitions.of(months)
        months = [one for one in months if one not in of_logs and partition_of(one) is None]
        # A prefix may also be the folder of a month, or a folder inside it.
        listed_folders = [*months, *partitions.with_manifests] or ([start] if start else [])
        listed = chain.from_iterable(
            lookers.map(lambda month: list(store.list(month)), listed_folders)
        )
        search = _Search(store=store, providers=providers, map=lookers.map)
        exports, others = search.exports(listed)
    others += tuple(partitions.without_manifests(start) if is_whole else ())
    return Finding(
        exports=tuple(
            sorted(
                exports,
                key=lambda export: (export.newest_at, export.prefix, export.export_name),
                reverse=True,
            )
        ),
        folders=looked,
        is_whole=is_whole,
        others=tuple(sorted(others, key=lambda one: (one.prefix, one.export_name))),
    )


def _walk(
    browser: Browser,
    start: str,
    providers: Sequence[Provider],
    lookers: ThreadPoolExecutor,
    max_folders: int,
) -> tuple[list[str], int, bool]:
    """The folders of months, how many folders were searched, and whether that was all."""
    months: list[str] = []
    level, looked, is_whole = [start], 0, True
    # Level by level, not depth first: the folders of one level are listed at the same time, and if
    # the limit is reached, it is the deepest folders that were not searched.
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
        ends = {folder for folder in below if _is_month(folder, providers)} | _partitions(below)
        months += [folder for folder in below if folder in ends]
        level = [folder for folder in below if folder not in ends]
    return months, looked, is_whole


def _is_month(folder: str, providers: Iterable[Provider]) -> bool:
    name = folder.removesuffix("/").rpartition("/")[2]
    return any(provider.is_month_folder(name) for provider in providers)


def _partitions(folders: Iterable[str]) -> set[str]:
    """The partitions of Data Exports, which have metadata and perhaps data beside it."""
    found = {folder: one for folder in folders if (one := partition_of(folder)) is not None}
    exports = {one.above for one in found.values() if one.is_metadata}
    return {folder for folder, one in found.items() if one.above in exports}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Partitions:
    """The partitions of Data Exports; those of data are many files, which nothing here needs."""

    metadata: Mapping[str, Sequence[tuple[str, Partition]]]
    data: Mapping[str, Sequence[tuple[str, Partition]]]

    @classmethod
    def of(cls, folders: Iterable[str]) -> _Partitions:
        """The partitions among some folders, by the folder of their export."""
        found: tuple[dict[str, list[tuple[str, Partition]]], ...] = (
            defaultdict(list),
            defaultdict(list),
        )
        for folder in folders:
            partition = partition_of(folder)
            if partition is not None:
                found[partition.is_metadata][partition.above].append((folder, partition))
        data, metadata = found
        return cls(metadata=metadata, data=data)

    @property
    def with_manifests(self) -> list[str]:
        """Those with manifests of bills, and the newest of an export that is no bill."""
        found: list[str] = []
        for partitions in self.metadata.values():
            bills = [folder for folder, one in partitions if one.dataset is None]
            found += bills or [max(folder for folder, _ in partitions)]
        return found

    def without_manifests(self, start: str) -> Iterator[NotLoaded]:
        """The exports below a folder that have data of bills and no manifests."""
        for above, partitions in self.data.items():
            is_bill = any(one.dataset is None for _, one in partitions)
            if is_bill and above not in self.metadata and above.startswith(start):
                prefix, _, name = above.removesuffix("/").rpartition("/")
                yield NotLoaded(prefix=prefix, export_name=name, why=_NO_MANIFESTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    """The manifests of a place that the same providers may load, and the contents of some.

    Those are the newest, and the last by path: a copy has other times than the provider's, and
    folders of runs are in their order.
    """

    place: _Place
    providers: tuple[str, ...]
    manifests: tuple[StoredObject, ...]
    contents: Mapping[StoredObject, bytes]

    @property
    def newest(self) -> StoredObject:
        return _newest(self.manifests)

    @property
    def content(self) -> bytes:
        return self.contents[self.newest]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    store: Store
    providers: Sequence[Provider]
    map: Callable[..., Iterator[bytes]]

    def exports(
        self, listed: Iterable[StoredObject]
    ) -> tuple[tuple[FoundExport, ...], tuple[NotLoaded, ...]]:
        """The exports of some files, and what looks like one."""
        listed = list(listed)
        others: dict[_Place, NotLoaded] = {}
        by_export: dict[tuple[str, _Place], list[_Claim]] = defaultdict(list)
        for claim in self._claims(listed):
            name, dataset = _whose(claim)
            if name is not None:
                by_export[name, claim.place].append(claim)
            else:
                others[claim.place] = _no_bill(claim.place, dataset)
        others |= self._no_bills(listed)
        wanted = {provider.NAME for provider in self.providers}
        exports = (
            _found(PROVIDERS[name], place, claims)
            for (name, place), claims in by_export.items()
            if name in wanted
        )
        return tuple(filter(None, exports)), tuple(others.values())

    def _claims(self, listed: Iterable[StoredObject]) -> Iterator[_Claim]:
        by_claim: dict[tuple[_Place, tuple[str, ...]], list[StoredObject]] = defaultdict(list)
        for stored in listed:
            claimed: dict[_Place, list[str]] = defaultdict(list)
            for provider in PROVIDERS.values():
                place = provider.export_of(stored.path)
                if place is not None:
                    claimed[place].append(provider.NAME)
            for place, names in claimed.items():
                by_claim[place, tuple(names)].append(stored)
        read = [
            dict.fromkeys((_newest(manifests), max(manifests, key=lambda one: one.path)))
            for manifests in by_claim.values()
        ]
        wanted = list(dict.fromkeys(chain.from_iterable(read)))
        contents = dict(zip(wanted, self.map(self._content, wanted), strict=True))
        for ((place, claimants), manifests), ours in zip(by_claim.items(), read, strict=True):
            yield _Claim(
                place=place,
                providers=claimants,
                manifests=tuple(manifests),
                contents={stored: contents[stored] for stored in ours},
            )

    def _no_bills(self, listed: Iterable[StoredObject]) -> dict[_Place, NotLoaded]:
        """The Data Exports whose partitions are those of no bill."""
        found: dict[_Place, NotLoaded] = {}
        for stored in listed:
            partition = partition_of(stored.path)
            _, ending, rest = stored.path.rpartition("-Manifest.json")
            if partition is not None and partition.dataset is not None and ending and not rest:
                prefix, _, name = partition.above.removesuffix("/").rpartition("/")
                dataset = dataset_of_manifest(self._content(stored))
                # By days, no bill can be loaded either.
                if dataset is None or dataset in SECTIONS:
                    dataset = partition.dataset
                found[prefix, name] = _no_bill((prefix, name), dataset)
        return found

    def _content(self, stored: StoredObject) -> bytes:
        """A manifest, or nothing if it cannot be read."""
        if stored.fault is not None or stored.size > MAX_DOCUMENT_BYTES:
            return b""
        try:
            return self.store.read(stored.path)
        except StoreError:
            return b""


def _newest(manifests: Iterable[StoredObject]) -> StoredObject:
    return max(manifests, key=lambda stored: (stored.modified_at, stored.path))


def _whose(claim: _Claim) -> tuple[str | None, str]:
    """The provider that loads a claim, or None; and the dataset that its manifest is of."""
    if len(claim.providers) == 1:
        return claim.providers[0], PROVIDERS[claim.providers[0]].DATASET
    dataset = dataset_of_manifest(claim.content) or likely_dataset(claim.newest.path)
    owners = (name for name in claim.providers if dataset == PROVIDERS[name].DATASET)
    return next(owners, None), dataset


def _no_bill(place: _Place, dataset: str) -> NotLoaded:
    prefix, export_name = place
    return NotLoaded(prefix=prefix, export_name=export_name, why=f"it is of {dataset}")


def _found(provider: Provider, place: _Place, claims: Sequence[_Claim]) -> FoundExport | None:
    """What discovery would read with this place; None if it would read nothing."""
    prefix, export_name = place
    manifests = [stored for claim in claims for stored in claim.manifests]
    root, seen = _as_discovered(provider, prefix, export_name, manifests)
    if not seen:
        return None
    newest = max(claims, key=lambda claim: claim.newest.modified_at).newest
    read = {
        stored: _described(provider, root, export_name, stored, content)
        for claim in claims
        for stored, content in claim.contents.items()
    }
    described = read[newest]
    submitted = [manifest.submitted_at for manifest in read.values() if manifest is not None]
    periods = {provider.month_of(stored.path.removeprefix(root)) for stored in seen}
    return FoundExport(
        provider=provider,
        prefix=prefix,
        export_name=export_name,
        periods=frozenset(filter(None, periods)),
        manifests=len(seen),
        newest_at=max(submitted or [stored.modified_at for stored in seen]),
        scope=None if described is None else described.scope,
        is_readable=described is not None,
    )


def _described(
    provider: Provider, root: str, export_name: str, stored: StoredObject, content: bytes
) -> Manifest | None:
    try:
        return provider.read_manifest(
            content, stored=stored, root=root, export=export_name, listing={}
        )
    except ManifestError:
        return None


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
