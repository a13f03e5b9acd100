"""The views of a dataset: the columns that they have, and their queries; pure."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from cloudbill.focus.branches import OWN, FocusSource, branches_of
from cloudbill.focus.columns import FocusColumn, Version, columns_of
from cloudbill.focus.faults import faults_query
from cloudbill.manifests import ColumnType
from cloudbill.sql import Fragment
from cloudbill.warehouses.view_dialects import FocusDialect, Kind

__all__ = [
    "FAULTS",
    "FOCUS",
    "FOCUS_1_4",
    "Memory",
    "VIEWS",
    "View",
    "fingerprint_of",
    "view_columns",
    "views_of",
]

FOCUS: Final = "focus"
FOCUS_1_4: Final = "focus_1_4"
FAULTS: Final = "focus_faults"
VIEWS: Final = (FOCUS, FOCUS_1_4, FAULTS)
"""The names of the views, in the order in which they are made."""
_MARK: Final = "cloudbill "
_LONGEST_COMMENT: Final = 16_000
"""BigQuery takes 16,384 characters as the description of a table ("Quotas and limits")."""
_KINDS: Final[Mapping[ColumnType, Kind]] = {
    ColumnType.DECIMAL: Kind.MONEY,
    ColumnType.INTEGER: Kind.MONEY,
    ColumnType.FLOAT: Kind.MONEY,
    ColumnType.TIMESTAMP: Kind.TIME,
    ColumnType.DATE: Kind.TIME,
    ColumnType.JSON: Kind.JSON,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A view as it should be: its name, its columns in order, and its query."""

    name: str
    columns: tuple[FocusColumn, ...]
    query: Fragment


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What the comment of a view of ours remembers.

    `excluded` are the sources that their configurations keep out of the views, which a
    configuration without them does not know. `sources` are those that are in it, with the months
    that are left out of each.
    """

    fingerprint: str
    excluded: frozenset[str] = frozenset()
    sources: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def is_alike(self, other: Memory | None) -> bool:
        """Whether two views are the same; `sources` follow from what the fingerprint is of."""
        return other is not None and (self.fingerprint, self.excluded) == (
            other.fingerprint,
            other.excluded,
        )

    @property
    def comment(self) -> str:
        """The comment, by which the view is known as ours.

        `sources` only say what changed, so they are not in it where it would be too long.
        """
        told: dict[str, object] = {"view": self.fingerprint, "excluded": sorted(self.excluded)}
        sources = {key: list(months) for key, months in self.sources}
        whole = _comment({**told, "sources": sources})
        return whole if len(whole) <= _LONGEST_COMMENT else _comment(told)

    @classmethod
    def of(cls, comment: str) -> Memory | None:
        """What a comment remembers; None where it is not one of ours."""
        *_, line = comment.rpartition("\n")
        if not line.startswith(_MARK):
            return None
        try:
            told = json.loads(line.removeprefix(_MARK))
            return cls(
                fingerprint=str(told["view"]),
                excluded=frozenset(map(str, told["excluded"])),
                sources=tuple(
                    (str(key), tuple(map(str, months)))
                    for key, months in told.get("sources", {}).items()
                ),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            return None


def _comment(told: Mapping[str, object]) -> str:
    return (
        "Every bill of this dataset as FOCUS. cloudbill makes this view, and makes it again; "
        f"do not change it.\n{_MARK}{json.dumps(told, ensure_ascii=False)}"
    )


def fingerprint_of(sources: Sequence[FocusSource], path: tuple[str, ...]) -> str:
    """The same for two sets of views whose queries are the same.

    It is made of all that the queries are made of: to write them takes longer.
    """
    said = [
        (
            source.name,
            source.provider,
            source.path,
            sorted(source.table.kinds.items()),
            sorted(source.table.headers.items()),
            source.left_out,
            source.versions,
            source.left_over,
        )
        for source in sources
    ]
    return hashlib.sha256(f"{_digest_of_package()} {path} {said}".encode()).hexdigest()[:32]


@cache
def _digest_of_package() -> str:
    """What tells one version of the mappings, and of what writes them as SQL, from another."""
    digest = hashlib.sha256()
    package = files("cloudbill.focus")
    dialects = files("cloudbill.warehouses").joinpath("view_dialects.py")
    listed = [dialects, *package.iterdir(), *package.joinpath("data").iterdir()]
    for file in sorted(listed, key=lambda one: one.name):
        if file.name.endswith((".py", ".toml", ".csv")):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def views_of(
    sources: Sequence[FocusSource], dialect: FocusDialect, path: tuple[str, ...]
) -> tuple[View, ...]:
    """The views of some sources, of which there is at least one; `path` is that of the dataset."""
    views = []
    for name, version in ((FOCUS, Version.V1_2), (FOCUS_1_4, Version.V1_4)):
        columns = view_columns(sources, version)
        branches = [branch for source in sources for branch in branches_of(source, columns)]
        query = Fragment(" UNION ALL ".join(str(branch) for branch in branches))
        views.append(View(name=name, columns=columns, query=query))
    faults = faults_query(dialect, (*path, FOCUS))
    views.append(View(name=FAULTS, columns=(), query=faults))
    return tuple(views)


def view_columns(sources: Sequence[FocusSource], version: Version) -> tuple[FocusColumn, ...]:
    """The columns of a view: those of FOCUS, ours, those of mappings, and shared ones."""
    focus = columns_of(version)
    own = [FocusColumn(name=name, kind=Kind.TEXT) for name in OWN]
    mapped = dict.fromkeys(name for source in sources for name in source.mapping.own_columns)
    taken = {column.name.lower() for column in (*focus, *own)} | {name.lower() for name in mapped}
    shared = [column for column in _shared(sources) if column.name.lower() not in taken]
    return (
        *focus,
        *own,
        *(FocusColumn(name=name, kind=_kind_of(name, sources)) for name in mapped),
        *shared,
    )


def _shared(sources: Iterable[FocusSource]) -> list[FocusColumn]:
    """The x_ columns that the tables of two or more providers have."""
    listed = list(sources)
    spellings: dict[str, str] = {}
    providers: Counter[str] = Counter()
    for provider in dict.fromkeys(source.provider for source in listed):
        names = {
            name.lower(): name
            for source in listed
            if source.provider == provider and source.mapping.delivers_focus
            for name in source.table.kinds
            if name.lower().startswith("x_")
        }
        providers.update(names.keys())
        for lower, name in names.items():
            spellings.setdefault(lower, name)
    return [
        FocusColumn(name=spellings[lower], kind=_kind_of(lower, listed))
        for lower in sorted(providers)
        if providers[lower] > 1
    ]


def _kind_of(name: str, sources: Sequence[FocusSource]) -> Kind:
    """What a column beyond FOCUS holds: what all tables that have it hold, otherwise text."""
    kinds = set()
    for source in sources:
        spelt = source.table.spelt(name)
        if spelt is not None:
            found = source.table.kinds[spelt]
            kinds.add(_KINDS.get(found) if isinstance(found, ColumnType) else None)
        elif (entry := source.mapping.columns.get(name)) and entry.value:
            kinds.add(_stated_kind(entry.value))
    return next(iter(kinds)) or Kind.TEXT if len(kinds) == 1 else Kind.TEXT


def _stated_kind(value: str) -> Kind:
    """What the expression of a column beyond FOCUS gives."""
    if value.startswith("{objects:") or ":json}" in value:
        return Kind.JSON
    return Kind.MONEY if ":money}" in value else Kind.TEXT
