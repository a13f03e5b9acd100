"""What the months must hold, told without the code under test."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from cloudbill.sample.history.simulation import HistoryRun, Month, Shelf, is_less

__all__ = ["Books", "Expected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What one run of the loader does to a month."""

    before: HistoryRun | None
    """What the table holds."""
    remembered: HistoryRun | None
    """What the ledger says it holds."""
    chosen: HistoryRun | None
    """The run that is loaded, or would be but for its damage."""
    is_loaded: bool
    is_failed: bool
    is_held: bool
    """Whether a newer run waits for a person."""


@dataclass(kw_only=True)
class Books:
    """The rules in few lines: the newest complete run that is not held, and nothing older."""

    shelf: Shelf = field(default_factory=Shelf)
    table: dict[Month, HistoryRun] = field(default_factory=dict)
    ledger: dict[Month, HistoryRun] = field(default_factory=dict)
    accepted: set[str] = field(default_factory=set)

    def held(self, month: Month) -> list[HistoryRun]:
        """The runs that a load would hold now."""
        loaded = self._protected(month)
        return [
            run
            for run in self.shelf.complete(month)
            if loaded is not None
            and run.age > loaded.age
            and run.run_id not in self.accepted
            and is_less(run, loaded)
        ]

    def waiting(self, month: Month) -> list[HistoryRun]:
        """The held runs that a person hears of: those that something newer does not replace."""
        chosen = self._expect(month, force=False).chosen
        return [run for run in self.held(month) if chosen is None or run.age > chosen.age]

    def _rows(self, month: Month) -> int:
        return self.table[month].rows if month in self.table else 0

    def _protected(self, month: Month) -> HistoryRun | None:
        """The run that a newer one is compared with; an empty month protects none that had rows."""
        loaded = self.ledger.get(month)
        return None if loaded and loaded.rows and not self._rows(month) else loaded

    def expect(self, months: Collection[Month], *, force: bool = False) -> Mapping[Month, Expected]:
        """What a run of the loader does to each of these months."""
        return {month: self._expect(month, force=force) for month in months}

    def _expect(self, month: Month, *, force: bool) -> Expected:
        held, loaded = self.held(month), self._protected(month)
        free = [run for run in self.shelf.complete(month) if run not in held]
        chosen = max(free, key=lambda run: run.age, default=None)
        if chosen is not None and loaded is not None:
            again = force or loaded.rows != self._rows(month)
            is_new = chosen.age > loaded.age or (again and chosen == loaded)
            chosen = chosen if is_new else None
        is_damaged = chosen is not None and bool(self.shelf.damaged(chosen))
        return Expected(
            before=self.table.get(month),
            remembered=self.ledger.get(month),
            chosen=chosen,
            is_loaded=chosen is not None and not is_damaged,
            is_failed=is_damaged,
            is_held=any(chosen is None or run.age > chosen.age for run in held),
        )

    def write(self, expected: Mapping[Month, Expected]) -> None:
        """Takes in that a run of the loader came to its end."""
        for month, told in expected.items():
            if told.is_loaded and told.chosen is not None:
                self.table[month] = self.ledger[month] = told.chosen

    def exit_code(self, expected: Iterable[Expected]) -> int:
        """How that run ends: with a failure, with a run that waits for a person, or well.

        Nothing but data files is a failure, and so is nothing at all while nothing is loaded.
        """
        told = list(expected)
        if any(month.is_failed for month in told):
            return 5
        is_absent = not self.shelf.is_announced() and (self.shelf.places() or not self.ledger)
        if self.shelf.unreadable() or is_absent:
            return 3
        return 6 if any(month.is_held for month in told) else 0
