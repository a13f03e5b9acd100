"""Turns the status of sources into plain text and one JSON document; prints nothing itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Final

from cloudbill.costs.amounts import costs_to_text, rests_to_text, shown_costs, totals_to_text
from cloudbill.costs.month_totals import shown_differences
from cloudbill.loading.drift import TYPE_BACK
from cloudbill.loading.words import UNCHECKED, accept_command, likewise
from cloudbill.looking.focus_words import left_out_months, states_json
from cloudbill.looking.status import MonthState, MonthStatus, Pending, PendingRun, SourceStatus
from cloudbill.text.counts import counted
from cloudbill.text.failures import SourceFailure, failure_entry, failures_json
from cloudbill.text.odd_rows import odd_rows_found
from cloudbill.text.table import Head, TableRow, printable, short_ids, table_lines
from cloudbill.text.times import age_in_words, iso_time, shown_days, shown_time

if TYPE_CHECKING:
    from cloudbill.errors import CloudbillError
    from cloudbill.focus.keeping import FocusPlan
    from cloudbill.loading.failures import PastFailure
    from cloudbill.models import Pin
    from cloudbill.periods import BillingPeriod
    from cloudbill.planning.doubles import Double

__all__ = ["status_json", "status_lines"]

_HEADS: Final = (
    Head(title="month"),
    Head(title="run"),
    Head(title="rows", is_number=True),
    Head(title="submitted"),
    Head(title="loaded"),
)
_COST: Final = (Head(title="billed cost", is_number=True),)
_INDENT: Final = "  "
_LISTED: Final = 3
"""How many runs of a month that are not loaded are listed; JSON has all of them."""


def status_lines(status: SourceStatus, *, width: int = 80, exact: bool = False) -> Iterator[str]:
    """A line for the source, and a table of its months that is no wider than `width` if it can be.

    With `exact`, amounts have every digit.
    """
    for line in _lines(status, width - len(_INDENT), exact=exact):
        yield printable(line)


def _lines(status: SourceStatus, width: int, *, exact: bool) -> Iterator[str]:
    yield f"{status.settings.source} - {_delivery(status)}"
    if status.failure is not None:
        yield f"  failed: the last load, {_failed(status.failure, status)}"
    unfound = [reason for reason in status.surveyed if reason.period is None]
    for reason in unfound:
        yield f"  {reason.error}"
    if status.address is not None and not status.manifests and not unfound:
        yield f"  Nothing was found in {status.address}; check 'prefix' and 'export_name'"
    if status.manifest_failures:
        yield f"  manifests that cannot be read: {len(status.manifest_failures)}"
    if status.rows_of_no_month:
        settings = status.settings
        column = settings.provider.PERIOD_COLUMN
        yield f"  {odd_rows_found(status.rows_of_no_month, settings.table_name, column)}"
    if not status.months:
        if status.is_loaded_known:
            yield "  Nothing is loaded"
        return
    names = short_ids(month.record.run_id for month in status.months if month.record)
    rows = [
        row
        for state, months in groupby(status.months, key=lambda month: month.state)
        for row in _rows(state, list(months), status, names, exact=exact)
    ]
    for line in table_lines(_HEADS, _COST, rows, width=width):
        yield f"{_INDENT}{line}"


def _delivery(status: SourceStatus) -> str:
    if not status.is_loaded_known:
        return "what is loaded cannot be read"
    if status.error is not None:
        loaded = (
            "" if status.age is None else f"; the loaded delivery came {age_in_words(status.age)}"
        )
        return f"the store cannot be read{loaded}"
    if status.age is None:
        return "nothing complete was delivered yet"
    return f"newest delivery {age_in_words(status.age)}"


def _rows(
    state: MonthState,
    months: Sequence[MonthStatus],
    status: SourceStatus,
    names: Mapping[str, str],
    *,
    exact: bool,
) -> Iterator[TableRow]:
    """The rows of months with the same state; consecutive missing months share one row."""
    if state is not MonthState.MISSING:
        yield from (_row(month, status, names, exact=exact) for month in months)
        return
    first, last = months[-1].period, months[0].period
    what = "missing: nothing was delivered or loaded"
    if len(months) > 1:
        what = f"missing, like every month since {first}: nothing was delivered or loaded"
    yield TableRow(cells=(str(last), "-", "-", "-", "-"), notes=(what,))


def _row(
    month: MonthStatus, status: SourceStatus, names: Mapping[str, str], *, exact: bool
) -> TableRow:
    record, notes = month.record, tuple(_notes(month, status))
    if record is None:
        return TableRow(cells=(str(month.period), "-", "-", "-", "-"), notes=notes)
    return TableRow(
        cells=(
            str(month.period),
            names[record.run_id],
            "?" if record.rows is None else f"{record.rows:,}",
            _age(record.submitted_at, status),
            _age(record.loaded_at, status),
        ),
        amounts=tuple((cost,) for cost in shown_costs(month.costs, exact=exact)),
        notes=notes,
    )


def _age(moment: datetime | None, status: SourceStatus) -> str:
    return "?" if moment is None else age_in_words(status.looked_at - moment)


def _drifted(month: MonthStatus) -> Iterator[str]:
    """How the table is not what was recorded."""
    if month.record is None:
        rows = counted(month.table_rows, "row that belongs", ",", plural="rows that belong")
        yield f"the table holds {rows} to no recorded load"
    else:
        yield "changed: above is what was loaded, not what the table holds now"
        if month.record.rows not in {None, month.table_rows}:
            rows = counted(month.table_rows, "row", ",")
            yield f"the table holds {rows}, {month.record.rows:,} were loaded"
        if month.drifted is not None:
            yield from shown_differences(month.drifted.differences, month.drifted.inexact)
            if month.drifted.is_refused:
                yield f"{TYPE_BACK[0].lower()}{TYPE_BACK[1:]}"


def _notes(month: MonthStatus, status: SourceStatus) -> Iterator[str]:
    if month.is_drifted:
        yield from _drifted(month)
    if month.pin is not None:
        yield _pinned(month, month.pin, status.settings.source)
    if month.failure is not None:
        failed = _failed(month.failure, status)
        yield f"failed: the last try of run {month.failure.run_id}, {failed}"
    if month.record is not None and month.record.currencyless is not None:
        yield f"{month.record.currencyless}: {UNCHECKED}"
    if month.uncovered:
        yield f"no run covers {shown_days(month.uncovered)}"
    is_refused = month.drifted is not None and month.drifted.is_refused
    named = [
        run
        for run in month.pending
        if not (run.is_alike or (is_refused and run.pending is Pending.AGAIN))
    ]
    for run in named[:_LISTED]:
        yield _pending(month, run, status)
    if len(named) > _LISTED:
        yield (
            "and "
            + counted(len(named) - _LISTED, "older run that is", plural="older runs that are")
            + " waiting, held or gone"
        )


def _pinned(month: MonthStatus, pin: Pin, source: str) -> str:
    """That a month stays with the run that a person chose, and until when."""
    run = f"run {pin.run_id}" if not _holds_pin(month) else "this run"
    gone = "" if month.is_pin_stored else ", which is in the store no more"
    return (
        f"pinned: the month stays with {run}{gone}, until a run comes that is newer than "
        f"{pin.newest}; `cloudbill load {source} --month {month.period} --release` ends that"
    )


def _holds_pin(month: MonthStatus) -> bool:
    record, pin = month.record, month.pin
    return record is not None and pin is not None and record.run_id == pin.run_id


def _pending(month: MonthStatus, run: PendingRun, status: SourceStatus) -> str:
    submitted = f"run {run.run_id}, submitted {_age(run.submitted_at, status)}"
    has_failed = month.failure is not None and month.failure.run_id == run.run_id
    match run.pending:
        case Pending.NEW if has_failed:
            return f"again: `cloudbill load` tries {submitted}, once more"
        case Pending.NEW:
            rows = "" if run.rows is None else f", {counted(run.rows, 'row', ',')}"
            return f"new: {submitted}{rows}; `cloudbill load` takes it"
        case Pending.AGAIN:
            return f"again: `cloudbill load` loads {submitted}, again"
        case Pending.WAITING:
            detail = str(run.detail).removeprefix("waiting").lstrip(", ")
            _, _, short = detail.partition("; ")
            why = f"{run.parts_missing} of {counted(run.parts, 'part')} missing" + (
                f" or not whole; {short}" if short else ""
            )
            why = why if run.parts_missing else detail
            return f"waiting: {submitted}, {why}"
        case Pending.HELD:
            why = f"{str(run.detail).removeprefix('held: ')}{likewise(run.older_alike)}"
            source = status.settings.source
            accept = accept_command(month.period, run.guard, source)
            dismiss = f"cloudbill dismiss {source} {month.period}"
            return f"held: {submitted}: {why}; `{accept}` loads it, `{dismiss}` ends the alarm"
        case Pending.GONE:
            dismiss = f"cloudbill dismiss {status.settings.source} {month.period} {run.run_id}"
            return f"gone: {submitted}: its parts are in the store no more; `{dismiss}` ends this"


def _failed(failure: PastFailure, status: SourceStatus) -> str:
    # Its other lines are statements or steps, which `--check` prints in full.
    first, *_ = failure.message.splitlines() or [""]
    return f"{_age(failure.at, status)} ({shown_time(failure.at)} UTC): {first}"


def status_json(
    sources: Sequence[SourceStatus],
    ended: Sequence[SourceFailure] = (),
    doubles: Sequence[Double] = (),
    plans: Sequence[FocusPlan] = (),
) -> str:
    """The JSON document: times in UTC, amounts as exact decimal text; every month, newest first."""
    failures: list[object] = failures_json(ended)
    failures += [
        failure_entry(status.settings.source, None, None, found)
        for status in sources
        for found in status.errors
    ]
    document = {
        "sources": [*map(_source, sources)],
        "same_charges": [
            {
                "sources": double.sources,
                "scope": double.scope,
                "months": [str(period) for period in double.periods],
                "is_odd": double.is_odd,
            }
            for double in doubles
        ],
        "views": [view for plan in plans for view in states_json(plan)],
        "left_out": [months for plan in plans for months in left_out_months(plan)],
        "failures": failures,
    }
    return json.dumps(document, indent=2)


def _source(status: SourceStatus) -> dict[str, object]:
    age = status.age
    return {
        "source": status.settings.source,
        "table": status.settings.table_name,
        "looked_at": iso_time(status.looked_at),
        "newest_delivery_at": iso_time(status.newest_delivery_at),
        "newest_delivery_age_s": None if age is None else round(age.total_seconds()),
        "is_stale": status.stale is not None,
        "reasons": [
            *([] if status.stale is None else [_reason(status.stale)]),
            *(_reason(one.error, one.period, one.run_id) for one in status.reasons),
        ],
        "rows_of_no_month": status.rows_of_no_month,
        **_past(status.failure),
        "months": [*map(_month, status.months)],
    }


def _reason(
    error: CloudbillError, period: BillingPeriod | None = None, run_id: str | None = None
) -> dict[str, object]:
    return {
        "exit_code": error.exit_code,
        "period": None if period is None else str(period),
        "run_id": run_id,
        "error": type(error).__name__,
        "message": str(error),
    }


def _month(month: MonthStatus) -> dict[str, object]:
    record = month.record
    loaded = None
    if record is not None:
        loaded = {
            "run_id": record.run_id,
            "submitted_at": iso_time(record.submitted_at),
            "loaded_at": iso_time(record.loaded_at),
            "rows": record.rows,
            "parts": record.parts,
            "billed_cost": costs_to_text(month.costs),
            "totals": totals_to_text(record.totals),
            **rests_to_text(record.rests),
        }
        if record.currencyless is not None:
            loaded["without_currency"] = record.currencyless
    return {
        "period": str(month.period),
        "state": str(month.state),
        "loaded": loaded,
        "table_rows": month.table_rows,
        **_past(month.failure),
        **_pin(month),
        "ledger_differences": [
            {
                "currency": one.currency,
                "column": one.column,
                "ledger": f"{one.ledger:f}",
                "warehouse": f"{one.warehouse:f}",
                "difference": f"{one.difference:f}",
            }
            for one in (month.drifted.differences if month.drifted else ())
        ],
        "uncovered_days": [str(day) for day in month.uncovered],
        "inexact_columns": dict(month.drifted.inexact) if month.drifted else {},
        "pending": [
            {
                "reason": str(run.pending),
                "run_id": run.run_id,
                "submitted_at": iso_time(run.submitted_at),
                "parts": run.parts,
                "parts_missing": run.parts_missing,
                "rows": run.rows,
                "detail": run.detail,
                "guard": None if run.guard is None else str(run.guard),
            }
            for run in month.pending
        ],
    }


def _past(failure: PastFailure | None) -> dict[str, object]:
    """The newest try, only if it failed."""
    if failure is None:
        return {}
    return {
        "last_failure": {
            "at": iso_time(failure.at),
            "run_id": failure.run_id,
            "error": failure.error,
            "message": failure.message,
        }
    }


def _pin(month: MonthStatus) -> dict[str, object]:
    """What the month stays with, only if a person chose a run."""
    if month.pin is None:
        return {}
    return {
        "pinned": {
            "run_id": month.pin.run_id,
            "is_loaded": _holds_pin(month),
            "is_in_store": month.is_pin_stored,
            "until_newer_than": month.pin.newest,
        }
    }
