"""The Azure sample export: its bytes, its manifests and what FOCUS demands of each row."""

import csv
import gzip
import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cloudbill.sample import WrittenRun, write_azure
from cloudbill.sample.azure.columns import AZURE_COLUMNS, COST_COLUMNS

pytestmark = pytest.mark.long

ROWS = 200


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("container")


@pytest.fixture(scope="module")
def runs(container: Path) -> tuple[WrittenRun, ...]:
    return write_azure(container, months=3, rows=ROWS, seed=7)


@pytest.fixture(scope="module")
def database(runs: tuple[WrittenRun, ...]) -> Iterator[duckdb.DuckDBPyConnection]:
    """Table `charge` holds all rows of all runs, with `run` as their id."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'").fetchall()
        for number, run in enumerate(runs):
            paths = [str(path) for path in run.part_paths]
            verb = "INSERT INTO charge " if number else "CREATE TABLE charge AS "
            rows = "FROM read_parquet(?) SELECT *, ? AS run"
            connection.execute(verb + rows, [paths, run.run_id]).fetchall()
        yield connection


def _manifest(run: WrittenRun) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(run.manifest_path.read_text(encoding="utf-8"))
    return manifest


def _count(database: duckdb.DuckDBPyConnection, condition: str) -> int:
    query = "SELECT count(*) FROM charge WHERE " + condition  # noqa: S608 - the test's own text
    [(count,)] = database.execute(query).fetchall()
    return int(count)


def _tree(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def _query(query: str, *parameters: object) -> list[Any]:
    with duckdb.connect() as connection:
        return connection.execute(query, list(parameters)).fetchall()


def _parquet_sums(run: WrittenRun) -> dict[str, dict[str, Decimal]]:
    sums = ", ".join(f'sum("{name}")' for name in COST_COLUMNS)
    query = f"SELECT BillingCurrency, {sums} FROM read_parquet(?) GROUP BY ALL"  # noqa: S608 - own text
    rows = _query(query, [str(path) for path in run.part_paths])
    return {row[0]: dict(zip(COST_COLUMNS, row[1:], strict=True)) for row in rows}


@pytest.mark.parametrize("file_format", ["parquet", "csv", "csv.gz"])
def test_same_arguments_give_the_same_bytes(tmp_path: Path, file_format: Any) -> None:
    for name in ("first", "second"):
        write_azure(tmp_path / name, months=1, rows=60, seed=3, file_format=file_format)
    assert _tree(tmp_path / "first") == _tree(tmp_path / "second")


def test_another_process_writes_the_same_bytes(
    container: Path, runs: tuple[WrittenRun, ...], tmp_path: Path
) -> None:
    program = (
        "import sys; from pathlib import Path; from cloudbill.sample import write_azure; "
        f"write_azure(Path(sys.argv[1]), months=3, rows={ROWS}, seed=7)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)
    assert len(runs) == 8
    assert _tree(tmp_path) == _tree(container)


def test_another_seed_gives_other_charges_and_ids(
    runs: tuple[WrittenRun, ...], tmp_path: Path
) -> None:
    others = write_azure(tmp_path, months=1, rows=ROWS, seed=8)
    assert {run.run_id for run in others}.isdisjoint(run.run_id for run in runs)
    assert others[-1].totals != runs[-1].totals


def test_manifest_counts_equal_the_files(container: Path, runs: tuple[WrittenRun, ...]) -> None:
    for run in runs:
        manifest = _manifest(run)
        sizes = [(container / blob["blobName"]).stat().st_size for blob in manifest["blobs"]]
        assert [blob["byteCount"] for blob in manifest["blobs"]] == sizes
        assert manifest["byteCount"] == sum(sizes)
        assert manifest["blobCount"] == len(run.part_paths) == 2
        counts = [
            _query("SELECT count(*) FROM read_parquet(?)", str(container / blob["blobName"]))[0][0]
            for blob in manifest["blobs"]
        ]
        assert [blob["dataRowCount"] for blob in manifest["blobs"]] == counts
        assert manifest["dataRowCount"] == run.rows == sum(counts)


def test_totals_equal_the_files_to_the_last_digit(runs: tuple[WrittenRun, ...]) -> None:
    for run in runs:
        assert run.totals == _parquet_sums(run)


def test_paths_are_as_azure_lays_them_out(container: Path, runs: tuple[WrittenRun, ...]) -> None:
    run = runs[0]
    stamp = f"{run.submitted_at:%Y%m%d%H%M}"
    folder = f"billing/focus-daily/20250801-20250831/{stamp}/{run.run_id}"
    assert run.manifest_path == container / folder / "manifest.json"
    assert [blob["blobName"] for blob in _manifest(run)["blobs"]] == [
        f"{folder}/part_0_0001.snappy.parquet",
        f"{folder}/part_1_0001.snappy.parquet",
    ]


def test_manifest_writes_dates_in_three_ways(runs: tuple[WrittenRun, ...]) -> None:
    first, second = _manifest(runs[0])["runInfo"], _manifest(runs[1])["runInfo"]
    assert first["startDate"] == "2025-08-01T00:00:00"
    assert first["endDate"] == "2025-08-14T00:00:00+00:00"
    assert second["endDate"] == "2025-08-31T00:00:00Z"
    microseconds = f"{runs[0].submitted_at:%Y-%m-%dT%H:%M:%S.%f}"
    assert first["submittedTime"].startswith(microseconds)
    assert len(first["submittedTime"]) == len(microseconds) + len("7Z")
    assert first["runId"] == runs[0].run_id


def test_modification_time_is_the_submission(runs: tuple[WrittenRun, ...]) -> None:
    for run in runs:
        microseconds = run.manifest_path.stat().st_mtime_ns // 1000
        assert microseconds % 1_000_000 == run.submitted_at.microsecond


def test_columns_have_the_order_and_types_of_focus_1_0r2(runs: tuple[WrittenRun, ...]) -> None:
    described = _query("DESCRIBE FROM read_parquet(?)", str(runs[0].part_paths[0]))
    types = {name: type_ for name, type_, *_ in described}
    spelled = {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}
    assert list(types) == list(AZURE_COLUMNS)
    assert len(types) == 96
    assert list(types.values()) == [spelled.get(type_, type_) for type_ in AZURE_COLUMNS.values()]


def test_absent_text_is_empty_and_never_null(database: duckdb.DuckDBPyConnection) -> None:
    texts = [name for name, type_ in AZURE_COLUMNS.items() if type_ == "VARCHAR"]
    assert _count(database, " OR ".join(f'"{name}" IS NULL' for name in texts)) == 0
    assert _count(database, "Tags = ''") > 0
    assert _count(database, "Tags <> '' AND NOT json_valid(Tags)") == 0


@pytest.mark.parametrize(
    "broken",
    [
        "ListCost <> ListUnitPrice * PricingQuantity",
        "ContractedCost <> ContractedUnitPrice * PricingQuantity",
        "ContractedCost > ListCost",
        "EffectiveCost <> x_EffectiveUnitPrice * PricingQuantity",
        "BilledCost <> x_BilledUnitPrice * PricingQuantity",
        "BilledCost <> x_BilledCostInUsd * x_BillingExchangeRate",
        "EffectiveCost <> x_EffectiveCostInUsd * x_BillingExchangeRate",
        "ConsumedQuantity <> PricingQuantity * x_PricingBlockSize",
        "CommitmentDiscountStatus <> '' AND BilledCost <> 0",
        "CommitmentDiscountStatus = 'Used' AND NOT EffectiveCost BETWEEN 0 AND ContractedCost",
        "ChargeCategory = 'Purchase' AND CommitmentDiscountId <> '' AND EffectiveCost <> 0",
        "ChargeCategory = 'Usage' AND PricingQuantity IS NULL",
        "ChargePeriodEnd <= ChargePeriodStart OR ChargePeriodEnd > BillingPeriodEnd",
        "BillingPeriodEnd <> BillingPeriodStart + INTERVAL 1 MONTH",
        "ChargeClass = '' AND ChargePeriodStart < BillingPeriodStart",
    ],
)
def test_no_row_breaks_focus(database: duckdb.DuckDBPyConnection, broken: str) -> None:
    # Exact products of 18-digit numbers need more than 38 digits unless trailing zeros go first.
    exact = broken.replace("UnitPrice *", "UnitPrice::DECIMAL(18,10) *")
    exact = exact.replace("* PricingQuantity", "* PricingQuantity::DECIMAL(18,8)")
    exact = exact.replace("InUsd *", "InUsd::DECIMAL(24,14) *")
    exact = exact.replace("* x_BillingExchangeRate", "* x_BillingExchangeRate::DECIMAL(6,4)")
    exact = exact.replace("* x_PricingBlockSize", "* x_PricingBlockSize::DECIMAL(10,0)")
    # The unused share has one unit at a price of its own, longer than ten digits.
    if "x_EffectiveUnitPrice" in exact:
        exact = f"CommitmentDiscountStatus <> 'Unused' AND {exact}"
    assert _count(database, exact) == 0


@pytest.mark.parametrize(
    "kind",
    [
        "ChargeCategory = 'Purchase' AND BilledCost < 0",
        "ChargeCategory = 'Tax'",
        "ChargeCategory = 'Adjustment'",
        "ChargeClass = 'Correction' AND ChargePeriodStart < BillingPeriodStart",
        "CommitmentDiscountStatus = 'Used' AND CommitmentDiscountType = 'Reservation'",
        "CommitmentDiscountStatus = 'Unused' AND CommitmentDiscountType = 'Savings Plan'",
        "x_PublisherCategory = 'Vendor'",
        "ServiceName = 'Azure Support'",
        "Tags LIKE '%\\\\\"%' OR contains(Tags, '\\n')",
        "BilledCost <> BilledCost::DECIMAL(38,17)",
    ],
)
def test_every_month_shows_each_kind_of_charge(
    database: duckdb.DuckDBPyConnection, runs: tuple[WrittenRun, ...], kind: str
) -> None:
    for run in runs[2::3]:
        assert _count(database, f"run = '{run.run_id}' AND ({kind})") > 0


def test_a_complete_month_bills_what_it_amortises_but_for_the_refund(
    database: duckdb.DuckDBPyConnection, runs: tuple[WrittenRun, ...]
) -> None:
    for run in (runs[2], runs[5], runs[7]):
        [(refund,)] = database.execute(
            "SELECT sum(BilledCost) FROM charge WHERE run = ? AND BilledCost < 0 "
            "AND ChargeCategory = 'Purchase'",
            [run.run_id],
        ).fetchall()
        totals = run.totals["EUR"]
        assert totals["BilledCost"] == totals["EffectiveCost"] + refund


def test_later_runs_of_a_month_hold_more(runs: tuple[WrittenRun, ...]) -> None:
    months = [run.period for run in runs]
    assert months == ["2025-08"] * 3 + ["2025-09"] * 3 + ["2025-10"] * 2
    for month in set(months):
        of_month = [run for run in runs if run.period == month]
        assert [run.rows for run in of_month] == sorted({run.rows for run in of_month})
        assert of_month[-1].rows == ROWS
        listed = [run.totals["EUR"]["ListCost"] for run in of_month]
        assert listed == sorted(listed)


def test_only_the_closing_run_has_an_invoice(
    database: duckdb.DuckDBPyConnection, runs: tuple[WrittenRun, ...]
) -> None:
    closing = {runs[2].run_id, runs[5].run_id}
    query = "SELECT DISTINCT run FROM charge WHERE x_InvoiceId <> ''"
    billed = database.execute(query).fetchall()
    assert {run for (run,) in billed} == closing


def test_csv_and_parquet_hold_the_same_money(tmp_path: Path) -> None:
    (parquet,) = write_azure(tmp_path / "p", months=1, rows=90, seed=5, runs_per_month=1)
    for file_format in ("csv", "csv.gz"):
        (text,) = write_azure(
            tmp_path / file_format,
            months=1,
            rows=90,
            seed=5,
            runs_per_month=1,
            file_format=file_format,
        )
        rows: list[dict[str, str]] = []
        for path in text.part_paths:
            content = path.read_bytes()
            content = gzip.decompress(content) if file_format == "csv.gz" else content
            rows += csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True)
        billed = text.totals["EUR"]["BilledCost"]
        assert sum(Decimal(row["BilledCost"]) for row in rows) == billed
        assert billed == parquet.totals["EUR"]["BilledCost"]
        assert text.run_id == parquet.run_id
        assert list(rows[0]) == list(AZURE_COLUMNS)
        assert {row["BillingPeriodStart"] for row in rows} == {"2025-10-01T00:00:00Z"}


def test_overwriting_leaves_one_run_a_month_and_no_time_folder(tmp_path: Path) -> None:
    first = write_azure(tmp_path, months=1, rows=60, seed=1, overwrite=True)
    again = write_azure(tmp_path, months=2, rows=60, seed=1, last=(2025, 11), overwrite=True)
    folder = tmp_path / "billing/focus-daily/20251001-20251031"
    assert [path.name for path in folder.iterdir()] == [again[0].run_id]
    assert first[0].run_id != again[0].run_id
    assert _manifest(again[0])["deliveryConfig"]["dataOverwriteBehavior"].startswith("Overwrite")


@pytest.mark.parametrize("wrong", [{"months": 0}, {"rows": 39}, {"runs_per_month": 4}])
def test_a_number_out_of_range_is_named(tmp_path: Path, wrong: dict[str, int]) -> None:
    arguments = {"months": 1, "rows": 60, "seed": 1} | wrong
    with pytest.raises(ValueError, match=next(iter(wrong))):
        write_azure(tmp_path, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(("rows", "months"), [(40, 4), (41, 2), (45, 2)])
def test_a_bill_of_the_fewest_rows_is_one_too(tmp_path: Path, rows: int, months: int) -> None:
    runs = write_azure(tmp_path, months=months, rows=rows, seed=1)

    assert {run.rows for run in {run.period: run for run in runs}.values()} == {rows}
