"""A run over several months, as people use it to fill a table: each month is loaded from it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from cloudbill.errors import ReconciliationError
from cloudbill.looking.comparison import Verdict
from cloudbill.looking.verification import verify_source
from cloudbill.periods import BillingPeriod
from contract.conftest import AZURE_WAYS, ONE_WAY, in_ways
from contract.deliveries import (
    NO_PERIOD,
    Charge,
    Delivery,
    at,
    charges,
)
from contract.places import Case

MONTHS = ("2025-08", "2025-09", "2025-10")
SUBMITTED = at("2025-11-03 04:00")


WAYS = AZURE_WAYS
"""Azure alone writes such runs; see `TestRows` for the ways of its rows."""


def of(month: str, *costs: str, note: str = "") -> list[Charge]:
    """Charges whose billing period is their month."""
    first = BillingPeriod.parse(month).first_day
    return [replace(charge, period=first) for charge in charges(month, *costs, note=note)]


AUGUST, SEPTEMBER, OCTOBER = (
    of("2025-08", "1", "2", "3"),
    of("2025-09", "40", "50"),
    of("2025-10", "600", "700", "800", "900"),
)


def backfill(*rows: Charge, run_id: str = "backfill", stated_rows: int | None = -1) -> Delivery:
    """A run of three months, in two parts neither of which is of one month."""
    return Delivery(
        period="2025-08",
        charges=rows or [*AUGUST, *SEPTEMBER, *OCTOBER],
        submitted_at=SUBMITTED,
        run_id=run_id,
        covers=(date(2025, 8, 1), date(2025, 10, 31)),
        stated_rows=stated_rows,
    )


def one(month: str, *costs: str, run_id: str, later: bool = False) -> Delivery:
    """A run of one month, older than the backfill or later."""
    submitted_at = SUBMITTED + timedelta(hours=8 if later else -8)
    return Delivery(
        period=month, charges=of(month, *costs), submitted_at=submitted_at, run_id=run_id
    )


def verdicts(case: Case) -> dict[str, Verdict]:
    """What verifying each month comes to."""
    verified = verify_source(case.settings, frozenset(), lambda _: None)
    assert not verified.error
    assert not verified.failures
    return {str(month.period): month.verdict for month in verified.months}


class TestRows:
    """Each format is split by each warehouse."""

    WAYS = tuple(
        (kind, warehouse)
        for warehouse in ("duckdb", "bigquery")
        for kind in ("azure parquet", "azure csv")
    )

    def test_each_month_gets_its_own_rows_is_recorded_and_is_loaded_once(self, case: Case) -> None:
        case.deliver(backfill())

        outcome = case.load()

        assert outcome.exit_code == 0
        assert [case.held(month) for month in MONTHS] == [AUGUST, SEPTEMBER, OCTOBER]
        assert sorted(case.tracked()) == [
            ("2025-08", "backfill", 3, 2),
            ("2025-09", "backfill", 2, 2),
            ("2025-10", "backfill", 4, 2),
        ]
        totals = {
            str(result.planned.period): result.totals["EUR"]["BilledCost"]
            for result in outcome.results
        }
        assert totals == {"2025-08": 6, "2025-09": 90, "2025-10": 3000}
        again = case.load()
        assert not again.results
        assert {str(skip.reason) for skip in again.skips} == {"already_loaded"}
        assert verdicts(case) == dict.fromkeys(MONTHS, Verdict.EQUAL)

    @pytest.mark.parametrize(
        ("stray", "named"),
        [(date(2025, 11, 1), "2025-11"), (NO_PERIOD, "no month (1 row)")],
        ids=["november", "no month"],
    )
    def test_rows_of_another_month_or_of_none_refuse_the_run_for_every_month(
        self, case: Case, stray: date, named: str
    ) -> None:
        good = one("2025-09", "41", "51", run_id="good")
        last = replace(OCTOBER[-1], period=stray)
        case.deliver(good, backfill(*AUGUST, *SEPTEMBER, *OCTOBER[:-1], last))

        outcome = case.load()

        errors = [failure.error for failure in outcome.failures]
        assert outcome.exit_code == 5
        assert len(errors) == len(MONTHS)
        assert all(isinstance(error, ReconciliationError) for error in errors)
        assert all(named in str(error) for error in errors)
        # The good run of one of the months goes in all the same.
        assert case.held() == list(good.charges)
        assert [result.planned.manifest.run_id for result in outcome.results] == ["good"]


@in_ways(ONE_WAY)
def test_a_later_run_of_one_month_goes_before_it_there_alone(case: Case) -> None:
    later = one("2025-10", "601", "701", "801", "901", run_id="later", later=True)
    case.deliver(backfill(), later)

    assert case.load().exit_code == 0

    assert case.held("2025-10") == list(later.charges)
    assert [case.held(month) for month in MONTHS[:2]] == [AUGUST, SEPTEMBER]
    assert {row[1] for row in case.tracked()} == {"backfill", "later"}


def test_loading_it_again_changes_nothing(case: Case) -> None:
    case.deliver(backfill())
    case.load()

    outcome = case.load("2025-09", force=True)

    assert [(str(one.planned.period), one.rows) for one in outcome.results] == [("2025-09", 2)]
    assert [case.held(month) for month in MONTHS] == [AUGUST, SEPTEMBER, OCTOBER]


def test_a_table_that_lost_rows_of_a_month_is_different(case: Case) -> None:
    case.deliver(backfill())
    case.load()
    case.place.query(
        "DELETE FROM {table} WHERE {day} = TIMESTAMP '2025-09-02 00:00:00'",
        table=case.table,
        day=case.writer.day_column,
    )

    found = verdicts(case)

    assert found == dict.fromkeys(MONTHS, Verdict.EQUAL) | {"2025-09": Verdict.DIFFERENT}


@in_ways(ONE_WAY)
def test_the_rows_of_all_months_are_counted_though_one_is_loaded(case: Case) -> None:
    case.deliver(backfill(stated_rows=10))

    outcome = case.load("2025-08")

    (failure,) = outcome.failures
    assert "states 10 rows, its parts have 9" in str(failure.error)
    assert not outcome.results


@in_ways(ONE_WAY)
def test_a_run_that_does_not_state_its_rows_is_loaded(case: Case) -> None:
    case.deliver(backfill(stated_rows=None))

    assert case.load().exit_code == 0

    assert [case.held(month) for month in MONTHS] == [AUGUST, SEPTEMBER, OCTOBER]


@in_ways(ONE_WAY)
def test_a_month_of_which_it_has_far_fewer_rows_is_held_and_the_others_are_loaded(
    case: Case,
) -> None:
    full = one("2025-09", *["1"] * 25, run_id="full")
    case.deliver(full)
    case.load()
    case.deliver(backfill())

    outcome = case.load()

    assert outcome.exit_code == 6
    assert [skip.detail for skip in outcome.skips if skip.is_held] == [
        "held: it has 2 rows, the loaded run full has 25"
    ]
    assert case.held("2025-09") == list(full.charges)
    assert [case.held(month) for month in (MONTHS[0], MONTHS[2])] == [AUGUST, OCTOBER]


@in_ways(ONE_WAY)
def test_on_a_first_load_it_is_held_for_the_fuller_run_that_goes_in(case: Case) -> None:
    full = one("2025-09", *["1"] * 25, run_id="full")
    case.deliver(full, backfill())

    outcome = case.load()

    assert outcome.exit_code == 6
    assert case.held("2025-09") == list(full.charges)
    assert [case.held(month) for month in (MONTHS[0], MONTHS[2])] == [AUGUST, OCTOBER]


@in_ways(ONE_WAY)
def test_whole_months_with_an_exclusive_end_make_no_empty_month(case: Case) -> None:
    covers = (date(2025, 8, 1), date(2025, 11, 1))
    case.deliver(replace(backfill(), covers=covers))

    outcome = case.load()

    assert outcome.exit_code == 0
    assert sorted(str(one.planned.period) for one in outcome.results) == [*MONTHS]
    assert case.load().skips
    assert "2025-11" not in {str(skip.manifest.period) for skip in outcome.skips}


def test_a_month_without_any_row_in_it_is_empty(case: Case) -> None:
    case.deliver(backfill(*AUGUST, *OCTOBER))

    outcome = case.load()

    assert outcome.exit_code == 0
    assert {str(one.planned.period): one.rows for one in outcome.results} == {
        "2025-08": 3,
        "2025-09": 0,
        "2025-10": 4,
    }
    assert not case.held("2025-09")
