"""What verifying finds, on every warehouse and provider."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudbill.costs.daily_totals import DailyTotals
from cloudbill.errors import StoreError
from cloudbill.looking import verification
from cloudbill.looking.comparison import Difference, MonthReport, RecordDifference, Verdict
from cloudbill.looking.part_totals import sum_parts
from cloudbill.looking.verification import Verified, verify_source
from cloudbill.periods import BillingPeriod
from contract.conftest import AZURE_WAYS, LOOKING_WAYS, ONE_WAY, READING_WAYS, in_ways
from contract.deliveries import Charge, Delivery, Written, at, charges

if TYPE_CHECKING:
    import pytest

    from contract.places import Case

WAYS = LOOKING_WAYS

EARLY = at("2025-10-15 04:00")
LATE = at("2025-10-31 22:00")


def october(*costs: str, **options: object) -> Delivery:
    """A run of October with one charge a day."""
    values: dict[str, object] = {"charges": charges("2025-10", *costs), "submitted_at": EARLY}
    return Delivery(period="2025-10", **(values | options))  # type: ignore[arg-type]


def verify(case: Case, *months: str) -> Verified:
    """Verifies the source of a case."""
    listened: list[MonthReport] = []
    periods = frozenset(BillingPeriod.parse(month) for month in months)
    verified = verify_source(case.settings, periods, listened.append)
    assert tuple(listened) == verified.months
    return verified


def verify_one(case: Case) -> MonthReport:
    """The report of the only month."""
    verified = verify(case)
    assert (verified.failures, verified.error) == ((), None)
    (month,) = verified.months
    return month


def load(case: Case, delivery: Delivery) -> Written:
    """Delivers a run and loads it; returns its files, before they were put into the store."""
    written = case.write(delivery)
    case.place.put(written.folder)
    assert case.load().exit_code == 0
    return written


def change(case: Case, template: str, **pieces: str) -> None:
    """Changes the table behind the loader's back."""
    writer = case.writer
    case.place.query(
        template,
        table=case.table,
        cost=writer.cost_column,
        day=writer.day_column,
        currency=writer.currency_column,
        **pieces,
    )


def remove(case: Case, written: Written, *files: Path) -> None:
    """Takes files of a run out of the store."""
    for file in files:
        case.place.remove(file.relative_to(written.folder).as_posix())


def of_costs(case: Case, month: MonthReport) -> list[Difference]:
    """The differences in the rows, and in the column that every provider has."""
    return [one for one in month.differences if one.column in {"rows", case.writer.cost_column}]


class TestEqual:
    """A month is equal when its files, read again, give what the table holds."""

    WAYS = READING_WAYS

    def test_what_was_just_loaded_is_equal_in_every_month(self, case: Case) -> None:
        september = Delivery(
            period="2025-09",
            charges=charges("2025-09", "9.99", "-3.21", "0"),
            submitted_at=EARLY,
            parts=3,
        )
        small = "0.000000000000000001"
        rows = [*charges("2025-10", small, "-12345678901234567890.123456789012345678")]
        rows += [
            Charge(day=rows[0].day, cost=Decimal("100.01"), currency="USD"),
            Charge(day=rows[1].day, cost=Decimal("-100.02"), currency="USD"),
        ]
        case.deliver(september)
        load(case, october(charges=rows))
        verified = verify(case)
        assert verified.exit_code(strict=True) == 0
        assert [
            (str(month.period), month.verdict, month.reason, month.differences)
            for month in verified.months
        ] == [("2025-10", "equal", None, ()), ("2025-09", "equal", None, ())]
        assert [
            (month.files_rows, month.warehouse_rows, month.ledger_rows) for month in verified.months
        ] == [(4, 4, 4), (3, 3, 3)]

    def test_the_loaded_run_is_read_and_not_a_newer_one_that_waits(self, case: Case) -> None:
        loaded = october("1", "2", run_id="loaded")
        load(case, loaded)
        case.deliver(october("3", submitted_at=LATE, run_id="newer"))
        month = verify_one(case)
        assert (month.run_id, month.verdict, month.files_rows) == ("loaded", "equal", 2)

    def test_a_part_without_rows_makes_an_empty_month_that_is_equal(self, case: Case) -> None:
        load(case, october(parts=1))
        month = verify_one(case)
        assert (month.verdict, month.files_rows, month.warehouse_rows) == ("equal", 0, 0)

    def test_a_column_that_an_older_month_never_had_is_no_difference(self, case: Case) -> None:
        load(case, october("1", dropped=frozenset({case.writer.spare_column})))
        case.deliver(
            Delivery(
                period="2025-11",
                charges=charges("2025-11", "5"),
                submitted_at=LATE,
                added={"CostCentre": "apollo"},
            )
        )
        case.load()
        assert {month.verdict for month in verify(case).months} == {Verdict.EQUAL}


class TestDifferent:
    """What differs is located by currency, day and column, to the last digit."""

    def test_an_amount_that_changed_in_the_eighteenth_digit_is_found(self, case: Case) -> None:
        load(case, october("1.5", "2.25", "-3"))
        change(
            case,
            "UPDATE {table} SET {cost} = {cost} + CAST('0.000000000000000001' AS NUMERIC(38, 18)) "
            "WHERE {cost} = 2.25"
            if case.place.name == "duckdb"
            else "UPDATE {table} SET {cost} = {cost} + BIGNUMERIC '0.000000000000000001' "
            "WHERE {cost} = 2.25",
        )
        month = verify_one(case)
        assert month.verdict is Verdict.DIFFERENT
        assert month.differences == (
            Difference(
                currency="EUR",
                day="2025-10-02",
                column=case.writer.cost_column,
                files=Decimal("2.25"),
                warehouse=Decimal("2.250000000000000001"),
            ),
        )
        assert month.differences[0].difference == Decimal("0.000000000000000001")
        assert month.record_differences == (
            RecordDifference(
                currency="EUR",
                column=case.writer.cost_column,
                ledger=Decimal("0.75"),
                warehouse=Decimal("0.750000000000000001"),
            ),
        )

    def test_amounts_that_changed_but_cancel_out_over_the_month_are_found(self, case: Case) -> None:
        load(case, october("1", "2", "3"))
        change(case, "UPDATE {table} SET {cost} = {cost} + 1 WHERE {cost} = 1")
        change(case, "UPDATE {table} SET {cost} = {cost} - 1 WHERE {cost} = 3")
        month = verify_one(case)
        assert [(one.day, one.difference) for one in month.differences] == [
            ("2025-10-01", Decimal(1)),
            ("2025-10-03", Decimal(-1)),
        ]
        assert month.record_differences == ()

    def test_a_row_that_was_lost_is_found_on_its_day(self, case: Case) -> None:
        load(case, october("1.5", "-2.25", "3"))
        change(case, "DELETE FROM {table} WHERE {cost} = -2.25")
        month = verify_one(case)
        assert (month.files_rows, month.warehouse_rows, month.ledger_rows) == (3, 2, 3)
        assert [
            (one.day, one.column, one.files, one.warehouse, one.difference)
            for one in of_costs(case, month)
        ] == [
            ("2025-10-02", "rows", Decimal(1), Decimal(0), Decimal(-1)),
            ("2025-10-02", case.writer.cost_column, Decimal("-2.25"), Decimal(0), Decimal("2.25")),
        ]

    def test_a_row_that_costs_nothing_and_was_lost_is_found(self, case: Case) -> None:
        load(case, october("1", "0"))
        change(case, "DELETE FROM {table} WHERE {cost} = 0")
        (difference,) = verify_one(case).differences
        assert (difference.column, difference.day) == ("rows", "2025-10-02")

    def test_a_day_that_counts_twice_is_found(self, case: Case) -> None:
        rows = charges("2025-10", "1", "2.5", "3")
        rows.append(Charge(day=date(2025, 10, 2), cost=Decimal("0.5")))
        load(case, october(charges=rows))
        change(
            case,
            "INSERT INTO {table} SELECT * FROM {table} WHERE CAST({day} AS DATE) = "
            "CAST('2025-10-02' AS DATE)",
        )
        assert [
            (one.day, one.column, one.files, one.warehouse)
            for one in of_costs(case, verify_one(case))
        ] == [
            ("2025-10-02", "rows", Decimal(2), Decimal(4)),
            ("2025-10-02", case.writer.cost_column, Decimal(3), Decimal(6)),
        ]

    def test_an_amount_in_another_currency_is_found_in_both(self, case: Case) -> None:
        load(case, october("1", "2"))
        change(case, "UPDATE {table} SET {currency} = 'USD' WHERE {cost} = 2")
        month = verify_one(case)
        assert [(one.currency, one.column, one.difference) for one in of_costs(case, month)] == [
            ("EUR", "rows", Decimal(-1)),
            ("EUR", case.writer.cost_column, Decimal(-2)),
            ("USD", "rows", Decimal(1)),
            ("USD", case.writer.cost_column, Decimal(2)),
        ]

    def test_a_month_that_was_emptied_differs_and_the_others_do_not(self, case: Case) -> None:
        case.deliver(
            Delivery(period="2025-09", charges=charges("2025-09", "9"), submitted_at=EARLY)
        )
        load(case, october("1", "2"))
        change(case, "DELETE FROM {table} WHERE {cost} < 9")
        verified = verify(case)
        assert verified.exit_code(strict=False) == 7
        assert {str(month.period): str(month.verdict) for month in verified.months} == {
            "2025-09": "equal",
            "2025-10": "different",
        }

    def test_a_run_without_parts_differs_from_a_table_that_holds_rows(self, case: Case) -> None:
        case.deliver(
            Delivery(period="2025-09", charges=charges("2025-09", "9"), submitted_at=EARLY)
        )
        load(case, october(parts=0))
        assert verify(case, "2025-10").months[0].verdict is Verdict.NOT_CHECKABLE
        change(
            case,
            "UPDATE {table} SET {period} = "
            "CAST('2025-10-01 00:00:00+00' AS TIMESTAMP) WHERE {cost} = 9",
            period=case.writer.period_column,
        )
        (month,) = verify(case, "2025-10").months
        assert (month.verdict, month.files_rows, month.warehouse_rows) == ("different", 0, 1)

    def test_a_table_that_is_gone_differs(self, case: Case) -> None:
        load(case, october("1"))
        change(case, "DROP TABLE {table}")
        month = verify_one(case)
        assert (month.verdict, month.files_rows, month.warehouse_rows) == ("different", 1, 0)


class TestNotCheckable:
    """What cannot be checked is said, and why; it is an error only for those who ask for it."""

    WAYS = ONE_WAY

    def test_a_run_whose_part_is_gone_from_the_store(self, case: Case) -> None:
        written = load(case, october("1", "2"))
        remove(case, written, written.parts[1])
        verified = verify(case)
        (month,) = verified.months
        assert month.verdict is Verdict.NOT_CHECKABLE
        assert "1 of its 2 parts is gone" in str(month.reason)
        assert written.parts[1].name in str(month.reason)
        assert (month.files_rows, month.warehouse_rows, month.ledger_rows) == (None, 2, 2)
        assert (verified.exit_code(strict=False), verified.exit_code(strict=True)) == (0, 7)

    def test_a_run_that_is_gone_from_the_store_altogether(self, case: Case) -> None:
        written = load(case, october("1", "2"))
        manifests = written.folder.rglob("*anifest.json")
        remove(case, written, *written.parts, *manifests)
        month = verify_one(case)
        assert month.verdict is Verdict.NOT_CHECKABLE
        assert f"no manifest of run {month.run_id}" in str(month.reason)

    def test_a_table_that_is_no_longer_what_was_recorded_differs_even_without_files(
        self, case: Case
    ) -> None:
        written = load(case, october("1", "2"))
        remove(case, written, *written.parts)
        change(case, "DELETE FROM {table} WHERE {cost} = 2")
        month = verify_one(case)
        assert (month.verdict, month.files_rows) == ("different", None)
        assert month.record_differences[0].column == "rows"
        assert "are gone" in str(month.reason)
        assert "no longer holds what was recorded" in str(month.reason)

    def test_a_month_that_was_never_loaded(self, case: Case) -> None:
        load(case, october("1"))
        (month,) = verify(case, "2025-12").months
        assert (month.verdict, month.run_id, month.warehouse_rows) == ("not_checkable", None, 0)
        assert "no load of it is recorded" in str(month.reason)

    @in_ways(LOOKING_WAYS)
    def test_a_month_of_the_table_that_no_load_accounts_for(self, case: Case) -> None:
        load(case, october("1", "2"))
        for table in ("_dlt_pipeline_state", f"{case.table}_load_tracking"):
            case.place.query("DROP TABLE {table}", table=table)
        month = verify_one(case)
        assert (str(month.period), month.verdict) == ("2025-10", "not_checkable")
        assert "the table holds 2 rows" in str(month.reason)

    def test_an_empty_warehouse_has_no_month(self, case: Case) -> None:
        verified = verify(case)
        assert (verified.months, verified.error) == ((), None)
        assert (verified.exit_code(strict=False), verified.exit_code(strict=True)) == (0, 7)

    @in_ways(AZURE_WAYS[1:])
    def test_a_month_that_is_loaded_anew_while_it_is_read(
        self, case: Case, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Of DuckDB, nobody else can write the file while this process reads it.
        load(case, october("1", "2"))

        def read_late(*arguments: Any) -> DailyTotals:
            totals = sum_parts(*arguments)
            case.deliver(october("3", submitted_at=LATE))
            assert case.load(force=True).exit_code == 0
            return totals

        change(case, "DELETE FROM {table} WHERE {cost} = 2")
        monkeypatch.setattr(verification, "sum_parts", read_late)
        month = verify_one(case)
        assert month.verdict is Verdict.NOT_CHECKABLE
        assert "loaded again while it was read" in str(month.reason)


class TestErrors:
    """What cannot be read for another reason is an error, of its month alone."""

    WAYS = ONE_WAY

    def test_a_part_that_was_damaged_after_it_was_loaded_fails_its_month_alone(
        self, case: Case
    ) -> None:
        case.deliver(
            Delivery(period="2025-09", charges=charges("2025-09", "9"), submitted_at=EARLY)
        )
        written = load(case, october("1", "2"))
        # As long as before, so the listing shows nothing.
        size = written.parts[1].stat().st_size
        written.parts[1].write_bytes(b"\xff" * size)
        case.place.put(written.folder)
        verified = verify(case)
        assert verified.exit_code(strict=False) == StoreError.exit_code
        assert [str(month.period) for month in verified.months] == ["2025-09"]
        (failure,) = verified.failures
        assert str(failure.period) == "2025-10"
        assert written.parts[1].name in str(failure.error)


class TestSelection:
    WAYS = ONE_WAY

    def test_only_the_months_that_are_asked_for_are_verified(self, case: Case) -> None:
        for period in ("2025-08", "2025-09", "2025-10"):
            case.deliver(Delivery(period=period, charges=charges(period, "9"), submitted_at=LATE))
        case.load()
        found = [str(month.period) for month in verify(case, "2025-08", "2025-10").months]
        assert found == ["2025-10", "2025-08"]
