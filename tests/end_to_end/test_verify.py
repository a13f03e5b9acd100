"""The installed command verifies what it loaded."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from cloudbill.sample import WrittenRun
from end_to_end.conftest import configure
from samples import write_azure

if TYPE_CHECKING:
    from end_to_end.conftest import Run

CONFIG = """
[sources.azure_billing]
bucket = "./exports"
prefix = "billing"
export_name = "focus-daily"
"""


@pytest.fixture
def runs(tmp_path: Path) -> tuple[WrittenRun, ...]:
    """Sample exports of two months, and the configuration that loads them."""
    configure(tmp_path, CONFIG)
    return write_azure(tmp_path / "exports", months=2, rows=60, seed=7)


def test_a_changed_amount_is_found_and_changed_back_all_is_equal(
    run: Run, runs: tuple[WrittenRun, ...], tmp_path: Path
) -> None:
    assert runs
    run("load")
    verified = run("verify", "--json")
    document = json.loads(verified.stdout)
    assert verified.returncode == 0
    assert [(month["period"], month["result"]) for month in document["months"]] == [
        ("2025-10", "equal"),
        ("2025-09", "equal"),
    ]
    assert document["months"][0]["rows"] == {"files": 60, "warehouse": 60, "ledger": 60}
    assert "2025-10" in verified.stderr

    _change(tmp_path, "+ 0.000000000000000001")
    verified = run("verify", "azure", "--month", "2025-10", "--json")
    assert verified.returncode == 7
    (month,) = json.loads(verified.stdout)["months"]
    assert month["result"] == "different"
    (found,) = month["differences"]
    assert found["column"] == "x_BilledCostInUsd"
    assert found["difference"] == "0.000000000000000001"
    plain = run("verify")
    assert (plain.returncode, len(plain.stdout.splitlines())) == (7, 3)

    _change(tmp_path, "- 0.000000000000000001")
    assert run("verify", "--strict").returncode == 0


def test_a_run_that_is_gone_is_an_error_only_with_strict(
    run: Run, runs: tuple[WrittenRun, ...]
) -> None:
    run("load")
    newest = max(runs, key=lambda written: written.submitted_at)
    for file in newest.part_paths:
        file.unlink()
    verified = run("verify")
    assert verified.returncode == 0
    assert "2025-10" in verified.stdout.splitlines()[0]
    assert "not checkable" in verified.stdout.splitlines()[0]
    assert run("verify", "--strict").returncode == 7


def test_runs_of_which_none_is_loaded_are_not_equal(run: Run, runs: tuple[WrittenRun, ...]) -> None:
    verified = run("verify")
    assert verified.returncode == 7
    assert f"nothing is loaded, and {len(runs)} runs in the store" in verified.stderr


def test_without_a_source_the_document_says_why(run: Run) -> None:
    verified = run("verify", "--json")
    document = json.loads(verified.stdout)
    assert (verified.returncode, document["months"]) == (2, [])
    assert document["failures"][0]["error"] == "ConfigError"


def test_a_month_that_is_none_is_refused(run: Run, runs: tuple[WrittenRun, ...]) -> None:
    assert runs
    verified = run("verify", "--month", "October")
    assert verified.returncode == 2
    assert "--month: 'October' is not a month" in verified.stderr


def _change(folder: Path, by: str) -> None:
    with closing(duckdb.connect(str(folder / "cloudbill.duckdb"))) as connection:
        connection.execute(
            "UPDATE billing.azure_focus_billing_data "  # noqa: S608
            f"SET x_BilledCostInUsd = x_BilledCostInUsd {by} WHERE rowid = ("
            "SELECT min(rowid) FROM billing.azure_focus_billing_data "
            "WHERE strftime(BillingPeriodStart, '%Y-%m') = '2025-10')"
        )
