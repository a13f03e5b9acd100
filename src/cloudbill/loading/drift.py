"""Compares the months of a table with what was recorded of them, before anything is planned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from cloudbill.costs.month_totals import MonthTotals, differing_totals
from cloudbill.errors import BytesLimitError, SchemaError, StaleError, VerificationError
from cloudbill.files.columns import fit_columns
from cloudbill.loading.events import Drifted
from cloudbill.manifests import Column, ColumnType
from cloudbill.models import LoadRecord, Plan, Reason, SkipReason, TableMonth
from cloudbill.periods import BillingPeriod

if TYPE_CHECKING:
    from cloudbill.warehouses import Warehouse

__all__ = [
    "TYPE_BACK",
    "compare_rows",
    "compare_totals",
    "lost_months",
    "mended_months",
    "not_again",
    "unlisted_months",
    "with_plan",
]

TYPE_BACK: Final = "Give the column its type back, then run `cloudbill load`; until then it fails"
"""What to do about a column that takes no amounts any more."""
_COMING: Final = frozenset({SkipReason.WAITING, SkipReason.GONE})
_TOLD = {SkipReason.HELD, SkipReason.WAITING, SkipReason.GONE, SkipReason.DISMISSED}
"""Reasons that say why the loaded run is not loaded again."""


def compare_rows(
    loaded: Mapping[BillingPeriod, LoadRecord], rows: Mapping[BillingPeriod, int]
) -> dict[BillingPeriod, Drifted]:
    """The months that do not have the rows that were recorded."""
    return {
        period: Drifted(record=record, rows_in_table=rows.get(period, 0))
        for period, record in loaded.items()
        if record.rows is not None and record.rows != rows.get(period, 0)
    }


def unlisted_months(
    warehouse: Warehouse,
    table: str,
    loaded: Mapping[BillingPeriod, LoadRecord],
    months: Mapping[BillingPeriod, TableMonth],
) -> dict[BillingPeriod, TableMonth]:
    """The months that the table holds although the warehouse does not list them, or not yet.

    One query, which is asked only where a recorded month is not listed. Such a month counts as it
    was recorded; its costs are compared like those of any month that may have been written.

    Raises:
        LoadError: If the table cannot be read.
    """
    missing = {
        period: record.rows
        for period, record in loaded.items()
        if record.rows and period not in months
    }
    found = warehouse.month_totals(table, missing).months if missing else {}
    return {period: TableMonth(rows=rows) for period, rows in missing.items() if period in found}


def compare_totals(
    warehouse: Warehouse,
    table: str,
    loaded: Mapping[BillingPeriod, LoadRecord],
    months: Mapping[BillingPeriod, TableMonth],
    *,
    trusts_file: bool,
) -> dict[BillingPeriod, Drifted]:
    """The months whose costs are not those that were recorded, by one query at most.

    Months are left out that were not written since they were loaded, as far as the warehouse tells:
    to read them costs money there. With `trusts_file`, all are where nothing wrote the file of the
    tables since this source left it.

    Raises:
        LoadError: If the table cannot be read.
    """
    is_as_left = trusts_file and warehouse.is_as_left
    compared = {
        period: record
        for period, record in loaded.items()
        if period in months and _may_differ(record, months[period], is_as_left=is_as_left)
    }
    if not compared:
        return {}
    totals = _totals_of(warehouse, table, compared)
    found = (
        Drifted(
            record=record,
            rows_in_table=months[period].rows,
            differences=tuple(
                differing_totals(record, totals.months.get(period, {}), totals.inexact)
            ),
            inexact=totals.inexact,
            is_refused=_is_refused(table, totals.inexact),
        )
        for period, record in compared.items()
    )
    return {one.record.period: one for one in found if one.differences or one.inexact}


def _totals_of(
    warehouse: Warehouse, table: str, compared: Mapping[BillingPeriod, LoadRecord]
) -> MonthTotals:
    """What a table holds of some months: by one query, or by one for each that has totals.

    Each month was summed by itself when it was loaded; one without totals has nothing to compare.
    """
    try:
        return warehouse.month_totals(table, compared)
    except BytesLimitError:
        each = [
            warehouse.month_totals(table, [period])
            for period, record in compared.items()
            if record.totals
        ]
    return MonthTotals(
        months={period: totals for one in each for period, totals in one.months.items()},
        inexact={name: kind for one in each for name, kind in one.inexact.items()},
    )


def _is_refused(table: str, inexact: Mapping[str, str]) -> bool:
    """Whether no load can put amounts into the columns whose type somebody changed."""
    kinds = {name: _kind(kind) for name, kind in inexact.items()}
    amounts = [Column(name=name, target=name, type=ColumnType.DECIMAL) for name in kinds]
    try:
        fit_columns(amounts, kinds, table=table, amounts=lambda _name, _kind: True)
    except SchemaError:
        return True
    return False


def _kind(kind: str) -> ColumnType | str:
    return ColumnType(kind) if kind in set(ColumnType) else kind


def _may_differ(record: LoadRecord, month: TableMonth, *, is_as_left: bool) -> bool:
    if month.written_at is None:
        return not is_as_left
    return record.loaded_at is None or month.written_at > record.loaded_at


def with_plan(drifted: Iterable[Drifted], plan: Plan) -> tuple[Drifted, ...]:
    """The same months, which now know whether they are loaded again."""
    planned = {load.period for load in plan.loads}
    return tuple(
        replace(one, is_loaded_again=one.record.period in planned and not one.is_refused)
        for one in drifted
    )


def lost_months(table: str, drifted: Iterable[Drifted], plan: Plan) -> tuple[Reason, ...]:
    """The months that are not what was recorded and that no load of the plan mends."""
    return tuple(
        Reason(error=_lost(table, one, plan), period=one.record.period, run_id=one.record.run_id)
        for one in drifted
        if not one.is_loaded_again
    )


def mended_months(source: str, table: str, drifted: Iterable[Drifted]) -> tuple[Reason, ...]:
    """The months that are not what was recorded until the next load, which loads them again."""
    return tuple(
        Reason(
            error=VerificationError(
                f"{one.record.period} of {table} is not what was loaded: {one.found}. Run "
                f"`cloudbill load {source}`, which loads it again"
            ),
            period=one.record.period,
            run_id=one.record.run_id,
        )
        for one in drifted
        if one.is_loaded_again
    )


def not_again(plan: Plan, loaded: Mapping[BillingPeriod, LoadRecord]) -> Iterator[Reason]:
    """The loaded runs that were to be loaded once more, and cannot be as they are in the store."""
    for skip in plan.skips:
        record, manifest = loaded.get(skip.manifest.period), skip.manifest
        if skip.reason in _COMING and record is not None and record.is_of(manifest):
            error = StaleError(
                f"Run {manifest.run_id} of {manifest.period} is loaded, and cannot be loaded again "
                f"now: it is {skip.detail}. Check its files, and the job that copies the export"
            )
            yield Reason(error=error, period=manifest.period, run_id=manifest.run_id)


def _lost(table: str, drifted: Drifted, plan: Plan) -> VerificationError:
    record = drifted.record
    what = f"{record.period} of {table} is not what was loaded: {drifted.found}"
    if drifted.is_refused:
        return VerificationError(f"{what}. {TYPE_BACK}")
    why = next(
        (
            skip.detail
            for skip in plan.skips
            if record.is_of(skip.manifest)
            and skip.manifest.period == record.period
            and skip.reason in _TOLD
        ),
        f"the store has no manifest of run {record.run_id} any more",
    )
    pinned = [
        skip.detail
        for skip in plan.skips
        if skip.manifest.period == record.period and skip.reason is SkipReason.PINNED
    ]
    aside = f". Other runs wait: {pinned[0]}" if pinned else ""
    return VerificationError(
        f"{what}. It cannot be loaded again: {why}. Deliver the files of the run again, or put "
        f"back what the table held{aside}"
    )
