"""Sums the cost columns of a relation by currency and day, in DuckDB."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from cloudbill.costs.amounts import to_amount
from cloudbill.costs.daily_totals import DailyTotals, DayTotals, choose_costs
from cloudbill.models import ColumnType
from cloudbill.sql import DUCKDB, Fragment

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from cloudbill.providers import Provider

__all__ = ["sum_by_day"]

_HAS_A_DAY: Final = frozenset({ColumnType.TIMESTAMP, ColumnType.DATE})


def sum_by_day(
    connection: DuckDBPyConnection,
    relation: Fragment,
    parameters: Mapping[str, object],
    *,
    columns: Sequence[tuple[str, str, ColumnType | str]],
    provider: Provider,
    value: Callable[[str], Fragment] | None = None,
) -> DailyTotals:
    """The rows and exact sums of a relation, which may end in a condition.

    `columns` gives the name of each column in the relation, its name in the table, and its type;
    only the necessary columns are read. Amounts are added in their own type, so nothing is rounded.

    Raises:
        duckdb.Error: If the relation cannot be read, or a sum has more than 38 digits.
    """
    targets = {target: kind for _, target, kind in columns}
    costs = choose_costs(targets, provider.COST_COLUMNS)
    names = {target: name for name, target, _ in columns}
    by_key = {target.lower(): target for target in targets}
    currency = by_key.get(provider.CURRENCY_COLUMN.lower())
    day = by_key.get(provider.CLUSTER_COLUMN.lower())
    has_day = day is not None and targets[day] in _HAS_A_DAY
    read = value or _as_it_is

    def piece(template: str, target: str | None) -> Fragment:
        return DUCKDB.compose(template, value=read(names[target or ""]))

    found = connection.execute(
        DUCKDB.compose(
            "SELECT {columns} FROM {relation} GROUP BY 1, 2",
            columns=[
                piece("coalesce(CAST({value} AS VARCHAR), '')", currency)
                if currency
                else Fragment("''"),
                # As text: Python's dates end at the year 9999, and DuckDB's do not.
                piece("CAST(CAST({value} AS DATE) AS VARCHAR)", day)
                if has_day
                else Fragment("CAST(NULL AS VARCHAR)"),
                Fragment("count(*)"),
                *(piece("coalesce(sum({value}), 0)", cost) for cost in costs.exact),
            ],
            relation=relation,
        ).text,
        parameters,
    ).fetchall()
    keys = [cost.lower() for cost in costs.exact]
    return DailyTotals(
        days={
            (str(row[0]), row[1]): DayTotals(
                rows=int(row[2]),
                amounts={key: to_amount(amount) for key, amount in zip(keys, row[3:], strict=True)},
            )
            for row in found
        },
        columns=dict(zip(keys, costs.exact, strict=True)),
        inexact=costs.inexact,
    )


def _as_it_is(name: str) -> Fragment:
    return DUCKDB.compose("{name}", name=name)
