"""Turns the results of verifying into lines and one JSON document; prints nothing itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from cloudbill.costs.amounts import rests_to_text, shown_amount, shown_rests
from cloudbill.looking.comparison import Difference, MonthReport, RecordDifference, Verdict
from cloudbill.looking.verification import Verified
from cloudbill.text.counts import counted
from cloudbill.text.failures import SourceFailure, failure_entry, failures_json
from cloudbill.text.odd_rows import odd_rows_found
from cloudbill.text.table import printable

__all__ = ["closing_lines", "month_lines", "verification_json"]

_LISTED: Final = 20
"""How many differences of a month are printed; JSON has all of them."""
_RESULTS: Final = {
    Verdict.EQUAL: "equal",
    Verdict.DIFFERENT: "different",
    Verdict.NOT_CHECKABLE: "not checkable",
}


def month_lines(month: MonthReport) -> Iterator[str]:
    """A line for a month, followed by its differences."""
    title = f"{month.source} {month.period}"
    if month.run_id is not None:
        title += f" (run_id: {month.run_id})"
    rows = counted(month.files_rows or 0, "row")
    detail = month.reason or f"{rows}, and every cost by currency and day"
    yield f"{title} {_RESULTS[month.verdict]} - {detail}"
    if month.rests:
        yield f"  Rounded away at the 18th digit: {printable(shown_rests(month.rests))}"
    details = [*map(_record_line, month.record_differences), *map(_line, month.differences)]
    yield from details[:_LISTED]
    if len(details) > _LISTED:
        yield f"  and {len(details) - _LISTED} more"


def closing_lines(verified: Verified) -> Iterator[str]:
    """Rows of no month, what could not be read, what ended a source, or that it has nothing."""
    settings = verified.settings
    source = settings.source
    if verified.rows_of_no_month:
        column = settings.provider.PERIOD_COLUMN
        found = odd_rows_found(verified.rows_of_no_month, settings.table_name, column)
        yield f"{source} different - {found}; `cloudbill doctor` says how to see them"
    for failure in verified.failures:
        yield f"Failed {source} {failure.period} (run_id: {failure.run_id}) - {failure.error}"
    if verified.error is not None:
        yield f"Failed {source} - {verified.error}"
    elif verified.unloaded:
        runs = counted(verified.unloaded, "run")
        yield (
            f"{source} different - nothing is loaded, and {runs} in the store: run `cloudbill "
            "load`, and `cloudbill status` says why if nothing comes of it"
        )
    elif not (verified.months or verified.failures or verified.rows_of_no_month):
        yield f"{source} has nothing to verify: no load is recorded, and its table holds no rows"


def verification_json(sources: Sequence[Verified], ended: Sequence[SourceFailure] = ()) -> str:
    """The JSON document; amounts are exact decimal text.

    `failures` is there if there are any, and so is `rows_of_no_month`, by source.
    """
    failures: list[object] = failures_json(ended)
    for verified in sources:
        source = verified.settings.source
        failures += [
            failure_entry(source, str(failure.period), failure.run_id, failure.error)
            for failure in verified.failures
        ]
        if verified.error is not None:
            failures.append(failure_entry(source, None, None, verified.error))
    months = [_month(month) for verified in sources for month in verified.months]
    odd = [
        {"source": verified.settings.source, "rows": verified.rows_of_no_month}
        for verified in sources
        if verified.rows_of_no_month
    ]
    document: dict[str, object] = {"months": months}
    document |= {"rows_of_no_month": odd} if odd else {}
    return json.dumps(document | ({"failures": failures} if failures else {}), indent=2)


def _month(month: MonthReport) -> dict[str, object]:
    return {
        "source": month.source,
        "period": str(month.period),
        "run_id": month.run_id,
        "result": str(month.verdict),
        "rows": {
            "files": month.files_rows,
            "warehouse": month.warehouse_rows,
            "ledger": month.ledger_rows,
        },
        "differences": [
            {
                "currency": one.currency,
                "day": one.day,
                "column": one.column,
                "files": _text(one.files),
                "warehouse": _text(one.warehouse),
                "difference": _text(one.difference),
            }
            for one in month.differences
        ],
        "ledger_differences": [
            {
                "currency": one.currency,
                "column": one.column,
                "ledger": _text(one.ledger),
                "warehouse": _text(one.warehouse),
                "difference": _text(one.difference),
            }
            for one in month.record_differences
        ],
        **rests_to_text(month.rests),
        "reason": month.reason,
    }


def _line(one: Difference) -> str:
    return (
        f"  {_shown(one.currency)} {_shown(one.day or 'no day')} {_shown(one.column)}: "
        f"{_exact(one.files)} in the files, {_exact(one.warehouse)} in the table, "
        f"difference {_exact(one.difference)}"
    )


def _record_line(one: RecordDifference) -> str:
    where = "" if one.currency is None else f"{_shown(one.currency)} "
    show = _text if one.currency is None else _exact
    return (
        f"  {where}{_shown(one.column)} of the month: {show(one.ledger)} recorded, "
        f"{show(one.warehouse)} in the table, difference {show(one.difference)}"
    )


def _exact(amount: Decimal) -> str:
    """An amount that differs, maybe in its last digit."""
    return shown_amount(amount, exact=True)


def _shown(text: str) -> str:
    """A text from the data, safe for a terminal, which would obey control characters."""
    return text if text.isprintable() and text else repr(text) if text else "no currency"


def _text(amount: Decimal) -> str:
    return f"{amount:f}"
