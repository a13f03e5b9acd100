"""The one way to sum money: what can be summed, the query, and its answer; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from cloudbill.costs.amounts import add_each, to_amount
from cloudbill.manifests import ColumnType
from cloudbill.models import Totals
from cloudbill.sql import Dialect, Fragment

if TYPE_CHECKING:
    from cloudbill.providers import Provider

__all__ = [
    "Charges",
    "EXACT",
    "GroupSums",
    "NOTHING",
    "SumQuery",
    "billed_costs",
    "by_currency",
    "is_inexact",
    "is_narrow",
    "rests_by_currency",
    "sum_totals",
    "without_zeros",
]

EXACT: Final = frozenset({ColumnType.DECIMAL, ColumnType.INTEGER})
"""The types that can be summed without rounding."""
_NUMBERS: Final = EXACT | {ColumnType.FLOAT}
NOTHING: Final = Fragment("''")
"""The text for a row without a value."""


def is_inexact(kind: ColumnType | str) -> bool:
    """Whether a column of amounts does not hold what the files say, for it is of this type."""
    return kind is ColumnType.FLOAT or is_narrow(kind)


def is_narrow(kind: ColumnType | str) -> bool:
    """Whether a type is DuckDB's word for a decimal that keeps less than those of cloudbill."""
    return kind.startswith("DECIMAL(")


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSums:
    """The rows of one group in one currency, and the sum of each column by its name."""

    currency: str
    """Empty if a row has none."""
    groups: tuple[str, ...]
    rows: int
    amounts: Mapping[str, Decimal | None]
    """None if no row has the amount."""
    rests: Mapping[str, Decimal] = field(default_factory=dict)
    """What was rounded away of the amounts, for those of which anything was."""

    @property
    def totals(self) -> dict[str, Decimal]:
        """The sums, 0 if no row has the amount."""
        return {name: amount or to_amount(0) for name, amount in self.amounts.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class SumQuery:
    """Counts the rows of a relation that match the condition `where`, and sums their `columns`.

    `currency` and `groups` are texts that are never NULL; the answer has one row for each of their
    combinations. `columns` gives the summed values by the names of the sums, and `rests` what is
    rounded away of a value, for those of which anything may be; both are summed, apart from each
    other, for no type holds the digits of both. With `most`, the answer has only the groups whose
    first sum is farthest from zero.
    """

    relation: Fragment
    columns: Mapping[str, Fragment]
    rests: Mapping[str, Fragment] = field(default_factory=dict)
    currency: Fragment = NOTHING
    groups: tuple[Fragment, ...] = ()
    where: Fragment | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Parameters of the pieces above; those of the relation and the condition are not included."""
    most: int | None = None

    def statement(self, dialect: Dialect) -> Fragment:
        """The statement in a dialect.

        The values get names before they are grouped, so the warehouse need not recognise that two
        expressions are equal.
        """
        keys = [f"key_{index}" for index in range(1 + len(self.groups))]
        amounts = [f"amount_{index}" for index in range(len(self.columns))]
        rests = [f"rest_{index}" for index in range(len(self.rests))]
        sums = [dialect.compose("SUM({name})", name=name) for name in [*amounts, *rests]]
        values = [self.currency, *self.groups, *self.columns.values(), *self.rests.values()]
        named = [
            dialect.compose("{value} AS {name}", value=value, name=name)
            for value, name in zip(values, [*keys, *amounts, *rests], strict=True)
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
        """The answer from the rows of the result, in the order of currencies and groups."""
        size = 1 + len(self.groups)
        end = size + 1 + len(self.columns)
        return tuple(
            GroupSums(
                currency=row[0],
                groups=tuple(row[1:size]),
                rows=int(row[size]),
                amounts={
                    name: None if amount is None else to_amount(amount)
                    for name, amount in zip(self.columns, row[size + 1 : end], strict=True)
                },
                rests={
                    name: to_amount(rest)
                    for name, rest in zip(self.rests, row[end:], strict=True)
                    if rest
                },
            )
            for row in sorted(rows, key=lambda row: tuple(row[:size]))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Charges:
    """Rows that can be summed: a relation, and the types of its columns, by name in the table.

    Names are found in any case. `values` gives an expression for a column that is not read as it
    is, and `rests` what of its value was rounded away.
    """

    dialect: Dialect
    relation: Fragment
    kinds: Mapping[str, ColumnType | str]
    values: Mapping[str, Fragment] = field(default_factory=dict)
    rests: Mapping[str, Fragment] = field(default_factory=dict)

    def spelt(self, name: str) -> str | None:
        """The spelling of a column in the relation; None if there is no such column."""
        wanted = name.lower()
        return next((found for found in self.kinds if found.lower() == wanted), None)

    def kind(self, name: str) -> ColumnType | str | None:
        """The type of a column; None if there is no such column."""
        spelt = self.spelt(name)
        return None if spelt is None else self.kinds[spelt]

    def value(self, name: str) -> Fragment:
        """The value of an existing column."""
        spelt = self.spelt(name) or ""
        return self.values.get(spelt) or self.dialect.compose("{name}", name=spelt)

    def rests_of(self, names: Mapping[str, str]) -> dict[str, Fragment]:
        """What is rounded away of some columns, by the names of their sums."""
        return {summed: self.rests[name] for summed, name in names.items() if name in self.rests}

    def text(self, *names: str, otherwise: Fragment = NOTHING) -> Fragment:
        """The first of the columns that is not empty in a row, as text, or else another text.

        `product.product_name` is a key of a column of objects.
        """
        found = [self._text(name) for name in names]
        texts = [
            self.dialect.compose("NULLIF({text}, '')", text=text)
            for text in found
            if text is not None
        ]
        return self.dialect.compose("COALESCE({texts})", texts=[*texts, otherwise])

    def _text(self, name: str) -> Fragment | None:
        """A column as text; None if there is no such column."""
        dialect, kind = self.dialect, self.kind(name)
        if kind is not None:
            template = dialect.json_text if kind is ColumnType.JSON else dialect.text
            return dialect.compose(template, value=self.value(name))
        column, _, key = name.partition(".")
        if not key.isidentifier() or self.kind(column) is not ColumnType.JSON:
            return None
        return dialect.compose(dialect.member, value=self.value(column), key=Fragment(key))

    def day(self, name: str) -> Fragment:
        """The UTC day of a column as text, empty if there is none.

        It is text because Python's dates end at the year 9999, and those of warehouses do not.
        """
        return self._of_time(name, self.dialect.text)

    def month(self, name: str) -> Fragment:
        """The UTC month of a column as `YYYY-MM`, empty if there is none."""
        return self._of_time(name, self.dialect.month)

    def in_spans(self, name: str, spans: Iterable[tuple[date, date]]) -> Fragment:
        """Whether a column of times or days is in one of some spans of days."""
        return self.dialect.in_spans(name, spans, of_day=self._of_day(name))

    def of_no_month(self, name: str) -> Fragment:
        """Whether a row is of no month, by a column of times or days."""
        return self.dialect.of_no_month(name, of_day=self._of_day(name))

    def _of_day(self, name: str) -> str:
        is_day = self.kind(name) is ColumnType.DATE
        return self.dialect.date_of_day if is_day else self.dialect.time_of_day

    def positive(self, name: str) -> Fragment:
        """The value of a column where it is more than nothing."""
        return self.dialect.compose(
            "CASE WHEN {value} > 0 THEN {value} END", value=self.value(name)
        )

    def _of_time(self, name: str, template: str) -> Fragment:
        kind = self.kind(name)
        if kind not in {ColumnType.TIMESTAMP, ColumnType.DATE}:
            return NOTHING
        value = self.value(name)
        if kind is ColumnType.TIMESTAMP:
            value = self.dialect.compose(self.dialect.day, value=value)
        return self.dialect.compose(f"COALESCE({template}, '')", value=value)


def billed_costs(kinds: Mapping[str, ColumnType | str], provider: Provider) -> tuple[str, ...]:
    """The provider's cost columns, in its order, that exist and are numbers."""
    numbers = {name.lower(): name for name, kind in kinds.items() if kind in _NUMBERS}
    return tuple(numbers[cost.lower()] for cost in provider.COST_COLUMNS if cost.lower() in numbers)


def by_currency(sums: Iterable[GroupSums]) -> Totals:
    """The totals of all groups together."""
    return _added((group.currency, group.totals) for group in sums)


def rests_by_currency(sums: Iterable[GroupSums]) -> Totals:
    """What was rounded away in all groups together, where it was anything."""
    return without_zeros(_added((group.currency, group.rests) for group in sums))


def without_zeros(totals: Totals) -> Totals:
    """The totals that are not 0."""
    kept = {
        currency: {name: amount for name, amount in amounts.items() if amount}
        for currency, amounts in totals.items()
    }
    return {currency: amounts for currency, amounts in kept.items() if amounts}


def sum_totals(totals: Iterable[Totals]) -> Totals:
    """Totals added up, each currency and column by itself."""
    return _added((currency, sums) for some in totals for currency, sums in some.items())


def _added(found: Iterable[tuple[str, Mapping[str, Decimal]]]) -> Totals:
    totals: dict[str, dict[str, Decimal]] = {}
    for currency, sums in found:
        totals[currency] = add_each(totals.get(currency, {}), sums)
    return totals
