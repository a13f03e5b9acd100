from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from cloudbill.periods import BillingPeriod
from cloudbill.report.model import SourceReport
from cloudbill.report.trust import (
    Agreement,
    closings_of,
    doubles_of,
    is_complete,
    missing_months,
    months_of,
)
from unit.report.report_builders import Spent, record, report_of

OCTOBER = BillingPeriod.parse("2025-10")


def eur(amount: str) -> dict[str, dict[str, Decimal]]:
    return {"EUR": {"BilledCost": Decimal(amount)}}


def test_a_month_is_complete_if_its_run_was_made_after_its_end_and_covers_its_last_day() -> None:
    assert is_complete(record("2025-10", {}, submitted_at="2025-11-01 00:00")) is True
    assert is_complete(record("2025-10", {}, submitted_at="2025-10-31 23:59")) is False
    assert is_complete(record("2025-10", {}, covers_to=date(2025, 10, 30))) is False
    assert is_complete(record("2025-10", {}, submitted_at=None)) is None


def test_a_month_that_holds_what_was_recorded_is_equal() -> None:
    report = report_of([Spent(cost="1.5")], loaded={OCTOBER: record("2025-10", eur("1.50"))})
    (month,) = months_of(report)
    assert month.agreement is Agreement.EQUAL
    assert [amount.difference for amount in month.amounts] == [0]


def test_a_month_differs_by_its_smallest_digit() -> None:
    report = report_of(
        [Spent(cost="1.500000000000000001")], loaded={OCTOBER: record("2025-10", eur("1.5"))}
    )
    (month,) = months_of(report)
    assert month.agreement is Agreement.DIFFERENT
    assert [amount.difference for amount in month.amounts] == [Decimal("0.000000000000000001")]


def test_a_currency_that_only_the_table_has_is_different() -> None:
    report = report_of(
        [Spent(cost="1"), Spent(cost="2", currency="USD")],
        loaded={OCTOBER: record("2025-10", eur("1"), rows=2)},
    )
    (month,) = months_of(report)
    assert month.agreement is Agreement.DIFFERENT
    assert [(one.currency, one.difference) for one in month.amounts] == [
        ("EUR", 0),
        ("USD", Decimal(2)),
    ]


def test_rows_that_differ_are_different_whatever_the_amounts() -> None:
    report = report_of([Spent()], loaded={OCTOBER: record("2025-10", eur("1"), rows=2)})
    assert months_of(report)[0].agreement is Agreement.DIFFERENT


def test_a_load_without_totals_is_compared_by_its_rows() -> None:
    report = report_of([Spent()], loaded={OCTOBER: record("2025-10", {})})
    assert months_of(report)[0].agreement is Agreement.ROWS_ONLY


def test_rows_that_nobody_recorded_are_unrecorded() -> None:
    assert months_of(report_of([Spent()]))[0].agreement is Agreement.UNRECORDED


def test_months_are_missing_only_in_between() -> None:
    report = report_of([Spent(day="2025-07-01"), Spent(day="2025-10-01")])
    assert [str(period) for period in missing_months(report)] == ["2025-08", "2025-09"]
    assert missing_months(report_of([])) == ()


def test_a_month_moves_from_the_first_run_that_was_made_after_it() -> None:
    loads = [
        record("2025-10", eur("1100"), submitted_at="2025-10-20 04:00"),
        record("2025-10", eur("1204.11"), submitted_at="2025-11-02 04:00"),
        record("2025-10", eur("1209.80"), submitted_at="2025-11-09 04:00"),
    ]
    (closing,) = closings_of(report_of([], tracked=loads))
    assert (closing.first, closing.closed, closing.now) == (
        Decimal(1100),
        Decimal("1204.11"),
        Decimal("1209.80"),
    )
    assert closing.since_close == Decimal("5.69")


def test_a_month_that_has_not_ended_is_not_closed() -> None:
    early = record("2025-10", eur("1"), submitted_at="2025-10-20 04:00")
    (closing,) = closings_of(report_of([], tracked=[early, replace(early, totals=eur("2"))]))
    assert closing.closed is None
    assert closing.since_close is None


def test_a_month_that_was_loaded_once_did_not_move() -> None:
    assert closings_of(report_of([], tracked=[record("2025-10", eur("1"))])) == ()


def test_sources_that_hold_the_same_charges_are_paired_by_cloud_scope_and_month() -> None:
    def held(source: str, month: str, scope: str | None) -> SourceReport:
        period = BillingPeriod.parse(month)
        loaded = {period: record(month, {}, scope=scope)}
        return report_of([Spent(day=f"{month}-03")], source=source, loaded=loaded)

    cur = held("aws_billing", "2025-10", "1")
    (double,) = doubles_of([held("aws_focus_billing", "2025-10", "1"), cur])
    assert (double.sources, double.scope) == (("aws_billing", "aws_focus_billing"), "1")
    assert double.periods == (OCTOBER,)
    for other in (
        held("azure_billing", "2025-10", "1"),
        held("aws_focus_billing", "2025-10", "2"),
        held("aws_focus_billing", "2025-09", "1"),
        held("aws_focus_billing", "2025-10", None),
        replace(held("aws_focus_billing", "2025-10", "1"), rows_in_table={}),
    ):
        assert doubles_of([cur, other]) == []
