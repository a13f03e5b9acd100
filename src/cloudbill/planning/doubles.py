"""Which sources have the same charges, so that their sum would double the bill; pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cloudbill.periods import BillingPeriod

__all__ = ["Billed", "Double", "find_doubles"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Billed:
    """What a source has of a month: the cloud that bills, and what it bills as one, if known."""

    cloud: str
    dataset: str
    scope: str | None
    period: BillingPeriod


@dataclass(frozen=True, slots=True, kw_only=True)
class Double:
    """The sources that have the charges of one scope, each in a month with another of them."""

    sources: tuple[str, ...]
    scope: str
    periods: tuple[BillingPeriod, ...]
    """The months that two of them have, or more."""
    is_odd: bool
    """Whether two of them are of one dataset. A report beside FOCUS is what many want."""


def find_doubles(billed: Mapping[str, Iterable[Billed]]) -> list[Double]:
    """Sources with the same cloud, scope and month, whatever their form: one for each scope."""
    found: dict[tuple[str, str], dict[str, set[Billed]]] = defaultdict(lambda: defaultdict(set))
    for source, months in billed.items():
        for one in months:
            if one.scope is not None:
                found[one.cloud, one.scope][source].add(one)
    return [
        double
        for (_, scope), by_source in sorted(found.items())
        if (double := _double(scope, by_source)) is not None
    ]


def _double(scope: str, by_source: Mapping[str, set[Billed]]) -> Double | None:
    periods = Counter(one.period for months in by_source.values() for one in months)
    of_dataset = Counter(one for months in by_source.values() for one in months)
    both = {period for period, sources in periods.items() if sources > 1}
    if not both:
        return None
    return Double(
        sources=tuple(
            source
            for source in sorted(by_source)
            if any(one.period in both for one in by_source[source])
        ),
        scope=scope,
        periods=tuple(sorted(both)),
        is_odd=any(sources > 1 for sources in of_dataset.values()),
    )
