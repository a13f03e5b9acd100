"""What a report has from the view `focus`: what no table says alone, and what counts; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cloudbill.costs.sums import Charges, GroupSums, SumQuery
from cloudbill.focus.found import FoundFault
from cloudbill.manifests import ColumnType
from cloudbill.periods import BillingPeriod
from cloudbill.report.model import KINDS, Amounts
from cloudbill.sql import Fragment
from cloudbill.warehouses.view_dialects import FocusDialect

__all__ = ["LeftOutMonths", "ViewReport", "amounts_of", "by_day", "by_month"]

_COSTS: Final = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")
"""The columns of the kinds of cost, in the order of `KINDS`."""
_SOURCE: Final = "x_Source"
_MONTH: Final = "x_BillingMonth"
_TEXTS: Final = (
    *(_SOURCE, _MONTH, "BillingCurrency", "ChargeCategory"),
    *("CommitmentDiscountStatus", "RegionId", "RegionName"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOutMonths:
    """Months of a source that are not in the view, and the source that counts instead."""

    source: str
    counts: str
    periods: tuple[BillingPeriod, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewReport:
    """What was read of the view of one dataset.

    The groups of `months` are source, month, category of the charge, region, status of the
    commitment, and whether there are tags; those of `days` source, month, day and category, of the
    newest month alone.
    """

    name: str
    months: tuple[GroupSums, ...] = ()
    days: tuple[GroupSums, ...] = ()
    faults: tuple[FoundFault, ...] = ()
    left_out: tuple[LeftOutMonths, ...] = ()


def by_month(dialect: FocusDialect, view: tuple[str, ...]) -> SumQuery:
    """The query for the months of a view."""
    charges = _charges(dialect, view)
    return _query(
        charges,
        (
            charges.text("ChargeCategory"),
            charges.text("RegionName", "RegionId"),
            charges.text("CommitmentDiscountStatus"),
            # An object can only be told from none.
            Fragment("CASE WHEN Tags IS NULL THEN '' ELSE 'tagged' END"),
        ),
        Fragment(f"{_MONTH} IS NOT NULL"),
    )


def by_day(dialect: FocusDialect, view: tuple[str, ...], month: str) -> SumQuery:
    """The query for the days of one month of a view."""
    charges = _charges(dialect, view)
    return _query(
        charges,
        (charges.day("ChargePeriodStart"), charges.text("ChargeCategory")),
        Fragment(f"{_MONTH} = {dialect.literal(month)}"),
    )


def _charges(dialect: FocusDialect, view: tuple[str, ...]) -> Charges:
    kinds: Mapping[str, ColumnType | str] = {
        **dict.fromkeys(_TEXTS, ColumnType.STRING),
        **dict.fromkeys(_COSTS, ColumnType.DECIMAL),
        "ChargePeriodStart": ColumnType.TIMESTAMP,
    }
    relation = dialect.sql.compose("{view}", view=view)
    return Charges(dialect=dialect.sql, relation=relation, kinds=kinds)


def _query(charges: Charges, groups: tuple[Fragment, ...], where: Fragment) -> SumQuery:
    return SumQuery(
        relation=charges.relation,
        columns={name: charges.value(name) for name in _COSTS},
        currency=charges.text("BillingCurrency"),
        groups=(charges.text(_SOURCE), charges.text(_MONTH), *groups),
        where=where,
    )


def amounts_of(group: GroupSums) -> Amounts:
    """The amounts of a group by kind."""
    return tuple(group.amounts[name] for name, _ in zip(_COSTS, KINDS, strict=True))
