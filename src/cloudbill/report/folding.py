"""Keeps the costliest names of a report and sums the others, so totals stay exact; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Generic, Self, TypeVar

from cloudbill.costs.amounts import add_amounts
from cloudbill.costs.cube import add_known
from cloudbill.report.model import Amounts

__all__ = ["Fact", "Folding", "Name", "Others"]

_K = TypeVar("_K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Name:
    """A provider, service, sub-account or value of a tag; a text is empty if there is none.

    Two names are equal if they have the same `id`, or no `id` and the same `text`.
    """

    text: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Others:
    """A number of names of one currency that were summed together."""

    count: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact(Generic[_K]):
    """Amounts of one currency by names; `place` is never summed over, such as the month."""

    place: _K
    currency: str
    names: tuple[Name | Others, ...]
    amounts: Amounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Folding:
    """For each position of names and each currency, the names to keep."""

    renamed: tuple[Mapping[str, Mapping[Name | Others, Others]], ...]

    @classmethod
    def of(cls, facts: Iterable[Fact[_K]], most: int) -> Self:
        """Keeps the `most` costliest names of each currency at each position.

        The cost of a name is the sum of the absolute values of its first known amounts, so a large
        credit counts too.
        """
        costs: dict[int, dict[str, dict[Name | Others, Decimal]]] = defaultdict(
            lambda: defaultdict(lambda: defaultdict(Decimal))
        )
        for fact in facts:
            weight = _weight(fact.amounts)
            for index, name in enumerate(fact.names):
                of_names = costs[index][fact.currency]
                of_names[name] = add_amounts(of_names[name], weight)
        return cls(
            renamed=tuple(
                {
                    currency: _renamed(currency, of_names, most)
                    for currency, of_names in costs[index].items()
                }
                for index in sorted(costs)
            )
        )

    def apply(self, facts: Iterable[Fact[_K]]) -> list[Fact[_K]]:
        """The facts with only the kept names; every sum over all names stays the same."""
        sums: dict[tuple[_K, str, tuple[Name | Others, ...]], Amounts] = {}
        for fact in facts:
            names = tuple(
                renamed.get(fact.currency, {}).get(name, name)
                for renamed, name in zip(self.renamed, fact.names, strict=True)
            )
            key = (fact.place, fact.currency, names)
            before = sums.get(key)
            sums[key] = fact.amounts if before is None else _plus(before, fact.amounts)
        return [
            Fact(place=place, currency=currency, names=names, amounts=amounts)
            for (place, currency, names), amounts in sums.items()
        ]


def _renamed(
    currency: str, costs: Mapping[Name | Others, Decimal], most: int
) -> Mapping[Name | Others, Others]:
    # A row "others" for a single name would hide the name for nothing.
    if len(costs) <= most + 1:
        return {}
    folded = sorted(costs, key=lambda name: (-costs[name], str(name)))[most:]
    return dict.fromkeys(folded, Others(len(folded), currency))


def _weight(amounts: Amounts) -> Decimal:
    return next((abs(amount) for amount in amounts if amount is not None), _NOTHING)


def _plus(one: Amounts, other: Amounts) -> Amounts:
    return tuple(add_known(a, b) for a, b in zip(one, other, strict=True))


_NOTHING: Final = Decimal(0)
