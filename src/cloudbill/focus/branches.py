"""The query of one source for the views: its table's rows in the shape of FOCUS; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from cloudbill.focus.columns import FocusColumn
from cloudbill.focus.left_over import AMOUNT, IS_MARK, left_over_kinds
from cloudbill.focus.mapping import Entry, ProviderMapping, mapping_of
from cloudbill.focus.rendering import BilledTable, name_of, names_in
from cloudbill.sql import Fragment
from cloudbill.warehouses.view_dialects import Kind

__all__ = ["FocusSource", "MONTH", "OWN", "SOURCE", "VERSION", "branches_of"]

SOURCE: Final = "x_Source"
MONTH: Final = "x_BillingMonth"
VERSION: Final = "x_FocusVersion"
OWN: Final = (SOURCE, MONTH, VERSION)
"""The columns of ours that stand first after those of FOCUS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FocusSource:
    """A source whose rows are in the views.

    `path` is the full name of its table. `left_out` are spans of months that another source has,
    from a first day to one that is not in it; `versions` the versions of FOCUS in spans of months.
    `left_over` is the full name of the table with what negations leave over, if there is one.
    """

    name: str
    provider: str
    path: tuple[str, ...]
    period_column: str
    table: BilledTable
    left_out: tuple[tuple[date, date], ...] = ()
    versions: tuple[tuple[date, date, str], ...] = ()
    left_over: tuple[str, ...] | None = None

    @property
    def mapping(self) -> ProviderMapping:
        """How its table becomes FOCUS."""
        return mapping_of(self.provider)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """Rows that are read in one way: from where, which of them, and what differs in them."""

    source: FocusSource
    table: BilledTable
    relation: tuple[str, ...]
    where: tuple[Fragment, ...]
    columns: Mapping[str, Entry]

    def query(self, wanted: Sequence[FocusColumn]) -> Fragment:
        """The query of these rows.

        What several columns are made of is computed once, under a name, in a query inside.
        """
        sql = self.table.dialect.sql
        shared = self._shared(wanted)
        inner = sql.compose(
            "{relation} AS charges{where}", relation=self.relation, where=self._where
        )
        if shared:
            named = [
                sql.compose("{value} AS {name}", value=self._filled(one), name=name_of(one.name))
                for one in shared
            ]
            inner = sql.compose(
                "(SELECT *, {named} FROM {inner}) AS named", named=named, inner=inner
            )
        names = frozenset(one.name for one in shared)
        return sql.compose(
            "SELECT {values} FROM {inner}",
            values=[
                sql.compose("{value} AS {name}", value=self._value(one, names), name=one.name)
                for one in wanted
            ],
            inner=inner,
        )

    @property
    def _where(self) -> Fragment:
        conditions = " AND ".join(map(str, self.where))
        return Fragment(f" WHERE {conditions}" if conditions else "")

    def _shared(self, wanted: Sequence[FocusColumn]) -> tuple[FocusColumn, ...]:
        """The columns that others are made of."""
        entries = [entry for one in wanted if (entry := self.columns.get(one.name))]
        names = {name for entry in entries for name in names_in(entry.value or "")}
        return tuple(one for one in wanted if one.name in names)

    def _value(self, column: FocusColumn, named: frozenset[str]) -> Fragment:
        source, dialect = self.source, self.table.dialect
        if column.name == SOURCE:
            return dialect.literal(source.name)
        if column.name == MONTH:
            period = self.table.time(source.period_column)
            return dialect.sql.compose(dialect.month, value=period)
        if column.name == VERSION:
            return self._version()
        value = self._filled(column, named)
        is_as_it_is = value.text == str(dialect.sql.compose("{name}", name=column.name))
        if column.kind in {Kind.TEXT, Kind.TIME} or is_as_it_is:
            return value
        return dialect.cast(value, column.kind)

    def _filled(self, column: FocusColumn, named: frozenset[str] = frozenset()) -> Fragment:
        """The expression of a column of FOCUS, or NULL of its type."""
        table, entry = self.table, self.columns.get(column.name)
        if column.name in named:
            return table.dialect.sql.compose("{name}", name=name_of(column.name))
        if entry is None:
            return table.value(column.name, column.kind)
        if entry.value is None:
            return table.dialect.null(column.kind)
        objects = self.source.mapping.objects
        return table.render(entry.value, self.columns, objects, named=named)

    def _version(self) -> Fragment:
        versions, dialect = self.source.versions, self.table.dialect
        if not versions:
            return dialect.null(Kind.TEXT)
        if len({version for *_, version in versions}) == 1:
            return dialect.literal(versions[0][2])
        period = self.table.time(self.source.period_column)
        cases = " ".join(
            f"WHEN {_in_spans(self.table, period, [(first, end)])} THEN {dialect.literal(version)}"
            for first, end, version in versions
        )
        return Fragment(f"CASE {cases} END")


def branches_of(source: FocusSource, wanted: Sequence[FocusColumn]) -> tuple[Fragment, ...]:
    """The queries whose rows together are those of a source."""
    return tuple(rows.query(wanted) for rows in _rows_of(source))


def _rows_of(source: FocusSource) -> Iterable[_Rows]:
    mapping, table = source.mapping, source.table
    columns = mapping.columns
    kept = _kept(source, table)

    def condition(expression: str) -> Fragment:
        return table.render(expression, columns, mapping.objects)

    dropped = (
        (Fragment(f"COALESCE(NOT ({condition(mapping.drop)}), TRUE)"),) if mapping.drop else ()
    )
    yield _Rows(
        source=source, table=table, relation=source.path, where=(*dropped, *kept), columns=columns
    )
    for split in mapping.splits:
        yield _Rows(
            source=source,
            table=table,
            relation=source.path,
            where=(Fragment(f"({condition(split.where)})"), *kept),
            columns={**columns, **split.columns},
        )
    if mapping.left_over is None or source.left_over is None:
        return
    left = BilledTable(
        dialect=table.dialect,
        kinds=left_over_kinds(mapping.left_over),
        headers={},
    )
    not_mark = table.dialect.sql.compose("NOT {mark}", mark=IS_MARK)
    amount = Entry(value=str(table.dialect.sql.compose("{name}", name=AMOUNT)), null=None)
    yield _Rows(
        source=source,
        table=left,
        relation=source.left_over,
        where=(not_mark, *_kept(source, left)),
        columns={**columns, **mapping.left_over.columns, "amount": amount},
    )


def _kept(source: FocusSource, table: BilledTable) -> tuple[Fragment, ...]:
    """The condition that leaves out the months that another source has."""
    if not source.left_out:
        return ()
    period = table.time(source.period_column)
    return (Fragment(f"COALESCE(NOT {_in_spans(table, period, source.left_out)}, TRUE)"),)


def _in_spans(table: BilledTable, period: Fragment, spans: Iterable[tuple[date, date]]) -> Fragment:
    sql = table.dialect.sql
    return sql.in_spans(period, spans, of_day=sql.time_of_day)
