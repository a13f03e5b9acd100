"""The rows of a table in a query, and months as parameters, in the type of the period column."""

from __future__ import annotations

from datetime import UTC, datetime

from google.cloud import bigquery

from cloudbill.costs.sums import Charges
from cloudbill.manifests import ColumnType
from cloudbill.periods import BillingPeriod
from cloudbill.sql import BIGQUERY
from cloudbill.warehouses.bigquery.tables import exact_types, path_of

__all__ = ["charges_of", "first_day", "month_of"]


def charges_of(table: bigquery.Table) -> Charges:
    """The rows of a table, to be summed."""
    relation = BIGQUERY.compose("{table}", table=path_of(table))
    return Charges(dialect=BIGQUERY, relation=relation, kinds=exact_types(table.schema))


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

    BigQuery compares no DATE with a TIMESTAMP ("Comparison operators"), and the column itself is
    not converted, because it has to choose the partitions.
    """
    if charges.kind(column) is ColumnType.DATE:
        return bigquery.ScalarQueryParameter(name, "DATE", period.first_day)
    midnight = datetime(period.year, period.month, 1, tzinfo=UTC)
    return bigquery.ScalarQueryParameter(name, "TIMESTAMP", midnight)
