"""Google's reference implementation reads the FOCUS views as DuckDB does, cell for cell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from cloudbill.focus.branches import FocusSource
from cloudbill.focus.faults import faults_query
from cloudbill.focus.left_over import left_over_kinds, left_over_query, marks_query
from cloudbill.focus.views import View, views_of
from cloudbill.manifests import ColumnType
from cloudbill.periods import BillingPeriod
from cloudbill.warehouses.view_dialects import BIGQUERY_FOCUS, DUCKDB_FOCUS, FocusDialect
from focus_tables import GOOGLE_TYPES, OCTOBER, SHAPES, Kinds, Row, fill, rows_of, source_of

if TYPE_CHECKING:
    from emulators.googlesql import GoogleSql

ROWS = 16
WHOLE = ("azure every", "aws both", "aws_focus 1.2")
"""The shapes with all that a provider ever delivered."""
MARKS = {BillingPeriod.parse("2025-09"): "a|1", BillingPeriod.parse("2025-10"): "b'\\|2"}
BILL, REST, VIEW = "bill", "rests", "focus"
ZONE = "Asia/Tokyo"
"""That of the project, which says nothing of a bill."""
Tables = dict[tuple[str, ...], dict[str, str]]
_GOOGLE = {
    ColumnType.BOOLEAN: "BOOLEAN",
    ColumnType.BYTES: "BYTES",
    ColumnType.DATE: "DATE",
    ColumnType.DECIMAL: "BIGNUMERIC",
    ColumnType.FLOAT: "FLOAT",
    ColumnType.INTEGER: "INTEGER",
    ColumnType.JSON: "JSON",
    ColumnType.STRING: "STRING",
    ColumnType.TIMESTAMP: "TIMESTAMP",
}


@dataclass(frozen=True, kw_only=True)
class Bill:
    """A table in one shape, and the source of it in each warehouse."""

    kinds: Kinds
    rows: list[Row]
    of_google: FocusSource
    of_duckdb: FocusSource

    @classmethod
    def of(cls, shape: str, rows: int = ROWS) -> Bill:
        """A table with rows that reach into every rule; some of its months count elsewhere."""
        options: dict[str, Any] = {"name": "a `bill\\'s`"}
        if shape.startswith("aws "):
            options |= {"left_over": (REST,)}
        else:
            first, next_ = (period.first_day for period in MARKS)
            end = BillingPeriod.parse("2025-11").first_day
            options |= {"versions": ((first, next_, "1.0"), (next_, end, "1.2-preview"))}
        return cls(
            kinds=SHAPES[shape],
            rows=rows_of(SHAPES[shape], rows),
            of_google=source_of(shape, BIGQUERY_FOCUS, (BILL,), **options),
            of_duckdb=source_of(shape, DUCKDB_FOCUS, (BILL,), **options),
        )


def google(kinds: Kinds) -> dict[str, str]:
    return {name: _GOOGLE[kind] for name, kind in kinds.items()}


@contextmanager
def both(google_sql: GoogleSql, bill: Bill) -> Iterator[duckdb.DuckDBPyConnection]:
    """The table and what its negations leave over, in both; what is left over is the same."""
    cells = [[*row.values()] for row in bill.rows]
    tables: Tables = {(BILL,): google(bill.kinds)}
    with duckdb.connect(config={"threads": 1}) as connection:
        fill(connection, BILL, bill.kinds, bill.rows)
        rule = bill.of_google.mapping.left_over
        if rule is None:
            google_sql.know(tables, {BILL: cells})
            yield connection
            return
        kinds = left_over_kinds(rule)
        google_sql.know(tables, {BILL: cells})
        rests = google_sql.rows(rests_query(bill.of_google), zone=ZONE)
        connection.execute(f"CREATE TABLE {REST} AS {rests_query(bill.of_duckdb)}")
        assert plain(rests) == plain(connection.execute(f"FROM {REST}").fetchall())
        assert len(rests) > len(MARKS)
        marks = {row[-2] for row in rests if row[-1]}
        assert marks == {*MARKS.values()}
        google_sql.know(tables | {(REST,): google(kinds)}, {BILL: cells, REST: rests})
        asked = marks_query((REST,), bill.of_google.table, bill.of_google.period_column)
        found = google_sql.rows(asked.text, zone=ZONE)
        assert dict(found) == {str(period): mark for period, mark in MARKS.items()}
        yield connection


def rests_query(source: FocusSource) -> str:
    query = left_over_query(
        (BILL,),
        source.table,
        source.mapping,
        period_column=source.period_column,
        marks=MARKS,
        kept=None,
    )
    return query.text


def views(source: FocusSource, dialect: FocusDialect) -> tuple[View, ...]:
    return views_of([source], dialect, ())


def plain(rows: list[tuple[Any, ...]]) -> list[list[str]]:
    """Rows without what a driver adds: zones, zeros at the end, the spelling of an object."""
    return sorted([shown(value) for value in row] for row in rows)


def shown(value: object) -> str:
    """A value in one spelling."""
    if isinstance(value, str) and value.startswith("{"):
        with suppress(ValueError):
            return json.dumps(json.loads(value), sort_keys=True)
    if isinstance(value, datetime):
        return str(value.replace(tzinfo=None))
    return str(value.normalize()) if isinstance(value, Decimal) else repr(value)


@pytest.mark.parametrize("shape", SHAPES)
def test_google_evaluates_a_view_to_the_cells_of_duckdb(google_sql: GoogleSql, shape: str) -> None:
    is_whole = shape in WHOLE
    bill = Bill.of(shape, 6 * ROWS if is_whole else ROWS)
    with both(google_sql, bill) as connection:
        answered = google_sql.rows(views(bill.of_google, BIGQUERY_FOCUS)[0].query.text, zone=ZONE)
        view = views(bill.of_duckdb, DUCKDB_FOCUS)[0]
        found = connection.execute(view.query.text).fetchall()
    assert plain(answered) == plain(found)
    assert len(answered) >= ROWS
    if is_whole:
        # Otherwise, NULL would be compared with NULL.
        filled = {name for name, entry in bill.of_google.mapping.columns.items() if entry.value}
        empty = {
            column.name
            for at, column in enumerate(view.columns)
            if all(row[at] is None for row in found)
        }
        assert empty & filled == EMPTY[shape]


def test_google_counts_the_faults_that_duckdb_counts(google_sql: GoogleSql) -> None:
    bill = Bill.of("azure every", 6 * ROWS)
    columns = views(bill.of_duckdb, DUCKDB_FOCUS)[0].columns
    with both(google_sql, bill) as connection:
        answered = google_sql.rows(views(bill.of_google, BIGQUERY_FOCUS)[0].query.text, zone=ZONE)
        connection.execute(f"CREATE TABLE {VIEW} AS {views(bill.of_duckdb, DUCKDB_FOCUS)[0].query}")
        google_sql.know(
            {(VIEW,): {column.name: GOOGLE_TYPES[column.kind] for column in columns}},
            {VIEW: answered},
        )
        faults = google_sql.rows(faults_query(BIGQUERY_FOCUS, (VIEW,)).text)
        query = faults_query(DUCKDB_FOCUS, (VIEW,)).text
        assert plain(faults) == plain(connection.execute(query).fetchall())
    assert len({rule for _, _, _, rule, *_ in faults}) > 20


@pytest.mark.parametrize("shape", WHOLE)
def test_a_filter_of_the_billing_period_meets_the_column_that_partitions_the_table(
    google_sql: GoogleSql, shape: str
) -> None:
    """Of the view of FOCUS 1.4; the one of 1.2 has the same parts."""
    bill = Bill.of(shape, 0)
    tables: Tables = {(BILL,): google(bill.kinds)}
    rule = bill.of_google.mapping.left_over
    if rule:
        tables[REST,] = google(left_over_kinds(rule))
    google_sql.know(tables)
    query = views(bill.of_google, BIGQUERY_FOCUS)[1].query.text
    origins = google_sql.origins_of(query, ["BillingPeriodStart", "x_Source"])
    column = bill.of_google.period_column
    found = origins["BillingPeriodStart"]
    assert set(found) == {(BILL, column)} | ({(REST, column)} if rule else set())
    assert len(found) == (3 if rule else 1)
    assert all(table.startswith("$") for table, _ in origins["x_Source"])


def test_google_refuses_what_is_no_view(google_sql: GoogleSql) -> None:
    bill = Bill.of("azure 1.2", 0)
    google_sql.know({(BILL,): google(bill.kinds)})
    query = views(bill.of_google, BIGQUERY_FOCUS)[0].query.text
    assert google_sql.fault_of(query) is None
    assert "Unrecognized name" in str(
        google_sql.fault_of(query.replace("`BilledCost`", "`Cost`", 1))
    )


def test_months_that_another_source_has_are_left_out_in_both(google_sql: GoogleSql) -> None:
    october = (OCTOBER.date(), BillingPeriod.parse("2025-11").first_day)
    bill = Bill.of("azure 1.2")
    google_sql.know({(BILL,): google(bill.kinds)}, {BILL: [[*row.values()] for row in bill.rows]})
    ours = source_of("azure 1.2", BIGQUERY_FOCUS, (BILL,), left_out=(october,))
    theirs = source_of("azure 1.2", DUCKDB_FOCUS, (BILL,), left_out=(october,))
    with duckdb.connect(config={"threads": 1}) as connection:
        fill(connection, BILL, bill.kinds, bill.rows)
        found = connection.execute(views(theirs, DUCKDB_FOCUS)[0].query.text).fetchall()
    columns = views(theirs, DUCKDB_FOCUS)[0].columns
    answered = google_sql.rows(views(ours, BIGQUERY_FOCUS)[0].query.text, zone=ZONE)
    assert plain(answered) == plain(found)
    at = [column.name for column in columns].index("x_BillingMonth")
    assert {row[at] for row in answered} == {"2025-09"}
    assert len(answered) == sum(row["BillingPeriodStart"] != OCTOBER for row in bill.rows)


EMPTY = {
    "azure every": {
        *("PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost"),
        "PricingCurrencyListUnitPrice",
    },
    "aws both": {"CapacityReservationId", "CapacityReservationStatus"},
    # What would be text without an object.
    "aws_focus 1.2": {"x_SkuPriceDetailsText", "x_TagsText"},
}
"""What no table in these shapes has."""
