"""Counts rows and sums cost columns in DuckDB, of the parts of a run and of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from cloudbill.costs.amounts import add_amounts
from cloudbill.files.duckdb_types import TABLE_TYPES
from cloudbill.files.relation import PartsRelation
from cloudbill.models import Column, ColumnType, Totals
from cloudbill.sql import DUCKDB, Fragment

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from cloudbill.providers import Provider

__all__ = ["Counted", "Summed", "count_parts", "sum_month"]

_NUMBERS: Final = frozenset({ColumnType.DECIMAL, ColumnType.INTEGER, ColumnType.FLOAT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """The rows of each part, in the order of the parts, and the totals of all of them."""

    part_rows: tuple[int, ...] = ()
    totals: Totals


@dataclass(frozen=True, slots=True, kw_only=True)
class Summed:
    """The columns that are summed, and the one that holds their currency."""

    costs: tuple[Column, ...] = ()
    currency: Column | None = None

    @classmethod
    def of(cls, columns: Sequence[Column], provider: Provider) -> Summed:
        """Those that a provider names, as far as they are there and are numbers."""
        names = {column.target.lower(): column for column in columns}
        costs = [names[cost.lower()] for cost in provider.COST_COLUMNS if cost.lower() in names]
        return cls(
            costs=tuple(cost for cost in costs if cost.type in _NUMBERS),
            currency=names.get(provider.CURRENCY_COLUMN.lower()),
        )


def count_parts(connection: DuckDBPyConnection, source: PartsRelation, summed: Summed) -> Counted:
    """Counts and sums the parts before they are loaded, reading no more columns than it needs."""
    if source.part_rows is not None and not summed.costs:
        return Counted(part_rows=source.part_rows, totals={})
    file = source.file_column
    rows = _sum(
        connection,
        source.relation,
        source.parameters,
        file=DUCKDB.compose("{name}", name=file) if file else Fragment("''"),
        currency=source.value(summed.currency.name) if summed.currency else None,
        costs=[source.value(cost.name) for cost in summed.costs],
    )
    totals: dict[str, dict[str, Decimal]] = {}
    found: Counter[str] = Counter()
    for path, currency, count, *sums in rows:
        found[path] += count
        amounts = totals.setdefault(currency, {})
        for cost, amount in zip(summed.costs, sums, strict=True):
            amounts[cost.target] = add_amounts(amounts.get(cost.target, Decimal(0)), amount)
    return Counted(
        part_rows=source.part_rows or tuple(found[path] for path in source.files),
        totals=totals if summed.costs else {},
    )


def sum_month(
    connection: DuckDBPyConnection,
    relation: Fragment,
    parameters: Mapping[str, object],
    summed: Summed,
) -> Totals:
    """The totals of a month that a table holds; `relation` is the table and the condition."""
    rows = _sum(
        connection,
        relation,
        parameters,
        file=Fragment("''"),
        currency=_column(summed.currency) if summed.currency else None,
        costs=[_column(cost) for cost in summed.costs],
    )
    return {
        currency: {
            cost.target: Decimal(amount) for cost, amount in zip(summed.costs, sums, strict=True)
        }
        for _, currency, _, *sums in rows
    }


def _column(column: Column) -> Fragment:
    return DUCKDB.compose("{name}", name=column.target)


def _sum(
    connection: DuckDBPyConnection,
    relation: Fragment,
    parameters: Mapping[str, object],
    *,
    file: Fragment,
    currency: Fragment | None,
    costs: Sequence[Fragment],
) -> list[tuple[str, str, int, *tuple[Decimal, ...]]]:
    statement = DUCKDB.compose(
        "SELECT {columns} FROM {relation} GROUP BY 1, 2",
        columns=[
            file,
            DUCKDB.compose("coalesce({value}, '')", value=currency or Fragment("''")),
            Fragment("count(*)"),
            *(
                DUCKDB.compose(
                    "coalesce(sum(CAST({value} AS {type})), 0)",
                    value=cost,
                    type=Fragment(TABLE_TYPES[ColumnType.DECIMAL]),
                )
                for cost in costs
            ),
        ],
        relation=relation,
    )
    return connection.execute(statement.text, parameters).fetchall()
