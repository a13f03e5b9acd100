"""Which sources have the same charges, so that their sum would double the bill; pure."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cloudbill.periods import BillingPeriod

__all__ = ["Billed", "Double", "find_doubles"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Billed:
    """What a source has of a month: the cloud that bills, and what it bills as one, if known."""

    cloud: str
    scope: str | None
    period: BillingPeriod


@dataclass(frozen=True, slots=True, kw_only=True)
class Double:
    """Two sources that have the charges of one scope in the same months."""

    first: str
    second: str
    scope: str
    periods: tuple[BillingPeriod, ...]


def find_doubles(billed: Mapping[str, Iterable[Billed]]) -> list[Double]:
    """Pairs of sources with the same cloud, scope and month, whatever their form."""
    owners: dict[tuple[str, str], dict[str, set[BillingPeriod]]] = defaultdict(dict)
    for source, months in billed.items():
        for one in months:
            if one.scope is not None:
                owners[one.cloud, one.scope].setdefault(source, set()).add(one.period)
    return [
        Double(first=first, second=second, scope=scope, periods=tuple(sorted(both)))
        for (_, scope), by_source in sorted(owners.items())
        for first, second in itertools.combinations(sorted(by_source), 2)
        if (both := by_source[first] & by_source[second])
    ]
