"""What happens to an export over time: runs, and the events that add, cut and remove files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal, TypeAlias

from cloudbill.sample.schedule import Month, draw

PartState: TypeAlias = Literal["whole", "cut", "damaged"]

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
    """The last day of the month that it covers."""
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
        drawn = draw("cost", self.run_id, row)
        cost = Decimal(drawn).scaleb(-18)
        return -cost if drawn % 7 == 0 else cost

    def rows_of(self, part: int) -> range:
        """The numbers of the rows of a part."""
        size = -(-self.rows // self.parts)
        return range(min(part * size, self.rows), min((part + 1) * size, self.rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class PutPart:
    """A part of a run arrives.

    `copy` numbers the places of the run; `state` says whether the part is whole, still shorter than
    stated, or as long as stated but broken inside.
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
        """The parts that are absent or cut off."""
        there = self._parts.get((run, copy), {})
        return [part for part in range(run.parts) if there.get(part, "cut") == "cut"]

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
            if run.month == month and self.has_manifest(run, copy) and not self.missing(run, copy)
        }
        return sorted(found, key=lambda run: run.age)

    def is_announced(self) -> bool:
        """Whether any manifest is there, readable or not."""
        return bool(self._manifests)

    def unreadable(self) -> int:
        """How many manifests cannot be read."""
        return sum(not is_readable for is_readable in self._manifests.values())
