"""An export over many days, with everything that goes wrong in reality.

    history = simulate(seed=1)
    for event in history.events:
        history.layout.apply(event, folder)   # and run the loader whenever you like

Events are plain values in order of time. A test may also make its own from `HistoryRun` and
`deliver`, in any order, and use a `Shelf` to know the content of the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cloudbill.sample.history.events import (
    Event,
    HistoryRun,
    PartState,
    PutManifest,
    PutPart,
    Remove,
    Shelf,
    deliver,
)
from cloudbill.sample.history.files import ADDED_COLUMNS, FEW_COLUMNS, Layout
from cloudbill.sample.schedule import Month, draw, guid, told_each, unheard

__all__ = [
    "ADDED_COLUMNS",
    "Event",
    "FEW_COLUMNS",
    "History",
    "HistoryRun",
    "Layout",
    "Month",
    "PartState",
    "PutManifest",
    "PutPart",
    "Remove",
    "Shelf",
    "deliver",
    "simulate",
    "write_history",
]

_REOPENED_DAYS: Final = 5
"""Azure exports the previous month again on each of the first five days of a month."""
_NEVER: Final = 2099
_MINUTES_BETWEEN_STEPS: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What happened to an export, in the order of time."""

    events: tuple[Event, ...]
    layout: Layout

    def runs(self) -> tuple[HistoryRun, ...]:
        """Every run of the events, in the order of submission."""
        return tuple(sorted({event.run for event in self.events}, key=lambda run: run.age))

    def until(self, day: int) -> History:
        """The history up to the end of a day, counted from 1."""
        first = self.events[0].at.date()
        kept = [event for event in self.events if (event.at.date() - first).days < day]
        return History(events=tuple(kept), layout=self.layout)


def simulate(
    *,
    seed: int,
    months: int = 2,
    first: tuple[int, int] = (2025, 9),
    rows_per_day: int = 2,
    overwrite: bool = False,
    has_oddities: bool = False,
    layout: Layout | None = None,
) -> History:
    """A daily export over some months, and over the days on which the last month is open again.

    Most runs arrive as they should. Some of the others arrive late, part by part or manifest first,
    are narrower or empty, are in two places, have a manifest that cannot be read at first, or one
    without row counts; columns appear and vanish over time.

    Everything random derives from `seed`. `first` is the year and month of the oldest month, and
    `rows_per_day` counts the rows of each covered day. With `overwrite`, each run removes the
    previous one. `layout` says where the export is, and which columns it has.

    With `has_oddities` there are also weeks, runs of another subscription, runs over two months,
    other rows under an id that came before, times that have not come, parts that are too long, and
    rows whose costs are not there yet.
    """
    maker = _Maker(
        seed=seed, rows_per_day=rows_per_day, overwrite=overwrite, has_oddities=has_oddities
    )
    oldest = Month(*first)
    end = oldest.plus(months).start + timedelta(days=_REOPENED_DAYS)
    day = oldest.start
    while day < end:
        current = Month(day.year, day.month)
        if current != oldest.plus(months):
            maker.add_daily(current, day)
        if day.day <= _REOPENED_DAYS and current != oldest:
            maker.add_reopened(current.plus(-1), day)
        day += timedelta(days=1)
    # Sorting keeps the order of what happens at one time.
    events = sorted(maker.events, key=lambda event: event.at)
    return History(events=tuple(events), layout=layout or Layout())


def write_history(
    directory: Path,
    *,
    months: int = 2,
    seed: int = 1,
    days: int | None = None,
    listen: Callable[[int, int], None] = unheard,
) -> History:
    """Writes a simulated export as it is after some days, and says what happened.

    `directory` is the copy of the container. `days` counts the days since the first, all of them if
    None. To call it again with more days is to let time pass: existing files stay the same.
    `listen` hears how many of how many events have happened.
    """
    history = simulate(seed=seed, months=months)
    passed = history if days is None else history.until(days)
    for event in told_each(passed.events, listen):
        passed.layout.apply(event, directory)
    return passed


@dataclass(kw_only=True)
class _Maker:
    """Makes the runs of an export one by one, and decides how each of them arrives."""

    seed: int
    rows_per_day: int
    overwrite: bool
    has_oddities: bool = False
    events: list[Event] = field(default_factory=list)
    _last: dict[Month, HistoryRun] = field(default_factory=dict)

    def add_daily(self, month: Month, day: datetime) -> None:
        """The daily run of the month to date, and sometimes one that a person started."""
        if self._draw("skipped", day) % 11 == 0:
            return
        self._arrive(self._run(month, day, "daily", last_day=day.day))
        if day.day > _REOPENED_DAYS and self._draw("narrow", day) % 12 == 0:
            # A person exports the first days again.
            self._arrive(self._run(month, day, "narrow", last_day=_REOPENED_DAYS))
        if day.day > 1 and self._draw("empty", day) % 20 == 0:
            self._arrive(self._run(month, day, "empty", last_day=day.day))
        if self.has_oddities and self._draw("odd", day) % 3 == 0:
            self._arrive(self._odd(month, day, self._draw("oddity", day) % 6))

    def _odd(self, month: Month, day: datetime, kind: int) -> HistoryRun:
        """A run of a kind that should not come, and does."""
        usual = self._run(month, day, f"odd {kind}", last_day=day.day)
        match kind:
            case 0:
                first = max(1, day.day - 6)
                return replace(usual, first_day=first, time_frame="WeekToDate")
            case 1:
                return replace(usual, scope=f"subscriptions/{guid('other', self.seed)}")
            case 2:
                before = month.plus(-1) if month.plus(-1) in self._last else month
                days = before.days if before != month else 0
                return replace(usual, month=before, last_day=days + day.day)
            case 3 if not self.overwrite:
                again = self._last.get(month, usual)
                return replace(usual, run_id=again.run_id, edition=again.edition + 1)
            case 4:
                return replace(usual, submitted_at=usual.submitted_at.replace(year=_NEVER))
            case _:
                return replace(usual, has_costs=False)

    def add_reopened(self, month: Month, day: datetime) -> None:
        """A run of the previous month, which stays open for a few days."""
        self._arrive(self._run(month, day, "reopened", last_day=month.days))

    def _run(self, month: Month, day: datetime, kind: str, *, last_day: int) -> HistoryRun:
        drawn = self._draw("run", kind, month, day)
        hour = {"daily": 4, "reopened": 5, "narrow": 11, "empty": 15}.get(kind, 18)
        is_drifted = self._draw("drift") % 40 < (day - datetime(2025, 9, 1, tzinfo=day.tzinfo)).days
        # Usage is revised while the month is open, so a run may have a few rows less.
        rows = last_day * self.rows_per_day + drawn % 3
        return HistoryRun(
            run_id=guid("history", self.seed, kind, month, day),
            month=month,
            submitted_at=day + timedelta(hours=hour, seconds=drawn % 3600),
            last_day=last_day,
            rows=0 if kind == "empty" else rows,
            parts=drawn % 2 if kind == "empty" else 1 + drawn % 3,
            states_rows=drawn % 9 != 0 or kind == "empty",
            added=ADDED_COLUMNS[:1] if is_drifted else (),
            dropped=("x_SkuDetails",) if is_drifted and drawn % 2 else (),
            keeps_runs=not self.overwrite,
        )

    def _arrive(self, run: HistoryRun) -> None:
        """Decides how a run arrives; the files that it overwrites are removed before."""
        drawn = self._draw("arrival", run.run_id)
        at = run.submitted_at + timedelta(minutes=30)
        if at.year == _NEVER:  # which its files have not
            at = at.replace(year=run.covers[1].year)
        if drawn % 10 == 0:
            at += timedelta(days=1 + drawn % 3)  # late, and after newer ones
        before = self._last.get(run.month)
        if self.overwrite and before is not None:
            self.events.append(Remove(at=at, run=before))
        self._last[run.month] = run
        way = drawn // 10 % 12
        if self.has_oddities and way == 4 and run.parts:  # noqa: PLR2004
            self.events += deliver(run, at)
            self.events.append(PutPart(at=at, run=run, part=0, state="longer"))
            self.events.append(PutPart(at=at + timedelta(days=1), run=run, part=0))
        elif way in {0, 1} and run.parts:
            self.events += _bit_by_bit(run, at, days=drawn // 120 % 2)
        elif way == 2:  # noqa: PLR2004
            self.events.append(PutManifest(at=at, run=run, is_readable=False))
            self.events += deliver(run, at + timedelta(days=1))
        else:
            self.events += deliver(run, at)
        if way == 3 and not self.overwrite:  # noqa: PLR2004
            self.events += deliver(run, at + timedelta(hours=1), copy=1)

    def _draw(self, *what: object) -> int:
        return draw("history", self.seed, *what)


def _bit_by_bit(run: HistoryRun, at: datetime, *, days: int) -> Iterator[Event]:
    """The manifest arrives first, then the parts in reverse order, each cut off at first.

    The last step takes this many more days.
    """
    step = timedelta(minutes=_MINUTES_BETWEEN_STEPS)
    yield PutManifest(at=at, run=run)
    for part in reversed(range(run.parts)):
        at += step
        yield PutPart(at=at, run=run, part=part, state="cut")
        yield PutPart(at=at + (step if part else timedelta(days=days)), run=run, part=part)
