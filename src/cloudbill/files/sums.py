"""Runs the queries that sum money in DuckDB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cloudbill.costs.daily_totals import DailyQuery, DailyTotals
from cloudbill.costs.sums import (
    Charges,
    GroupSums,
    SumQuery,
    billed_costs,
    rests_by_currency,
)
from cloudbill.sql import DUCKDB, Fragment

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from cloudbill.files.relation import PartsRelation
    from cloudbill.models import Totals
    from cloudbill.periods import BillingPeriod
    from cloudbill.providers import Provider

__all__ = ["read_sums", "sum_by_day", "sum_rests"]


def read_sums(
    connection: DuckDBPyConnection, query: SumQuery, parameters: Mapping[str, object]
) -> tuple[GroupSums, ...]:
    """The answer to a query; `parameters` are those of its relation and its condition.

    Raises:
        duckdb.Error: If the relation cannot be read, or a sum has more than 38 digits.
    """
    statement = query.statement(DUCKDB).text
    return query.read(connection.execute(statement, {**parameters, **query.parameters}).fetchall())


def sum_rests(
    connection: DuckDBPyConnection,
    source: PartsRelation,
    provider: Provider,
    period: BillingPeriod | None,
) -> Totals:
    """What is rounded away of the costs of a month, or of all rows; reads nothing where none is.

    Raises:
        duckdb.Error: If the relation cannot be read.
    """
    charges = source.charges()
    costs = billed_costs(charges.kinds, provider)
    rests = charges.rests_of({cost: cost for cost in costs})
    if not rests:
        return {}
    where, ends = Fragment("TRUE"), dict[str, object]()
    if period is not None:
        where, ends = source.in_month(provider.PERIOD_COLUMN, period)
    query = SumQuery(
        relation=charges.relation,
        where=where,
        currency=charges.text(provider.CURRENCY_COLUMN),
        columns={},
        rests=rests,
    )
    return rests_by_currency(read_sums(connection, query, {**source.parameters, **ends}))


def sum_by_day(
    connection: DuckDBPyConnection,
    charges: Charges,
    parameters: Mapping[str, object],
    *,
    provider: Provider,
    where: Fragment | None = None,
) -> DailyTotals:
    """The rows and exact sums of charges, by currency and day; reads only the columns it needs.

    Raises:
        duckdb.Error: If the relation cannot be read, or a sum has more than 38 digits.
    """
    daily = DailyQuery.of(charges, provider, where)
    return daily.read(read_sums(connection, daily.query, parameters))
