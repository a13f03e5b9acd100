"""Rows that no month has add to the sum of a table, so every command that looks says so."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from cloudbill.doctor.examination import examine
from cloudbill.loading.events import OddRows
from cloudbill.looking.status import read_status
from cloudbill.looking.status_words import status_json, status_lines
from cloudbill.looking.verification import verify_source
from cloudbill.looking.verification_words import closing_lines, verification_json
from cloudbill.models import BillingPeriod, utc_now
from cloudbill.report.collecting import collect
from cloudbill.report.trust_json import trust_json
from cloudbill.surveying import read_present
from cloudbill.warehouses import open_warehouse
from contract.deliveries import AzureWriter, Delivery, at, charges

if TYPE_CHECKING:
    from contract.places import Case

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


def test_rows_of_no_month_are_no_matter_of_a_month_that_is_asked_for(case: Case) -> None:
    deliver_october(case)
    insert(case, "NULL")
    verified = verify_source(case.settings, frozenset({OCTOBER}), lambda _: None)
    assert verified.exit_code(strict=True) == 0


@pytest.mark.parametrize("period", ["1959-12-31", "2160-01-01", "9999-12-31", "0001-01-01"])
def test_a_period_that_no_bill_has_is_of_no_month(case: Case, period: str) -> None:
    if not isinstance(case.writer, AzureWriter):
        pytest.skip("the table is the same, whatever it was loaded from")
    deliver_october(case)
    insert(case, f"TIMESTAMP '{period}'")
    with closing(open_warehouse(case.settings.warehouse, read_only=True)) as warehouse:
        table = read_present(case.settings, warehouse).table
    assert {month: held.rows for month, held in table.months.items()} == {OCTOBER: 2}
    assert table.of_no_month == 1


def test_periods_of_the_first_and_the_last_month_are_counted_by_month(case: Case) -> None:
    if not isinstance(case.writer, AzureWriter):
        pytest.skip("the table is the same, whatever it was loaded from")
    deliver_october(case)
    insert(case, "TIMESTAMP '1960-01-01'")
    insert(case, "TIMESTAMP '2159-12-31'")
    with closing(open_warehouse(case.settings.warehouse, read_only=True)) as warehouse:
        table = read_present(case.settings, warehouse).table
    assert sorted(map(str, table.months)) == ["1960-01", "2025-10", "2159-12"]
    assert table.of_no_month == 0


def test_an_infinite_period_is_of_no_month_and_in_no_amount_of_a_report(case: Case) -> None:
    if case.place.name != "duckdb" or not isinstance(case.writer, AzureWriter):
        pytest.skip("BigQuery has no infinite times")
    deliver_october(case)
    insert(case, "TIMESTAMP 'infinity'")
    insert(case, "TIMESTAMP '-infinity'")
    insert(case, "TIMESTAMP '290000-01-01'")
    assert read_status(case.settings, now=utc_now()).rows_of_no_month == 3
    report, _ = collect(case.settings)
    assert {cell.key[0] for cell in report.months.cells} == {"2025-10"}
    assert report.rows_of_no_month == 3
