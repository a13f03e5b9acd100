"""Sums the view `focus` and the tables under it, each by its own rules, and compares the two.

Of a table nothing comes from the mapping that the view is made of: the billed column is summed, and
the effective cost by the rule of the provider that the page of `report` has as well. Nothing is
changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from cloudbill.costs.cube import CubeRequest, Dimension
from cloudbill.errors import StaleError
from cloudbill.focus.keeping import FocusPlan, KnownSource, plan_views
from cloudbill.focus.views import FOCUS
from cloudbill.looking.comparison import Verdict
from cloudbill.looking.view_comparison import (
    COLUMNS,
    Amounts,
    ViewMonth,
    add_sums,
    judge,
    view_query,
    view_sums,
)
from cloudbill.periods import BillingPeriod
from cloudbill.providers.roles import CostKind, CostRule
from cloudbill.warehouses import open_warehouse

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings
    from cloudbill.warehouses.viewing import Views

__all__ = ["verify_view"]

_KINDS: Final = dict(zip(COLUMNS, (CostKind.BILLED, CostKind.EFFECTIVE), strict=True))
_OLD: Final = "the view is not as the tables are now; `cloudbill focus` makes it again"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    """What a table has of each month, and the columns that its rules lack."""

    sums: Mapping[BillingPeriod, Amounts]
    lacking: tuple[str, ...]


def verify_view(settings: Sequence[SourceSettings]) -> tuple[ViewMonth, ...]:
    """The months of the view of one dataset, by source, newest first.

    `settings` are the configured sources of the dataset.

    Raises:
        CloudbillError: If the view is not there, or it or a table cannot be read.
    """
    with closing(open_warehouse(settings[0].warehouse, read_only=True)) as warehouse:
        plan = plan_views(settings, warehouse)
        if not plan.fingerprint:
            return ()
        columns = {
            one.key: frozenset(map(str.lower, warehouse.views.kinds(one.settings.table_name)))
            for one in plan.sources
        }
        view = _read_view(plan, warehouse.views)
    tables = {one.key: _read_table(one, columns[one.key]) for one in plan.sources}
    months = _months(plan, view, tables)
    if not plan.has_work:
        return months
    return tuple(
        replace(one, reason=_OLD) if one.verdict is Verdict.DIFFERENT else one for one in months
    )


def _read_view(plan: FocusPlan, views: Views) -> Mapping[tuple[str, BillingPeriod], Amounts]:
    name = f"{plan.dataset}.{FOCUS}"
    if FOCUS not in plan.remembered:
        why = "was not made by cloudbill" if FOCUS in plan.foreign else "is missing"
        raise StaleError(f"The view {name} {why}, so it cannot be verified. Run `cloudbill focus`")
    query = view_query(views.dialect, views.path(FOCUS))
    rows = views.rows(query.statement(views.dialect.sql), what=f"Reading the view {name}")
    return view_sums(query.read(rows))


def _read_table(source: KnownSource, columns: frozenset[str]) -> _Table:
    """The sums of a table by month; each source is read by a warehouse that knows its provider."""
    settings = source.settings
    rules = {name: _rule(settings, kind, columns) for name, kind in _KINDS.items()}
    request = CubeRequest(dimensions=(Dimension.MONTH, Dimension.CURRENCY), measures=rules)
    with closing(open_warehouse(settings.warehouse, read_only=True)) as warehouse:
        cube = warehouse.cost_cube(settings.table_name, request)
    sums: dict[BillingPeriod, Amounts] = defaultdict(dict)
    for cell in cube.cells:
        month, currency = cell.key
        amounts = {
            (currency, name): amount
            for name, amount in zip(cube.measures, cell.amounts, strict=True)
            if amount is not None
        }
        period = BillingPeriod.parse(month)
        sums[period] = add_sums(sums[period], amounts)
    lacking = tuple(name for names in cube.missing.values() for name in names)
    return _Table(sums=sums, lacking=lacking)


def _rule(settings: SourceSettings, kind: CostKind, columns: frozenset[str]) -> CostRule:
    """The rule of a provider for the columns of a table, after discounts where it has them."""
    roles = settings.provider.ROLES
    rule = roles.costs[kind]
    net = {name: roles.net[name] for name in rule.amounts if name in roles.net}
    return replace(rule, first=net).within(columns)


def _months(
    plan: FocusPlan,
    view: Mapping[tuple[str, BillingPeriod], Amounts],
    tables: Mapping[str, _Table],
) -> tuple[ViewMonth, ...]:
    """Every month of every source; two tables of one source are one there, as in the view."""
    names = {one.key: one.settings.source for one in plan.sources}
    counts = {(one.key, one.period): names[one.counts] for one in plan.left_out}
    found = []
    for source in dict.fromkeys(names.values()):
        keys = [key for key, name in names.items() if name == source]
        periods = {period for key in keys for period in tables[key].sums}
        periods |= {period for name, period in view if name == source}
        for period in sorted(periods, reverse=True):
            there = [key for key in keys if period in tables[key].sums]
            kept = [key for key in there if (key, period) not in counts]
            sums: Amounts = {}
            for key in kept:
                sums = add_sums(sums, tables[key].sums[period])
            left = None if kept or not there else counts[there[0], period]
            lacking = [column for key in kept for column in tables[key].lacking]
            found.append(
                judge(
                    source,
                    period,
                    tables=sums,
                    view=view.get((source, period), {}),
                    counts=left,
                    lacking=lacking,
                )
            )
    return tuple(found)
