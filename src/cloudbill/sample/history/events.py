"""What happens to an export over time: runs, and the events that bring, cut and remove them."""

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
    """One delivery of an export; every row of it names it, and its costs follow from its id.

    Attributes:
        run_id: Stands in `ChargeDescription` of each row.
        month: The billing month.
        submitted_at: Start of the run, aware UTC.
        first_day: Day of the month that the run covers from, 1 or later.
        last_day: Day of the month that it covers to, inclusive.
        rows: Over all parts.
        parts: How many data files; none is how some empty runs come.
        states_rows: Whether the manifest counts the rows.
        added: Columns that it has beyond the usual ones.
        dropped: Usual columns that it lacks.
        keeps_runs: Whether the export keeps its older runs, which shows in the folders.
    """

    run_id: str
    month: Month
    submitted_at: datetime
    last_day: int
    rows: int
    first_day: int = 1
    parts: int = 2
    states_rows: bool = True
    added: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    keeps_runs: bool = True

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
        """What runs of a month are compared by."""
        return self.submitted_at, self.run_id

    def cost(self, row: int) -> Decimal:
        """What a row costs, to 18 digits behind the point; some rows are credits."""
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

    `copy` numbers the places that the run lies in; `state` says whether the part is whole, still
    shorter than stated, or as long as stated but broken inside.
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
    """A run is taken away with all its files, as an export does that overwrites its runs."""

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
    """What a store holds after events, told without reading it."""

    def __init__(self) -> None:
        self._parts: dict[tuple[HistoryRun, int], dict[int, PartState]] = {}
        self._manifests: dict[tuple[HistoryRun, int], bool] = {}

    def apply(self, event: Event) -> None:
        """Takes an event in."""
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
        """Every run and place of it that a file lies in."""
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

    def unreadable(self) -> int:
        """How many manifests cannot be read."""
        return sum(not is_readable for is_readable in self._manifests.values())
