"""What a run would replace: the month as it is and as it would be, before anything is changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from cloudbill.costs.amounts import (
    adds_up,
    costs_of,
    costs_to_text,
    shown_amount,
    subtract_amounts,
)
from cloudbill.errors import CloudbillError, Guard
from cloudbill.files.each_part import sum_days
from cloudbill.periods import BillingPeriod
from cloudbill.planning.costs import billed_costs_of
from cloudbill.text.sizes import shown_size
from cloudbill.text.times import shown_days

if TYPE_CHECKING:
    from cloudbill.manifests import Manifest
    from cloudbill.models import LoadRecord
    from cloudbill.settings import SourceSettings
    from cloudbill.store import Store

__all__ = ["Month", "Replacement", "compare_run", "replacement_json", "replacement_lines"]

_CHEAP: Final = 100_000_000
"""So many bytes are read for the costs of a run that is not loaded yet: some seconds."""
_NOTHING: Final = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """What a month is with a run in it; None is what nobody knows."""

    run_id: str
    rows: int | None
    days: frozenset[date] | None
    costs: Mapping[str, Decimal] | None
    """What it bills, by currency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """A month as it is, None where nothing is loaded, and as it would be; `why` the run is held.

    `unread` is why the files of the run were not read, where they were not.
    """

    source: str
    period: BillingPeriod
    before: Month | None
    after: Month
    guard: Guard | None = None
    why: str = ""
    unread: str | None = None

    @property
    def rows(self) -> int | None:
        """How many rows more the month would have, where that is known."""
        before = 0 if self.before is None else self.before.rows
        after = self.after.rows
        return None if before is None or after is None else after - before

    @property
    def costs(self) -> dict[str, tuple[Decimal, Decimal]] | None:
        """What the month bills and would bill, by currency, where both are known."""
        before = {} if self.before is None else self.before.costs
        after = self.after.costs
        if before is None or after is None:
            return None
        return {
            currency: (before.get(currency, _NOTHING), after.get(currency, _NOTHING))
            for currency in sorted({*before, *after})
        }


def compare_run(
    settings: SourceSettings,
    store: Store,
    manifest: Manifest,
    record: LoadRecord | None,
    *,
    guard: Guard | None = None,
    why: str = "",
) -> Replacement:
    """Compares a run with the loaded one; the files of the run are read if they are not large.

    Files that cannot be read are no error here: the load says what is wrong with them.
    """
    rows = manifest.rows if manifest.parts else 0
    costs: Mapping[str, Decimal] | None = None
    unread: str | None = None
    if manifest.size is None or manifest.size > _CHEAP:
        unread = f"its files have {shown_size(manifest.size)}, and are not read before the load"
    else:
        try:
            totals = sum_days(
                store, manifest, provider=settings.provider, memory_limit=settings.memory_limit
            )
        except CloudbillError as error:
            unread = f"its files cannot be read: {error}"
        else:
            rows = totals.rows
            costs = billed_costs_of(totals.by_currency(), settings.provider.BILLED_COLUMN)
    return Replacement(
        source=settings.source,
        period=manifest.period,
        before=None if record is None else _loaded(record, settings),
        after=Month(run_id=manifest.run_id, rows=rows, days=manifest.days, costs=costs),
        guard=guard,
        why=why,
        unread=unread,
    )


def _loaded(record: LoadRecord, settings: SourceSettings) -> Month:
    return Month(
        run_id=record.run_id,
        rows=record.rows,
        days=record.days,
        costs=costs_of(record, settings.provider.BILLED_COLUMN),
    )


def replacement_lines(found: Replacement, *, exact: bool = False) -> Iterator[str]:
    """The month before and after, each fact in a line; amounts with every digit if `exact`."""
    before, after = found.before, found.after
    what = f"{found.source}, {found.period}: run {after.run_id}"
    if before is None:
        yield f"{what} would be loaded; nothing is loaded now"
    elif before.run_id == after.run_id:
        yield f"{what} would be loaded again, from the files that the store has now"
    else:
        yield f"{what} would replace run {before.run_id}"
    if found.why:
        yield f"  {found.why}"
    yield f"  rows: {_shown_rows(before)} now, {_shown_rows(after)} then{_more_rows(found)}"
    yield f"  days: {_shown_days(before)} now, {_shown_days(after)} then"
    yield from _cost_lines(found, exact=exact)
    if found.unread is not None:
        yield f"  What run {after.run_id} bills is not known yet: {found.unread}"


def _shown_rows(month: Month | None) -> str:
    if month is None:
        return "none"
    return "unknown" if month.rows is None else f"{month.rows:,}"


def _shown_days(month: Month | None) -> str:
    if month is None:
        return "none"
    if month.days is None:
        return "unknown"
    return f"{shown_days(sorted(month.days))} ({len(month.days)})"


def _more_rows(found: Replacement) -> str:
    if found.rows is None:
        return ""
    before = None if found.before is None else found.before.rows
    percent = _percent(Decimal(found.rows), Decimal(before or 0))
    return f" ({found.rows:+,}{f', {percent}%' if percent else ''})"


def _cost_lines(found: Replacement, *, exact: bool) -> Iterator[str]:
    costs = found.costs
    if costs is None:
        shown = (_shown_costs(found.before, exact=exact), _shown_costs(found.after, exact=exact))
        yield f"  billed cost: {shown[0]} now, {shown[1]} then"
        return
    for currency, (before, after) in costs.items() or [("", (_NOTHING, _NOTHING))]:
        unit = f" {currency}" if currency else ""
        more = subtract_amounts(after, before)
        percent = _percent(more, before)
        sign = "+" if more > 0 else ""
        old, new, moved = (shown_amount(one, exact=exact) for one in (before, after, more))
        is_off = not exact and not adds_up(after, before, more)
        yield (
            f"  billed cost: {old}{unit} now, {new}{unit} then "
            f"({sign}{moved}{f', {percent}%' if percent else ''}{', rounded' if is_off else ''})"
        )


def _shown_costs(month: Month | None, *, exact: bool) -> str:
    if month is None:
        return "none"
    if month.costs is None:
        return "unknown"
    shown = (
        f"{shown_amount(cost, exact=exact)} {currency}".strip()
        for currency, cost in month.costs.items()
    )
    return " and ".join(shown) or shown_amount(_NOTHING)


def _percent(more: Decimal, before: Decimal) -> str | None:
    """A difference in percent; None where there was nothing to begin with."""
    return f"{more / abs(before) * 100:+.1f}" if before else None


def replacement_json(found: Replacement) -> dict[str, object]:
    """The same for a JSON document; amounts are exact decimal text."""
    costs = found.costs
    return {
        "source": found.source,
        "period": str(found.period),
        "guard": None if found.guard is None else str(found.guard),
        "why": found.why or None,
        "before": None if found.before is None else _month_json(found.before),
        "after": {**_month_json(found.after), "unread": found.unread},
        "difference": {
            "rows": found.rows,
            "billed_cost": None
            if costs is None
            else {
                currency: {
                    "amount": f"{subtract_amounts(after, before):f}",
                    "percent": _percent(subtract_amounts(after, before), before),
                }
                for currency, (before, after) in costs.items()
            },
        },
    }


def _month_json(month: Month) -> dict[str, object]:
    days = month.days
    return {
        "run_id": month.run_id,
        "rows": month.rows,
        "days": None
        if days is None
        else {"from": str(min(days)), "to": str(max(days)), "count": len(days)},
        "billed_cost": costs_to_text(month.costs),
    }
