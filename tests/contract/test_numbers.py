"""A number of a file is a decimal in the table; what is rounded away of it is known exactly."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import partial
from typing import Any

import pyarrow as pa
import pytest

from cloudbill.costs.sums import without_zeros
from cloudbill.errors import SchemaError
from cloudbill.looking.comparison import Verdict
from cloudbill.looking.load_history import read_history
from cloudbill.looking.load_history_words import history_json, history_lines
from cloudbill.looking.status_reading import read_status
from cloudbill.looking.verification_words import month_lines, verification_json
from cloudbill.periods import utc_now
from contract.deliveries import AwsWriter, AzureCsvWriter, AzureWriter
from contract.places import Case
from contract.rewriting import MARK, october, rewrite, verified, with_columns, with_marks

WIDE = Context(prec=400)
COSTS = ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost")
LONG = [
    "0.2618755954811488071493712087",
    "-0.0137949300872943183158045755",
    "0.000000735545672254533022",
    "1204.1",
    "0.0000000000000000005",
    "5e-19",
]
DOUBLES = [
    0.1 + 0.2,
    9.313225746154785e-10,
    2.0**-1074,
    1e19,
    0.1234567890123456,
    0.0012345678901234567,
    2.0**-60,
    1204.1,
]


def rounded(number: Decimal) -> Decimal:
    return number.quantize(Decimal(1).scaleb(-18), ROUND_HALF_UP, WIDE)


def kept(numbers: Sequence[Decimal]) -> Decimal:
    """What a table holds of some amounts together."""
    total = Decimal(0)
    for number in numbers:
        total = WIDE.add(total, rounded(number))
    return total


def rest(numbers: Sequence[Decimal]) -> Decimal:
    """What is rounded away of some amounts together, to 38 digits behind the point."""
    total = Decimal(0)
    for number in numbers:
        one = WIDE.subtract(number, rounded(number))
        total = WIDE.add(total, one.quantize(Decimal(1).scaleb(-38), "ROUND_DOWN", WIDE))
    return total


def texts_in(columns: Sequence[str], texts: Sequence[str]) -> Callable[[bytes], bytes]:
    """The cells of some columns of a CSV whose cells have no comma, replaced row by row."""

    def change(content: bytes) -> bytes:
        header, *rows = content.removeprefix(MARK).decode().splitlines()
        places = [header.split(",").index(column) for column in columns]
        lines = [header]
        for row, text in zip(rows, texts, strict=True):
            cells = row.split(",")
            for place in places:
                cells[place] = text
            lines.append(",".join(cells))
        # BigQuery's emulator reads no more than 18 digits, so this process reads them.
        return with_marks("\n".join(lines).encode() + b"\n")

    return change


TOO_LONG = {"decimal128(38, 28)", "decimal128(20, 19)"}
CSV = {
    "azure": (AzureCsvWriter, COSTS),
    "aws": (AwsWriter, ("lineItem/UnblendedCost",)),
}


@pytest.mark.parametrize("provider", CSV)
def test_more_digits_than_a_table_keeps_are_rounded_and_the_rest_is_told(
    make: Callable[[Any], Case], provider: str
) -> None:
    writer, columns = CSV[provider]
    case = make(writer())
    rewrite(case, october(len(LONG)), texts_in(columns, LONG))
    numbers = [Decimal(text) for text in LONG]

    outcome = case.load()

    (result,) = outcome.results
    assert outcome.exit_code == 0
    (currency,) = result.totals
    assert result.totals[currency][case.writer.cost_column] == kept(numbers)
    assert result.rests[currency][case.writer.cost_column] == rest(numbers)
    assert sorted(case.values(case.writer.cost_column)) == sorted(map(rounded, numbers))
    found = verified(case)
    (month,) = found.months
    assert month.verdict is Verdict.EQUAL
    assert month.rests == result.rests
    told = json.loads(verification_json([found]))["months"][0]["rounded_away"]
    assert Decimal(told[currency][case.writer.cost_column]) == rest(numbers)
    assert any("Rounded away at the 18th digit" in line for line in month_lines(month))
    assert case.load().results == ()


def test_history_keeps_what_was_rounded_away(make: Callable[[Any], Case]) -> None:
    case = make(AzureCsvWriter())
    rewrite(case, october(len(LONG)), texts_in(COSTS, LONG))
    (result,) = case.load().results

    history = read_history(case.settings, frozenset())

    (load,) = json.loads(history_json([history]))["months"][0]["loads"]
    exact = rest([Decimal(text) for text in LONG])
    assert Decimal(load["rounded_away"]["EUR"]["BilledCost"]) == exact
    assert any("rounded away: BilledCost" in line for line in history_lines(history))
    (month,) = read_status(case.settings, now=utc_now()).months
    assert month.record is not None
    assert month.record.rests == result.rests


def test_files_that_got_other_digits_since_are_not_equal(make: Callable[[Any], Case]) -> None:
    case = make(AzureCsvWriter())
    run = october(1)
    rewrite(case, run, texts_in(COSTS, ["0.1000000000000000001"]))
    case.load()
    rewrite(case, run, texts_in(COSTS, ["0.1000000000000000002"]))

    (month,) = verified(case).months

    assert month.verdict is Verdict.DIFFERENT
    assert "rounded away of the files is not what was recorded" in str(month.reason)


def floats(_rows: int) -> Any:
    return pa.array(DOUBLES, pa.float64())


def test_money_that_comes_as_doubles_is_decimal_in_the_table(make: Callable[[Any], Case]) -> None:
    case = make(AzureWriter())
    others = {"x_EffectiveUnitPrice": floats, "PricingQuantity": floats, "x_NewCost": floats}
    change = with_columns(**dict.fromkeys(COSTS, floats), **others)
    rewrite(case, october(len(DOUBLES)), change)
    numbers = [Decimal(repr(double)) for double in DOUBLES]

    outcome = case.load()

    (result,) = outcome.results
    assert outcome.exit_code == 0
    kinds = case.place.columns(case.table)
    decimal = {"duckdb": "DECIMAL(38,18)", "bigquery": "BIGNUMERIC"}[case.place.name]
    assert {kinds[name] for name in [*COSTS, *others]} == {decimal}
    assert sorted(case.values("BilledCost")) == sorted(map(rounded, numbers))
    assert result.totals["EUR"] == dict.fromkeys(COSTS, kept(numbers))
    assert result.rests["EUR"] == dict.fromkeys(COSTS, rest(numbers))
    (month,) = verified(case).months
    assert month.verdict is Verdict.EQUAL
    assert month.rests["EUR"]["BilledCost"] == rest(numbers)


@pytest.mark.parametrize(
    ("in_file", "numbers"),
    [
        (pa.float32(), [0.1, 0.25]),
        (pa.int64(), [3, -4]),
        (pa.string(), ["0.10", "-1.5e-3"]),
        (pa.decimal128(20, 2), [Decimal("0.10"), Decimal("-7.25")]),
        (pa.decimal128(38, 28), [Decimal("0.1000000000000000000000000005"), Decimal(2)]),
        (pa.decimal128(20, 19), [Decimal("9.9999999999999999995"), Decimal(2)]),
    ],
    ids=str,
)
def test_money_of_any_type_is_decimal_in_the_table(
    make: Callable[[Any], Case], in_file: Any, numbers: list[Any]
) -> None:
    case = make(AzureWriter())
    rewrite(case, october(2), with_columns(BilledCost=lambda _: pa.array(numbers, in_file)))
    if case.place.name == "bigquery" and str(in_file) in TOO_LONG:
        pytest.skip("BigQuery's emulator keeps 18 digits")

    (result,) = case.load().results

    exact = [Decimal(str(number)) for number in numbers]
    assert result.totals["EUR"]["BilledCost"] == kept(exact)
    assert without_zeros(result.rests) == without_zeros({"EUR": {"BilledCost": rest(exact)}})
    (month,) = verified(case).months
    assert month.verdict is Verdict.EQUAL


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1e22])
def test_what_is_no_amount_is_refused_by_its_column(
    make: Callable[[Any], Case], number: float
) -> None:
    case = make(AzureWriter())
    rewrite(case, october(1), with_columns(ListCost=lambda _: pa.array([number], pa.float64())))

    (failure,) = case.load().failures

    assert re.search(r"'ListCost' holds \S+, which is no amount", str(failure.error))


def test_costs_whose_sum_is_too_large_are_refused_in_words(make: Callable[[Any], Case]) -> None:
    case = make(AzureWriter())
    if case.place.name == "bigquery":
        pytest.skip("BigQuery's decimals are wider")
    rewrite(case, october(2), with_columns(ListCost=lambda rows: pa.array([9e19] * rows)))
    (failure,) = case.load().failures
    assert "a sum of its costs has more than 20 digits before the point" in str(failure.error)
    assert "HUGEINT" not in str(failure.error)


def test_parts_that_write_money_in_several_types_lose_nothing(make: Callable[[Any], Case]) -> None:
    case = make(AzureWriter())
    exact = [Decimal("123456789.12"), Decimal("0.1000000000000000000000000005"), Decimal("0.3")]
    kinds = [pa.decimal128(38, 2), pa.decimal128(38, 28), pa.float64()]
    found = [
        pa.array([number], kind)
        for number, kind in zip([*exact[:2], float(exact[2])], kinds, strict=True)
    ]
    changes = [with_columns(BilledCost=partial(always, array)) for array in found]
    if case.place.name == "bigquery":
        changes, exact = [changes[0], changes[2]], [exact[0], exact[2]]
    rewrite(case, october(len(exact), parts=len(exact)), *changes)

    (result,) = case.load().results

    assert result.totals["EUR"]["BilledCost"] == kept(exact)
    assert sorted(case.values("BilledCost")) == sorted(map(rounded, exact))
    (month,) = verified(case).months
    assert month.verdict is Verdict.EQUAL


def test_a_decimal_of_more_digits_than_duckdb_has_is_refused_and_never_a_double(
    make: Callable[[Any], Case],
) -> None:
    case = make(AzureWriter())
    if case.place.name == "bigquery":
        pytest.skip("BigQuery reads decimals of 76 digits")
    wide = [Decimal("1.1234567890123456789012345678901234567891")]
    change = with_columns(BilledCost=lambda _: pa.array(wide, pa.decimal256(60, 40)))
    rewrite(case, october(1), change)

    (failure,) = case.load().failures

    assert isinstance(failure.error, SchemaError)
    assert "'BilledCost' of " in str(failure.error)
    assert "is a decimal of 60 digits, which is not loaded" in str(failure.error)


def always(array: Any, _rows: int) -> Any:
    return array
