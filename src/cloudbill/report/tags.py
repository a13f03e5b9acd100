"""Splits a cost cube by tags: the cost of the rows by the value of each key; pure."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Final, TypeVar

from cloudbill.costs.amounts import add_amounts
from cloudbill.costs.cube import CostCell, add_known
from cloudbill.report.folding import Fact, Name
from cloudbill.report.model import Amounts, SourceReport, kind_amounts, kind_places

__all__ = [
    "RARE",
    "TagPlace",
    "UNTAGGED",
    "facts_by_tag",
]

UNTAGGED: Final = Name("", "untagged")
"""The value for rows that do not have the key."""
RARE: Final = Name("", "rare")
"""The value for rows whose combination of tags was too rare to be read."""
_UNREADABLE: Final = "(tags that cannot be read)"


@dataclass(frozen=True, slots=True, kw_only=True)
class TagPlace:
    """The place of an amount by tag."""

    key: str
    month: str
    source: int
    provider: str


_K = TypeVar("_K")
_Group = tuple[str, str, str]
"""Month, provider and currency."""


def facts_by_tag(reports: tuple[SourceReport, ...], most_keys: int) -> list[Fact[TagPlace]]:
    """The cost of each value of the costliest keys; the values of each key add up to the total.

    The values of a key come from the sources that use the key; their rows without it are untagged,
    and so are all rows of the other sources.
    """
    parts = [_Parts.of(report) for report in reports]
    keys = _costliest_keys(parts, most_keys)
    return [
        Fact(
            place=TagPlace(key=key, month=month, source=index, provider=provider),
            currency=currency,
            names=(name,),
            amounts=amounts,
        )
        for index, part in enumerate(parts)
        for key in keys
        for (month, provider, currency), name, amounts in part.by_value(key)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """The amounts of one source: all, by key and value, and those that were not read."""

    totals: Mapping[_Group, Amounts]
    tagged: Mapping[str, Mapping[tuple[_Group, str], Amounts]]
    rare: Mapping[_Group, Amounts]

    @classmethod
    def of(cls, report: SourceReport) -> _Parts:
        totals: dict[_Group, Amounts] = {}
        months = report.months
        kinds = kind_places(months)
        for cell in months.cells:
            month, provider, *_, currency = cell.key
            _add(totals, (month, provider, currency), kind_amounts(cell, kinds))
        tagged: dict[str, dict[tuple[_Group, str], Amounts]] = defaultdict(dict)
        read: dict[_Group, Amounts] = {}
        kinds = kind_places(report.tags)
        for cell in report.tags.cells:
            month, provider, currency = cell.key
            group, amounts = (month, provider, currency), kind_amounts(cell, kinds)
            _add(read, group, amounts)
            for key, value in _tags_of(report, cell):
                _add(tagged[key], (group, value), amounts)
        return cls(
            totals=totals,
            tagged=tagged,
            # The query reads only the costliest combinations of tags. What is missing from the
            # total of a group belongs to the combinations that it left out.
            rare={
                group: left
                for group, amounts in totals.items()
                if any(left := _minus(amounts, read.get(group)))
            },
        )

    def by_value(self, key: str) -> Iterator[tuple[_Group, Name, Amounts]]:
        """Every value, and the rest of the totals."""
        known = self.tagged.get(key, {})
        # The rest of the total is untagged. It is computed, not read, so the values of every key
        # add up to the same total, also if a row has several keys.
        used = dict(self.rare)
        for (group, value), amounts in known.items():
            _add(used, group, amounts)
            yield group, Name(value, "value"), amounts
        for group, amounts in self.rare.items():
            yield group, RARE, amounts
        for group, amounts in self.totals.items():
            left = _minus(amounts, used.get(group))
            if any(left) or group not in used:
                yield group, UNTAGGED, left

    def cost(self, key: str) -> Mapping[str, Decimal]:
        """By currency, the absolute amount of the rows that have a key."""
        costs: dict[str, Decimal] = defaultdict(Decimal)
        for ((_, _, currency), _), amounts in self.tagged.get(key, {}).items():
            first = next((amount for amount in amounts if amount is not None), Decimal(0))
            costs[currency] = add_amounts(costs[currency], abs(first))
        return costs


def _costliest_keys(parts: list[_Parts], most: int) -> list[str]:
    """The keys that are among the costliest in any currency; currencies cannot be compared."""
    costs: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for part in parts:
        for key in part.tagged:
            for currency, cost in part.cost(key).items():
                costs[currency][key] = add_amounts(costs[currency][key], cost)
    best: dict[str, int] = {}
    for of_currency in costs.values():
        ranked = sorted(of_currency, key=lambda key: (-of_currency[key], key))
        for rank, key in enumerate(ranked):
            best[key] = min(rank, best.get(key, rank))
    return sorted(best, key=lambda key: (best[key], key))[:most]


def _tags_of(report: SourceReport, cell: CostCell) -> Iterator[tuple[str, str]]:
    """The keys and values of a group of rows; an empty value counts as none."""
    objects = (report.roles.tags_column or "").lower()
    for column, value in zip(report.tags.tag_columns, cell.tags, strict=True):
        if column.lower() == objects:
            yield from _parsed(value or "")
        elif value:
            yield _key_of(report, column), value


def _key_of(report: SourceReport, column: str) -> str:
    header = report.headers.get(column, "")
    start = report.roles.tags_header
    if start and header.startswith(start):
        return header.removeprefix(start)
    return column.removeprefix(report.roles.tags_prefix or "")


@lru_cache(maxsize=100_000)
def _parsed(text: str) -> tuple[tuple[str, str], ...]:
    """The tags of a JSON object, or of one without braces, as in older exports."""
    if not text:
        return ()
    for attempt in (text, f"{{{text}}}"):
        try:
            tags = json.loads(attempt)
        except (ValueError, RecursionError):
            continue
        if isinstance(tags, dict):
            return tuple((str(key), _text(value)) for key, value in tags.items() if _text(value))
    return ((_UNREADABLE, text[:100]),)


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _add(sums: dict[_K, Amounts], key: _K, amounts: Amounts) -> None:
    before = sums.get(key)
    if before is None:
        sums[key] = amounts
    else:
        sums[key] = tuple(add_known(a, b) for a, b in zip(before, amounts, strict=True))


def _minus(amounts: Amounts, used: Amounts | None) -> Amounts:
    if used is None:
        return amounts
    return tuple(
        add_known(amount, None if less is None else less.copy_negate())
        for amount, less in zip(amounts, used, strict=True)
    )
