"""Writes the ledger again, from all that can be read of it, the tracking table and the table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cloudbill.ledger import Ledger
from cloudbill.ledger.entries import newest_entries
from cloudbill.ledger.state import Decisions
from cloudbill.models import LoadRecord
from cloudbill.periods import BillingPeriod
from cloudbill.text.counts import counted
from cloudbill.warehouses import open_warehouse

if TYPE_CHECKING:
    from cloudbill.ledger.draft import Draft
    from cloudbill.ledger.entries import Entry
    from cloudbill.ledger.merging import Merged
    from cloudbill.settings import SourceSettings

__all__ = ["Change", "Rebuilding", "rebuild_ledger", "rebuilding_lines"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What becomes of a month.

    `before` is the load that the states name, `after` the one that they will; None is none. `rows`
    are those that the table holds.
    """

    period: BillingPeriod
    before: LoadRecord | None
    after: LoadRecord | None
    rows: int

    @property
    def is_kept(self) -> bool:
        """Whether the ledger knows as much as before."""
        return self.before is not None and self.after == self.before

    @property
    def is_in_doubt(self) -> bool:
        """Whether the table does not hold the rows of the run that the ledger will know."""
        return self.after is None or self.after.rows not in {None, self.rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilding:
    """What a ledger becomes, month by month, oldest first; `problems` are what cannot be read."""

    settings: SourceSettings
    changes: tuple[Change, ...]
    problems: tuple[str, ...]
    forgets: bool
    untracked: tuple[LoadRecord, ...] = ()
    """The records that the tracking table has lost, and gets again."""
    decisions: Decisions = field(default_factory=Decisions)
    """What persons decided, as far as it can be read: the states alone have it."""
    has_states: bool = True
    """Whether there is any state."""

    @property
    def records(self) -> tuple[LoadRecord, ...]:
        """What the ledger knows after it."""
        return tuple(change.after for change in self.changes if change.after is not None)


def rebuild_ledger(
    settings: SourceSettings, listen: Callable[[Rebuilding], None], *, forget: bool = False
) -> Rebuilding:
    """Writes the ledger again; `listen` is told what is about to be written.

    A month is kept unless the table holds the rows of another load that was recorded. With
    `forget`, a month whose rows are those of no load is forgotten.

    Raises:
        CloudbillError: If the warehouse cannot be read or written.
    """
    with closing(open_warehouse(settings.warehouse)) as warehouse:
        months = warehouse.table_months(settings.table_name, settings.provider.PERIOD_COLUMN).months
        ledger = Ledger(settings, warehouse)
        merged, problems = ledger.salvaged()
        rows = {period: month.rows for period, month in months.items()}
        rebuilding = Rebuilding(
            settings=settings,
            changes=tuple(_changes(merged, rows, forget=forget)),
            problems=problems,
            forgets=forget,
            untracked=merged.untracked,
            decisions=merged.decisions,
            has_states=bool(merged.load_ids),
        )
        listen(rebuilding)
        ledger.rewrite(merged, lambda draft: _apply(draft, rebuilding.changes, merged))
    return rebuilding


def _changes(
    merged: Merged, rows: Mapping[BillingPeriod, int], *, forget: bool
) -> Iterator[Change]:
    told = newest_entries(merged.told)
    newest = newest_entries(merged.entries)
    for period in sorted({*newest, *rows}):
        in_table = rows.get(period, 0)
        known = told.get(period)
        before = known.record if known is not None else None
        current = newest.get(period)
        after = current.record if current is not None else None
        if after is not None and after.rows not in {None, in_table}:
            after = _load_of(in_table, period, merged.entries) or (None if forget else after)
        yield Change(period=period, before=before, after=after, rows=in_table)


def _load_of(rows: int, period: BillingPeriod, entries: Iterable[Entry]) -> LoadRecord | None:
    """The newest load of a month that had as many rows."""
    same = [
        entry
        for entry in entries
        if entry.period == period and entry.record is not None and entry.record.rows == rows
    ]
    return max(same, key=lambda entry: entry.rank).record if same else None


def _apply(draft: Draft, changes: Iterable[Change], merged: Merged) -> None:
    current = merged.remembered.loaded
    tracked = {period: entry.record for period, entry in newest_entries(merged.tracked).items()}
    for change in changes:
        known, row = current.get(change.period), tracked.get(change.period)
        if change.after is None:
            if known is not None:
                draft.forget(change.period)
        elif change.after != known or (row is not None and row.run_id != change.after.run_id):
            # So that its row in the tracking table is the newest as well.
            draft.put(change.after)


def rebuilding_lines(rebuilding: Rebuilding) -> Iterator[str]:
    """What is about to be written: what the ledger learns, changes and forgets, and what it keeps.

    Months that stay as they are get no line of their own.
    """
    kept = sum(change.is_kept and not change.is_in_doubt for change in rebuilding.changes)
    yield (
        f"Rebuilding the ledger of {rebuilding.settings.source}: "
        f"{counted(len(rebuilding.records), 'month')}, {kept} of them as they were"
    )
    for problem in rebuilding.problems:
        yield f"  {problem}"
    for change in rebuilding.changes:
        if not change.is_kept or change.is_in_doubt:
            yield f"  {_words(change)}"
    if rebuilding.untracked:
        months = ", ".join(str(record.period) for record in rebuilding.untracked)
        yield f"  The tracking table gets again what it lost of {months}"
    yield from _decided(rebuilding)


def _decided(rebuilding: Rebuilding) -> Iterator[str]:
    """What persons decided and is kept, and whether more of it may be lost."""
    decisions = rebuilding.decisions
    accepted, dismissed = (
        sum(map(len, runs.values())) for runs in (decisions.accepted, decisions.dismissed)
    )
    scopes = ", ".join(f"{scope} from {since}" for since, scope in sorted(decisions.scopes.items()))
    if accepted or dismissed:
        kept = counted(accepted, "run was", plural="runs were")
        yield f"  Keeps that {kept} accepted and {dismissed} dismissed"
    if scopes:
        yield f"  Keeps the scope {scopes}"
    pins = {month: entry.pin for month, entry in sorted(decisions.pins.items()) if entry.pin}
    for month, pin in pins.items():
        yield f"  Keeps that {month} is pinned to run {pin.run_id}"
    if rebuilding.problems or not rebuilding.has_states:
        what = "not all can be read" if rebuilding.has_states else "there is none"
        yield (
            "  What else was accepted, dismissed or pinned is lost: only states have it, and "
            f"{what}. A run that a guard holds again has to be accepted or dismissed again, and a "
            "month be pinned again with `cloudbill load --run`"
        )


def _words(change: Change) -> str:
    period, before, after = change.period, change.before, change.after
    holds = f"the table holds {counted(change.rows, 'row', ',')}"
    if after is None:
        if before is None:
            return f"{period}: {holds} that no load accounts for. Load the month, or delete them"
        return f"{period}: forgets run {before.run_id}; {holds} and no load of as many"
    rows = "rows unknown" if after.rows is None else counted(after.rows, "row", ",")
    if before is None:
        what = f"{period}: learns run {after.run_id}, {rows}"
    elif after.run_id != before.run_id:
        what = f"{period}: changes from run {before.run_id} to run {after.run_id}, {rows}"
    elif after != before:
        what = f"{period}: changes what is known of run {after.run_id}, {rows}"
    else:
        what = f"{period}: keeps run {after.run_id}, {rows}"
    if not change.is_in_doubt:
        return what
    return f"{what}, but {holds}. The next load puts its newest run in; `--forget` forgets it"
