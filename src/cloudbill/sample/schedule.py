"""The schedule of a sample export: billing months, their runs, and ids from a seed."""

import hashlib
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

RunKind: TypeAlias = Literal["mid-month", "month-end", "closing"]

__all__ = [
    "DIGITS",
    "Month",
    "RunKind",
    "ScheduledRun",
    "WrittenRun",
    "draw",
    "guid",
    "schedule",
    "told_each",
    "unheard",
]

_Item = TypeVar("_Item")

DIGITS = 60
"""The precision of the sample's decimal context, high enough to round nothing."""

_SMALLEST_ROWS = 40  # fewer would not show every kind of charge
_MONTHS_PER_YEAR = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenRun:
    """The content of one run on disk, as written, so that a loader can be compared with it."""

    provider: str
    """`azure` or `aws`."""
    export: str
    """Name of the export."""
    period: str
    """Billing month, `YYYY-MM`."""
    run_id: str
    """Azure `runId` or AWS `assemblyId`."""
    submitted_at: datetime
    """Start of the run, aware UTC; also the modification time of its files."""
    manifest_path: Path
    """The manifest that stays with this run; with overwriting, the only one."""
    part_paths: tuple[Path, ...]
    """Data files in the order of the manifest."""
    rows: int
    """Rows over all parts, headers not counted."""
    totals: Mapping[str, Mapping[str, Decimal]] = field(default_factory=dict)
    """Exact sums by billing currency, then by the cost column's name in the file."""


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month."""

    year: int
    """Such as 2025."""
    month: int
    """1 to 12."""

    def plus(self, months: int) -> "Month":
        """The month so many months later, or earlier if negative."""
        years, month = divmod(self.month - 1 + months, _MONTHS_PER_YEAR)
        return Month(self.year + years, month + 1)

    @property
    def start(self) -> datetime:
        """Its first moment, aware UTC."""
        return datetime(self.year, self.month, 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """The first moment after it, aware UTC."""
        return self.plus(1).start

    @property
    def days(self) -> int:
        """Its length in days."""
        return (self.end - self.start).days

    @property
    def index(self) -> int:
        """Months since January 2025, negative before."""
        return (self.year - 2025) * _MONTHS_PER_YEAR + self.month - 1

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledRun:
    """A run that is still to be written."""

    month: Month
    """The billing month."""
    kind: RunKind
    """The position of the run in the life of the month."""
    complete: bool
    """Whether it has everything that the month will ever have."""
    closed: bool
    """Whether the month is over and invoiced."""
    elapsed_days: int
    """Days of the month in the data, counted from its first."""
    submitted_at: datetime
    """Start of the run, aware UTC, to the microsecond."""
    run_id: str

    @property
    def last_day(self) -> datetime:
        """The last day in the data, at midnight."""
        return self.month.start + timedelta(days=self.elapsed_days - 1)


def told_each(items: Sequence[_Item], listen: Callable[[int, int], None]) -> Iterator[_Item]:
    """Each of some items; `listen` hears before each and at the end how many of all are done."""
    for done, item in enumerate(items):
        listen(done, len(items))
        yield item
    listen(len(items), len(items))


def unheard(done: int, total: int) -> None:
    """Nobody listens to how far it is."""


def draw(*parts: object) -> int:
    """A number from 0 to 2**64 - 1 that looks random, but depends only on the arguments."""
    text = "|".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def guid(*parts: object) -> str:
    """A version 4 GUID that depends only on the arguments."""
    text = "|".join(str(part) for part in parts)
    return str(uuid.UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4))


def schedule(
    *,
    identity: tuple[object, ...],
    months: int,
    rows: int,
    last: tuple[int, int],
    open_month: bool,
    runs_per_month: int,
    closing_day: int,
) -> list[ScheduledRun]:
    """The runs of an export in the order of their submission.

    The content and the run ids derive from `identity`, so equal ids mean equal data. `last` is the
    newest of `months` months. `rows` counts the rows of the last run of a month; it is only checked
    here. `open_month` leaves out the closing run of the newest month, which starts on `closing_day`
    of the next month. `runs_per_month` keeps the last 1 to 3 runs of each month.

    Raises:
        ValueError: If a number is outside what the sample can show.
    """
    if months < 1:
        raise ValueError(f"months must be 1 or more, got {months}")
    if rows < _SMALLEST_ROWS:
        raise ValueError(f"rows must be {_SMALLEST_ROWS} or more, got {rows}")
    if runs_per_month not in {1, 2, 3}:
        raise ValueError(f"runs_per_month must be 1, 2 or 3, got {runs_per_month}")
    newest = Month(*last)
    kinds: tuple[RunKind, ...] = ("mid-month", "month-end", "closing")
    runs: list[ScheduledRun] = []
    for month in (newest.plus(-back) for back in range(months)):
        closed = month != newest or not open_month
        kept = (kinds if closed else kinds[:2])[-runs_per_month:]
        runs.extend(
            _run(identity, month, kind, closed=closed, closing_day=closing_day) for kind in kept
        )
    return sorted(runs, key=lambda run: run.submitted_at)


def _run(
    identity: tuple[object, ...], month: Month, kind: RunKind, *, closed: bool, closing_day: int
) -> ScheduledRun:
    elapsed_days, day, hour = {
        "mid-month": (14, month.start + timedelta(days=14), 4),
        "month-end": (month.days, month.end - timedelta(days=1), 22),
        "closing": (month.days, month.end + timedelta(days=closing_day - 1), 3),
    }[kind]
    key = (*identity, month, kind, closed)
    second_of_hour, microsecond = divmod(draw("submitted", *key) % 3_600_000_000, 1_000_000)
    return ScheduledRun(
        month=month,
        kind=kind,
        complete=kind == "closing" or (kind == "month-end" and not closed),
        closed=closed,
        elapsed_days=elapsed_days,
        submitted_at=day + timedelta(hours=hour, seconds=second_of_hour, microseconds=microsecond),
        run_id=guid("run", *key),
    )
