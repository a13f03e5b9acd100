"""What the months must hold, told without the code under test."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import zip_longest
from math import ceil
from typing import Final

from cloudbill.sample.history.simulation import HistoryRun, Month, Shelf

__all__ = ["OWN_SCOPE", "Books", "Expected"]

_MAX_ROW_DROP: Final = Decimal("0.5")
_FEW: Final = 10
_COST_SHARE: Final = Decimal("0.1")
_TRIFLE: Final = 1
OWN_SCOPE: Final = "the export's own"


def days_of(run: HistoryRun, month: Month) -> frozenset[date]:
    """The days of a month that a run may have charges of; none says nothing."""
    first, last = run.covers
    end = min(last, run.submitted_at.date(), month.end.date() - timedelta(days=1))
    begin = max(first, month.start.date())
    return frozenset(begin + timedelta(days=n) for n in range((end - begin).days + 1))


def stated_rows(run: HistoryRun, month: Month) -> int | None:
    """The rows of a month, where the manifest says how many they are."""
    if not run.parts or (run.states_rows and not run.rows):
        return 0
    if not run.states_rows or len(run.months) > 1:
        return None
    return len(run.rows_in(month))


def least_rows(rows: int) -> int:
    """How many rows are enough against so many."""
    return max(1, min(ceil(rows * (1 - _MAX_ROW_DROP)), rows - _FEW + 1))


def is_never(run: HistoryRun) -> bool:
    """Whether a run was submitted at a time that has not come."""
    return run.submitted_at > datetime.now(UTC) + timedelta(hours=24)


def scope_of(run: HistoryRun) -> str:
    """What a run bills."""
    return run.scope or OWN_SCOPE


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What one run of the loader does to a month."""

    before: HistoryRun | None
    """What the table holds."""
    remembered: HistoryRun | None
    """What the ledger says it holds."""
    tried: tuple[HistoryRun, ...] = ()
    """The runs that may be loaded, newest first: each goes in if those before it do not."""
    failed: tuple[HistoryRun, ...] = ()
    loaded: HistoryRun | None = None
    is_held: bool = False
    """Whether a newer run waits for a person."""


@dataclass(kw_only=True)
class Books:
    """The rules in few lines: the newest complete run that is not held, and nothing older.

    `size_of` gives the bytes of a run. With `knows_costs` costs are summed before a month is
    replaced, whatever the run. `failed` are the runs that are known not to load, and `scopes` what
    the ledger says of scopes: neither changes what a month may hold in the end.
    """

    shelf: Shelf = field(default_factory=Shelf)
    table: dict[Month, HistoryRun] = field(default_factory=dict)
    ledger: dict[Month, HistoryRun] = field(default_factory=dict)
    accepted: set[tuple[Month, HistoryRun]] = field(default_factory=set)
    failed: Collection[HistoryRun] = ()
    scopes: dict[Month, str] = field(default_factory=dict)
    size_of: Callable[[HistoryRun], int] = lambda run: run.rows
    knows_costs: bool = True

    def age(self, run: HistoryRun, month: Month) -> tuple[datetime, int, int, str]:
        """How new a run is; the greater, the newer."""
        rows = stated_rows(run, month)
        days = len(days_of(run, month))
        return run.submitted_at, days, -1 if rows is None else rows, run.run_id

    def is_newer(self, run: HistoryRun, month: Month) -> bool:
        """Whether a run is newer than what the month holds."""
        loaded = self._protected(month)
        if loaded is None:
            return True
        at, days, rows, run_id = self.age(loaded, month)
        if is_never(loaded):
            at = datetime.now(UTC)  # it counts as submitted when it was loaded
        if run.run_id == loaded.run_id:
            return run != loaded and run.submitted_at >= at
        if stated_rows(loaded, month) is None and stated_rows(run, month) is not None:
            rows = len(loaded.rows_in(month))
        if stated_rows(run, month) is None:
            rows = -1
        return self.age(run, month) > (at, days, rows, run_id)

    def judged(self, month: Month) -> tuple[list[HistoryRun], dict[HistoryRun, list[HistoryRun]]]:
        """The runs that a plan holds, and for the others what each of them is compared with."""
        complete = self.complete(month)
        loaded = self._protected(month)
        between: list[HistoryRun] = []
        held: list[HistoryRun] = []
        free: dict[HistoryRun, list[HistoryRun]] = {}
        for run in complete:
            if run == loaded or not self.is_newer(run, month):
                continue
            baseline = [*([loaded] if loaded else []), *between]
            is_free = (month, run) in self.accepted or not (
                is_never(run)
                or run.time_frame is not None
                or self._is_slice(run, month, complete)
                or self._is_of_other_scope(run, month)
                or any(self._is_less(run, one, month) for one in baseline)
            )
            if is_free:
                free[run] = baseline
                between += [] if run in self.failed else [run]
            else:
                held.append(run)
        return held, free

    def complete(self, month: Month) -> list[HistoryRun]:
        """The runs of a month that could be loaded, oldest first."""
        return sorted(self.shelf.complete(month), key=lambda run: self.age(run, month))

    def _is_slice(self, run: HistoryRun, month: Month, complete: Iterable[HistoryRun]) -> bool:
        days = days_of(run, month)
        others = [days_of(one, month) for one in complete if scope_of(one) == scope_of(run)]
        return bool(days) and any(other and not other & days for other in others)

    def _is_less(self, run: HistoryRun, other: HistoryRun, month: Month) -> bool:
        days, others = days_of(run, month), days_of(other, month)
        if days and others - days:
            return True
        rows = stated_rows(run, month)
        known = self._known_rows(other, month)
        return rows is not None and bool(known) and rows < least_rows(known or 0)

    def _known_rows(self, run: HistoryRun, month: Month) -> int | None:
        # What was loaded was counted.
        if run == self._protected(month):
            return len(run.rows_in(month))
        return stated_rows(run, month)

    def _is_of_other_scope(self, run: HistoryRun, month: Month) -> bool:
        known = self.scopes
        if known:
            earlier = [since for since in known if since <= month]
            return scope_of(run) != known[max(earlier) if earlier else min(known)]
        by_month = {
            one: {scope_of(complete) for complete in self.shelf.complete(one)}
            for one in self.shelf.months()
        }
        every = set().union(*by_month.values())
        sure = [one for one, scopes in by_month.items() if len(scopes) == 1]
        if len(every) < 2 or not sure:
            return len(every) > 1
        return scope_of(run) not in by_month[max(sure)]

    def waiting(self, month: Month) -> list[HistoryRun]:
        """The held runs that a person hears of: those that something newer does not replace."""
        held, free = self.judged(month)
        newest = max((self.age(run, month) for run in free), default=None)
        return [run for run in held if newest is None or self.age(run, month) > newest]

    def _rows(self, month: Month) -> int:
        return len(self.table[month].rows_in(month)) if month in self.table else 0

    def _protected(self, month: Month) -> HistoryRun | None:
        """The run that a newer one is compared with; an empty month protects none that had rows."""
        loaded = self.ledger.get(month)
        is_emptied = loaded and loaded.rows_in(month) and not self._rows(month)
        return None if is_emptied else loaded

    def expect(self, months: Collection[Month], *, force: bool = False) -> Mapping[Month, Expected]:
        """What a run of the loader does to each of these months."""
        return {month: self._expect(month, force=force) for month in months}

    def _expect(self, month: Month, *, force: bool) -> Expected:
        held, free = self.judged(month)
        loaded = self._protected(month)
        tried = sorted(free, key=lambda run: self.age(run, month), reverse=True)
        again = loaded is not None and (force or len(loaded.rows_in(month)) != self._rows(month))
        if again and loaded in self.complete(month):
            tried.append(loaded)
        newest = self.age(tried[0], month) if tried else None
        is_held = any(newest is None or self.age(run, month) > newest for run in held)
        failed: list[HistoryRun] = []
        chosen: HistoryRun | None = None
        for run, older in zip_longest(tried, tried[1:]):
            if self.shelf.damaged(run):
                failed.append(run)
            elif self._turns_out_to_be_less(run, free.get(run, [run]), month, older):
                is_held = True
            else:
                chosen = run
                is_held = is_held or self._has_no_costs(run, month, older)
                break
        return Expected(
            before=self.table.get(month),
            remembered=self.ledger.get(month),
            tried=tuple(tried),
            failed=tuple(failed),
            loaded=chosen,
            is_held=is_held,
        )

    def _turns_out_to_be_less(
        self,
        run: HistoryRun,
        baseline: Collection[HistoryRun],
        month: Month,
        older: HistoryRun | None,
    ) -> bool:
        """Whether a run is held once it is read, or compared with others that were counted.

        `older` is the run that is tried after it.
        """
        if (month, run) in self.accepted:
            return False
        rows = len(run.rows_in(month))
        for other in baseline:
            known = self._known_rows(other, month)
            if known is None and self._may_be_less(run, other):
                known = len(other.rows_in(month))
            elif stated_rows(run, month) is not None:
                continue
            if known and rows < least_rows(known):
                return True
        is_known_in_time = self.knows_costs or len(run.months) > 1
        return is_known_in_time and self._has_no_costs(run, month, older)

    def _may_be_less(self, run: HistoryRun, other: HistoryRun) -> bool:
        if len(run.months) > 1:
            return True
        return self.size_of(run) < self.size_of(other) * (1 - _MAX_ROW_DROP)

    def _has_no_costs(self, run: HistoryRun, month: Month, older: HistoryRun | None) -> bool:
        other = self._protected(month)
        costs = [run.cost(row) for row in run.rows_in(month)]
        if other is None and older and not sum(costs) and not self.shelf.damaged(older):
            # Nothing is loaded, and nothing is billed: the costs of the next run are read.
            other = older
        if other is None or (month, run) in self.accepted:
            return False
        billed = sum(map(other.cost, other.rows_in(month)), Decimal(0))
        least = billed * _COST_SHARE
        charged = sum((cost for cost in costs if cost > 0), Decimal(0))
        return billed > _TRIFLE and sum(costs, Decimal(0)) < least and charged < least

    def write(self, expected: Mapping[Month, Expected]) -> None:
        """Takes in that a run of the loader came to its end."""
        for month, told in expected.items():
            if told.loaded is not None:
                self.table[month] = self.ledger[month] = told.loaded

    def accept(self, month: Month, run: HistoryRun) -> None:
        """Takes in that a person said that a held run is right."""
        if self.scopes or self._is_of_other_scope(run, month):
            earlier = [since for since in self.scopes if since <= month]
            since = max(earlier) if earlier else min(self.scopes, default=None)
            if since is None or self.scopes[since] != scope_of(run):
                self.scopes[month] = scope_of(run)
        self.accepted.add((month, run))

    def exit_code(self, expected: Iterable[Expected]) -> int:
        """How that run ends: with a failure, with a run that waits for a person, or well.

        Nothing but data files is a failure, and so is nothing at all while nothing is loaded.
        """
        told = list(expected)
        if any(month.failed for month in told):
            return 5
        is_absent = not self.shelf.is_announced() and not self.ledger
        if self.shelf.unreadable() or is_absent:
            return 3
        return 6 if any(month.is_held for month in told) else 0
