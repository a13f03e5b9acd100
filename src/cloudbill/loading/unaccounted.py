"""Rows of a table that no load accounts for: those of no month, and months without a record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cloudbill.errors import VerificationError
from cloudbill.loading.events import UnrecordedRows
from cloudbill.models import Plan, Reason, TableRows
from cloudbill.sql import BIGQUERY, DUCKDB, Dialect
from cloudbill.text.counts import counted
from cloudbill.text.odd_rows import odd_rows_found

if TYPE_CHECKING:
    from collections.abc import Collection

    from cloudbill.periods import BillingPeriod
    from cloudbill.settings import SourceSettings

__all__ = ["find_unrecorded", "table_for_people", "unaccounted_reasons"]


def find_unrecorded(
    settings: SourceSettings, table: TableRows, recorded: Collection[BillingPeriod], plan: Plan
) -> tuple[UnrecordedRows, ...]:
    """The months of which the table has rows without a record, newest first."""
    replaced = {load.period for load in plan.loads}
    return tuple(
        UnrecordedRows(
            settings=settings, period=period, rows=month.rows, is_replaced=period in replaced
        )
        for period, month in sorted(table.months.items(), reverse=True)
        if month.rows and period not in recorded
    )


def unaccounted_reasons(
    settings: SourceSettings, table: TableRows, unrecorded: tuple[UnrecordedRows, ...]
) -> Iterator[Reason]:
    """What a person should look at: rows that no load accounts for, and how to be rid of them."""
    if table.of_no_month:
        column = settings.provider.PERIOD_COLUMN
        found = odd_rows_found(table.of_no_month, settings.table_name, column)
        remedy = "`cloudbill doctor` says how to see and to delete them"
        yield Reason(error=VerificationError(f"{found}. {remedy}"))
    for one in unrecorded:
        what = (
            f"{settings.table_name} holds {counted(one.rows, 'row', ',')} of {one.period} that "
            f"{'belongs' if one.rows == 1 else 'belong'} to no recorded load"
        )
        if one.is_replaced:
            remedy = (
                ", as after a load that was killed, or where the ledger was lost. Run "
                f"`cloudbill load {settings.source}`, which replaces them"
            )
        else:
            remedy = (
                ", and no run in the store replaces them. Bring the files of the month back and "
                f"run `cloudbill load`, or see the rows with `SELECT * {_rows_of(one)}` and delete "
                "them"
            )
        yield Reason(error=VerificationError(f"{what}{remedy}"), period=one.period)


def table_for_people(settings: SourceSettings) -> tuple[Dialect, tuple[str, ...]]:
    """The full name of the table, and the dialect of a statement that a person runs on it."""
    table = settings.dataset, settings.table_name
    if settings.project_id is None:
        return DUCKDB, table
    return BIGQUERY, (settings.project_id, *table)


def _rows_of(one: UnrecordedRows) -> str:
    """The end of a statement about the rows of a month."""
    dialect, table = table_for_people(one.settings)
    span = (one.period.first_day, one.period.next.first_day)
    return dialect.compose(
        "FROM {table} WHERE {condition}",
        table=table,
        condition=dialect.in_spans(one.settings.provider.PERIOD_COLUMN, [span]),
    ).text
