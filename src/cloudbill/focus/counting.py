"""Which of several sources with the same charges counts in the views; pure.

For each cloud, scope and month a FOCUS delivery counts before a report; of two alike the one with
the newest run, then the one that was loaded last, then the first in the order of sections. What is
configured does not matter, so that all configurations of a dataset agree. A source that is not to
be in the views never counts, and a delivery without rows has no charges.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from cloudbill.periods import BillingPeriod

__all__ = ["Delivered", "LeftOut", "left_out_months", "version_spans"]

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What a source has of a month; `key` is unique, and the order is that of the sections."""

    key: str
    cloud: str
    scope: str | None
    period: BillingPeriod
    delivers_focus: bool
    submitted_at: datetime | None
    loaded_at: datetime | None
    rows: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A month of a source that is not in the views, because another source has its charges."""

    key: str
    period: BillingPeriod
    counts: str
    """The key of the source that counts."""


def left_out_months(delivered: Sequence[Delivered]) -> tuple[LeftOut, ...]:
    """The months that are not in the views."""
    rivals: dict[tuple[str, str, BillingPeriod], list[Delivered]] = defaultdict(list)
    for one in delivered:
        if one.scope is not None and one.rows != 0:
            rivals[one.cloud, one.scope, one.period].append(one)
    found = []
    for together in rivals.values():
        # `max` takes the first of those that are alike.
        best = max(together, key=_rank)
        found += [
            LeftOut(key=one.key, period=one.period, counts=best.key)
            for one in together
            if one.key != best.key
        ]
    return tuple(sorted(found, key=lambda one: (one.key, one.period)))


def _rank(one: Delivered) -> tuple[bool, datetime, datetime]:
    return one.delivers_focus, one.submitted_at or _NEVER, one.loaded_at or _NEVER


def version_spans(
    versions: Mapping[BillingPeriod, str],
) -> tuple[tuple[date, date, str], ...]:
    """The versions of FOCUS by month as spans."""
    spans: list[tuple[date, date, str]] = []
    for period, version in sorted(versions.items()):
        if spans and spans[-1][1:] == (period.first_day, version):
            spans[-1] = (spans[-1][0], period.next.first_day, version)
        else:
            spans.append((period.first_day, period.next.first_day, version))
    return tuple(spans)
