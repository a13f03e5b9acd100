"""The one way to sum money: what can be summed, the query that does it, and its answer; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from cloudbill.costs.amounts import add_amounts, to_amount
from cloudbill.models import ColumnType, Totals
from cloudbill.sql import Dialect, Fragment

if TYPE_CHECKING:
    from cloudbill.providers import Provider

__all__ = ["Charges", "EXACT", "GroupSums", "NOTHING", "SumQuery", "billed_costs", "by_currency"]

EXACT: Final = frozenset({ColumnType.DECIMAL, ColumnType.INTEGER})
"""What can be summed without rounding."""
_NUMBERS: Final = EXACT | {ColumnType.FLOAT}
NOTHING: Final = Fragment("''")
"""The text of a row that has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSums:
    """The rows of one group in one currency, and the sum of each column by its name."""

    currency: str
    """Empty where a row has none."""
    groups: tuple[str, ...]
    rows: int
    amounts: Mapping[str, Decimal | None]
    """None where no row has the amount."""

    @property
    def totals(self) -> dict[str, Decimal]:
        """The sums, 0 where no row has the amount."""
        return {name: amount or to_amount(0) for name, amount in self.amounts.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class SumQuery:
    """Counts the rows of a relation `where` a condition holds, and sums `columns` of them.

    `currency` and `groups` are texts that are never NULL; each combination of them is an answer.
    `columns` gives what is summed by the names that the sums get. With `most`, only the groups
    whose first sum is farthest from zero are answered.
    """

    relation: Fragment
    columns: Mapping[str, Fragment]
    currency: Fragment = NOTHING
    groups: tuple[Fragment, ...] = ()
    where: Fragment | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Texts that the pieces above take, beside what the relation and the condition take."""
    most: int | None = None

    def statement(self, dialect: Dialect) -> Fragment:
        """The statement in a dialect.

        The values have names before they are grouped, so that no expression has to be found equal
        to another.
        """
        keys = [f"key_{index}" for index in range(1 + len(self.groups))]
        amounts = [f"amount_{index}" for index in range(len(self.columns))]
        sums = [dialect.compose("SUM({amount})", amount=amount) for amount in amounts]
        values = [self.currency, *self.groups, *self.columns.values()]
        named = [
            dialect.compose("{value} AS {name}", value=value, name=name)
            for value, name in zip(values, [*keys, *amounts], strict=True)
        ]
        by = [dialect.compose("{key}", key=key) for key in keys]
        template = "SELECT {columns} FROM (SELECT {named} FROM {relation}"
        template += " WHERE {where}) AS charges" if self.where else ") AS charges"
        template += " GROUP BY {by}"
        if self.most is not None:
            template += " ORDER BY " + ("ABS(COALESCE({first}, 0)) DESC, {by}" if sums else "{by}")
            template += f" LIMIT {self.most}"
        return dialect.compose(
            template,
            columns=[*by, Fragment("COUNT(*)"), *sums],
            named=named,
            relation=self.relation,
            where=self.where or NOTHING,
            by=by,
            first=sums[0] if sums else NOTHING,
        )

    def read(self, rows: Iterable[Sequence[Any]]) -> tuple[GroupSums, ...]:
        """The answer that the rows of the result hold, in the order of currencies and groups."""
        size = 1 + len(self.groups)
        return tuple(
            GroupSums(
                currency=row[0],
                groups=tuple(row[1:size]),
                rows=int(row[size]),
                amounts={
                    name: None if amount is None else to_amount(amount)
                    for name, amount in zip(self.columns, row[size + 1 :], strict=True)
                },
            )
            for row in sorted(rows, key=lambda row: tuple(row[:size]))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Charges:
    """Rows that can be summed: a relation, and what its columns hold, by their names in the table.

    Names are found in whatever case they are asked for. `values` says how a column is read, where
    it is not read as it is.
    """

    dialect: Dialect
    relation: Fragment
    kinds: Mapping[str, ColumnType | str]
    values: Mapping[str, Fragment] = field(default_factory=dict)

    def spelt(self, name: str) -> str | None:
        """How the relation spells a column; None where it has none of that name."""
        wanted = name.lower()
        return next((found for found in self.kinds if found.lower() == wanted), None)

    def kind(self, name: str) -> ColumnType | str | None:
        """What a column holds; None where there is none of that name."""
        spelt = self.spelt(name)
        return None if spelt is None else self.kinds[spelt]

    def value(self, name: str) -> Fragment:
        """The value of a column that is there."""
        spelt = self.spelt(name) or ""
        return self.values.get(spelt) or self.dialect.compose("{name}", name=spelt)

    def text(self, *names: str, otherwise: Fragment = NOTHING) -> Fragment:
        """The first of the columns that is not empty in a row, as text, or another text."""
        texts = [
            self.dialect.compose(f"NULLIF({self.dialect.text}, '')", value=self.value(name))
            for name in names
            if self.spelt(name) is not None
        ]
        return self.dialect.compose("COALESCE({texts})", texts=[*texts, otherwise])

    def day(self, name: str) -> Fragment:
        """The UTC day of a column as text, empty where there is none.

        As text, for Python's dates end at the year 9999, and those of warehouses do not.
        """
        return self._of_time(name, self.dialect.text)

    def month(self, name: str) -> Fragment:
        """The UTC month of a column as `YYYY-MM`, empty where there is none."""
        return self._of_time(name, self.dialect.month)

    def _of_time(self, name: str, template: str) -> Fragment:
        kind = self.kind(name)
        if kind not in {ColumnType.TIMESTAMP, ColumnType.DATE}:
            return NOTHING
        value = self.value(name)
        if kind is ColumnType.TIMESTAMP:
            value = self.dialect.compose(self.dialect.day, value=value)
        return self.dialect.compose(f"COALESCE({template}, '')", value=value)


def billed_costs(kinds: Mapping[str, ColumnType | str], provider: Provider) -> tuple[str, ...]:
    """The cost columns that a provider names, in its order, as far as they are there as numbers."""
    numbers = {name.lower(): name for name, kind in kinds.items() if kind in _NUMBERS}
    return tuple(numbers[cost.lower()] for cost in provider.COST_COLUMNS if cost.lower() in numbers)


def by_currency(sums: Iterable[GroupSums]) -> Totals:
    """The totals of all groups together."""
    totals: dict[str, dict[str, Decimal]] = {}
    for group in sums:
        amounts = totals.setdefault(group.currency, {})
        for name, amount in group.totals.items():
            amounts[name] = add_amounts(amounts.get(name, Decimal(0)), amount)
    return totals
