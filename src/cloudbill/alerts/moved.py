"""The closed months whose billed cost a load changed."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from cloudbill.alerts.alert import Alert, Change, Kind
from cloudbill.costs.amounts import shown_costs
from cloudbill.looking.load_history import Load, MonthHistory, read_history
from cloudbill.looking.load_history_words import (
    ROUNDED,
    adds_up_to,
    closing_sentence,
    signed,
)

if TYPE_CHECKING:
    from cloudbill.loading.outcome import Outcome
    from cloudbill.settings import SourceSettings

__all__ = ["moved_months"]

_log = logging.getLogger(__name__)


def moved_months(outcome: Outcome, settings: SourceSettings) -> Iterator[Alert]:
    """The months that had closed, and have another billed total by this load.

    A month whose totals were not recorded says nothing. `settings` are those to read with.
    """
    runs = {result.planned.period: result.planned.manifest.run_id for result in outcome.results}
    if not runs:
        return
    history = read_history(settings, frozenset(runs))
    if history.error is not None:
        _log.warning(
            "%s: whether a closed month moved is not known: %s", settings.source, history.error
        )
    for month in history.months:
        load = _load_of(month, runs[month.period])
        if load is not None:
            yield _moved(settings, month, *load)


def _load_of(month: MonthHistory, run_id: str) -> tuple[Load, Load] | None:
    """The load before and that of a run, if it changed the cost of a month that had closed."""
    loads: Sequence[Load] = month.loads
    ours = [index for index, load in enumerate(loads) if load.record.run_id == run_id]
    if not ours or month.closing is None:
        return None
    index = ours[-1]
    if index <= loads.index(month.closing.load) or not any((loads[index].changes or {}).values()):
        return None
    return loads[index - 1], loads[index]


def _moved(settings: SourceSettings, month: MonthHistory, before: Load, load: Load) -> Alert:
    changes = {currency: change for currency, change in (load.changes or {}).items() if change}
    amounts = tuple(
        Change(
            currency=currency,
            column=settings.provider.BILLED_COLUMN,
            old=(before.costs or {}).get(currency, Decimal(0)),
            new=(load.costs or {}).get(currency, Decimal(0)),
            difference=change,
        )
        for currency, change in changes.items()
    )
    words = "; ".join(
        f"from {_shown(one.currency, one.old)} to {_shown(one.currency, one.new)}, "
        f"{signed(one.difference, exact=False)} {one.currency}"
        for one in amounts
    )
    closed, shown = "", [(one.new, one.difference) for one in amounts]
    if month.closing is not None and month.closing.load is not before:
        closed = f". {closing_sentence(month.period, month.closing)}"
        shown += [
            ((load.costs or {}).get(currency, Decimal(0)), difference)
            for currency, difference in (month.closing.differences or {}).items()
        ]
    is_rounded = not all(adds_up_to(*one) for one in shown)
    source, run_id = settings.source, load.record.run_id
    return Alert(
        kind=Kind.MOVED,
        scope=source,
        period=month.period,
        run_id=run_id,
        message=f"This load changed the billed cost of {month.period}, which had closed, {words} "
        f"(run {run_id}){closed}{f' ({ROUNDED})' if is_rounded else ''}",
        amounts=amounts,
        next=f"cloudbill history {source} --month {month.period}{' --exact' if is_rounded else ''}",
        detail=";".join(f"{one.currency} {one.old:f} {one.new:f}" for one in amounts),
        is_event=True,
    )


def _shown(currency: str, amount: Decimal) -> str:
    (shown,) = shown_costs({currency: amount})
    return shown
