"""Reads the data of a report from warehouse and store; changes nothing."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from cloudbill.costs.cube import CubeRequest
from cloudbill.errors import CloudbillError
from cloudbill.ledger.state import Remembered
from cloudbill.periods import BillingPeriod
from cloudbill.providers import PROVIDERS
from cloudbill.report.model import (
    BY_DAY,
    BY_MONTH,
    BY_TAGS,
    SourceReport,
    measures_of,
)
from cloudbill.report.standing import with_standing
from cloudbill.surveying import Present, compare_recorded, read_present
from cloudbill.warehouses import Warehouse, open_warehouse

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings

__all__ = ["collect", "months_reported", "unconfigured", "unread"]

_MOST_TAG_SETS: Final = 200_000
"""How many combinations of tags are read; the others are shown as one amount."""


def collect(settings: SourceSettings) -> tuple[SourceReport, CloudbillError | None]:
    """The data of a report for one source, or the error of reading the warehouse."""
    report = unread(settings)
    present, failed = Present(remembered=Remembered()), None
    try:
        with closing(open_warehouse(settings.warehouse, read_only=True)) as warehouse:
            present = read_present(settings, warehouse)
            report = _with_sums(report, settings, warehouse, present)
            present = compare_recorded(settings, warehouse, present, trusts_file=False)
    except CloudbillError as error:
        report, failed = replace(report, error=str(error)), error
    report = replace(
        report,
        loaded=present.loaded,
        rows_in_table=present.rows,
        rows_of_no_month=present.table.of_no_month,
    )
    if failed is None:
        report = with_standing(report, settings, present)
    return report, failed


def months_reported(settings: SourceSettings) -> int:
    """How many months of a source a report has.

    Raises:
        CloudbillError: If the warehouse cannot be read.
    """
    report, failed = collect(settings)
    if failed is not None:
        raise failed
    return len(report.loaded)


def unread(settings: SourceSettings) -> SourceReport:
    """What a report says of a source before anything of it was read."""
    return SourceReport(
        source=settings.source,
        cloud=settings.provider.CLOUD,
        title=settings.provider.TITLE,
        table=f"{settings.dataset}.{settings.table_name}",
        warehouse=_warehouse_name(settings),
        roles=settings.provider.ROLES,
        cost_columns=settings.provider.COST_COLUMNS,
        max_age=settings.max_age,
    )


def unconfigured(source: str) -> SourceReport | None:
    """What a report says of a source whose settings cannot be read; None if it is no source."""
    section = source.partition(".")[0]
    for provider in PROVIDERS.values():
        if section == provider.SECTION:
            return SourceReport(
                source=source,
                cloud=provider.CLOUD,
                title=provider.TITLE,
                table="",
                warehouse="",
                roles=provider.ROLES,
                cost_columns=provider.COST_COLUMNS,
            )
    return None


def _warehouse_name(settings: SourceSettings) -> str:
    if settings.project_id is not None:
        return f"BigQuery project {settings.project_id}"
    return f"DuckDB file {settings.database.name}"


def _with_sums(
    report: SourceReport, settings: SourceSettings, warehouse: Warehouse, present: Present
) -> SourceReport:
    table, kinds = settings.table_name, measures_of(report.roles)
    by_month = CubeRequest(
        dimensions=BY_MONTH, measures=measures_of(report.roles, report.cost_columns)
    )
    months = warehouse.cost_cube(table, by_month)
    report = replace(report, months=months, tracked=present.ledger.loads)
    if not months.cells:
        return report
    newest = BillingPeriod.parse(max(cell.key[0] for cell in months.cells))
    since = BillingPeriod.of(newest.first_day - timedelta(days=1))
    by_day = CubeRequest(dimensions=BY_DAY, measures=kinds, since=since)
    by_tags = CubeRequest(dimensions=BY_TAGS, measures=kinds, with_tags=True, most=_MOST_TAG_SETS)
    return replace(
        report,
        days=warehouse.cost_cube(table, by_day),
        tags=warehouse.cost_cube(table, by_tags),
        headers=warehouse.headers(table),
    )
