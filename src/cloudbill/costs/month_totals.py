"""What a table holds of each month, and how that differs from what was recorded of it; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from cloudbill.costs.amounts import shown_amount, subtract_amounts, to_amount
from cloudbill.costs.sums import EXACT, Charges, GroupSums, SumQuery, is_inexact
from cloudbill.models import LoadRecord, Totals
from cloudbill.periods import BillingPeriod
from cloudbill.sql import Fragment

if TYPE_CHECKING:
    from cloudbill.providers import Provider

__all__ = [
    "MonthQuery",
    "MonthTotals",
    "RecordDifference",
    "differing_totals",
    "shown_differences",
    "spans_of",
]

_ZERO = to_amount(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthTotals:
    """The exact totals of a provider's cost columns, each by its name in lower case.

    A month without rows is not there. `inexact` has the columns of money, prices and quantities
    that hold no exact amounts, and what they hold instead.
    """

    months: Mapping[BillingPeriod, Totals] = field(default_factory=dict)
    inexact: Mapping[str, str] = field(default_factory=dict)
    rows: Mapping[BillingPeriod, int] = field(default_factory=dict)
    """How many rows were summed of each month."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthQuery:
    """The query for the totals of some months; `where` leaves out rows of no month."""

    query: SumQuery
    inexact: Mapping[str, str]

    @classmethod
    def of(cls, charges: Charges, provider: Provider, where: Fragment) -> MonthQuery:
        """The query over the cost columns that are recorded with each load."""
        wanted = {column.lower() for column in provider.COST_COLUMNS}
        costs = {name: kind for name, kind in charges.kinds.items() if name.lower() in wanted}
        query = SumQuery(
            relation=charges.relation,
            where=where,
            currency=charges.text(provider.CURRENCY_COLUMN),
            groups=(charges.month(provider.PERIOD_COLUMN),),
            columns={
                name.lower(): charges.value(name) for name, kind in costs.items() if kind in EXACT
            },
        )
        inexact = {
            name: str(kind)
            for name, kind in charges.kinds.items()
            if (name in costs and kind not in EXACT)
            or (provider.is_amount(name) and is_inexact(kind))
        }
        return cls(query=query, inexact=inexact)

    def read(self, sums: Iterable[GroupSums]) -> MonthTotals:
        """The totals that its answer makes."""
        months: dict[BillingPeriod, dict[str, Mapping[str, Decimal]]] = {}
        rows: Counter[BillingPeriod] = Counter()
        for group in sums:
            month = BillingPeriod.parse(group.groups[0])
            months.setdefault(month, {})[group.currency] = group.totals
            rows[month] += group.rows
        return MonthTotals(months=months, inexact=self.inexact, rows=rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDifference:
    """A total of the month that the ledger recorded and the table does not hold now.

    Where the column is `rows`, `currency` is None.
    """

    currency: str | None
    column: str
    ledger: Decimal
    warehouse: Decimal

    @property
    def difference(self) -> Decimal:
        """How much more the warehouse holds than was recorded."""
        return subtract_amounts(self.warehouse, self.ledger)


def differing_totals(
    record: LoadRecord, in_table: Totals, inexact: Mapping[str, str]
) -> Iterator[RecordDifference]:
    """Every total of a month that was recorded and that a table does not hold now.

    `in_table` has the columns of the table by their names in lower case. Nothing is said where no
    total was recorded, nor of columns in `inexact`.
    """
    columns = _recorded_columns(record)
    compared = sorted(columns.keys() - {name.lower() for name in inexact})
    for currency in sorted({*record.totals, *in_table}):
        stated = {
            column.lower(): amount for column, amount in record.totals.get(currency, {}).items()
        }
        for key in compared:
            recorded = stated.get(key, _ZERO)
            now = in_table.get(currency, {}).get(key, _ZERO)
            if recorded != now:
                yield RecordDifference(
                    currency=currency, column=columns[key], ledger=recorded, warehouse=now
                )


def shown_differences(
    differences: Sequence[RecordDifference], inexact: Mapping[str, str]
) -> Iterator[str]:
    """What of a month differs, in words: the first of its totals, and columns of another type."""
    for one in differences[:1]:
        more = f", and {len(differences) - 1} more totals differ" if differences[1:] else ""
        yield (
            f"{one.column} is {shown_amount(one.warehouse, exact=True)} "
            f"{one.currency or '(no currency)'} in the table, "
            f"{shown_amount(one.ledger, exact=True)} was loaded{more}"
        )
    for column, kind in inexact.items():
        yield f"{column} is {kind} now, which holds no exact amounts"


def spans_of(periods: Iterable[BillingPeriod]) -> tuple[tuple[date, date], ...]:
    """Months as few spans of days, each from its first day to the first one after it."""
    spans: list[tuple[date, date]] = []
    for period in sorted(set(periods)):
        first, end = period.first_day, period.next.first_day
        if spans and spans[-1][1] == first:
            first = spans.pop()[0]
        spans.append((first, end))
    return tuple(spans)


def _recorded_columns(record: LoadRecord) -> dict[str, str]:
    return {column.lower(): column for totals in record.totals.values() for column in totals}
