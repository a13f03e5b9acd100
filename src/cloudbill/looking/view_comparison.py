"""Compares what the view `focus` has of a month with what the tables have; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from cloudbill.costs.amounts import add_amounts, subtract_amounts
from cloudbill.costs.sums import GroupSums, SumQuery
from cloudbill.looking.comparison import Verdict
from cloudbill.periods import BillingPeriod
from cloudbill.sql import Fragment
from cloudbill.warehouses.view_dialects import FocusDialect

__all__ = [
    "Amounts",
    "COLUMNS",
    "ViewDifference",
    "ViewMonth",
    "add_sums",
    "judge",
    "view_query",
    "view_sums",
]

COLUMNS: Final = ("BilledCost", "EffectiveCost")
"""The columns of the view that are compared."""
_NOTHING: Final = Decimal(0)
_FIRST: Final = "1960-01"
_END: Final = "2160-01"
"""Between these is every month that a bill can be of, as for the tables."""

Amounts = Mapping[tuple[str, str], Decimal]
"""The sums of a month by currency and column of the view."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewDifference:
    """A sum that is not the same in the tables and in the view."""

    currency: str
    column: str
    tables: Decimal
    view: Decimal

    @property
    def difference(self) -> Decimal:
        """The sum of the view minus that of the tables."""
        return subtract_amounts(self.view, self.tables)


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewMonth:
    """A month of a source: what its view has, against what its tables have.

    `counts` is the source whose charges are in the view instead, None where these are. `reason`
    says why the month cannot be checked, or what to know of a difference.
    """

    source: str
    period: BillingPeriod
    verdict: Verdict
    sums: Amounts = field(default_factory=dict)
    """Those of the view."""
    counts: str | None = None
    differences: tuple[ViewDifference, ...] = ()
    reason: str = ""


def view_query(dialect: FocusDialect, view: tuple[str, ...]) -> SumQuery:
    """The sums of a view by source, month and currency."""
    text = dialect.sql.compose

    def known(name: str) -> Fragment:
        return text("COALESCE({name}, '')", name=name)

    return SumQuery(
        relation=text("{view}", view=view),
        columns={name: text("{name}", name=name) for name in COLUMNS},
        currency=known("BillingCurrency"),
        groups=(known("x_Source"), known("x_BillingMonth")),
    )


def view_sums(groups: Iterable[GroupSums]) -> Mapping[tuple[str, BillingPeriod], Amounts]:
    """The sums of a view by source and month, from the answer to its query.

    Rows of no month are of no sum, and neither are they in those of a table.
    """
    found: dict[tuple[str, BillingPeriod], dict[tuple[str, str], Decimal]] = defaultdict(dict)
    for one in groups:
        source, month = one.groups
        if _FIRST <= month < _END:
            sums = found[source, BillingPeriod.parse(month)]
            for column, amount in one.totals.items():
                sums[one.currency, column] = amount
    return found


def add_sums(one: Amounts, other: Amounts) -> Amounts:
    """The exact sum of two."""
    sums = dict(one)
    for key, amount in other.items():
        sums[key] = add_amounts(sums.get(key, _NOTHING), amount)
    return sums


def judge(
    source: str,
    period: BillingPeriod,
    *,
    tables: Amounts,
    view: Amounts,
    counts: str | None = None,
    lacking: Iterable[str] = (),
) -> ViewMonth:
    """Compares a month; `counts` is the source that counts instead, and then nothing may be there.

    `lacking` are the columns that the tables lack, or have in a type that cannot be summed exactly.
    """
    expected: Amounts = {} if counts is not None else tables
    differences = tuple(
        ViewDifference(currency=currency, column=column, tables=here, view=there)
        for currency, column in sorted({*expected, *view})
        if (here := expected.get((currency, column), _NOTHING))
        != (there := view.get((currency, column), _NOTHING))
    )
    missing = sorted({*lacking})
    reason, verdict = "", Verdict.DIFFERENT if differences else Verdict.EQUAL
    if missing and counts is None:
        verdict = Verdict.NOT_CHECKABLE
        differences = ()
        reason = f"the table has no exact amounts in {', '.join(missing)}"
    return ViewMonth(
        source=source,
        period=period,
        verdict=verdict,
        sums=view,
        counts=counts,
        differences=differences,
        reason=reason,
    )
