"""The rows of a table in a query, and months as parameters, in the type of the period column."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from google.cloud import bigquery

from cloudbill.costs.sums import Charges
from cloudbill.manifests import ColumnType
from cloudbill.periods import BillingPeriod
from cloudbill.sql import BIGQUERY, Fragment
from cloudbill.warehouses.bigquery.tables import exact_types, path_of

__all__ = ["charges_of", "deletion_of", "first_day", "month_of", "rows_of"]

_ROWS: Final = "cloudbill_rows"
"""What a table is called in a statement about its columns.

Under its own name, a table would hide a column that has the same one ("Query syntax", range
variables).
"""


def rows_of(table: bigquery.Table) -> Fragment:
    """A table as a statement reads it or deletes from it."""
    return BIGQUERY.compose("{table} AS {rows}", table=path_of(table), rows=_ROWS)


def charges_of(table: bigquery.Table) -> Charges:
    """The rows of a table, to be summed."""
    return Charges(dialect=BIGQUERY, relation=rows_of(table), kinds=exact_types(table.schema))


def deletion_of(
    table: bigquery.Table, period: BillingPeriod, period_column: str
) -> tuple[Fragment, tuple[bigquery.ScalarQueryParameter, ...]]:
    """The statement that deletes a month of a table, and its parameters."""
    statement = BIGQUERY.compose(
        "DELETE FROM {rows} WHERE {where}",
        rows=rows_of(table),
        where=BIGQUERY.in_month(period_column),
    )
    return statement, month_of(period, charges_of(table), period_column)


def month_of(
    period: BillingPeriod, charges: Charges, column: str
) -> tuple[bigquery.ScalarQueryParameter, ...]:
    """The parameters of `Dialect.in_month`."""
    return (
        first_day("month_start", period, charges, column),
        first_day("month_end", period.next, charges, column),
    )


def first_day(
    name: str, period: BillingPeriod, charges: Charges, column: str
) -> bigquery.ScalarQueryParameter:
    """The first day of a month as a parameter in the type of a column.

    BigQuery compares no DATE or DATETIME with a TIMESTAMP ("Comparison operators"), and the column
    itself is not converted, because it has to choose the partitions.
    """
    kind = charges.kind(column)
    if kind is ColumnType.DATE:
        return bigquery.ScalarQueryParameter(name, "DATE", period.first_day)
    midnight = datetime(period.year, period.month, 1, tzinfo=UTC)
    if kind == "DATETIME":
        return bigquery.ScalarQueryParameter(name, "DATETIME", midnight.replace(tzinfo=None))
    return bigquery.ScalarQueryParameter(name, "TIMESTAMP", midnight)
