"""The totals of a month by currency and day, summed from files or in a table; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from cloudbill.costs.amounts import add_each
from cloudbill.costs.sums import EXACT, Charges, GroupSums, SumQuery, without_zeros
from cloudbill.manifests import ColumnType
from cloudbill.models import Totals
from cloudbill.sql import Fragment

if TYPE_CHECKING:
    from cloudbill.providers import Provider

__all__ = ["CostColumns", "DailyQuery", "DailyTotals", "DayTotals", "choose_costs", "merge_totals"]

DayKey = tuple[str, str | None]
"""A currency, empty if a row has none, and a day as `YYYY-MM-DD`, None if a row has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostColumns:
    """The columns to sum, and those that should be summed but have no exact amounts."""

    exact: tuple[str, ...]
    inexact: Mapping[str, str] = field(default_factory=dict)
    """The type of such a column, by its name in lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayTotals:
    """The rows of a day in one currency, and the sum of each column by its name in lower case.

    `rests` has what was rounded away of the sums, where it was anything.
    """

    rows: int
    amounts: Mapping[str, Decimal]
    rests: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyTotals:
    """A whole month; `columns` gives the spelling of each column that was summed.

    A day is the UTC day of the charge as text, because warehouses have years that `date` does not.
    """

    days: Mapping[DayKey, DayTotals] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    inexact: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """The rows of the month."""
        return sum(day.rows for day in self.days.values())

    def by_currency(self) -> Totals:
        """The sums of the month, each column by its name in lower case."""
        return {currency: month.amounts for currency, month in self._months().items()}

    def rests_by_currency(self) -> Totals:
        """What was rounded away of the sums of the month; each column by its name."""
        return without_zeros(
            {
                currency: {self.columns[key]: rest for key, rest in month.rests.items()}
                for currency, month in self._months().items()
            }
        )

    def _months(self) -> dict[str, DayTotals]:
        months: dict[str, DayTotals] = {}
        for (currency, _), day in self.days.items():
            months[currency] = _plus(months.get(currency), day)
        return months


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyQuery:
    """The query for the daily totals of some charges, and the meaning of its sums."""

    query: SumQuery
    costs: CostColumns

    @classmethod
    def of(cls, charges: Charges, provider: Provider, where: Fragment | None = None) -> DailyQuery:
        """The query; what is rounded away of an amount is summed beside it."""
        costs = choose_costs(charges.kinds, provider.COST_COLUMNS)
        query = SumQuery(
            relation=charges.relation,
            where=where,
            currency=charges.text(provider.CURRENCY_COLUMN),
            groups=(charges.day(provider.CLUSTER_COLUMN),),
            columns={cost.lower(): charges.value(cost) for cost in costs.exact},
            rests=charges.rests_of({cost.lower(): cost for cost in costs.exact}),
        )
        return cls(query=query, costs=costs)

    def read(self, sums: Iterable[GroupSums]) -> DailyTotals:
        """The totals from the answer to the query."""
        return DailyTotals(
            days={
                (group.currency, group.groups[0] or None): DayTotals(
                    rows=group.rows, amounts=group.totals, rests=group.rests
                )
                for group in sums
            },
            columns={cost.lower(): cost for cost in self.costs.exact},
            inexact=self.costs.inexact,
        )


def choose_costs(
    columns: Mapping[str, ColumnType | str], cost_columns: Collection[str]
) -> CostColumns:
    """The columns to sum: the provider's, and every other decimal with `cost` in its name.

    The others are costs in a second currency (`x_BilledCostInUsd`) or before discounts
    (`x_OnDemandCost`). Prices, quantities and rates are not totalled: their sums mean nothing.
    """
    required = {column.lower() for column in cost_columns}
    exact: list[str] = []
    inexact: dict[str, str] = {}
    for name, kind in columns.items():
        key = name.lower()
        if key not in required and (kind is not ColumnType.DECIMAL or "cost" not in key):
            continue
        if kind in EXACT:
            exact.append(name)
        else:
            inexact[key] = str(kind)
    return CostColumns(exact=tuple(exact), inexact=inexact)


def merge_totals(parts: Iterable[DailyTotals]) -> DailyTotals:
    """The totals of all parts of a run together."""
    days: dict[DayKey, DayTotals] = {}
    columns: dict[str, str] = {}
    inexact: dict[str, str] = {}
    for part in parts:
        for key, day in part.days.items():
            days[key] = _plus(days.get(key), day)
        columns = dict(part.columns) | columns
        inexact = dict(part.inexact) | inexact
    return DailyTotals(days=days, columns=columns, inexact=inexact)


def _plus(one: DayTotals | None, other: DayTotals) -> DayTotals:
    if one is None:
        return other
    return DayTotals(
        rows=one.rows + other.rows,
        amounts=add_each(one.amounts, other.amounts),
        rests=add_each(one.rests, other.rests),
    )
