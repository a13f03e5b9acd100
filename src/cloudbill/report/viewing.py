"""Reads what a report has from the view of a dataset; changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from cloudbill.focus.found import FoundFault, found_faults, found_query
from cloudbill.focus.keeping import FocusPlan, plan_views
from cloudbill.focus.views import FAULTS, FOCUS
from cloudbill.report.view_model import LeftOutMonths, ViewReport, by_day, by_month
from cloudbill.warehouses import open_warehouse

if TYPE_CHECKING:
    from cloudbill.costs.sums import GroupSums, SumQuery
    from cloudbill.periods import BillingPeriod
    from cloudbill.settings import SourceSettings
    from cloudbill.warehouses.viewing import Views

__all__ = ["collect_view"]


def collect_view(settings: Sequence[SourceSettings]) -> ViewReport | None:
    """What the view of one dataset says; None where it is missing, or not as the tables are now.

    `settings` are the configured sources of the dataset.

    Raises:
        CloudbillError: If it cannot be read.
    """
    with closing(open_warehouse(settings[0].warehouse, read_only=True)) as warehouse:
        plan = plan_views(settings, warehouse)
        if plan.has_work or FOCUS not in plan.remembered:
            return None
        views = warehouse.views
        dialect, view = views.dialect, views.path(FOCUS)
        months = _read(views, by_month(dialect, view))
        newest = max((one.groups[1] for one in months), default=None)
        days = () if newest is None else _read(views, by_day(dialect, view, newest))
        faults: tuple[FoundFault, ...] = ()
        if FAULTS in plan.remembered:
            rows = views.rows(found_query(dialect, views.path()), what=f"Reading {FAULTS}")
            faults = found_faults(rows)
        return ViewReport(
            name=f"{plan.dataset}.{FOCUS}",
            months=months,
            days=days,
            faults=faults,
            left_out=_left_out(plan),
        )


def _read(views: Views, query: SumQuery) -> tuple[GroupSums, ...]:
    return query.read(views.rows(query.statement(views.dialect.sql), what=f"Reading {FOCUS}"))


def _left_out(plan: FocusPlan) -> tuple[LeftOutMonths, ...]:
    """The months that are not in the views of a plan."""
    names = {one.key: one.settings.source for one in plan.sources}
    found: dict[tuple[str, str], list[BillingPeriod]] = {}
    for one in plan.left_out:
        found.setdefault((names[one.key], names[one.counts]), []).append(one.period)
    return tuple(
        LeftOutMonths(source=source, counts=counts, periods=tuple(periods))
        for (source, counts), periods in found.items()
    )
