"""Amounts keep their value to the last digit."""

from __future__ import annotations

from decimal import Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudbill.costs.amounts import to_amount
from figures import tries

MODERATE = tries(150)

# As many digits as a BIGNUMERIC has, and as far behind the point.
AMOUNTS = st.builds(
    lambda digits, places: Decimal(digits).scaleb(-places, Context(prec=100)),
    st.integers(-(10**76), 10**76),
    st.integers(0, 38),
)


class TestAnyAmount:
    """The same number with at least 18 digits behind the point; no float on the way."""

    @MODERATE
    @given(AMOUNTS)
    def test_value_is_the_same(self, amount: Decimal) -> None:
        assert to_amount(amount) == amount

    @MODERATE
    @given(AMOUNTS)
    def test_text_has_at_least_18_places(self, amount: Decimal) -> None:
        places = f"{to_amount(amount):f}".partition(".")[2]

        assert len(places) >= 18
        assert set(places[18:]) <= set("0123456789")

    @MODERATE
    @given(AMOUNTS)
    def test_text_is_read_back_to_the_same(self, amount: Decimal) -> None:
        shown = f"{to_amount(amount):f}"

        assert "E" not in shown
        assert f"{to_amount(shown):f}" == shown

    @MODERATE
    @given(st.integers(-(10**38), 10**38))
    def test_whole_number(self, amount: int) -> None:
        assert f"{to_amount(amount):f}" == f"{amount}.{'0' * 18}"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("1.5", "1.500000000000000000"),
        ("-0.01", "-0.010000000000000000"),
        ("1.81E-8", "0.000000018100000000"),
        ("5E+3", "5000.000000000000000000"),
        ("0E-30", "0.000000000000000000000000000000"),
        ("0.0000000000000000001", "0.0000000000000000001"),
        (0, "0.000000000000000000"),
    ],
    ids=["plain", "negative", "small exponent", "large exponent", "zero", "19 places", "int"],
)
def test_amount_is_shown_with_all_its_digits(written: str | int, shown: str) -> None:
    assert f"{to_amount(written):f}" == shown
