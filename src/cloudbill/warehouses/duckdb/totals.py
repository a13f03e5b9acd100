"""Counts rows and sums cost columns in DuckDB, for the parts of a run and for a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from cloudbill.costs.sums import NOTHING, Charges, SumQuery, by_currency, rests_by_currency
from cloudbill.files.relation import PartsRelation
from cloudbill.files.sums import read_sums
from cloudbill.models import PlannedLoad, Totals
from cloudbill.planning.costs import billed_costs_of
from cloudbill.sql import DUCKDB, Fragment

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["Counted", "Summed", "count_parts", "sum_charged", "sum_month"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """The rows of each part, in the order of the parts, and the totals of all of them.

    Where a month was asked for, the totals are its own, and `months` has the rows of each month by
    its name; those of no month are under an empty text.
    """

    part_rows: tuple[int, ...] = ()
    totals: Totals
    rests: Totals = field(default_factory=dict)
    """What is rounded away of the totals."""
    months: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summed:
    """The columns that are summed, and the one that holds their currency."""

    costs: tuple[str, ...] = ()
    currency: str = ""


def count_parts(
    connection: DuckDBPyConnection,
    source: PartsRelation,
    summed: Summed,
    *,
    one_of_several: PlannedLoad | None = None,
) -> Counted:
    """Counts and sums parts, and reads only the columns that it needs.

    `one_of_several` is the load of one month of a run that has several.
    """
    # Footers of Parquet state the rows, so without costs to sum no part has to be read.
    if source.part_rows is not None and not summed.costs and one_of_several is None:
        return Counted(part_rows=source.part_rows, totals={})
    file = source.file_column
    charges = source.charges()
    groups = [DUCKDB.compose("{name}", name=file) if file else NOTHING]
    if one_of_several is not None:
        groups.append(charges.month(one_of_several.period_column))
    sums = read_sums(connection, _query(charges, summed, groups=groups), source.parameters)
    found: Counter[str] = Counter()
    months: Counter[str] = Counter()
    for group in sums:
        found.update({group.groups[0]: group.rows})
        months.update({group.groups[-1]: group.rows})
    if one_of_several is not None:
        wanted = str(one_of_several.period)
        sums = tuple(group for group in sums if group.groups[-1] == wanted)
    return Counted(
        part_rows=source.part_rows or tuple(found[path] for path in source.files),
        totals=by_currency(sums) if summed.costs else {},
        rests=rests_by_currency(sums),
        months=months if one_of_several is not None else {},
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


def sum_charged(
    connection: DuckDBPyConnection,
    table: Charges,
    parameters: Mapping[str, object],
    summed: Summed,
    *,
    where: Fragment,
) -> Mapping[str, Decimal]:
    """What a month bills by currency without its credits, by the first of the columns."""
    (column, *_) = summed.costs
    values = {**table.values, column: table.positive(column)}
    one = replace(summed, costs=(column,))
    query = _query(replace(table, values=values), one, where=where)
    sums = read_sums(connection, query, parameters)
    return billed_costs_of(by_currency(sums), column)


def _query(
    charges: Charges,
    summed: Summed,
    *,
    groups: Sequence[Fragment] = (),
    where: Fragment | None = None,
) -> SumQuery:
    """The query by currency and groups."""
    names = {cost: charges.spelt(cost) or cost for cost in summed.costs}
    return SumQuery(
        relation=charges.relation,
        where=where,
        currency=charges.text(summed.currency),
        groups=tuple(groups),
        columns={cost: charges.value(cost) for cost in summed.costs},
        rests=charges.rests_of(names),
    )
