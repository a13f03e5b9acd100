"""The next load id is greater, as text, than all that are known, and dlt can read it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudbill.ledger.load_ids import next_load_id
from figures import tries

NOW = "1764324660.123456"
IDS = st.one_of(
    st.floats(min_value=1, max_value=1e11).map(str),
    st.from_regex(r"[0-9]{1,12}(\.[0-9]{1,14})?", fullmatch=True),
)


@tries(500)
@given(st.lists(IDS, max_size=5), IDS)
def test_any_next_id_is_greater_than_all_before_it(known: list[str], clock: str) -> None:
    for _ in range(4):
        following = next_load_id(known, clock)
        assert all(following > one for one in known)
        assert re.fullmatch(r"\d+(\.\d+)?", following)
        known.append(following)


def test_a_clock_that_is_right_gives_the_id_that_dlt_gives() -> None:
    assert next_load_id(["1764324659.5", "1764324660.1"], NOW) == NOW


@pytest.mark.parametrize(
    ("known", "begins"),
    [
        ("1764331860.5", "1764331860.500001"),
        ("4102444800.999999", "4102444801.000000"),
        ("978307200.25", "978307200.250001"),
        ("978307200", "978307200.000001"),
        ("9.9999999", "9.99999991"),
    ],
    ids=["two hours ahead", "in 2100", "in 2001", "no fraction", "nines alone"],
)
def test_an_id_of_a_clock_that_was_wrong_is_counted_on(known: str, begins: str) -> None:
    assert next_load_id([known, "1764324660.1"], NOW).startswith(begins)


def test_two_writers_that_count_on_from_one_id_get_two() -> None:
    ids = {next_load_id(["4102444800.5"], NOW) for _ in range(20)}
    assert len(ids) > 1


def test_an_id_that_dlt_never_wrote_is_not_counted() -> None:
    assert next_load_id(["by hand", "../x", ""], NOW) == NOW
