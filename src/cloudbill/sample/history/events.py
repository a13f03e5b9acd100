"""What happens to an export over time: runs, and the events that add, cut and remove files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal, TypeAlias

from cloudbill.sample.schedule import Month, draw

PartState: TypeAlias = Literal["whole", "cut", "damaged", "longer"]

__all__ = [
    "Event",
    "HistoryRun",
    "Month",
    "PartState",
    "PutManifest",
    "PutPart",
    "Remove",
    "Shelf",
    "deliver",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRun:
    """One delivery of an export; every row names its run, and costs derive from the run id."""

    run_id: str
    """It is in `ChargeDescription` of each row."""
    month: Month
    """The billing month."""
    submitted_at: datetime
    """Start of the run, aware UTC."""
    last_day: int
    """The last day that it covers, counted from the first of its month; it may be in a later one.
    """
    rows: int
    """The rows of all parts."""
    first_day: int = 1
    """The first day of the month that it covers, 1 or later."""
    parts: int = 2
    """The number of data files; some empty runs have none."""
    states_rows: bool = True
    """Whether the manifest counts the rows."""
    added: tuple[str, ...] = ()
    """Columns in addition to the usual ones."""
    dropped: tuple[str, ...] = ()
    """Usual columns that are missing."""
    keeps_runs: bool = True
    """Whether the export keeps its older runs, which the folders show."""
    edition: int = 0
    """Counts the deliveries that came under one id, each with other rows."""
    scope: str | None = None
    """What it bills, if that is another subscription than the export's own."""
    time_frame: str | None = None
    """What the export says that each of its runs covers, if it says so."""
    has_costs: bool = True
    """Whether its rows have costs, which may come later than the rows."""

    @property
    def name(self) -> str:
        """What its rows call it."""
        return f"{self.run_id}#{self.edition}" if self.edition else self.run_id

    @property
    def months(self) -> tuple[Month, ...]:
        """The months that it covers, up to the day on which it was submitted."""
        last = min(self.covers[1], self.submitted_at.date())
        months = [self.month]
        while months[-1].end.date() <= last:
            months.append(months[-1].plus(1))
        return tuple(months)

    @property
    def covers(self) -> tuple[date, date]:
        """The first and last day that it covers."""
        start = self.month.start.date()
        return start + timedelta(days=self.first_day - 1), start + timedelta(days=self.last_day - 1)

    @property
    def total(self) -> Decimal:
        """The exact sum of each of its cost columns."""
        return sum((self.cost(row) for row in range(self.rows)), Decimal(0))

    @property
    def age(self) -> tuple[datetime, str]:
        """The key by which runs of a month are compared."""
        return self.submitted_at, self.run_id

    def cost(self, row: int) -> Decimal:
        """The cost of a row, with 18 digits after the point; some rows are credits."""
        if not self.has_costs:
            return Decimal(0)
        drawn = draw("cost", self.name, row)
        cost = Decimal(drawn).scaleb(-18)
        return -cost if drawn % 7 == 0 else cost

    def day_of(self, row: int) -> date:
        """The day that a row charges."""
        return self.covers[0] + timedelta(days=row % (self.last_day - self.first_day + 1))

    def rows_in(self, month: Month) -> list[int]:
        """The numbers of its rows of a month."""
        start, end = month.start.date(), month.end.date()
        return [row for row in range(self.rows) if start <= self.day_of(row) < end]

    def rows_of(self, part: int) -> range:
        """The numbers of the rows of a part."""
        size = -(-self.rows // self.parts)
        return range(min(part * size, self.rows), min((part + 1) * size, self.rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class PutPart:
    """A part of a run arrives.

    `copy` numbers the places of the run; `state` says whether the part is whole, still shorter or
    longer than stated, or as long as stated but broken inside.
    """

    at: datetime
    run: HistoryRun
    part: int
    copy: int = 0
    state: PartState = "whole"


@dataclass(frozen=True, slots=True, kw_only=True)
class PutManifest:
    """The manifest of a run arrives, perhaps one that cannot be read."""

    at: datetime
    run: HistoryRun
    copy: int = 0
    is_readable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """A run is removed with all its files, as in an export that overwrites its runs."""

    at: datetime
    run: HistoryRun
    copy: int = 0


Event: TypeAlias = PutPart | PutManifest | Remove


def deliver(run: HistoryRun, at: datetime, *, copy: int = 0) -> Iterator[Event]:
    """A run arrives as it should: its parts, and then its manifest."""
    for part in range(run.parts):
        yield PutPart(at=at, run=run, part=part, copy=copy)
    yield PutManifest(at=at, run=run, copy=copy)


class Shelf:
    """The content of a store after events, known without reading it."""

    def __init__(self) -> None:
        self._parts: dict[tuple[HistoryRun, int], dict[int, PartState]] = {}
        self._manifests: dict[tuple[HistoryRun, int], bool] = {}

    def apply(self, event: Event) -> None:
        """Applies an event."""
        place = event.run, event.copy
        match event:
            case PutPart():
                self._parts.setdefault(place, {})[event.part] = event.state
            case PutManifest():
                self._manifests[place] = event.is_readable
            case Remove():
                self._parts.pop(place, None)
                self._manifests.pop(place, None)

    def places(self) -> list[tuple[HistoryRun, int]]:
        """Every run that has a file, with the place of the file."""
        return sorted(
            {*self._parts, *self._manifests}, key=lambda place: (place[0].run_id, place[1])
        )

    def missing(self, run: HistoryRun, copy: int = 0) -> list[int]:
        """The parts that are absent, cut off, or too long."""
        there = self._parts.get((run, copy), {})
        return [part for part in range(run.parts) if there.get(part, "cut") in {"cut", "longer"}]

    def damaged(self, run: HistoryRun, copy: int = 0) -> list[int]:
        """The parts that are broken inside."""
        there = self._parts.get((run, copy), {})
        return [part for part, state in sorted(there.items()) if state == "damaged"]

    def has_manifest(self, run: HistoryRun, copy: int = 0) -> bool:
        """Whether a manifest is there that can be read."""
        return self._manifests.get((run, copy), False)

    def complete(self, month: Month) -> list[HistoryRun]:
        """The runs of a month that can be loaded, oldest first: manifest there, no part missing."""
        found = {
            run
            for run, copy in self._manifests
            if month in run.months and self.has_manifest(run, copy) and not self.missing(run, copy)
        }
        return sorted(found, key=lambda run: run.age)

    def months(self) -> set[Month]:
        """The months of which any run has a manifest."""
        return {month for run, _ in self._manifests for month in run.months}

    def is_announced(self) -> bool:
        """Whether any manifest is there, readable or not."""
        return bool(self._manifests)

    def unreadable(self) -> int:
        """How many manifests cannot be read."""
        return sum(not is_readable for is_readable in self._manifests.values())
