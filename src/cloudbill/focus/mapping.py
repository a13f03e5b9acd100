"""How the columns of FOCUS are filled from the tables of a provider, read from `data/`.

A value is SQL that every warehouse understands, with placeholders for what differs between tables
and warehouses (see `rendering`).
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Final

__all__ = [
    "Entry",
    "LeftOver",
    "Lookup",
    "Objects",
    "ProviderMapping",
    "Split",
    "lookup_of",
    "mapping_of",
]

_FOLDER: Final = files("cloudbill.focus").joinpath("data")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """How a column is filled: by an expression, or not at all and why."""

    value: str | None
    null: str | None
    """Why there is nothing."""
    rule: str = ""
    """What the expression is, in Markdown."""
    source: str = ""
    """Where the rule is published."""


Entries = Mapping[str, Entry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """The columns of a table that become one object: those with a prefix, and those of maps.

    `prefixes` has for each prefix the one of its headers, and what is put before the keys; `maps`
    has for each column what is put before its keys. The first that has a key counts.
    """

    prefixes: tuple[tuple[str, str, str], ...]
    maps: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The rows of a table that are charges twice: the columns in which the second differs."""

    name: str
    where: str
    rule: str
    source: str
    columns: Entries


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOver:
    """Rows that cancel each other out by group: what is left over of a group is a charge."""

    rows: str
    amount: str
    group: tuple[str, ...]
    rule: str
    source: str
    columns: Entries


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """A table of values by key: what each of its columns has for each key."""

    keys: tuple[str, ...]
    values: Mapping[str, tuple[str, ...]]

    def by_key(self, column: str) -> dict[str, str]:
        """What a column has for each key."""
        return dict(zip(self.keys, self.values[column], strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderMapping:
    """How the tables of a provider become FOCUS.

    Where `delivers_focus`, a column without an entry is as it is in the table.
    """

    title: str
    delivers_focus: bool
    columns: Entries
    objects: Mapping[str, Objects] = field(default_factory=dict)
    drop: str | None = None
    """The rows of a table that are no rows of the view."""
    splits: tuple[Split, ...] = ()
    left_over: LeftOver | None = None

    @property
    def own_columns(self) -> tuple[str, ...]:
        """The columns beyond FOCUS that every view has for this provider."""
        return tuple(name for name in self.columns if name.startswith("x_"))


@cache
def mapping_of(provider: str) -> ProviderMapping:
    """The mapping of a provider, by its name."""
    data = tomllib.loads(_FOLDER.joinpath(f"{provider}.toml").read_text(encoding="utf-8"))
    left_over = data.get("left_over")
    return ProviderMapping(
        title=data["title"],
        delivers_focus=data["delivers_focus"],
        columns=_entries(data["columns"]),
        objects={
            name: Objects(
                prefixes=tuple(
                    (one["prefix"], one["header"], one["key"]) for one in group.get("prefixes", ())
                ),
                maps=tuple((one["column"], one["key"]) for one in group.get("maps", ())),
            )
            for name, group in data.get("objects", {}).items()
        },
        drop=data.get("drop"),
        splits=tuple(
            Split(
                name=name,
                where=split["where"],
                rule=split["rule"],
                source=split["source"],
                columns=_entries(split["columns"]),
            )
            for name, split in data.get("split", {}).items()
        ),
        left_over=left_over
        and LeftOver(
            rows=left_over["rows"],
            amount=left_over["amount"],
            group=tuple(left_over["group"]),
            rule=left_over["rule"],
            source=left_over["source"],
            columns=_entries(left_over["columns"]),
        ),
    )


def _entries(columns: Mapping[str, Mapping[str, str]]) -> Entries:
    return {
        name: Entry(
            value=entry.get("value"),
            null=entry.get("null"),
            rule=entry.get("rule", ""),
            source=entry.get("source", ""),
        )
        for name, entry in columns.items()
    }


@cache
def lookup_of(name: str) -> Lookup:
    """A lookup, by the name of its file; its first column has the keys."""
    text = _FOLDER.joinpath(f"{name}.csv").read_text(encoding="utf-8")
    header, *rows = csv.reader(text.splitlines())
    return Lookup(
        keys=tuple(row[0] for row in rows),
        values={column: tuple(row[at] for row in rows) for at, column in enumerate(header)},
    )
