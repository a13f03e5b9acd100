"""When a sample export runs: billing months, their runs, and ids that follow from a seed."""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Literal, TypeAlias

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
]

DIGITS = 60
"""Precision of the decimal context in which the sample computes: nothing is rounded by it."""

_SMALLEST_ROWS = 40  # fewer would not show every kind of charge
_MONTHS_PER_YEAR = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenRun:
    """What one run on disk holds, told by its maker, so that a loader can be held against it.

    Attributes:
        provider: `azure` or `aws`.
        export: Name of the export.
        period: Billing month, `YYYY-MM`.
        run_id: Azure `runId` or AWS `assemblyId`.
        submitted_at: Start of the run, aware UTC; also the modification time of its files.
        manifest_path: The manifest that stays with this run (with overwriting: the only one).
        part_paths: Data files in the order of the manifest.
        rows: Rows over all parts, headers not counted.
        totals: Exact sums by billing currency, then by the cost column's name in the file.
    """

    provider: str
    export: str
    period: str
    run_id: str
    submitted_at: datetime
    manifest_path: Path
    part_paths: tuple[Path, ...]
    rows: int
    totals: Mapping[str, Mapping[str, Decimal]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month.

    Attributes:
        year: Such as 2025.
        month: 1 to 12.
    """

    year: int
    month: int

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
    """A run that is still to be written.

    Attributes:
        month: The billing month.
        kind: Where in the month's life the run stands.
        complete: Whether it holds everything that the month will ever hold.
        closed: Whether the month is over and invoiced.
        elapsed_days: Days of the month in the data, counted from its first.
        submitted_at: Start of the run, aware UTC, to the microsecond.
        run_id: A GUID.
    """

    month: Month
    kind: RunKind
    complete: bool
    closed: bool
    elapsed_days: int
    submitted_at: datetime
    run_id: str

    @property
    def last_day(self) -> datetime:
        """The last day in the data, at its midnight."""
        return self.month.start + timedelta(days=self.elapsed_days - 1)


def draw(*parts: object) -> int:
    """A number that looks random and follows from its arguments alone, 0 to 2**64 - 1."""
    text = "|".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def guid(*parts: object) -> str:
    """A version 4 GUID that follows from its arguments alone."""
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

    Args:
        identity: What the content follows from; a run id follows from it as well, so that equal
            ids mean equal data.
        months: How many billing months, the last of them `last`.
        rows: Rows of the last run of a month; checked here only.
        last: Year and month of the newest month.
        open_month: Whether the newest month is still open, thus without its closing run.
        runs_per_month: Keep so many of the last runs of each month, 1 to 3.
        closing_day: Day of the next month on which a month's closing run starts.

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
