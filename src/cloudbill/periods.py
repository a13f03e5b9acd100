"""Calendar months that are billed as one, their days, and the time now."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Self

__all__ = ["BillingPeriod", "days_between", "utc_now"]

_NO_MONTH: Final = "'{}' is not a month; write it as YYYY-MM, for example 2025-10"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class BillingPeriod:
    """A calendar month that is billed as one; `str()` gives `YYYY-MM`."""

    year: int
    month: int

    def __post_init__(self) -> None:
        # The range of datetime; a period outside it could not be compared with the data.
        date(self.year, self.month, 1)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `YYYY-MM`.

        Raises:
            ValueError: If the text is not a month.
        """
        match = re.fullmatch(r"(\d{4})-(\d{2})", text, re.ASCII)
        if match is None:
            raise ValueError(_NO_MONTH.format(text))
        try:
            return cls(year=int(match[1]), month=int(match[2]))
        except ValueError as error:
            raise ValueError(_NO_MONTH.format(text)) from error

    @classmethod
    def of(cls, day: date) -> Self:
        """The month of a day, or of a time's UTC day."""
        return cls(year=day.year, month=day.month)

    @property
    def partition_id(self) -> str:
        """The period as BigQuery names a MONTH partition: `YYYYMM`."""
        return f"{self.year:04d}{self.month:02d}"

    @property
    def first_day(self) -> date:
        """The first day of the month."""
        return date(self.year, self.month, 1)

    @property
    def last_day(self) -> date:
        """The last day of the month, inclusive."""
        return date(self.year, self.month, monthrange(self.year, self.month)[1])

    @property
    def next(self) -> Self:
        """The month after this one."""
        if self.month == 12:  # noqa: PLR2004
            return type(self)(year=self.year + 1, month=1)
        return type(self)(year=self.year, month=self.month + 1)


def days_between(
    period: BillingPeriod, first: date, last: date, submitted_at: datetime | None
) -> frozenset[date] | None:
    """The days of a month from `first` to `last`, none after the UTC day of `submitted_at`.

    None where that leaves no day: such a range says nothing.
    """
    ends = [last, period.last_day, *([submitted_at.date()] if submitted_at else [])]
    begin, end = max(first, period.first_day), min(ends)
    count = (end - begin).days + 1
    return frozenset(begin + timedelta(days=n) for n in range(count)) or None


def utc_now() -> datetime:
    """The time now, aware and in UTC."""
    return datetime.now(UTC)
