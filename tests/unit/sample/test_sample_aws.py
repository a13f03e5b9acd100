"""The AWS sample report: its bytes, its manifests, and the traps of real Cost and Usage Reports."""

import csv
import gzip
import hashlib
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cloudbill.sample import WrittenRun, write_aws
from cloudbill.sample.aws.columns import COST_COLUMNS, number_text

pytestmark = pytest.mark.long

ROWS = 200


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bucket")


@pytest.fixture(scope="module")
def runs(bucket: Path) -> tuple[WrittenRun, ...]:
    return write_aws(bucket, months=3, rows=ROWS, seed=7)


def _manifest(path: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return manifest


def _part(path: Path) -> list[list[str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.reader(file, strict=True))


def _cells(run: WrittenRun, column: str) -> list[str]:
    cells = []
    for path in run.part_paths:
        header, *rows = _part(path)
        cells += [row[header.index(column)] for row in rows]
    return cells


def _tree(directory: Path) -> dict[str, tuple[str, int]]:
    return {
        str(path.relative_to(directory)): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
        )
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def test_same_arguments_give_the_same_bytes_and_times(tmp_path: Path) -> None:
    one, other = (
        write_aws(tmp_path / name, months=1, rows=60, seed=7)[-1].run_id for name in ("a", "b")
    )
    assert one == other
    assert _tree(tmp_path / "a") == _tree(tmp_path / "b")


def test_each_run_has_its_manifest_and_the_month_a_copy_of_the_newest(
    bucket: Path, runs: tuple[WrittenRun, ...]
) -> None:
    for period, month in (("2025-08", "20250801-20250901"), ("2025-10", "20251001-20251101")):
        folder = bucket / "cur/cur-hourly" / month
        of_month = [run for run in runs if run.period == period]
        assert {path.name for path in folder.iterdir() if path.is_dir()} == {
            run.run_id for run in of_month
        }
        newest = folder / "cur-hourly-Manifest.json"
        assert newest.read_bytes() == of_month[-1].manifest_path.read_bytes()
        assert newest.stat().st_mtime_ns == of_month[-1].manifest_path.stat().st_mtime_ns


def test_manifest_names_the_parts_inside_the_bucket(
    bucket: Path, runs: tuple[WrittenRun, ...]
) -> None:
    for run in runs:
        manifest = _manifest(run.manifest_path)
        assert manifest["assemblyId"] == run.run_id
        assert [bucket / key for key in manifest["reportKeys"]] == list(run.part_paths)
        assert [Path(key).name for key in manifest["reportKeys"]] == [
            "cur-hourly-00001.csv.gz",
            "cur-hourly-00002.csv.gz",
        ]
    assert _manifest(runs[0].manifest_path)["billingPeriod"] == {
        "start": "20250801T000000.000Z",
        "end": "20250901T000000.000Z",
    }


def test_manifest_columns_are_the_header_of_every_part(runs: tuple[WrittenRun, ...]) -> None:
    for run in runs:
        columns = _manifest(run.manifest_path)["columns"]
        names = [f"{column['category']}/{column['name']}" for column in columns]
        assert len(names) > 100
        for path in run.part_paths:
            header, *rows = _part(path)
            assert header == names
            assert {len(row) for row in rows} == {len(names)}


def test_rows_and_totals_equal_the_files(runs: tuple[WrittenRun, ...]) -> None:
    for run in runs:
        assert run.rows == len(_cells(run, "lineItem/LineItemType"))
        sums = {
            column: sum((Decimal(cell) for cell in _cells(run, column) if cell), Decimal(0))
            for column in COST_COLUMNS
        }
        assert run.totals == {"USD": sums}


def test_later_runs_of_a_month_hold_more(runs: tuple[WrittenRun, ...]) -> None:
    for period, count in (("2025-08", 3), ("2025-09", 3), ("2025-10", 2)):
        rows = [run.rows for run in runs if run.period == period]
        assert len(rows) == count
        assert rows == sorted(set(rows))
        assert rows[-1] == ROWS


def test_parts_are_older_than_their_manifest(runs: tuple[WrittenRun, ...]) -> None:
    for run in runs:
        manifest_at = run.manifest_path.stat().st_mtime_ns
        assert manifest_at // 1000 % 1_000_000 == run.submitted_at.microsecond
        assert all(path.stat().st_mtime_ns < manifest_at for path in run.part_paths)


def test_names_differ_by_case_alone(runs: tuple[WrittenRun, ...]) -> None:
    header = _part(runs[0].part_paths[0])[0]
    assert {"product/ecu", "product/ECU"} <= set(header)
    assert {"resourceTags/user:Name", "resourceTags/user:name"} <= set(header)
    assert len(set(header)) == len(header)
    for name in ("product/ecu", "product/ECU", "resourceTags/user:Name", "resourceTags/user:name"):
        assert any(_cells(runs[-1], name))
    assert _cells(runs[-1], "product/ecu") != _cells(runs[-1], "product/ECU")


def test_tag_columns_appear_with_the_months(runs: tuple[WrittenRun, ...]) -> None:
    headers = {run.period: set(_part(run.part_paths[0])[0]) for run in runs}
    assert headers["2025-09"] - headers["2025-08"] == {"resourceTags/user:team"}
    assert headers["2025-10"] - headers["2025-09"] == {"resourceTags/user:cost center"}


def test_cells_hold_newlines_and_quotes(runs: tuple[WrittenRun, ...]) -> None:
    notes = _cells(runs[-1], "resourceTags/user:notes")
    assert any("\n" in note and '"' in note and "," in note for note in notes)
    assert any('"' in text for text in _cells(runs[-1], "lineItem/LineItemDescription"))


def test_dates_stand_with_and_without_milliseconds(runs: tuple[WrittenRun, ...]) -> None:
    seconds = re.compile(r"\d{4}-\d\d-\d\dT\d\d:00:00Z")
    milliseconds = re.compile(r"\d{4}-\d\d-\d\dT\d\d:00:00\.000Z")
    assert all(map(seconds.fullmatch, _cells(runs[0], "lineItem/UsageStartDate")))
    assert all(map(milliseconds.fullmatch, _cells(runs[0], "lineItem/UsageEndDate")))
    assert set(_cells(runs[0], "bill/BillingPeriodStartDate")) == {"2025-08-01T00:00:00.000Z"}


def test_costs_have_no_more_than_ten_digits_and_sometimes_an_exponent(
    runs: tuple[WrittenRun, ...],
) -> None:
    cells = _cells(runs[-1], "lineItem/UnblendedCost")
    assert any("E-" in cell for cell in cells)
    assert all(cell == number_text(Decimal(cell)) for cell in cells)
    assert all(Decimal(cell) == round(Decimal(cell), 10) for cell in cells)


def test_accounts_keep_their_leading_zero(runs: tuple[WrittenRun, ...]) -> None:
    assert set(_cells(runs[0], "bill/PayerAccountId")) == {"012345678901"}


def test_only_a_closed_month_has_an_invoice(runs: tuple[WrittenRun, ...]) -> None:
    for run in runs:
        invoices = set(_cells(run, "bill/InvoiceId"))
        closed = run.submitted_at.strftime("%Y-%m") > run.period
        assert all(invoices) if closed else invoices == {""}


def _lines(run: WrittenRun, *line_types: str) -> list[dict[str, str]]:
    """The lines of some types, by their columns."""
    found = []
    for path in run.part_paths:
        header, *rows = _part(path)
        found += [dict(zip(header, row, strict=True)) for row in rows]
    return [line for line in found if line["lineItem/LineItemType"] in line_types]


def _sum(lines: list[dict[str, str]], column: str) -> Decimal:
    return sum((Decimal(line[column] or 0) for line in lines), Decimal(0))


def test_a_run_has_every_kind_of_line(runs: tuple[WrittenRun, ...]) -> None:
    kinds = {"Usage", "SavingsPlanCoveredUsage", "SavingsPlanNegation", "SavingsPlanRecurringFee"}
    kinds |= {"RIFee", "DiscountedUsage", "Tax", "Fee", "Credit"}
    for run in runs:
        assert kinds <= set(_cells(run, "lineItem/LineItemType"))


@pytest.mark.parametrize(("rows", "at_once"), [(ROWS, 1), (2000, 2)])
def test_one_line_an_hour_or_day_negates_all_that_the_plan_covers_of_a_kind(
    tmp_path: Path, rows: int, at_once: int
) -> None:
    written = write_aws(tmp_path, months=1, rows=rows, seed=4)
    most = 0
    for run in written:
        by_kind: dict[tuple[str, ...], list[list[dict[str, str]]]] = {}
        for line in _lines(run, "SavingsPlanCoveredUsage", "SavingsPlanNegation"):
            key = tuple(
                line[column]
                for column in (
                    "lineItem/UsageStartDate",
                    "savingsPlan/SavingsPlanARN",
                    "lineItem/Operation",
                    "lineItem/UsageType",
                    "lineItem/AvailabilityZone",
                )
            )
            is_negation = line["lineItem/LineItemType"] == "SavingsPlanNegation"
            by_kind.setdefault(key, [[], []])[is_negation].append(line)
        assert by_kind
        for covered, negations in by_kind.values():
            assert len(negations) == 1
            assert _sum(covered + negations, "lineItem/UnblendedCost") == 0
            most = max(most, len(covered))
    assert most >= at_once


def test_the_fee_of_a_plan_states_what_of_it_is_used_and_what_it_covers_does_not(
    runs: tuple[WrittenRun, ...],
) -> None:
    for run in runs:
        fees = _lines(run, "SavingsPlanRecurringFee")
        covered = _lines(run, "SavingsPlanCoveredUsage")
        days = {line["lineItem/UsageStartDate"] for line in fees}
        assert len(days) == len(fees)
        assert {line["lineItem/UsageStartDate"] for line in covered} <= days
        used = _sum(fees, "savingsPlan/UsedCommitment")
        assert used == _sum(covered, "savingsPlan/SavingsPlanEffectiveCost")
        total = _sum(fees, "savingsPlan/TotalCommitmentToDate")
        assert total == _sum(fees, "lineItem/UnblendedCost")
        assert used < total < used * 2
        for line in fees:
            left = Decimal(line["savingsPlan/TotalCommitmentToDate"])
            assert left > Decimal(line["savingsPlan/UsedCommitment"])
        others = [line for line in covered if line["savingsPlan/UsedCommitment"]]
        assert not others


def test_the_fee_of_a_reservation_states_what_of_it_is_not_used(
    runs: tuple[WrittenRun, ...],
) -> None:
    of = "reservation/"
    both = (
        ("AmortizedUpfrontCostForUsage", "UnusedAmortizedUpfrontFeeForBillingPeriod"),
        ("RecurringFeeForUsage", "UnusedRecurringFee"),
    )
    for run in runs:
        (fee,) = _lines(run, "RIFee")
        use = _lines(run, "DiscountedUsage")
        parts = [_sum(use, of + used) for used, _ in both]
        assert sum(parts) == _sum(use, f"{of}EffectiveCost")
        assert all(parts)
        unused = [Decimal(fee[of + name]) for _, name in both]
        assert min(unused) >= 0
        if run.submitted_at.strftime("%Y-%m") > run.period:
            assert min(unused) > 0
            assert Decimal(fee[f"{of}UnusedQuantity"]) > 0
            total = [fee[f"{of}AmortizedUpfrontFeeForBillingPeriod"], fee["lineItem/UnblendedCost"]]
            assert [a + b for a, b in zip(parts, unused, strict=True)] == list(map(Decimal, total))


def test_a_plan_is_returned_in_the_last_month_of_a_quarter(runs: tuple[WrittenRun, ...]) -> None:
    for run in runs:
        returned = [
            line
            for line in _lines(run, "SavingsPlanUpfrontFee", "Refund")
            if "one-time fee for savings plan" in line["lineItem/LineItemDescription"].lower()
        ]
        assert len(returned) == (2 if run.period == "2025-09" else 0)
        assert _sum(returned, "lineItem/UnblendedCost") == 0


@pytest.mark.parametrize("rows", [40, 41, 120, 500])
def test_a_complete_run_has_as_many_rows_as_were_asked_for(tmp_path: Path, rows: int) -> None:
    last = write_aws(tmp_path, months=2, rows=rows, seed=2, runs_per_month=1)
    assert [run.rows for run in last] == [rows, rows]


def test_line_ids_change_from_run_to_run(runs: tuple[WrittenRun, ...]) -> None:
    ids = [set(_cells(run, "identity/LineItemId")) for run in runs]
    assert len(set.union(*ids)) == sum(run.rows for run in runs)


def test_overwriting_leaves_one_run_in_the_folder_of_the_month(tmp_path: Path) -> None:
    (run,) = write_aws(tmp_path, months=1, rows=60, seed=1, overwrite=True)
    folder = tmp_path / "cur/cur-hourly/20251001-20251101"
    assert sorted(path.name for path in folder.iterdir()) == [
        "cur-hourly-00001.csv.gz",
        "cur-hourly-00002.csv.gz",
        "cur-hourly-Manifest.json",
    ]
    assert _manifest(run.manifest_path)["reportKeys"][0].startswith("cur/cur-hourly/20251001-")


def test_a_bucket_needs_no_prefix(tmp_path: Path) -> None:
    (run,) = write_aws(tmp_path, months=1, rows=60, seed=1, prefix="", runs_per_month=1)
    assert run.part_paths[0].is_relative_to(tmp_path / "cur-hourly")


@pytest.mark.parametrize(
    ("value", "text"),
    [("0", "0.0"), ("12", "12.0"), ("-2.50", "-2.5"), ("0.001", "0.001"), ("1.81E-8", "1.81E-8")],
)
def test_numbers_are_written_as_java_writes_them(value: str, text: str) -> None:
    assert number_text(Decimal(value)) == text
    assert number_text(-Decimal("0.0000004")) == "-4.0E-7"
