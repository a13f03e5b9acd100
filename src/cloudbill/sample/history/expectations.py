"""What `load` makes of a simulated export at the end of each day, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from cloudbill.sample.history.events import Event, HistoryRun, Month, Shelf

__all__ = ["day_lines"]

_SHOWN: Final = 8


def day_lines(events: Iterable[Event]) -> Iterator[str]:
    """A line for each day without a delivery, and one for each run that changed on a day."""
    days: dict[int, list[Event]] = {}
    first = None
    for event in events:
        first = first or event.at.date()
        days.setdefault((event.at.date() - first).days, []).append(event)
    if first is None:
        return
    expected = _Expected()
    for number in range(max(days) + 1):
        told = expected.after(days.get(number, [])) or ["no delivery"]
        for line in told:
            yield f"day {number + 1:>3}  {first + timedelta(days=number)}  {line}"


@dataclass
class _Expected:
    """The store and the table, if `load` runs at the end of each day."""

    shelf: Shelf = field(default_factory=Shelf)
    loaded: dict[Month, HistoryRun] = field(default_factory=dict)

    def after(self, events: Iterable[Event]) -> list[str]:
        """What is to be said of the runs that the events of a day are of."""
        today = list(events)
        for event in today:
            self.shelf.apply(event)
        runs = dict.fromkeys(event.run for event in today)
        before = dict(self.loaded)
        for run in runs:
            self._load(run.month)
        copies = {event.run for event in today if event.copy}
        lines = []
        for run in sorted(runs, key=lambda run: run.age):
            twice = "; it is in two places, and counts once" if run in copies else ""
            lines.append(f"{_named(run)} {self._told(run, before.get(run.month))}{twice}")
        return lines

    def _load(self, month: Month) -> None:
        """The newest complete run counts that is newer than the loaded one and not held."""
        for run in reversed(self.shelf.complete(month)):
            loaded = self.loaded.get(month)
            if (loaded is None or run.age > loaded.age) and not self._is_held(run):
                self.loaded[month] = run
                return

    def _is_held(self, run: HistoryRun) -> bool:
        others = [one for one in self.shelf.complete(run.month) if one.age < run.age and one.rows]
        widest = max((one.last_day for one in others), default=0)
        return run.rows == 0 or run.last_day < widest

    def _told(self, run: HistoryRun, before: HistoryRun | None) -> str:
        if run not in self.shelf.complete(run.month):
            if self.shelf.has_manifest(run):
                lacking = len(self.shelf.missing(run))
                return f"waits: {lacking} of {run.parts} parts are not there in full"
            return "cannot be read: its manifest is cut off (exit code 3)"
        loaded = self.loaded.get(run.month)
        if loaded == run:
            return f"is loaded: {self._loaded(run, before)}"
        if loaded is not None and run.age < loaded.age:
            return "is not loaded: a newer run is there"
        if self._is_held(run):
            why = "it has no rows" if run.rows == 0 else f"it ends with day {run.last_day}"
            return f"is held: {why} (exit code 6 until a newer run, `accept` or `dismiss`)"
        return "is not loaded"

    def _loaded(self, run: HistoryRun, before: HistoryRun | None) -> str:
        told = [f"days 1 to {run.last_day}, {run.rows} rows"]
        if before is not None:
            told.append(f"it replaces days 1 to {before.last_day}, {before.rows} rows")
        if run.added and not (before and before.added):
            told.append(f"with a new column {', '.join(run.added)}")
        if run.dropped:
            told.append(f"without the column {', '.join(run.dropped)}")
        return "; ".join(told)


def _named(run: HistoryRun) -> str:
    return f"{run.month}  run {run.run_id[:_SHOWN]}"
