"""What negations leave over: a small table for each bill, by month; pure.

A savings plan's negations cancel out what they negate, group by group, so the views need neither.
Where a group does not sum to zero, the rest of it is a charge, which the bill has. A load computes
these rests, so that the views need no grouping. Each month that was looked at has a row that is a
mark, which says of what state of the bill the rests are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from cloudbill.costs.month_totals import spans_of
from cloudbill.focus.mapping import LeftOver, ProviderMapping
from cloudbill.focus.rendering import BilledTable
from cloudbill.manifests import ColumnType
from cloudbill.periods import BillingPeriod
from cloudbill.sql import Fragment
from cloudbill.warehouses.view_dialects import Kind

__all__ = ["AMOUNT", "IS_MARK", "MARK", "left_over_kinds", "left_over_query", "marks_query"]

AMOUNT: Final = "left_over"
MARK: Final = "mark"
IS_MARK: Final = "is_mark"
_PART: Final = "negated_amount"
"""An amount before it is summed: BigQuery takes the name of a sum for the sum itself."""


def left_over_kinds(rule: LeftOver) -> dict[str, ColumnType]:
    """The columns of the table, and what they hold; the group has the month."""
    kinds = {}
    for one in rule.group:
        name, _, form = one.partition(":")
        kinds[name] = ColumnType.TIMESTAMP if form == "time" else ColumnType.STRING
    return {
        **kinds,
        AMOUNT: ColumnType.DECIMAL,
        MARK: ColumnType.STRING,
        IS_MARK: ColumnType.BOOLEAN,
    }


def marks_query(path: tuple[str, ...], table: BilledTable, period_column: str) -> Fragment:
    """The query for the mark of each month: the month as `YYYY-MM`, and the mark."""
    sql, dialect = table.dialect.sql, table.dialect
    period = sql.compose("{name}", name=period_column)
    return sql.compose(
        "SELECT {month}, {mark} FROM {path} WHERE {is_mark}",
        month=sql.compose(dialect.month, value=period),
        mark=MARK,
        path=path,
        is_mark=IS_MARK,
    )


def left_over_query(
    bill: tuple[str, ...],
    table: BilledTable,
    mapping: ProviderMapping,
    *,
    period_column: str,
    marks: Mapping[BillingPeriod, str],
    kept: tuple[tuple[str, ...], frozenset[BillingPeriod]] | None,
) -> Fragment:
    """The query whose rows are the new table: the months of `marks` anew, others as they are.

    `kept` names the table as it is, and the months of it that are as they should be.
    """
    rule = mapping.left_over
    if rule is None:
        raise ValueError(f"{mapping.title} has no negations")
    sql = table.dialect.sql
    kinds = left_over_kinds(rule)
    queries = [_marks(table, kinds, period_column, marks)] if marks else []
    if marks:
        months = _in_months(table, period_column, marks)
        queries.append(_rests(bill, table, mapping, rule, months))
    if kept is not None and kept[1]:
        names = [sql.compose("{name}", name=name) for name in kinds]
        queries.append(
            sql.compose(
                "SELECT {names} FROM {path} AS known WHERE {where}",
                names=names,
                path=kept[0],
                where=_in_months(table, period_column, kept[1]),
            )
        )
    if not queries:
        queries.append(_no_rows(table, kinds))
    return Fragment(" UNION ALL ".join(f"({query})" for query in queries))


def _rests(
    bill: tuple[str, ...],
    table: BilledTable,
    mapping: ProviderMapping,
    rule: LeftOver,
    months: Fragment,
) -> Fragment:
    """What is left over of each group of the months that match a condition."""
    sql, dialect = table.dialect.sql, table.dialect
    keys = {}
    for one in rule.group:
        name, _, form = one.partition(":")
        keys[name] = table.time(name) if form == "time" else table.text(name)
    amount = table.render(rule.amount, mapping.columns, mapping.objects)
    named = [
        sql.compose("{value} AS {name}", value=value, name=name) for name, value in keys.items()
    ]
    by = [sql.compose("{name}", name=name) for name in keys]
    return sql.compose(
        "SELECT {by}, {total} AS {amount}, {no_mark} AS {mark}, FALSE AS {is_mark} FROM ("
        "SELECT {named}, {value} AS {part} FROM {bill} AS charges WHERE {rows} AND {months}"
        ") AS negated GROUP BY {by} HAVING SUM({part}) <> 0",
        by=by,
        total=dialect.cast(sql.compose("SUM({part})", part=_PART), Kind.MONEY),
        amount=AMOUNT,
        part=_PART,
        no_mark=dialect.null(Kind.TEXT),
        mark=MARK,
        is_mark=IS_MARK,
        named=named,
        value=amount,
        bill=bill,
        rows=table.render(f"({rule.rows})", mapping.columns, mapping.objects),
        months=months,
    )


def _marks(
    table: BilledTable,
    kinds: Mapping[str, ColumnType],
    period_column: str,
    marks: Mapping[BillingPeriod, str],
) -> Fragment:
    """A row for each month that says of what state of the bill its rests are."""
    rows = [
        _row(
            table,
            kinds,
            {
                # The zone is stated: a project may have another one as its default.
                period_column: Fragment(f"TIMESTAMP '{period.first_day} 00:00:00+00'"),
                MARK: table.dialect.literal(mark),
                IS_MARK: Fragment("TRUE"),
            },
        )
        for period, mark in sorted(marks.items())
    ]
    return Fragment(" UNION ALL ".join(map(str, rows)))


def _no_rows(table: BilledTable, kinds: Mapping[str, ColumnType]) -> Fragment:
    return Fragment(f"{_row(table, kinds, {IS_MARK: Fragment('TRUE')})} LIMIT 0")


def _row(
    table: BilledTable, kinds: Mapping[str, ColumnType], told: Mapping[str, Fragment]
) -> Fragment:
    """A row with some values, and NULL in the other columns."""
    sql, dialect = table.dialect.sql, table.dialect
    values = [
        sql.compose(
            "{value} AS {name}", value=told.get(name) or dialect.null(_KINDS[kind]), name=name
        )
        for name, kind in kinds.items()
    ]
    return sql.compose("SELECT {values}", values=values)


def _in_months(
    table: BilledTable, period_column: str, periods: Iterable[BillingPeriod]
) -> Fragment:
    sql = table.dialect.sql
    return sql.in_spans(table.time(period_column), spans_of(periods), of_day=sql.time_of_day)


_KINDS: Final[Mapping[ColumnType, Kind]] = {
    ColumnType.TIMESTAMP: Kind.TIME,
    ColumnType.DECIMAL: Kind.MONEY,
    ColumnType.STRING: Kind.TEXT,
    ColumnType.BOOLEAN: Kind.TEXT,
}
