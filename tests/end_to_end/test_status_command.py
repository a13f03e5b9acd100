"""The installed command says where sources stand and how months moved."""

from __future__ import annotations

import json
import os
import shutil
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cloudbill.periods import BillingPeriod, utc_now
from contract.deliveries import AzureWriter, Delivery, at, charges
from end_to_end.conftest import configure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from end_to_end.conftest import Run

CONFIG = """
[sources.azure_billing]
bucket = "./exports"
prefix = "transfer/billing"
export_name = "focus-daily"
table_name = "bill"
"""
CLOSED = at("2025-11-03 04:00")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder that the command runs in, configured."""
    configure(tmp_path, CONFIG)
    return tmp_path


def deliver(
    home: Path, period: str, costs: Sequence[str], *, run_id: str, submitted_at: datetime
) -> None:
    """Adds a run to the store."""
    delivery = Delivery(
        period=period, charges=charges(period, *costs), run_id=run_id, submitted_at=submitted_at
    )
    AzureWriter().write(home / "exports", delivery)


def files(home: Path) -> set[str]:
    """Every file below a folder."""
    return {str(path.relative_to(home)) for path in home.rglob("*")}


class TestStatus:
    def test_before_the_first_load_it_says_what_would_be_loaded_and_creates_no_file(
        self, run: Run, home: Path
    ) -> None:
        deliver(home, "2025-10", ["1"], run_id="first", submitted_at=CLOSED)
        before = files(home)
        done = run("status")
        assert (done.returncode, done.stderr) == (0, "")
        assert "new: run first" in done.stdout
        assert run("history").stdout == "azure_billing - no load is recorded\n"
        assert files(home) == before

    def test_after_a_load_it_shows_a_table_without_colour_or_boxes(
        self, run: Run, home: Path
    ) -> None:
        deliver(home, "2025-10", ["1204.11", "0.001"], run_id="october", submitted_at=CLOSED)
        deliver(home, "2025-08", ["7"], run_id="august", submitted_at=at("2025-09-03 04:00"))
        run("load")
        done = run("status", "azure")
        assert done.returncode == 0
        lines = done.stdout.splitlines()
        assert lines[0].startswith("azure_billing - newest delivery ")
        assert lines[1].split() == ["month", "run", "rows", "submitted", "loaded", "billed", "cost"]
        assert lines[2].split()[:3] == ["2025-10", "october", "2"]
        assert lines[2].endswith("  1,204.11 EUR")
        assert "1,204.111 EUR" in run("status", "azure", "--exact").stdout
        assert lines[3].split() == ["2025-09", "-", "-", "-", "-"]
        assert lines[4].strip() == "missing: nothing was delivered or loaded"
        assert lines[5].endswith("      7.00 EUR")
        assert done.stdout.isascii()
        assert "\x1b" not in done.stdout
        assert max(map(len, lines)) <= 80

    def test_the_document_is_the_only_thing_on_stdout(self, run: Run, home: Path) -> None:
        deliver(home, "2025-10", ["1204.11"], run_id="october", submitted_at=CLOSED)
        run("load")
        done = run("status", "--json", "--max-age", "36h")
        document = json.loads(done.stdout)
        (source,) = document["sources"]
        assert (source["source"], source["is_stale"]) == ("azure_billing", True)
        assert source["newest_delivery_at"] == "2025-11-03T04:00:00+00:00"
        (month,) = source["months"]
        assert (month["state"], month["loaded"]["run_id"]) == ("loaded", "october")
        assert Decimal(month["loaded"]["billed_cost"]["EUR"]) == Decimal("1204.11")
        assert [failure["error"] for failure in document["failures"]] == ["StaleError"]
        assert done.returncode == 8

    def test_a_fresh_source_is_none_and_a_stale_one_is_an_error(self, run: Run, home: Path) -> None:
        period = str(BillingPeriod.of(utc_now()))
        recent = utc_now() - timedelta(hours=5)
        deliver(home, period, ["1"], run_id="recent", submitted_at=recent)
        run("load")
        fresh = run("status", "--max-age", "36h")
        assert (fresh.returncode, fresh.stderr) == (0, "")
        assert "newest delivery 5 h ago" in fresh.stdout
        assert run("status", "--max-age", "1d").returncode == 0
        stale = run("status", "--max-age", "90m")
        assert stale.returncode == 8
        assert "Failed azure_billing - The newest delivery was submitted 5 h ago" in stale.stderr
        assert "newest delivery 5 h ago" in stale.stdout

    def test_without_its_store_what_is_loaded_is_shown_and_the_exit_code_is_that_of_the_store(
        self, run: Run, home: Path
    ) -> None:
        deliver(home, "2025-10", ["1204.11"], run_id="october", submitted_at=CLOSED)
        run("load")
        shutil.rmtree(home / "exports")
        done = run("status", "--max-age", "36h")
        assert done.returncode == 4
        assert "azure_billing - the store cannot be read; the loaded delivery came " in done.stdout
        assert "1,204.11 EUR" in done.stdout
        assert "Failed azure_billing - There is no folder" in done.stderr

    def test_a_manifest_that_cannot_be_read_is_told(self, run: Run, home: Path) -> None:
        deliver(home, "2025-10", ["1"], run_id="october", submitted_at=CLOSED)
        (manifest,) = (home / "exports").rglob("manifest.json")
        manifest.write_text("{")
        done = run("status")
        assert done.returncode == 3
        assert "manifests that cannot be read: 1" in done.stdout
        assert "Failed azure_billing" in done.stderr

    @pytest.mark.parametrize("age", ["36", "soon", "0d"])
    def test_an_age_that_is_none_is_refused(self, run: Run, home: Path, age: str) -> None:
        done = run("status", "--max-age", age, "--json", cwd=home)
        document = json.loads(done.stdout)
        assert (done.returncode, document["sources"]) == (2, [])
        assert f"'{age}' is not an age" in done.stderr

    def test_without_a_source_the_document_says_why(self, run: Run) -> None:
        done = run("status", "--json")
        assert done.returncode == 2
        assert json.loads(done.stdout)["failures"][0]["error"] == "ConfigError"


class TestHistory:
    def test_a_month_that_moved_after_it_closed_is_told_in_a_sentence(
        self, run: Run, home: Path
    ) -> None:
        moments = [at("2025-10-31 22:00"), CLOSED, CLOSED + timedelta(days=9)]
        for moment, cost in zip(moments, ["1100", "1204.11", "1209.80"], strict=True):
            deliver(home, "2025-10", [cost], run_id=f"run-of-{moment:%m-%d}", submitted_at=moment)
            run("load")
        run("load", "--force")
        done = run("history")
        assert done.returncode == 0
        lines = done.stdout.splitlines()
        assert lines[0] == "azure_billing 2025-10"
        assert lines[1].split()[-3:] == ["billed", "cost", "change"]
        assert [line.split()[-1] for line in lines[3:5]] == ["+104.11", "+5.69"]
        assert lines[6].strip() == "the same run again, nothing changed"
        assert lines[7].strip() == "2025-10 closed at 1,204.11 EUR, now 1,209.80 EUR, +5.69 EUR"
        assert max(map(len, lines)) <= 80

        document = json.loads(run("history", "--json", "--month", "2025-10").stdout)
        (month,) = document["months"]
        assert [load["is_repeat"] for load in month["loads"]] == [False, False, False, True]
        assert Decimal(month["loads"][2]["change"]["EUR"]) == Decimal("5.69")
        assert month["closed"]["run_id"] == "run-of-11-03"
        assert Decimal(month["closed"]["difference"]["EUR"]) == Decimal("5.69")

    def test_a_month_that_was_delivered_and_never_loaded_has_none(
        self, run: Run, home: Path
    ) -> None:
        for month in ("2025-09", "2025-10"):
            deliver(home, month, ["1"], run_id=month, submitted_at=CLOSED)
        run("load", "--month", "2025-10")
        done = run("history", "azure", "--month", "2025-09")
        assert (done.returncode, done.stdout) == (
            0,
            "azure_billing - no load of 2025-09 is recorded\n",
        )

    def test_a_month_that_is_none_is_refused(self, run: Run, home: Path) -> None:
        done = run("history", "--month", "October", cwd=home)
        assert done.returncode == 2
        assert "--month: 'October' is not a month" in done.stderr


def test_help_lists_what_looks_in_the_order_in_which_people_need_it(run: Run) -> None:
    words = [line.split()[0] for line in run("--help").stdout.splitlines() if line.split()]
    order = [word for word in words if word in {"status", "history", "verify"}]
    assert order == ["status", "history", "verify"]


class TestCheck:
    """What a monitor calls: one exit code over all that a person should look at."""

    def test_source_of_which_nothing_is_found_ends_with_3(self, run: Run, home: Path) -> None:
        (home / "exports").mkdir()
        done = run("status", "--check")
        assert done.returncode == 3
        assert "Nothing was found in" in done.stderr
        assert run("status").returncode == 0

    def test_held_run_ends_with_6_until_it_is_dismissed(self, run: Run, home: Path) -> None:
        deliver(home, "2025-10", ["1"] * 40, run_id="first", submitted_at=CLOSED)
        assert run("load").returncode == 0
        assert run("status", "--check").returncode == 0
        later = CLOSED + timedelta(hours=1)
        deliver(home, "2025-10", ["1"] * 2, run_id="second", submitted_at=later)
        assert run("load").returncode == 6
        held = run("status", "--check", "--json")
        assert held.returncode == 6
        (reason,) = json.loads(held.stdout)["sources"][0]["reasons"]
        assert (reason["exit_code"], reason["run_id"]) == (6, "second")
        assert run("dismiss", "azure", "2025-10").stdout == (
            "azure_billing: dismissed run second of 2025-10\n"
        )
        assert run("status", "--check").returncode == 0
        assert run("load").returncode == 0

    def test_delivery_that_is_older_than_the_key_allows_ends_with_8(
        self, run: Run, home: Path
    ) -> None:
        deliver(home, "2025-10", ["1"], run_id="first", submitted_at=CLOSED)
        assert run("load").returncode == 0
        configure(home, CONFIG + 'max_age = "36h"\n')
        assert run("status", "--check").returncode == 8
        assert run("status").returncode == 0

    def test_run_that_waits_longer_than_the_key_allows_ends_with_8(
        self, run: Run, home: Path
    ) -> None:
        deliver(home, "2025-10", ["1"], run_id="first", submitted_at=CLOSED)
        assert run("load").returncode == 0
        later = CLOSED + timedelta(hours=1)
        deliver(home, "2025-10", ["1", "2"], run_id="second", submitted_at=later)
        for part in (home / "exports").rglob("*second*/*.parquet"):
            part.unlink()
            break
        for file in (home / "exports").rglob("*.*"):
            os.utime(file, (later.timestamp(),) * 2)
        done = run("status", "--check")
        assert done.returncode == 8
        assert "for longer than 'max_wait' allows" in done.stderr
