"""Rows that no month has add to the sum of a table, so every command that looks says so."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from cloudbill.doctor.examination import examine
from cloudbill.errors import LoadError
from cloudbill.loading.events import OddRows
from cloudbill.looking.status_reading import read_status
from cloudbill.looking.status_words import status_json, status_lines
from cloudbill.looking.verification import verify_source
from cloudbill.looking.verification_words import closing_lines, verification_json
from cloudbill.models import TableRows
from cloudbill.periods import BillingPeriod, utc_now
from cloudbill.report.collecting import collect
from cloudbill.report.trust_json import trust_json
from cloudbill.surveying import read_present
from cloudbill.warehouses import open_warehouse
from contract.conftest import LOOKING_WAYS, in_ways
from contract.deliveries import AzureWriter, Delivery, at, charges
from contract.places import Case

if TYPE_CHECKING:
    from pathlib import Path

    from contract.places import Place

OCTOBER = BillingPeriod.parse("2025-10")


def deliver_october(case: Case) -> None:
    """A run of October with two charges, loaded."""
    delivery = Delivery(
        period="2025-10",
        charges=charges("2025-10", "1", "2"),
        submitted_at=at("2025-11-01 04:00"),
        run_id="run",
    )
    case.deliver(delivery)
    assert case.load().exit_code == 0


def insert(case: Case, period: str) -> None:
    """A charge that something else writes into the table; `period` is a literal of SQL."""
    case.place.query(
        f"INSERT INTO {{table}} ({{period}}, {{cost}}) VALUES ({period}, 1000000)",  # noqa: S608
        table=case.table,
        period=case.writer.period_column,
        cost=case.writer.cost_column,
    )


@in_ways(LOOKING_WAYS)
def test_a_row_without_a_period_is_counted_and_told_by_every_command_that_looks(
    case: Case,
) -> None:
    deliver_october(case)
    insert(case, "NULL")
    settings = case.settings

    status = read_status(settings, now=utc_now())
    assert status.rows_of_no_month == 1
    assert "holds 1 row of no month" in "\n".join(status_lines(status))
    assert json.loads(status_json([status]))["sources"][0]["rows_of_no_month"] == 1

    verified = verify_source(settings, frozenset(), lambda _: None)
    assert [month.verdict.value for month in verified.months] == ["equal"]
    assert verified.exit_code(strict=False) == 7
    assert "holds 1 row of no month" in "\n".join(closing_lines(verified))
    assert json.loads(verification_json([verified]))["rows_of_no_month"] == [
        {"source": settings.source, "rows": 1}
    ]

    (odd,) = [check for check in examine([settings]) if "of no month" in check.found]
    assert odd.remedy is not None
    query = odd.remedy.partition("`")[2].partition("`, and")[0]
    assert case.place.query(query.replace("{", "{{"))

    report, _ = collect(settings)
    assert trust_json((report,))["of_no_month"] == [{"source": 0, "rows": 1}]

    case.events.clear()
    assert case.load().exit_code == 0
    assert [event.rows for event in case.events if isinstance(event, OddRows)] == [1]


@in_ways(LOOKING_WAYS)
def test_rows_of_no_month_are_no_matter_of_a_month_that_is_asked_for(case: Case) -> None:
    deliver_october(case)
    insert(case, "NULL")
    verified = verify_source(case.settings, frozenset({OCTOBER}), lambda _: None)
    assert verified.exit_code(strict=True) == 0


@pytest.fixture
def one_case(place: Place, tmp_path: Path) -> Case:
    """One provider, for what does not depend on what the table was loaded from."""
    return Case(place=place, writer=AzureWriter(), scratch=tmp_path)


def table_of(case: Case) -> TableRows:
    """What the table holds, as any command reads it."""
    with closing(open_warehouse(case.settings.warehouse, read_only=True)) as warehouse:
        return read_present(case.settings, warehouse).table


def test_periods_that_no_bill_has_are_of_no_month(one_case: Case) -> None:
    deliver_october(one_case)
    for day in ("0001-01-01", "1959-12-31", "2160-01-01", "9999-12-31"):
        insert(one_case, f"TIMESTAMP '{day}'")
    for day in ("1960-01-01", "2159-12-31"):
        insert(one_case, f"TIMESTAMP '{day}'")
    table = table_of(one_case)
    months = {str(month): held.rows for month, held in table.months.items()}
    assert months == {"1960-01": 1, "2025-10": 2, "2159-12": 1}
    assert table.of_no_month == 4


def test_an_infinite_period_is_of_no_month_and_in_no_amount_of_a_report(one_case: Case) -> None:
    if one_case.place.name != "duckdb":
        pytest.skip("BigQuery has no infinite times")
    deliver_october(one_case)
    for day in ("infinity", "-infinity", "290000-01-01"):
        insert(one_case, f"TIMESTAMP '{day}'")
    assert table_of(one_case).of_no_month == 3
    report, _ = collect(one_case.settings)
    assert {cell.key[0] for cell in report.months.cells} == {"2025-10"}
    assert report.rows_of_no_month == 3


def test_a_period_column_that_holds_no_times_any_more_is_named(one_case: Case) -> None:
    if one_case.place.name != "duckdb":
        pytest.skip("BigQuery changes no column of this kind, least of all that of the partitions")
    deliver_october(one_case)
    one_case.place.query(
        "ALTER TABLE {table} ALTER {period} TYPE VARCHAR USING 'October'",
        table=one_case.table,
        period=one_case.writer.period_column,
    )
    error = read_status(one_case.settings, now=utc_now()).error
    assert isinstance(error, LoadError)
    assert one_case.writer.period_column in str(error)
