"""Whatever number a file has, the table gets it rounded once, and the rest is known exactly."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal

import duckdb
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st

from cloudbill.files.decimals import (
    decimal_rest,
    double_value,
    float_rest,
    float_value,
    text_rest,
    text_value,
)
from cloudbill.sql import Fragment
from figures import tries

MANY = tries(60, suppress=[HealthCheck.function_scoped_fixture])
WIDE = Context(prec=400, Emax=10**6, Emin=-(10**6))
DIGITS = 18
LIMIT = Decimal(10) ** 20
SMALLEST_REST = Decimal(1).scaleb(-38)

HARD_DOUBLES = [
    2.0**-1074,
    0.1 + 0.2,
    1e19,
    9.313225746154785e-10,
    0.1234567890123456,
    99999999999999983616.0,
    -0.0,
    *(2.0**power for power in range(-60, 61)),
]
HARD_TEXTS = [
    "0.2618755954811488071493712087",
    "-0.0137949300872943183158045755",
    "0.000000735545672254533022",
    "0.0000000000000000005",
    "-0.0000000000000000005",
    "0.00000000000000000049999999999999999999",
    "99999999999999999999.9999999999999999994",
    "000000000000000000000000000000000001.0000000000000000005",
    "123456789012345678901234567890e-30",
    "5e-324",
    "1e-999999999999999999",
    "0e999999999999999999",
]


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def value_of(number: Decimal) -> Decimal:
    """What a table gets, by Python's own arithmetic."""
    if number.adjusted() < -2 * DIGITS:
        return Decimal(0)
    return number.quantize(Decimal(1).scaleb(-DIGITS), ROUND_HALF_UP, WIDE)


def fits(text: str) -> bool:
    number = Decimal(text)
    return number.adjusted() < 2 * DIGITS and abs(value_of(number)) < LIMIT


@st.composite
def decimal_texts(draw: st.DrawFn) -> str:
    """A number of up to 38 digits in any notation, most of them with more than 18 behind."""
    digits = draw(st.text("0123456789", min_size=1, max_size=38))
    behind = draw(st.integers(0, len(digits)) | st.integers(19, 38))
    padded = digits.rjust(behind, "0")
    whole, fraction = padded[: len(padded) - behind], padded[len(padded) - behind :]
    text = f"{whole}.{fraction}" if whole or fraction else "0"
    exponent = draw(st.just("") | st.integers(-40, 40).map("e{:d}".format))
    return draw(st.sampled_from(["", "-", "+"])) + text + exponent


def read(
    database: duckdb.DuckDBPyConnection, numbers: Sequence[object], kind: str, *pieces: Fragment
) -> list[tuple[Decimal, Decimal | None]]:
    columns = ", ".join(piece.text for piece in pieces)
    statement = f"SELECT {columns} FROM (SELECT unnest($numbers::{kind}[]) AS x)"  # noqa: S608
    return database.execute(statement, {"numbers": numbers}).fetchall()


def require_exact(number: Decimal, value: Decimal, rest: Decimal | None) -> None:
    """Value and rest are the number, and the value is the nearest that a table can hold."""
    assert value == value_of(number)
    missed = WIDE.subtract(number, WIDE.add(value, rest or Decimal(0)))
    assert WIDE.abs(missed) < SMALLEST_REST


@MANY
@given(texts=st.lists(decimal_texts().filter(fits), min_size=1, max_size=40))
@example(texts=HARD_TEXTS)
def test_a_decimal_of_any_digits_is_its_value_and_its_rest(
    database: duckdb.DuckDBPyConnection, texts: list[str]
) -> None:
    cell = Fragment("x")
    found = read(database, texts, "VARCHAR", text_value(cell), text_rest(cell))
    for text, (value, rest) in zip(texts, found, strict=True):
        require_exact(Decimal(text), value, rest)


@MANY
@given(
    doubles=st.lists(
        st.floats(allow_nan=False, allow_infinity=False, max_value=9e19, min_value=-9e19)
        | st.decimals(-(10**6), 10**6, places=12).map(float)
        | st.integers(0, 10**17).map(lambda digits: digits / 1e19),
        min_size=1,
        max_size=40,
    )
)
@example(doubles=HARD_DOUBLES)
def test_a_double_is_what_its_shortest_text_says(
    database: duckdb.DuckDBPyConnection, doubles: list[float]
) -> None:
    found = read(database, doubles, "DOUBLE", double_value("x"), float_rest("x"))
    for double, (value, rest) in zip(doubles, found, strict=True):
        require_exact(Decimal(repr(double)), value, rest)


@pytest.mark.parametrize("text", ["0.1", "0.3", "1e-05", "16777216", "3.1415927"])
def test_a_float_of_32_bits_is_what_its_own_shortest_text_says(
    database: duckdb.DuckDBPyConnection, text: str
) -> None:
    ((value, _),) = read(database, [float(text)], "FLOAT", float_value("x"), float_rest("x"))
    assert value == Decimal(text)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, 1e20, 1e22, -1e300])
def test_what_is_no_amount_is_refused_by_its_column(
    database: duckdb.DuckDBPyConnection, number: float
) -> None:
    with pytest.raises(duckdb.Error, match=r"'x' holds .* no amount that DECIMAL"):
        read(database, [number], "DOUBLE", double_value("x"))


@pytest.mark.parametrize("text", HARD_TEXTS[:3])
def test_a_decimal_of_another_type_is_its_value_and_its_rest(
    database: duckdb.DuckDBPyConnection, text: str
) -> None:
    kind = "DECIMAL(38,28)"
    value = Fragment("CAST(x AS DECIMAL(38,18))")
    ((found, rest),) = read(database, [Decimal(text)], kind, value, decimal_rest("x"))
    require_exact(Decimal(text), found, rest)


def test_rests_of_many_rows_are_added_exactly(database: duckdb.DuckDBPyConnection) -> None:
    cell = Fragment("x")
    texts = ["0.00000000000000000049999999999999999999"] * 1000 + ["0.0000000000000000005"] * 500
    found = read(database, texts, "VARCHAR", text_value(cell), text_rest(cell))
    statement = f"SELECT sum(r) FROM (SELECT {text_rest(cell)} AS r FROM (SELECT unnest($t) AS x))"  # noqa: S608
    ((added,),) = database.execute(statement, {"t": texts}).fetchall()
    exact = sum((Decimal(text) for text in texts), Decimal(0))
    assert added == exact - sum((value for value, _ in found), Decimal(0))
