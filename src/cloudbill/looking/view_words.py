"""Turns the comparison of a view with its tables into lines and one JSON document."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from cloudbill.costs.amounts import shown_amount, totals_to_text
from cloudbill.looking.comparison import Verdict
from cloudbill.looking.view_comparison import ViewMonth
from cloudbill.text.failures import SourceFailure, failures_json
from cloudbill.text.table import printable

__all__ = ["view_json", "view_lines"]

_RESULTS: Final = {
    Verdict.EQUAL: "equal",
    Verdict.DIFFERENT: "different",
    Verdict.NOT_CHECKABLE: "not checkable",
}


def view_lines(month: ViewMonth, *, exact: bool = False) -> Iterator[str]:
    """A line for a month, followed by its differences."""
    title = f"{month.source} {month.period}"
    if month.counts is not None and month.verdict is Verdict.EQUAL:
        yield f"{title} left out - the view has its charges from {month.counts}"
        return
    sums = ", ".join(
        f"{column} {shown_amount(amount, exact=exact)} {currency or '(no currency)'}"
        for (currency, column), amount in sorted(month.sums.items())
    )
    detail = month.reason or (
        sums or "no charges" if month.verdict is Verdict.EQUAL else "the view has other sums"
    )
    yield printable(f"{title} {_RESULTS[month.verdict]} - {detail}")
    for one in month.differences:
        yield printable(
            f"  {one.column} {one.currency or '(no currency)'}: {_exact(one.tables)} in the "
            f"table, {_exact(one.view)} in the view, difference {_exact(one.difference)}"
        )


def _exact(amount: Decimal) -> str:
    return shown_amount(amount, exact=True)


def view_json(months: Sequence[ViewMonth], ended: Sequence[SourceFailure] = ()) -> str:
    """The JSON document; amounts are exact decimal text, and `failures` is there if any are."""
    document: dict[str, object] = {"months": [_month(month) for month in months]}
    document |= {"failures": failures_json(ended)} if ended else {}
    return json.dumps(document, indent=2)


def _month(month: ViewMonth) -> dict[str, object]:
    currencies = {currency for currency, _ in month.sums}
    return {
        "source": month.source,
        "period": str(month.period),
        "result": str(month.verdict),
        "counts": month.counts,
        "view": totals_to_text(
            {
                currency: {
                    column: amount for (of, column), amount in month.sums.items() if of == currency
                }
                for currency in currencies
            }
        ),
        "differences": [
            {
                "currency": one.currency,
                "column": one.column,
                "table": f"{one.tables:f}",
                "view": f"{one.view:f}",
                "difference": f"{one.difference:f}",
            }
            for one in month.differences
        ],
        "reason": month.reason,
    }
