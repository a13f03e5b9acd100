"""What the views of a dataset say of their own charges: faults, and unknown categories; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from cloudbill.costs.amounts import add_amounts, to_amount
from cloudbill.focus.faults import FaultRule, fault_rules
from cloudbill.focus.mapping import lookup_of
from cloudbill.focus.views import FAULTS, FOCUS
from cloudbill.periods import BillingPeriod
from cloudbill.sql import Fragment
from cloudbill.warehouses.view_dialects import FocusDialect

__all__ = [
    "FoundFault",
    "SERVICE_CODE",
    "found_faults",
    "found_query",
    "unknown_codes",
    "unknown_query",
]

SERVICE_CODE: Final = "x_ServiceCode"
"""The column of a view that has the code of AWS for a product, if the view has it."""
_NOTHING: Final = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFault:
    """The charges of a source that a rule names."""

    source: str
    rule: FaultRule
    rows: int
    periods: tuple[BillingPeriod, ...]
    costs: Mapping[str, Decimal] = field(default_factory=dict)
    """What they cost as billed, by currency."""

    @property
    def weight(self) -> tuple[Decimal, int]:
        """How bad it is: by the cost, then by the charges. Currencies are not added up."""
        return max((abs(cost) for cost in self.costs.values()), default=_NOTHING), self.rows


def found_query(dialect: FocusDialect, path: tuple[str, ...]) -> Fragment:
    """The query for `found_faults`; `path` is that of the dataset."""
    return dialect.sql.compose(
        "SELECT x_Source, x_BillingMonth, BillingCurrency, Rule, FaultyRows, BilledCost "
        "FROM {view} AS faults",
        view=(*path, FAULTS),
    )


def found_faults(rows: Iterable[Sequence[object]]) -> tuple[FoundFault, ...]:
    """The faults by source, the worst first; `rows` are those of the query."""
    rules = {rule.name: rule for rule in fault_rules()}
    groups: dict[tuple[str, str], list[Sequence[object]]] = defaultdict(list)
    for row in rows:
        groups[str(row[0]), str(row[3])].append(row)
    found = [
        FoundFault(
            source=source,
            rule=rules.get(name) or _unknown(name),
            rows=sum(int(str(row[4])) for row in group),
            periods=tuple(sorted({BillingPeriod.parse(str(row[1])) for row in group if row[1]})),
            costs=_costs(group),
        )
        for (source, name), group in groups.items()
    ]
    # Ties are in the order of the rules.
    order = {name: place for place, name in enumerate(rules)}
    found.sort(key=lambda one: order.get(one.rule.name, len(order)))
    found.sort(key=lambda one: one.weight, reverse=True)
    return tuple(sorted(found, key=lambda one: one.source))


def _costs(rows: Iterable[Sequence[object]]) -> Mapping[str, Decimal]:
    costs: dict[str, Decimal] = {}
    for row in rows:
        if row[5] is not None:
            currency = str(row[2] or "")
            costs[currency] = add_amounts(
                costs.get(currency, _NOTHING), to_amount(Decimal(str(row[5])))
            )
    return dict(sorted(costs.items()))


def _unknown(name: str) -> FaultRule:
    """A rule of a view that another version of cloudbill made."""
    return FaultRule(name=name, title=name, where="", source="", remedy="")


def unknown_query(dialect: FocusDialect, path: tuple[str, ...]) -> Fragment:
    """The query for `unknown_codes`; `path` is that of the dataset."""
    return dialect.sql.compose(
        "SELECT DISTINCT x_Source, {code} FROM {view} AS charges "
        "WHERE {code} IS NOT NULL AND ServiceCategory = {other}",
        code=SERVICE_CODE,
        view=(*path, FOCUS),
        other=dialect.literal("Other"),
    )


def unknown_codes(
    rows: Iterable[Sequence[object]], sources: Iterable[str]
) -> Mapping[str, tuple[str, ...]]:
    """The codes that no category is known for, by source; `sources` are those with our categories.

    Of a delivery of FOCUS the category is the provider's own.
    """
    known, named = set(lookup_of("services").keys), set(sources)
    found: dict[str, list[str]] = defaultdict(list)
    for source, code in sorted((str(row[0]), str(row[1])) for row in rows):
        if source in named and code not in known:
            found[source].append(code)
    return {source: tuple(codes) for source, codes in found.items()}
