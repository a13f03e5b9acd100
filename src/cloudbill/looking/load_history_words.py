"""Turns the loads of months into tables in plain text and one JSON document; prints nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from cloudbill.costs.amounts import (
    adds_up,
    costs_to_text,
    rests_to_text,
    shown_amount,
    shown_costs,
    shown_rests,
    subtract_amounts,
    totals_to_text,
)
from cloudbill.text.failures import SourceFailure, failure_entry, failures_json
from cloudbill.text.table import Head, TableRow, printable, short_ids, table_lines, wrapped
from cloudbill.text.times import iso_time, shown_time

if TYPE_CHECKING:
    from cloudbill.looking.load_history import Closing, Load, MonthHistory, SourceHistory

__all__ = ["ROUNDED", "adds_up_to", "closing_sentence", "history_json", "history_lines", "signed"]

_HEADS: Final = (
    Head(title="loaded (UTC)"),
    Head(title="submitted (UTC)"),
    Head(title="run"),
    Head(title="rows", is_number=True),
)
_COSTS: Final = (
    Head(title="billed cost", is_number=True),
    Head(title="change", is_number=True),
)
_INDENT: Final = "  "
ROUNDED: Final = "rounded, so the amounts do not add up; --exact has every digit"
"""What is said of amounts that `adds_up_to` denies."""


def history_lines(history: SourceHistory, *, width: int = 80, exact: bool = False) -> Iterator[str]:
    """A table for each month, and below it how the month changed since it closed.

    No line is wider than `width` if it can be. With `exact`, amounts have every digit; without, it
    is said of a month if its rounded amounts do not add up.
    """
    if not history.months and history.error is None:
        asked = " or ".join(map(str, sorted(history.asked)))
        yield f"{history.settings.source} - no load {f'of {asked} ' if asked else ''}is recorded"
    for index, month in enumerate(history.months):
        if index:
            yield ""
        for line in _lines(history.settings.source, month, width, exact=exact):
            yield printable(line)


def _lines(source: str, month: MonthHistory, width: int, *, exact: bool) -> Iterator[str]:
    yield f"{source} {month.period}"
    names = short_ids(load.record.run_id for load in month.loads)
    rows = [
        _row(load, names, is_first=not index, exact=exact) for index, load in enumerate(month.loads)
    ]
    for line in table_lines(_HEADS, _COSTS, rows, width=width - len(_INDENT)):
        yield f"{_INDENT}{line}"
    if month.closing is not None:
        closed = closing_sentence(month.period, month.closing, exact=exact)
        yield from wrapped(closed, indent=_INDENT, width=width)
    if not exact and not all(adds_up_to(now, change) for now, change in _changes(month)):
        yield from wrapped(ROUNDED, indent=_INDENT, width=width)


def _changes(month: MonthHistory) -> Iterator[tuple[Decimal, Decimal]]:
    """Every cost that is shown with its change."""
    shown = [(load.costs, load.changes) for load in month.loads if not load.is_repeat]
    if month.closing is not None:
        shown.append((month.closing.last.costs, month.closing.differences))
    for costs, changes in shown:
        for currency, change in (changes or {}).items():
            yield (costs or {}).get(currency, Decimal(0)), change


def adds_up_to(now: Decimal, change: Decimal) -> bool:
    """Whether a cost and its change, both as they are shown, fit the cost before."""
    return adds_up(now, subtract_amounts(now, change), change)


def _row(load: Load, names: Mapping[str, str], *, is_first: bool, exact: bool) -> TableRow:
    record = load.record
    cells = (
        _time(record.loaded_at),
        _time(record.submitted_at),
        names[record.run_id],
        "?" if record.rows is None else f"{record.rows:,}",
    )
    rounded = (f"rounded away: {shown_rests(record.rests)}",) if record.rests else ()
    if load.is_repeat:
        what = "the same run again, nothing changed"
        if load.costs is None:
            what = "the same run again, total not recorded"
        return TableRow(cells=cells, notes=(what, *rounded))
    if load.costs is None or load.changes is None:
        change = "" if is_first else "?"
        return TableRow(
            cells=cells,
            amounts=tuple((cost, change) for cost in shown_costs(load.costs, exact=exact)),
            notes=rounded,
        )
    # A currency that has disappeared has a change, but no cost.
    costs = {currency: load.costs.get(currency, Decimal(0)) for currency in load.changes}
    changes = [signed(change, exact=exact) for change in load.changes.values()] or ["same"]
    amounts = tuple(zip(shown_costs(costs, exact=exact), changes, strict=True))
    return TableRow(cells=cells, amounts=amounts, notes=rounded)


def _time(moment: datetime | None) -> str:
    return "?" if moment is None else shown_time(moment)


def signed(amount: Decimal, *, exact: bool) -> str:
    """A change as people read it: `+5.69`, `-0.10`, or `same`."""
    if not amount:
        return "same"
    return f"{'+' if amount > 0 else ''}{shown_amount(amount, exact=exact)}"


def closing_sentence(period: object, closing: Closing, *, exact: bool = False) -> str:
    """How a month changed since it closed: `2025-10 closed at 4.11 USD, now 9.80 USD, +5.69 USD`.

    Currencies are listed one after the other; nothing is added up.
    """
    closed = f"{period} closed at {' and '.join(shown_costs(closing.load.costs, exact=exact))}"
    if closing.load.costs is None:
        closed = f"{period} closed, but its total was not recorded"
    if closing.is_last:
        return closed
    if closing.differences is None:
        now = shown_costs(closing.last.costs, exact=exact)
        return f"{closed}; now {' and '.join(now)}"
    moved = [
        _moved(currency, closing, difference, exact=exact)
        for currency, difference in closing.differences.items()
    ]
    return f"{period} closed at {'; at '.join(moved)}"


def _moved(currency: str, closing: Closing, difference: Decimal, *, exact: bool) -> str:
    nothing = Decimal(0)
    (at,) = shown_costs({currency: (closing.load.costs or {}).get(currency, nothing)}, exact=exact)
    (now,) = shown_costs({currency: (closing.last.costs or {}).get(currency, nothing)}, exact=exact)
    if not difference:
        return f"{at}, the same now"
    return f"{at}, now {now}, {signed(difference, exact=exact)} {currency}"


def history_json(sources: Sequence[SourceHistory], ended: Sequence[SourceFailure] = ()) -> str:
    """The JSON document: times in UTC, amounts as exact decimal text; loads oldest first."""
    failures: list[object] = failures_json(ended)
    failures += [
        failure_entry(history.settings.source, None, None, history.error)
        for history in sources
        if history.error is not None
    ]
    months = [
        _month(history.settings.source, month) for history in sources for month in history.months
    ]
    return json.dumps({"months": months, "failures": failures}, indent=2)


def _month(source: str, month: MonthHistory) -> dict[str, object]:
    return {
        "source": source,
        "period": str(month.period),
        "loads": [*map(_load, month.loads)],
        "closed": None if month.closing is None else _closed(month.closing),
    }


def _load(load: Load) -> dict[str, object]:
    record = load.record
    return {
        "run_id": record.run_id,
        "submitted_at": iso_time(record.submitted_at),
        "loaded_at": iso_time(record.loaded_at),
        "rows": record.rows,
        "billed_cost": costs_to_text(load.costs),
        "change": costs_to_text(load.changes),
        "is_repeat": load.is_repeat,
        "totals": totals_to_text(record.totals),
        **rests_to_text(record.rests),
    }


def _closed(closing: Closing) -> dict[str, object]:
    return {
        "run_id": closing.load.record.run_id,
        "loaded_at": iso_time(closing.load.record.loaded_at),
        "billed_cost": costs_to_text(closing.load.costs),
        "billed_cost_now": costs_to_text(closing.last.costs),
        "difference": costs_to_text(closing.differences),
    }
