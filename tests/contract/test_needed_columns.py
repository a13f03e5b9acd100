"""A part whose rows have no month, no billed cost or no currency is refused, and named."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cloudbill.errors import SchemaError
from cloudbill.providers import PROVIDERS, Provider
from contract.aws_deliveries import (
    AthenaWriter,
    AwsFocusWriter,
    AwsParquetWriter,
    Cur2CsvWriter,
    Cur2Writer,
)
from contract.deliveries import AwsWriter, AzureCsvWriter, AzureWriter, at
from contract.places import Case
from contract.rewriting import october, rewrite, with_columns

NEEDED = ("PERIOD_COLUMN", "BILLED_COLUMN", "CURRENCY_COLUMN")
WRITERS = (
    AzureWriter,
    AzureCsvWriter,
    AwsWriter,
    AwsParquetWriter,
    AthenaWriter,
    Cur2Writer,
    Cur2CsvWriter,
    AwsFocusWriter,
)


def without(name: str, provider: Provider) -> Callable[[bytes], bytes]:
    """A part without a column, by its name in the table."""

    def is_kept(header: str) -> bool:
        return provider.column_name(header).lower() != name.lower()

    def change(content: bytes) -> bytes:
        if content.startswith(b"PAR1"):
            table = pq.read_table(io.BytesIO(content))
            kept = table.select([column for column in table.column_names if is_kept(column)])
            assert kept.num_columns == table.num_columns - 1
            target = pa.BufferOutputStream()
            pq.write_table(kept, target)
            return bytes(target.getvalue())
        header, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        (index,) = (place for place, column in enumerate(header) if not is_kept(column))
        text = io.StringIO(newline="")
        csv.writer(text).writerows([row[:index] + row[index + 1 :] for row in (header, *rows)])
        return text.getvalue().encode()

    return change


@pytest.mark.parametrize(
    ("warehouse", "writer"),
    [
        *(("duckdb", writer) for writer in WRITERS),
        # One rule for both, `require_bill`; BigQuery asks it of footers and of headers.
        *(("bigquery", writer) for writer in (AzureWriter, AwsWriter)),
    ],
    indirect=["warehouse"],
)
def test_a_part_that_lacks_what_every_row_of_a_bill_has_is_refused_and_the_month_stays(
    make: Callable[[Any], Case], writer: Callable[[], Any]
) -> None:
    case = make(writer())
    provider = PROVIDERS[case.settings.provider.NAME]
    good = replace(october(2, parts=2), submitted_at=at("2025-10-20 04:00"), run_id="good")
    case.deliver(good)
    assert case.load().exit_code == 0
    for number, role in enumerate(NEEDED):
        name = getattr(provider, role)
        late = replace(
            october(4, parts=2),
            submitted_at=at(f"2025-10-28 0{number}:00"),
            run_id=f"late-{number}",
        )
        rewrite(case, late, lambda content: content, without(name, provider))
        # Where no run overwrites another, the runs before it are tried again.
        errors = [failure.error for failure in case.load().failures]
        assert all(isinstance(error, SchemaError) for error in errors)
        (message,) = (str(error) for error in errors if f"has no column '{name}'" in str(error))
        assert "0001" in message or "00002" in message
        assert case.held() == list(good.charges)


def test_a_month_whose_costs_have_no_value_and_no_type_is_refused(
    make: Callable[[Any], Case],
) -> None:
    case = make(Cur2Writer())
    rewrite(case, october(4, parts=2), with_columns(line_item_unblended_cost=pa.nulls))
    (failure,) = case.load().failures
    assert "has no column 'line_item_unblended_cost'" in str(failure.error)


@pytest.mark.parametrize("writer", [AzureWriter, AwsFocusWriter])
def test_a_run_of_which_no_row_has_a_billed_cost_is_refused_or_named(
    make: Callable[[Any], Case], writer: Callable[[], Any]
) -> None:
    """Its sum would be the one of a month that costs nothing."""
    case = make(writer())

    def empty(rows: int) -> pa.Array:
        return pa.array([None] * rows, pa.float64())

    late = replace(october(2), submitted_at=at("2025-10-28 04:00"), run_id="late")
    rewrite(case, late, with_columns(BilledCost=empty))
    outcome = case.load()
    if case.place.name == "duckdb":
        (failure,) = outcome.failures
        assert "none of them has a value in 'BilledCost'" in str(failure.error)
        assert outcome.exit_code == 5
    else:  # BigQuery sums the costs once the month is replaced
        (result,) = outcome.results
        assert "no row of it has a value in 'BilledCost'" in str(result.alarm)
        assert outcome.exit_code == 6


@pytest.mark.parametrize("keys", [{}, {"totals": "false"}], ids=["totals", "no totals"])
def test_a_run_without_billed_costs_does_not_replace_a_month_that_it_is_staged_for(
    make: Callable[[Any], Case], keys: dict[str, str]
) -> None:
    """Doubles are converted on the way, and DuckDB's transaction is not committed before."""
    case = replace(make(AwsFocusWriter()), keys=keys)
    good = replace(october(2), submitted_at=at("2025-10-20 04:00"), run_id="good")
    case.deliver(good)
    assert case.load().exit_code == 0

    def empty(rows: int) -> pa.Array:
        return pa.array([None] * rows, pa.float64())

    late = replace(october(2), submitted_at=at("2025-10-28 04:00"), run_id="late")
    rewrite(case, late, with_columns(BilledCost=empty))
    (failure,) = case.load().failures
    assert "none of them has a value in 'BilledCost'" in str(failure.error)
    assert case.held() == list(good.charges)


def test_a_month_that_costs_nothing_is_loaded(make: Callable[[Any], Case]) -> None:
    case = make(AzureWriter())
    free = replace(
        october(2), charges=[replace(one, cost=Decimal(0)) for one in october(2).charges]
    )
    case.deliver(free)
    assert case.load().exit_code == 0
    assert len(case.held()) == len(free.charges)


@pytest.mark.parametrize("writer", [AzureWriter, AwsWriter])
@pytest.mark.parametrize("without", [1, 2], ids=["some rows", "all rows"])
def test_costs_of_rows_without_a_currency_are_named(
    make: Callable[[Any], Case], writer: Callable[[], Any], without: int
) -> None:
    case = make(writer())
    month = october(2)
    costs = zip(month.charges, (Decimal("1.5"), Decimal("2.25")), strict=True)
    charges = [
        replace(charge, cost=cost, currency="" if place < without else charge.currency)
        for place, (charge, cost) in enumerate(costs)
    ]
    case.deliver(replace(month, charges=charges))

    (result,) = case.load().results

    note = f"rows without a currency have {'3.75' if without > 1 else '1.50'} in "
    assert note in result.notes["without_currency"]
    assert note in str(result.to_record().currencyless)
