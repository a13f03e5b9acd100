"""Reads the data of a report from warehouse and store; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from cloudbill.costs.cube import CubeRequest
from cloudbill.errors import CloudbillError
from cloudbill.ledger.state import Remembered
from cloudbill.loading.failures import PastFailure, standing_failures
from cloudbill.models import PlannedLoad, SkipReason
from cloudbill.periods import BillingPeriod, utc_now
from cloudbill.planning import Selection
from cloudbill.planning.coverage import uncovered_days
from cloudbill.providers import PROVIDERS
from cloudbill.report.model import (
    BY_DAY,
    BY_MONTH,
    BY_TAGS,
    PendingRun,
    RunState,
    SourceReport,
    StoreReport,
    measures_of,
)
from cloudbill.surveying import Present, read_present, survey
from cloudbill.warehouses import Warehouse, open_warehouse

if TYPE_CHECKING:
    from cloudbill.models import Plan
    from cloudbill.settings import SourceSettings

__all__ = ["collect", "unconfigured", "unread"]

_MOST_TAG_SETS: Final = 200_000
"""How many combinations of tags are read; the others are shown as one amount."""
_STORE_PATIENCE_S: Final = 20.0
"""The store only says which runs are not loaded yet, which is not worth a long wait."""
_STATES: Final = {
    SkipReason.HELD: RunState.HELD,
    SkipReason.WAITING: RunState.WAITING,
    SkipReason.GONE: RunState.GONE,
}


def collect(settings: SourceSettings) -> tuple[SourceReport, CloudbillError | None]:
    """The data of a report for one source, or the error of reading the warehouse."""
    report = unread(settings)
    present, failed = Present(remembered=Remembered()), None
    try:
        with closing(open_warehouse(settings.warehouse, read_only=True)) as warehouse:
            present = read_present(settings, warehouse)
            report = _with_sums(report, settings, warehouse, present)
    except CloudbillError as error:
        report, failed = replace(report, error=str(error)), error
    report = replace(
        report,
        loaded=present.remembered.loaded,
        rows_in_table=present.rows,
        rows_of_no_month=present.table.of_no_month,
    )
    if failed is None:
        report = replace(report, store=_read_store(settings, present))
    return report, failed


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


def _read_store(settings: SourceSettings, present: Present) -> StoreReport:
    """What a load would do now; an error of the store is part of the report."""
    patience = min(settings.retry_for_s, _STORE_PATIENCE_S)
    try:
        found = survey(
            replace(settings, retry_for_s=patience), present, Selection(), lambda _: None
        )
    except CloudbillError as error:
        return StoreReport(error=str(error))
    plan = found.plan
    times = [skip.manifest.submitted_at for skip in plan.skips]
    times += [load.manifest.submitted_at for load in plan.loads]
    failures = standing_failures(settings, present.remembered.loaded)
    whole = failures.get(None)
    return StoreReport(
        newest_submitted_at=max(times, default=None),
        pending=_pending(plan, failures),
        failed=None if whole is None else whole.message,
        unreadable=tuple(str(failure.error) for failure in found.manifest_failures),
        uncovered=uncovered_days(plan, present.remembered, utc_now().date()),
    )


def _pending(
    plan: Plan, failures: Mapping[BillingPeriod | None, PastFailure]
) -> tuple[PendingRun, ...]:
    new = [_new(load, failures.get(load.period)) for load in plan.loads]
    kept_back = [
        PendingRun(
            period=skip.manifest.period,
            run_id=skip.manifest.run_id,
            submitted_at=skip.manifest.submitted_at,
            state=_STATES[skip.reason],
            detail=skip.detail,
        )
        for skip in plan.skips
        if skip.reason in _STATES
    ]
    runs = [*new, *kept_back]
    return tuple(sorted(runs, key=lambda run: (run.period, run.submitted_at), reverse=True))


def _new(load: PlannedLoad, failure: PastFailure | None) -> PendingRun:
    """A run that the next load takes, for the first time or once more."""
    has_failed = failure is not None and failure.run_id == load.manifest.run_id
    return PendingRun(
        period=load.period,
        run_id=load.manifest.run_id,
        submitted_at=load.manifest.submitted_at,
        state=RunState.FAILED if has_failed else RunState.NEW,
        detail=failure.message if failure is not None and has_failed else "the next load takes it",
    )
