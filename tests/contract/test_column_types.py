"""Columns that come in another type or another name than before, and tables that were altered."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from cloudbill.loading.outcome import Outcome
from cloudbill.looking.comparison import Verdict
from contract.aws_deliveries import Cur2Writer
from contract.deliveries import AzureCsvWriter, AzureWriter, Delivery, at, charges
from contract.places import Case
from contract.rewriting import october, rewrite, verified, with_columns, with_marks

COSTS = ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost")


def test_a_column_without_a_value_has_no_type_and_changes_nothing(
    make: Callable[[Any], Case],
) -> None:
    case = make(AzureWriter())
    nulls = with_columns(BilledCost=pa.nulls, x_Note=pa.nulls)
    numbers = with_columns(BilledCost=lambda rows: pa.array([0.1] * rows, pa.float64()))
    rewrite(case, october(2, parts=2), nulls, numbers)

    (result,) = case.load().results

    assert result.totals["EUR"]["BilledCost"] == Decimal("0.1")
    (month,) = verified(case).months
    assert month.verdict is Verdict.EQUAL


def test_names_of_a_csv_that_differ_by_case_alone_are_one_column_and_never_two(
    make: Callable[[Any], Case],
) -> None:
    case = make(AzureCsvWriter())

    def lower(content: bytes) -> bytes:
        return with_marks(content.replace(b"BilledCost", b"billedcost"))

    rewrite(case, october(4, parts=2), with_marks, lower)
    (result,) = case.load().results
    assert result.totals["EUR"]["BilledCost"] == 4
    assert "billedcost_2" not in case.place.columns(case.table)
    for number, change in enumerate((lower, with_marks, lower), start=1):
        late = replace(october(5), submitted_at=at(f"2025-10-29 0{number}:00"))
        rewrite(case, late, change)
        (result,) = case.load().results
        assert sum(result.totals["EUR"].values()) == 20
    assert sorted(case.values("BilledCost")) == [1] * 5

    def twice(content: bytes) -> bytes:
        return with_marks(content.replace(b"ListCost", b"billedcost"))

    rewrite(case, replace(october(5), submitted_at=at("2025-10-30 04:00")), twice)
    (failure,) = case.load().failures
    assert "two columns named 'BilledCost' when case is ignored. Give the column" in str(
        failure.error
    )


def month_of_one(period: str) -> Delivery:
    """A run of a month with one charge, in one part."""
    return Delivery(
        period=period, charges=charges(period, "1"), submitted_at=at(f"{period}-28 04:00"), parts=1
    )


def texted(text: str) -> Callable[[bytes], bytes]:
    return with_columns(x_Number=lambda rows: pa.array([text] * rows, pa.string()))


NUMBERS = {
    "integer": (pa.scalar(7), "7"),
    "float": (pa.scalar(0.1), "0.1"),
    "decimal": (pa.scalar(Decimal("1.50")), "1.5"),
}


@pytest.mark.parametrize(
    ("warehouse", "number"),
    # The types of a run are read before any warehouse sees them.
    [*(("duckdb", name) for name in NUMBERS), ("bigquery", "float")],
    indirect=["warehouse"],
)
@pytest.mark.parametrize("is_text_first", [False, True], ids=["number first", "text first"])
def test_a_column_that_is_no_amount_and_changes_between_number_and_text_is_text(
    make: Callable[[Any], Case], number: str, *, is_text_first: bool
) -> None:
    case = make(AzureWriter())
    value, text = NUMBERS[number]
    numbers = with_columns(x_Number=lambda rows: pa.array([value.as_py()] * rows, value.type))
    outcomes: list[Outcome] = []
    months = [("2025-09", numbers), ("2025-10", texted("n/a"))]
    for period, change in reversed(months) if is_text_first else months:
        run = month_of_one(period)
        rewrite(case, run, change)
        outcomes.append(case.load())

    outcome = outcomes[-1]
    if case.place.name == "bigquery" and not is_text_first:
        (failure,) = outcome.failures
        assert "'x_Number' is " in str(failure.error)
        assert "REPLACE (CAST(`x_Number` AS STRING) AS `x_Number`) FROM" in str(failure.error)
        return
    assert outcome.exit_code == 0
    assert sorted(case.values("x_Number")) == sorted([text, "n/a"])


def arrays(**values: pa.Scalar[Any]) -> Callable[[bytes], bytes]:
    """Columns of one value each."""

    def column(value: pa.Scalar[Any]) -> Callable[[int], Any]:
        return lambda rows: pa.array([value.as_py()] * rows, value.type)

    return with_columns(**{name: column(value) for name, value in values.items()})


TEXTS = pa.map_(pa.string(), pa.string())
NOON = datetime(2025, 10, 2, 12, 0, 0, 500000)  # noqa: DTZ001  Parquet need not say a zone
EXACT_PAIRS: Mapping[str, tuple[Any, Any, str]] = {
    "x_DecimalDouble": (pa.scalar(Decimal("1.5")), pa.scalar(0.1 + 0.2), "0.30000000000000004"),
    "x_DecimalFloat": (pa.scalar(Decimal("1.5")), pa.scalar(0.1, pa.float32()), "0.1"),
    "x_DecimalInteger": (pa.scalar(Decimal("1.5")), pa.scalar(2**60 + 1), str(2**60 + 1)),
    "x_DoubleInteger": (pa.scalar(0.5), pa.scalar(7), "7.0"),
    "x_TimeDay": (pa.scalar(NOON), pa.scalar(NOON.date()), "2025-10-02"),
    "x_TextTime": (pa.scalar("a"), pa.scalar(NOON), "2025-10-02 12:00:00.5"),
    "x_TextDay": (pa.scalar("a"), pa.scalar(NOON.date()), "2025-10-02"),
    "x_TextDouble": (pa.scalar("a"), pa.scalar(0.1), "0.1"),
    "x_TextMap": (pa.scalar("a"), pa.scalar([("k", "v")], TEXTS), '{"k":"v"}'),
    "x_MapText": (pa.scalar([("k", "v")], TEXTS), pa.scalar('{"k": "w"}'), '{"k":"w"}'),
}
"""What the table has by the first month, what the next one brings, and what the table makes of it.
"""


def _text(value: Any) -> str:
    text = json.dumps(value) if isinstance(value, dict) else str(value)
    return text.replace(": ", ":")


class TestPairsOfTypes:
    WAYS = (("azure parquet", "duckdb"), ("azure parquet", "bigquery"))

    def test_a_column_takes_every_value_that_it_holds_exactly(
        self, make: Callable[[Any], Case]
    ) -> None:
        case = make(AzureWriter())
        rewrite(
            case,
            month_of_one("2025-09"),
            arrays(**{name: pair[0] for name, pair in EXACT_PAIRS.items()}),
        )
        assert case.load().exit_code == 0
        kinds = case.place.columns(case.table)
        rewrite(
            case,
            month_of_one("2025-10"),
            arrays(**{name: pair[1] for name, pair in EXACT_PAIRS.items()}),
        )

        outcome = case.load()

        assert [str(one.error) for one in outcome.failures] == []
        assert case.place.columns(case.table) == kinds
        held = {name: list(map(_text, case.values(name))) for name in EXACT_PAIRS}
        wanted = {name: text for name, (_, _, text) in EXACT_PAIRS.items()}
        missing = {
            name: held[name]
            for name, text in wanted.items()
            if not any(one.startswith(text) for one in held[name])
        }
        assert missing == {}

    def test_a_whole_number_that_no_double_is_equal_to_is_refused(
        self, make: Callable[[Any], Case]
    ) -> None:
        case = make(AzureWriter())
        rewrite(case, month_of_one("2025-09"), arrays(x_Count=pa.scalar(0.5)))
        case.load()
        rewrite(case, month_of_one("2025-10"), arrays(x_Count=pa.scalar(2**53 + 1)))

        (failure,) = case.load().failures

        assert "'x_Count' holds 9007199254740993, which no double" in str(failure.error)
        assert "part_0" in str(failure.error)
        assert "make a decimal of the column" in str(failure.error)
        assert case.values("x_Count") == [0.5]

    def test_a_double_in_a_column_of_whole_numbers_makes_it_exact_or_says_how(
        self, make: Callable[[Any], Case]
    ) -> None:
        case = make(AzureWriter())
        rewrite(case, month_of_one("2025-09"), arrays(x_Count=pa.scalar(7)))
        case.load()
        rewrite(case, month_of_one("2025-10"), arrays(x_Count=pa.scalar(0.1)))

        outcome = case.load()

        if case.place.name == "bigquery":
            (failure,) = outcome.failures
            said = str(failure.error)
            assert "REPLACE (CAST(`x_Count` AS BIGNUMERIC) AS `x_Count`) FROM" in said
        else:
            assert outcome.exit_code == 0
            assert sorted(case.values("x_Count")) == [Decimal("0.1"), 7]

    def test_what_cannot_be_exact_is_refused_and_the_table_stays(
        self, make: Callable[[Any], Case]
    ) -> None:
        case = make(AzureWriter())
        rewrite(case, month_of_one("2025-09"), arrays(x_Flag=pa.scalar(NOON)))
        case.load()
        rewrite(case, month_of_one("2025-10"), arrays(x_Flag=pa.scalar("soon")))

        (failure,) = case.load().failures

        assert "'x_Flag' changed its type from timestamp (table " in str(failure.error)
        assert len(case.values("x_Flag")) == 1


@pytest.mark.parametrize("kind_in_table", ["DOUBLE", "DECIMAL(20,4)", "VARCHAR", "BIGINT"])
@pytest.mark.parametrize("has_totals", [True, False], ids=["totals", "no totals"])
def test_amounts_of_another_type_in_the_table_are_loaded_again_in_every_month(
    make: Callable[[Any], Case], kind_in_table: str, *, has_totals: bool
) -> None:
    case = make(AzureWriter())
    if case.place.name == "bigquery":
        pytest.skip("BigQuery makes no other number of a decimal column")
    case.keys = {"totals": str(has_totals).lower()}
    exact = Decimal("0.123456789012345678")
    price = with_columns(ListUnitPrice=lambda rows: pa.array([exact] * rows, pa.decimal128(38, 18)))
    for period in ("2025-09", "2025-10"):
        run = month_of_one(period)
        rewrite(case, run, price)
    case.load()
    case.place.query(
        "ALTER TABLE {table} ALTER {column} TYPE " + kind_in_table,
        table=case.table,
        column="ListUnitPrice",
    )
    if kind_in_table in {"VARCHAR", "BIGINT"}:
        # Nothing tells that these were decimals, but what is loaded next is exact.
        run = replace(run, submitted_at=at("2025-10-30 04:00"), run_id="later")
        rewrite(case, run, price)

    outcome = case.load("2025-10")

    assert outcome.exit_code == 0
    if kind_in_table in {"DOUBLE", "DECIMAL(20,4)"}:
        assert len(outcome.results) == 2
        assert set(case.values("ListUnitPrice")) == {exact}
    else:
        assert exact in case.values("ListUnitPrice")
    assert case.place.columns(case.table)["ListUnitPrice"] == "DECIMAL(38,18)"


def test_doubles_of_an_older_table_are_told_and_become_decimals(
    make: Callable[[Any], Case],
) -> None:
    case = make(AzureWriter())
    if case.place.name == "bigquery":
        pytest.skip("BigQuery makes no double of a decimal column")
    for period in ("2025-09", "2025-10"):
        run = month_of_one(period)
        rewrite(case, run, with_columns(**dict.fromkeys(COSTS, lambda _: pa.array([0.1 + 0.2]))))
    case.load()
    for column in COSTS:
        case.place.query(
            "ALTER TABLE {table} ALTER {column} TYPE DOUBLE", table=case.table, column=column
        )
    found = verified(case)
    assert {month.verdict for month in found.months} == {Verdict.NOT_CHECKABLE}
    assert all("holds no exact amounts" in str(month.reason) for month in found.months)

    outcome = case.load()

    assert outcome.exit_code == 0
    assert len(outcome.results) == 2
    assert set(case.values("BilledCost")) == {Decimal("0.30000000000000004")}
    assert "DOUBLE" not in case.place.columns(case.table).values()
    assert {month.verdict for month in verified(case).months} == {Verdict.EQUAL}


def test_text_of_objects_is_the_same_objects_as_maps_are_even_beside_them(
    make: Callable[[Any], Case],
) -> None:
    case = make(Cur2Writer())
    kind = pa.map_(pa.string(), pa.string())
    maps = with_columns(product=lambda rows: pa.array([[("b", "x"), ("a", "1")]] * rows, kind))
    texts = with_columns(
        product=lambda rows: pa.array(['{"b": "x", "a": "1"}'] * rows, pa.string())
    )
    objects = [{"a": "1", "b": "x"}] * 4
    for number, changes in enumerate(((texts,), (maps, texts), (texts, maps))):
        late = replace(october(4, parts=2), submitted_at=at(f"2025-10-28 0{number}:00"))
        rewrite(case, replace(late, run_id=f"run-{number}"), *changes)
        outcome = case.load()
        assert outcome.exit_code == 0, outcome.failures
        found = case.values("product")
        assert [json.loads(one) if isinstance(one, str) else one for one in found] == objects
    assert verified(case).months[0].verdict is Verdict.EQUAL


def test_text_that_is_no_object_where_objects_are_documented_is_refused_by_its_column(
    make: Callable[[Any], Case],
) -> None:
    case = make(Cur2Writer())
    rewrite(case, october(2), with_columns(product=lambda rows: pa.array(["x"] * rows)))
    (failure,) = case.load().failures
    assert "not a JSON object: x in column 'product'" in str(failure.error)
