"""The months that a command line asks for, against those that there can be and those there are."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from cloudbill.errors import ConfigError
from cloudbill.periods import BillingPeriod

__all__ = ["listed_months", "require_known", "require_past"]

_FURTHEST_EAST: Final = timedelta(hours=14)
"""So far ahead of UTC is the clock of some people, who are in the next month first."""


def require_past(asked: Iterable[BillingPeriod], now: datetime) -> None:
    """Refuses months that have not begun anywhere.

    Raises:
        ConfigError: If there is one.
    """
    current = BillingPeriod.of(now + _FURTHEST_EAST)
    future = sorted(period for period in asked if period > current)
    if future:
        raise ConfigError(
            f"--month: {listed_months(future)} is in the future; the current month is {current} by "
            "the clock of this machine"
        )


def require_known(
    asked: Iterable[BillingPeriod], known: Iterable[BillingPeriod], now: datetime
) -> None:
    """Refuses months of which there is neither a run nor a record; never the current month.

    Raises:
        ConfigError: If there is one; the message names the months that there are.
    """
    current = {BillingPeriod.of(now), BillingPeriod.of(now + _FURTHEST_EAST)}
    there = {*known}
    unknown = sorted({*asked} - there - current)
    if unknown:
        listed = f"the months there are: {listed_months(there)}"
        if not there:
            listed = "nothing is delivered or loaded yet"
        raise ConfigError(
            f"--month: no source has a run or a record of {listed_months(unknown)}; {listed}"
        )


def listed_months(periods: Iterable[BillingPeriod]) -> str:
    """Months in order, those without a gap as a range: `2025-01, 2025-03 to 2025-06`."""
    ranges: list[tuple[BillingPeriod, BillingPeriod]] = []
    for period in sorted({*periods}):
        if ranges and ranges[-1][1].next == period:
            ranges[-1] = (ranges[-1][0], period)
        else:
            ranges.append((period, period))
    return ", ".join(
        f"{first}" if first == last else f"{first} to {last}" for first, last in ranges
    )
