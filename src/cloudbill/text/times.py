"""Ages and times as text, and text as ages and times."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import MAXYEAR, UTC, date, datetime, timedelta
from typing import Final

from cloudbill.errors import ConfigError

__all__ = ["age_in_words", "iso_time", "parse_time", "read_age", "shown_days", "shown_time"]

_WRITTEN: Final = re.compile(r"(\d{1,6})([mhd])", re.ASCII)
_UNITS: Final = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_HOURS_SHOWN: Final = timedelta(days=2)
"""Below this age, hours say more than days."""


def read_age(text: str) -> timedelta:
    """Reads `90m`, `36h` or `2d`.

    Raises:
        ConfigError: If the text is not an age, or the age is zero.
    """
    match = _WRITTEN.fullmatch(text.strip())
    age = int(match[1]) * _UNITS[match[2]] if match else timedelta()
    if not age:
        raise ConfigError(
            f"'{text}' is not an age; write a number of minutes, hours or days: 90m, 36h, 2d"
        )
    return age


def age_in_words(age: timedelta) -> str:
    """`just now`, `5 min ago`, `9 h ago`, `3 days ago`; rounded down.

    A time in the future is `just now`: the clocks of two machines are never exactly the same.
    """
    if age < _UNITS["m"]:
        return "just now"
    if age < _UNITS["h"]:
        return f"{age // _UNITS['m']} min ago"
    if age < _HOURS_SHOWN:
        return f"{age // _UNITS['h']} h ago"
    return f"{age.days} days ago"


def shown_time(moment: datetime) -> str:
    """A time for people, to the minute and in UTC: `2025-10-21 04:00`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


def shown_days(days: Iterable[date]) -> str:
    """Days in their order, those that follow each other as one: `2025-10-01 to 2025-10-10`."""
    spans: list[tuple[date, date]] = []
    for day in days:
        if spans and day - spans[-1][1] == _UNITS["d"]:
            spans[-1] = spans[-1][0], day
        else:
            spans.append((day, day))
    return ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in spans)


def parse_time(text: str) -> datetime:
    """Reads an ISO 8601 time; digits below the microsecond are cut off, no zone means UTC.

    Raises:
        ValueError: If the text is not a time, or is one whose month has no end in `datetime`.
    """
    moment = datetime.fromisoformat(text.strip())
    try:
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text} is out of range") from error
    if moment.year == MAXYEAR:
        raise ValueError(f"{text} is out of range")
    return moment


def iso_time(moment: datetime | None) -> str | None:
    """A time for a JSON document, in UTC."""
    return None if moment is None else moment.astimezone(UTC).isoformat()
