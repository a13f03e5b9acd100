"""Ages and amounts as people read them: words that are true, and digits that are all there."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudbill.costs.amounts import adds_up, costs_of, shown_amount, totals_to_text
from cloudbill.errors import ConfigError
from cloudbill.models import LoadRecord
from cloudbill.providers import PROVIDERS
from cloudbill.text.times import age_in_words, read_age, shown_days, shown_time
from figures import tries
from unit.builders import OCTOBER

AMOUNTS = st.decimals(allow_nan=False, allow_infinity=False) | st.builds(
    lambda digits, places: Decimal(digits).scaleb(-places),
    st.integers(-(10**27), 10**27),
    st.integers(0, 20),
)


class TestAmounts:
    @pytest.mark.parametrize(
        ("amount", "shown"),
        [
            ("0", "0.00"),
            ("-0.000", "0.00"),
            ("5", "5.00"),
            ("1204.1", "1,204.10"),
            ("1204.110000000000000000", "1,204.11"),
            ("-1234567.005", "-1,234,567.005"),
            ("0.000000000000000001", "0.000000000000000001"),
            (
                "12345678901234567890.123456789012345678",
                "12,345,678,901,234,567,890.123456789012345678",
            ),
            ("1E+4", "10,000.00"),
            ("100", "100.00"),
        ],
    )
    def test_it_is_grouped_and_has_cents_or_as_many_digits_as_there_are(
        self, amount: str, shown: str
    ) -> None:
        assert shown_amount(Decimal(amount), exact=True) == shown

    @tries(100)
    @given(AMOUNTS)
    def test_nothing_is_rounded_whatever_the_amount(self, amount: Decimal) -> None:
        shown = shown_amount(amount, exact=True)
        assert Decimal(shown.replace(",", "")) == amount
        whole, _, fraction = shown.lstrip("-").partition(".")
        assert len(fraction) >= 2
        assert len(fraction) == 2 or fraction[-1] != "0"
        assert [len(group) for group in whole.split(",")[1:]] == [3] * whole.count(",")

    @pytest.mark.parametrize(
        ("amount", "shown"),
        [
            ("0", "0.00"),
            ("-0.000", "0.00"),
            ("1204.125", "1,204.13"),
            ("-1204.125", "-1,204.13"),
            ("0.005", "0.01"),
            ("0.0049", "<0.01"),
            ("-1E-18", "-<0.01"),
            ("999.999", "1,000.00"),
            ("1E+20", "100,000,000,000,000,000,000.00"),
        ],
    )
    def test_it_has_two_decimals_unless_it_would_be_shown_as_nothing(
        self, amount: str, shown: str
    ) -> None:
        assert shown_amount(Decimal(amount)) == shown

    @tries(100)
    @given(AMOUNTS.filter(lambda amount: amount.adjusted() < 60))
    def test_what_is_shown_is_the_nearest_hundredth(self, amount: Decimal) -> None:
        shown = shown_amount(amount).replace(",", "")
        if "<" in shown:
            assert 0 < Fraction(amount) * (-1 if shown[0] == "-" else 1) < Fraction(1, 200)
            return
        whole, _, cents = shown.partition(".")
        off = Fraction(shown) - Fraction(amount)
        assert len(cents) == 2
        assert abs(off) <= Fraction(1, 200)
        # Half of a hundredth goes away from zero.
        assert abs(off) < Fraction(1, 200) or abs(Fraction(shown)) > abs(Fraction(amount))
        assert whole.startswith("-") == (Fraction(shown) < 0)

    def test_parts_add_up_as_they_are_shown(self) -> None:
        assert adds_up(Decimal("3.00"), Decimal("1.004"), Decimal("1.996"))
        assert not adds_up(Decimal("2.01"), Decimal("1.005"), Decimal("1.005"))

    def test_totals_are_text_by_currency_in_order_without_exponents(self) -> None:
        totals = {"USD": {"BilledCost": Decimal("1E-18")}, "EUR": {"BilledCost": Decimal("1.10")}}
        assert list(totals_to_text(totals).items()) == [
            ("EUR", {"BilledCost": "1.10"}),
            ("USD", {"BilledCost": "0.000000000000000001"}),
        ]


class TestCosts:
    """The billed cost is one of the totals that the ledger keeps."""

    def test_it_is_that_column_of_each_currency_whatever_its_case(self) -> None:
        totals = {
            "USD": {"billedcost": Decimal(2), "ListCost": Decimal(9)},
            "EUR": {"BilledCost": Decimal(1), "ListCost": Decimal(8)},
        }
        costs = costs_of(
            LoadRecord(period=OCTOBER, run_id="a", rows=3, totals=totals), "BilledCost"
        )
        assert costs is not None
        assert list(costs.items()) == [("EUR", Decimal(1)), ("USD", Decimal(2))]

    def test_without_totals_nobody_knows_it_but_a_month_without_rows_costs_nothing(self) -> None:
        assert costs_of(LoadRecord(period=OCTOBER, run_id="a", rows=3), "BilledCost") is None
        assert costs_of(LoadRecord(period=OCTOBER, run_id="a"), "BilledCost") is None
        assert costs_of(LoadRecord(period=OCTOBER, run_id="a", rows=0), "BilledCost") == {}

    @pytest.mark.parametrize("name", PROVIDERS)
    def test_every_provider_totals_the_column_that_it_bills(self, name: str) -> None:
        assert PROVIDERS[name].BILLED_COLUMN in PROVIDERS[name].COST_COLUMNS


class TestAges:
    @pytest.mark.parametrize(
        ("age", "words"),
        [
            (timedelta(hours=-3), "just now"),
            (timedelta(), "just now"),
            (timedelta(seconds=59), "just now"),
            (timedelta(seconds=60), "1 min ago"),
            (timedelta(minutes=59, seconds=59), "59 min ago"),
            (timedelta(hours=1), "1 h ago"),
            (timedelta(hours=9, minutes=59), "9 h ago"),
            (timedelta(hours=47, minutes=59), "47 h ago"),
            (timedelta(hours=48), "2 days ago"),
            (timedelta(days=3, hours=23), "3 days ago"),
            (timedelta(days=400), "400 days ago"),
        ],
    )
    def test_words_say_what_has_passed_in_full(self, age: timedelta, words: str) -> None:
        assert age_in_words(age) == words

    def test_days_that_follow_each_other_are_one_span(self) -> None:
        days = [date(2025, 10, day) for day in (1, 2, 3, 7, 30, 31)] + [date(2025, 11, 1)]
        assert shown_days(days) == "2025-10-01 to 2025-10-03, 2025-10-07, 2025-10-30 to 2025-11-01"
        assert shown_days([]) == ""

    @tries(100)
    @given(st.timedeltas(min_value=timedelta(minutes=1), max_value=timedelta(days=90_000)))
    def test_words_are_never_older_than_the_age_and_less_than_a_unit_younger(
        self, age: timedelta
    ) -> None:
        number, unit, _ = age_in_words(age).split()
        units = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "days": timedelta(days=1)}
        assert timedelta() <= age - int(number) * units[unit] < units[unit]

    @tries(100)
    @given(st.integers(1, 999_999), st.sampled_from(["m", "h", "d"]))
    def test_an_age_that_is_written_is_read(self, number: int, unit: str) -> None:
        name = {"m": "minutes", "h": "hours", "d": "days"}[unit]
        assert read_age(f"{number}{unit}") == timedelta(**{name: number})

    @pytest.mark.parametrize(
        "text",
        ["", "36", "h", "0h", "-1h", "1.5h", "36 h", "36H", "1w", "1000000d", "\u0661h", "1h30m"],
    )
    def test_what_is_no_age_is_refused_with_examples(self, text: str) -> None:
        with pytest.raises(ConfigError, match=r"is not an age; .*90m, 36h, 2d"):
            read_age(text)

    def test_a_time_is_told_in_utc(self) -> None:
        tokyo = timezone(timedelta(hours=9))
        assert shown_time(datetime(2025, 10, 21, 4, 30, 59, tzinfo=UTC)) == "2025-10-21 04:30"
        assert shown_time(datetime(2025, 10, 21, 4, 30, tzinfo=tokyo)) == "2025-10-20 19:30"
