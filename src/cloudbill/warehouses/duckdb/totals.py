"""Counts rows and sums cost columns in DuckDB, for the parts of a run and for a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloudbill.costs.sums import NOTHING, Charges, SumQuery, by_currency
from cloudbill.files.duckdb_types import TABLE_TYPES
from cloudbill.files.relation import PartsRelation
from cloudbill.files.sums import read_sums
from cloudbill.models import ColumnType, Totals
from cloudbill.sql import DUCKDB, Fragment

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["Counted", "Summed", "count_parts", "sum_month"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """The rows of each part, in the order of the parts, and the totals of all of them."""

    part_rows: tuple[int, ...] = ()
    totals: Totals


@dataclass(frozen=True, slots=True, kw_only=True)
class Summed:
    """The columns that are summed, and the one that holds their currency."""

    costs: tuple[str, ...] = ()
    currency: str = ""


def count_parts(connection: DuckDBPyConnection, source: PartsRelation, summed: Summed) -> Counted:
    """Counts and sums parts, and reads only the columns that it needs."""
    # Footers of Parquet state the rows, so without costs to sum no part has to be read.
    if source.part_rows is not None and not summed.costs:
        return Counted(part_rows=source.part_rows, totals={})
    file = source.file_column
    query = _query(
        source.charges(), summed, file=DUCKDB.compose("{name}", name=file) if file else NOTHING
    )
    sums = read_sums(connection, query, source.parameters)
    found: Counter[str] = Counter()
    for group in sums:
        found.update({group.groups[0]: group.rows})
    return Counted(
        part_rows=source.part_rows or tuple(found[path] for path in source.files),
        totals=by_currency(sums) if summed.costs else {},
    )


def sum_month(
    connection: DuckDBPyConnection,
    table: Charges,
    parameters: Mapping[str, object],
    summed: Summed,
    *,
    where: Fragment,
) -> Totals:
    """The totals of a month that a table holds."""
    return by_currency(read_sums(connection, _query(table, summed, where=where), parameters))


def _query(
    charges: Charges, summed: Summed, *, file: Fragment = NOTHING, where: Fragment | None = None
) -> SumQuery:
    """The query by currency and file; a double is made a decimal before it is added."""
    decimal = Fragment(TABLE_TYPES[ColumnType.DECIMAL])
    return SumQuery(
        relation=charges.relation,
        where=where,
        currency=charges.text(summed.currency),
        groups=(file,),
        columns={
            cost: DUCKDB.compose("CAST({value} AS {type})", value=charges.value(cost), type=decimal)
            for cost in summed.costs
        },
    )
