"""Parts are read again for their costs alone, exactly, and whatever shape they have."""

from __future__ import annotations

import gzip
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cloudbill.costs.daily_totals import DailyTotals
from cloudbill.errors import PartMissingError, StoreError
from cloudbill.looking.part_totals import sum_parts
from cloudbill.manifests import Manifest, Part
from cloudbill.providers import PROVIDERS
from cloudbill.settings import SourceSettings, read_source
from cloudbill.store.local import LocalStore
from unit.builders import manifest

MONEY = pa.decimal128(38, 18)
NOON = datetime(2025, 10, 2, 12, tzinfo=UTC)


def settings(folder: Path) -> SourceSettings:
    """An Azure source below a folder."""
    given = {"bucket": str(folder), "export_name": "focus", "memory_limit": "200MB"}
    return read_source("azure_billing", PROVIDERS["azure"], [], given)


def part(folder: Path, name: str = "part.parquet", **columns: Any) -> Path:
    """Writes a Parquet part with a row, or with those that are given."""
    usual = {
        "BilledCost": pa.array([Decimal("1.5")], MONEY),
        "BillingCurrency": pa.array(["EUR"]),
        "ChargePeriodStart": pa.array([NOON], pa.timestamp("us", tz="UTC")),
    }
    whole = {key: value for key, value in (usual | columns).items() if value is not None}
    pq.write_table(pa.table(whole), folder / name)
    return folder / name


def described(*files: Path) -> Manifest:
    """The manifest of some parts."""
    return manifest(parts=[Part(path=file.name) for file in files])


def total(folder: Path, *files: Path) -> DailyTotals:
    """What the parts hold."""
    return sum_parts(LocalStore(folder), described(*files), settings(folder), {})


def test_every_decimal_cost_is_summed_and_nothing_else_is_read(tmp_path: Path) -> None:
    file = part(
        tmp_path,
        x_BilledCostInUsd=pa.array([Decimal("1.75")], MONEY),
        x_CostCenter=pa.array(["apollo"]),
        ListUnitPrice=pa.array([Decimal(9)], MONEY),
    )
    (day,) = total(tmp_path, file).days.items()
    assert day[0] == ("EUR", "2025-10-02")
    assert day[1].amounts == {"billedcost": Decimal("1.5"), "x_billedcostinusd": Decimal("1.75")}


def test_of_amounts_with_more_digits_than_a_table_keeps_the_rest_is_known(tmp_path: Path) -> None:
    costs = [Decimal("0.00000000000000000000000000001"), Decimal("0.1")]
    file = part(
        tmp_path,
        BilledCost=pa.array(costs, pa.decimal128(38, 29)),
        BillingCurrency=pa.array(["EUR", "EUR"]),
        ChargePeriodStart=pa.array([NOON, NOON], pa.timestamp("us", tz="UTC")),
    )
    found = total(tmp_path, file)
    assert found.days["EUR", "2025-10-02"].amounts["billedcost"] == Decimal("0.1")
    assert found.rests_by_currency() == {
        "EUR": {"BilledCost": Decimal("0.00000000000000000000000000001")}
    }


def test_parts_of_different_scale_and_columns_are_added_up(tmp_path: Path) -> None:
    one = part(tmp_path, "one.parquet", BilledCost=pa.array([Decimal("1.25")], pa.decimal128(9, 2)))
    two = part(tmp_path, "two.parquet", ListCost=pa.array([Decimal(7)], MONEY))
    many = [part(tmp_path, f"{index}.parquet") for index in range(6)]
    found = total(tmp_path, one, two, *many)
    assert found.rows == 8
    assert found.days["EUR", "2025-10-02"].amounts == {
        "billedcost": Decimal("11.75"),
        "listcost": Decimal(7),
    }


def test_a_day_is_the_day_in_utc(tmp_path: Path) -> None:
    late = datetime(2025, 10, 2, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    file = part(
        tmp_path, ChargePeriodStart=pa.array([late], pa.timestamp("us", tz="America/New_York"))
    )
    assert set(total(tmp_path, file).days) == {("EUR", "2025-10-03")}


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([date(2025, 10, 2)]), "2025-10-02"),
        (pa.array([None], pa.timestamp("us")), None),
        (pa.array(["2025-10-02"]), None),
        (None, None),
    ],
    ids=["date", "null", "text", "absent"],
)
def test_a_row_without_a_day_is_counted_under_none(
    tmp_path: Path, column: Any, expected: str | None
) -> None:
    file = part(tmp_path, ChargePeriodStart=column)
    assert set(total(tmp_path, file).days) == {("EUR", expected)}


@pytest.mark.parametrize("column", [pa.array([None], pa.string()), None], ids=["null", "absent"])
def test_a_row_without_a_currency_is_counted_under_none(tmp_path: Path, column: Any) -> None:
    file = part(tmp_path, BillingCurrency=column)
    assert set(total(tmp_path, file).days) == {("", "2025-10-02")}


def test_a_cost_that_is_a_float_is_what_its_shortest_text_says(tmp_path: Path) -> None:
    found = total(tmp_path, part(tmp_path, BilledCost=pa.array([0.1])))
    assert found.by_currency() == {"EUR": {"billedcost": Decimal("0.1")}}
    assert found.inexact == {}


def test_a_part_that_is_gone_is_missing(tmp_path: Path) -> None:
    file = part(tmp_path)
    gone = described(file, tmp_path / "gone.parquet")
    with pytest.raises(PartMissingError, match=r"gone\.parquet"):
        sum_parts(LocalStore(tmp_path), gone, settings(tmp_path), {})


def test_a_part_that_is_no_parquet_cannot_be_read(tmp_path: Path) -> None:
    file = part(tmp_path)
    file.write_bytes(b"PAR1 and nothing else PAR1")
    with pytest.raises(StoreError, match=r"cannot be read again: .*part\.parquet is damaged"):
        total(tmp_path, file)


def test_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = part(tmp_path)
    total(tmp_path, file)
    assert list(tmp_path.iterdir()) == [file]


CSV_HEADER = "BillingCurrency,BilledCost,x_ListCostInUsd,ChargePeriodStart,Tags"


def csv_part(folder: Path, name: str, *lines: str, header: str = CSV_HEADER) -> Path:
    """Writes a gzipped CSV part."""
    text = "\n".join((header, *lines)) + "\n"
    (folder / name).write_bytes(gzip.compress(text.encode()))
    return folder / name


def csv_total(folder: Path, *files: Path) -> DailyTotals:
    """What CSV parts hold."""
    whole = replace(described(*files), file_format="csv")
    return sum_parts(LocalStore(folder), whole, settings(folder), {})


def test_csv_parts_with_headers_of_their_own_are_summed_exactly(tmp_path: Path) -> None:
    one = csv_part(
        tmp_path,
        "one.csv.gz",
        'EUR,1E-18,2,2025-10-02T00:00:00Z,"a,\nb"',
        "EUR,-3.5,,2025-10-02T00:00Z,",
        ",4,5,,",
    )
    two = csv_part(
        tmp_path,
        "two.csv.gz",
        "12345678901234567890.123456789012345678,2025-10-02,EUR",
        header="BilledCost,ChargePeriodStart,BillingCurrency",
    )
    found = csv_total(tmp_path, one, two)
    assert found.rows == 4
    assert found.days["EUR", "2025-10-02"].amounts == {
        "billedcost": Decimal("12345678901234567886.623456789012345679"),
        "x_listcostinusd": Decimal(2),
    }
    assert found.days["", None].amounts == {"billedcost": 4, "x_listcostinusd": 5}
    assert found.columns["x_listcostinusd"] == "x_ListCostInUsd"


def test_a_csv_amount_that_is_no_number_cannot_be_read(tmp_path: Path) -> None:
    file = csv_part(tmp_path, "one.csv.gz", "EUR,1,2,2025-10-02,", "EUR,many,2,2025-10-02,")
    with pytest.raises(StoreError, match=r"one\.csv\.gz"):
        csv_total(tmp_path, file)


def test_a_csv_that_was_cut_off_cannot_be_read(tmp_path: Path) -> None:
    file = csv_part(tmp_path, "one.csv.gz", "EUR,1,2,2025-10-02,")
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(StoreError, match=r"one\.csv\.gz"):
        csv_total(tmp_path, file)
