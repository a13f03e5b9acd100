"""Rows of no month, and tables that were changed, end no command and no other source."""

from __future__ import annotations

from contextlib import closing
from datetime import date
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from cloudbill.doctor.examination import examine
from cloudbill.errors import SchemaError
from cloudbill.looking.load_history import read_history
from cloudbill.looking.status import MonthState, read_status
from cloudbill.looking.verification import verify_source
from cloudbill.models import utc_now
from cloudbill.report.collecting import collect
from cloudbill.report.page_json import page_json
from cloudbill.sql import BIGQUERY, DUCKDB, Fragment
from contract.deliveries import Delivery, at, charges
from contract.places import DATASET, PROJECT, DiskAndDuckDB, GcsAndBigQuery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudbill.looking.comparison import MonthReport
    from contract.places import Case

OCTOBER = Delivery(
    period="2025-10", charges=charges("2025-10", "1", "2"), submitted_at=at("2025-10-15 04:00")
)
BOTH = ["0050-03-01", "0099-12-31", "9999-12-31"]
DUCKDB_ALONE = ["infinity", "-infinity", "12000-01-05", "290000-12-01", "0044-03-15 (BC)"]


def add_rows(case: Case, moments: Sequence[str | None]) -> None:
    """Puts rows into the table that nobody delivered."""
    column = case.writer.period_column
    if isinstance(case.place, DiskAndDuckDB):
        with closing(duckdb.connect(str(case.place.database))) as connection:
            statement = DUCKDB.compose(
                "INSERT INTO {table} ({column}) VALUES ($moment)",
                table=(DATASET, case.table),
                column=column,
            )
            for moment in moments:
                connection.execute(statement.text, {"moment": moment})
        return
    assert isinstance(case.place, GcsAndBigQuery)
    client: Any = case.place.client()
    for moment in moments:
        value = "NULL" if moment is None else f"TIMESTAMP '{moment} 00:00:00+00'"
        statement = BIGQUERY.compose(
            "INSERT INTO {table} ({column}) VALUES ({value})",
            table=(PROJECT, DATASET, case.table),
            column=column,
            value=Fragment(value),
        )
        client.query(statement.text).result()


def assert_every_command_sees_october_alone(case: Case) -> None:
    """Runs what every command runs for a source."""
    settings = case.settings
    again = case.load()
    assert (again.errors, again.results) == ((), ())
    status = read_status(settings, now=utc_now())
    assert status.errors == ()
    assert [str(month.period) for month in status.months] == ["2025-10"]
    verified: list[MonthReport] = []
    assert verify_source(settings, frozenset(), verified.append).exit_code(strict=True) == 0
    assert [str(month.period) for month in verified] == ["2025-10"]
    assert read_history(settings, frozenset()).exit_code == 0
    assert [check for check in examine([settings]) if "warehouse" in check.subject] == []
    report, failed = collect(settings)
    assert failed is None
    assert {cell.key[0] for cell in report.months.cells} == {"2025-10"}
    assert page_json((report,), utc_now())


def test_rows_of_no_month_are_of_no_month_on_both_warehouses(case: Case) -> None:
    case.deliver(OCTOBER)
    case.load()
    add_rows(case, [*BOTH, None])

    assert_every_command_sees_october_alone(case)
    assert case.held("2025-10") == list(OCTOBER.charges)


@pytest.mark.parametrize("place", ["duckdb"], indirect=True)
@pytest.mark.parametrize("case", ["azure parquet"], indirect=True)
class TestDuckDB:
    """BigQuery knows no such times, and keeps the name of the column that it partitions by."""

    def test_rows_of_no_month_are_of_no_month(self, case: Case) -> None:
        case.deliver(OCTOBER)
        case.load()
        add_rows(case, DUCKDB_ALONE)

        assert_every_command_sees_october_alone(case)

    def test_a_row_of_another_century_is_a_month_and_the_years_between_are_no_gap(
        self, case: Case
    ) -> None:
        case.deliver(OCTOBER)
        case.load()
        add_rows(case, ["1970-01-01"])

        months = read_status(case.settings, now=utc_now()).months

        assert [str(month.period) for month in months] == ["2025-10", "1970-01"]
        assert MonthState.MISSING not in {month.state for month in months}

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ("RENAME {column} TO {other}", "has no column 'BillingPeriodStart'"),
            (
                "ALTER {column} TYPE VARCHAR",
                "has string in column 'BillingPeriodStart'",
            ),
        ],
    )
    def test_a_period_column_that_was_changed_is_named_by_every_command(
        self, case: Case, change: str, said: str
    ) -> None:
        case.deliver(OCTOBER)
        case.load()
        column = case.writer.period_column
        case.place.query("ALTER TABLE {table} " + change, table=case.table, column=column, other="x")

        failed = collect(case.settings)[1]
        found = [
            case.load().error,
            case.load(dry_run=True).error,
            read_status(case.settings, now=utc_now()).error,
            verify_source(case.settings, frozenset(), lambda _: None).error,
            failed,
        ]

        for error in found:
            assert isinstance(error, SchemaError)
            assert f"Table bill {said}" in str(error)
            assert "set another 'table_name'" in str(error)

    def test_a_column_of_days_says_the_month_as_well(self, case: Case) -> None:
        case.deliver(OCTOBER)
        case.load()
        column = case.writer.period_column
        case.place.query(
            "ALTER TABLE {table} ALTER {column} TYPE DATE", table=case.table, column=column
        )
        add_rows(case, ["infinity", str(date(2025, 11, 1))])

        months = read_status(case.settings, now=utc_now()).months

        assert [str(month.period) for month in months] == ["2025-11", "2025-10"]
