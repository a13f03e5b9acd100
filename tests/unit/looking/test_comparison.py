"""Files, table and record of a month are held against each other, exactly."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudbill.costs.amounts import add_amounts
from cloudbill.costs.daily_totals import DailyTotals, DayTotals, choose_costs, merge_totals
from cloudbill.looking.comparison import Verdict, compare_record, compare_totals, judge_month
from cloudbill.manifests import ColumnType
from figures import tries
from unit.builders import record

COLUMNS = {"billedcost": "BilledCost", "listcost": "ListCost"}
ZERO, ONE = Decimal(0), Decimal(1)

keys = st.tuples(
    st.sampled_from(["", "EUR", "USD"]), st.sampled_from([None, "2025-10-01", "2025-10-02"])
)
amounts = st.decimals(
    min_value=-(10**19), max_value=10**19, allow_nan=False, allow_infinity=False, places=18
)
days = st.builds(
    DayTotals,
    rows=st.integers(1, 100),
    amounts=st.fixed_dictionaries({"billedcost": amounts, "listcost": amounts}),
)
months = st.builds(DailyTotals, days=st.dictionaries(keys, days), columns=st.just(COLUMNS))


def month(
    rows: int = 1, cost: str = "1", *, currency: str = "EUR", day: str | None = "2025-10-01"
) -> DailyTotals:
    """A month with one day."""
    totals = DayTotals(rows=rows, amounts={"billedcost": Decimal(cost)})
    return DailyTotals(days={(currency, day): totals}, columns={"billedcost": "BilledCost"})


class TestComparingTotals:
    @tries(100)
    @given(totals=months)
    def test_a_month_equals_itself(self, totals: DailyTotals) -> None:
        assert compare_totals(totals, totals) == ()

    @tries(100)
    @given(files=months, warehouse=months)
    def test_differences_are_what_it_takes_to_make_one_of_the_other(
        self, files: DailyTotals, warehouse: DailyTotals
    ) -> None:
        mended: dict[tuple[str, str | None, str], Decimal] = {}
        for totals, sign in ((files, 1), (warehouse, -1)):
            for (currency, day), of_day in totals.days.items():
                values = {"rows": Decimal(of_day.rows)} | {
                    COLUMNS[key]: amount for key, amount in of_day.amounts.items()
                }
                for column, value in values.items():
                    place = (currency, day, column)
                    mended[place] = add_amounts(
                        mended.get(place, Decimal(0)), value.copy_negate() if sign < 0 else value
                    )
        for one in compare_totals(files, warehouse):
            place = (one.currency, one.day, one.column)
            assert one.difference != 0
            mended[place] = add_amounts(mended[place], one.difference)
        assert set(mended.values()) <= {Decimal(0)}

    @tries(100)
    @given(files=months, warehouse=months)
    def test_the_other_way_round_the_same_values_differ_by_the_opposite(
        self, files: DailyTotals, warehouse: DailyTotals
    ) -> None:
        there = compare_totals(files, warehouse)
        back = compare_totals(warehouse, files)
        assert [(one.currency, one.day, one.column, one.difference) for one in there] == [
            (one.currency, one.day, one.column, one.difference.copy_negate()) for one in back
        ]

    def test_a_difference_beyond_twenty_eight_digits_is_not_rounded(self) -> None:
        files = month(cost="12345678901234567890.123456789012345678")
        (one,) = compare_totals(files, month(cost="0.000000000000000001"))
        assert f"{one.difference:f}" == "-12345678901234567890.123456789012345677"

    def test_a_column_is_the_same_in_any_spelling_and_shown_as_the_table_spells_it(self) -> None:
        files = replace(month(cost="1"), columns={"billedcost": "billedCOST"})
        (one,) = compare_totals(files, month(cost="2"))
        assert one.column == "BilledCost"

    def test_a_column_that_one_side_lacks_counts_as_nothing_there(self) -> None:
        bare = DailyTotals(days={("EUR", "2025-10-01"): DayTotals(rows=1, amounts={})})
        assert compare_totals(bare, month(cost="0")) == ()
        (one,) = compare_totals(bare, month(cost="5"))
        assert (one.files, one.warehouse) == (Decimal(0), Decimal(5))

    def test_differences_come_by_currency_day_and_column(self) -> None:
        table = merge_totals(
            [
                month(currency="USD"),
                month(day="2025-10-02"),
                month(day=None),
                month(),
            ]
        )
        places = [
            (one.currency, one.day, one.column) for one in compare_totals(DailyTotals(), table)
        ]
        assert places == [
            (currency, day, column)
            for currency, day in [
                ("EUR", None),
                ("EUR", "2025-10-01"),
                ("EUR", "2025-10-02"),
                ("USD", "2025-10-01"),
            ]
            for column in ("rows", "BilledCost")
        ]


class TestMerging:
    @tries(100)
    @given(parts=st.lists(months, max_size=4))
    def test_parts_together_are_their_sum_to_the_last_digit(self, parts: list[DailyTotals]) -> None:
        whole = merge_totals(parts)
        assert whole.rows == sum(part.rows for part in parts)
        for key, of_day in whole.days.items():
            for column, amount in of_day.amounts.items():
                total = Decimal(0)
                for part in parts:
                    if key in part.days:
                        total = add_amounts(total, part.days[key].amounts[column])
                assert amount == total

    @tries(100)
    @given(totals=months)
    def test_a_month_by_currency_has_the_sum_of_its_days(self, totals: DailyTotals) -> None:
        for currency, of_month in totals.by_currency().items():
            for column, amount in of_month.items():
                total = Decimal(0)
                for (of_currency, _), of_day in totals.days.items():
                    if of_currency == currency:
                        total = add_amounts(total, of_day.amounts[column])
                assert amount == total


class TestComparingTheRecord:
    def test_what_was_not_recorded_is_not_compared(self) -> None:
        assert compare_record(record(), month()) == ()

    def test_what_was_recorded_and_is_there_is_no_difference(self) -> None:
        known = replace(record(), rows=1, totals={"EUR": {"BilledCost": Decimal("1.000")}})
        assert compare_record(known, month()) == ()

    @pytest.mark.parametrize(
        ("totals", "expected"),
        [
            ({"EUR": {"BilledCost": Decimal(3)}}, [("EUR", Decimal(3), ONE)]),
            ({"USD": {"BilledCost": Decimal(1)}}, [("EUR", ZERO, ONE), ("USD", ONE, ZERO)]),
            (
                {"EUR": {"BilledCost": Decimal(1), "ListCost": Decimal(2)}},
                [("EUR", Decimal(2), ZERO)],
            ),
        ],
        ids=["amount", "currency", "column that is gone"],
    )
    def test_a_total_that_the_table_no_longer_holds_is_found(
        self, totals: dict[str, dict[str, Decimal]], expected: list[tuple[str, Decimal, Decimal]]
    ) -> None:
        found = compare_record(replace(record(), totals=totals), month())
        assert [(one.currency, one.ledger, one.warehouse) for one in found] == expected

    def test_rows_that_were_recorded_come_first(self) -> None:
        known = replace(record(), rows=7, totals={"EUR": {"BilledCost": Decimal(3)}})
        rows, cost = compare_record(known, month())
        assert (rows.currency, rows.column, rows.difference) == (None, "rows", Decimal(-6))
        assert (cost.column, cost.difference) == ("BilledCost", Decimal(-2))


class TestJudging:
    def test_a_record_that_differs_makes_the_month_different_though_its_files_do_not(self) -> None:
        known = replace(record(), rows=2)
        report = judge_month("azure_billing", known, files=month(), warehouse=month())
        assert (report.verdict, report.differences) == (Verdict.DIFFERENT, ())
        assert report.reason == "the table no longer holds what was recorded, by 1 value"

    def test_the_record_takes_no_part_in_comparing_files_and_table(self) -> None:
        known = replace(record(), rows=1, totals={"EUR": {"BilledCost": Decimal(1)}})
        report = judge_month("azure_billing", known, files=month(cost="2"), warehouse=month())
        assert report.verdict is Verdict.DIFFERENT
        assert (len(report.differences), report.record_differences) == (1, ())

    def test_a_cost_that_is_no_exact_amount_is_not_checkable_where_all_else_is_equal(self) -> None:
        table = replace(month(), inexact={"listcost": "float"})
        report = judge_month("azure_billing", record(), files=month(), warehouse=table)
        assert report.verdict is Verdict.NOT_CHECKABLE
        assert "listcost is float" in str(report.reason)
        report = judge_month("azure_billing", record(), files=month(cost="2"), warehouse=table)
        assert report.verdict is Verdict.DIFFERENT


class TestChoosingCosts:
    def test_the_providers_columns_and_every_other_decimal_called_a_cost_are_summed(self) -> None:
        kinds: dict[str, ColumnType | str] = {
            "BilledCost": ColumnType.DECIMAL,
            "listcost": ColumnType.INTEGER,
            "x_BilledCostInUsd": ColumnType.DECIMAL,
            "ListUnitPrice": ColumnType.DECIMAL,
            "PricingQuantity": ColumnType.DECIMAL,
            "x_CostCenter": ColumnType.STRING,
        }
        chosen = choose_costs(kinds, ("BilledCost", "ListCost", "EffectiveCost"))
        assert chosen.exact == ("BilledCost", "listcost", "x_BilledCostInUsd")
        assert chosen.inexact == {}

    def test_a_column_of_the_provider_that_is_no_exact_number_is_named(self) -> None:
        kinds: dict[str, ColumnType | str] = {
            "BilledCost": ColumnType.FLOAT,
            "ListCost": "STRUCT",
        }
        chosen = choose_costs(kinds, ("BilledCost", "ListCost"))
        assert (chosen.exact, chosen.inexact) == ((), {"billedcost": "float", "listcost": "STRUCT"})
