"""`query` and `export` as commands: what they print, and what stays where they are stopped."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import signal
import subprocess
import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from end_to_end.conftest import configure, run_apart
from end_to_end.imported import INSTALLED, imported_command
from samples import write_aws, write_azure

if TYPE_CHECKING:
    from end_to_end.conftest import Run

BOTH = """
[sources.azure_billing]
bucket = "./exports"
prefix = "billing"
export_name = "focus-daily"

[sources.aws_billing]
bucket = "./exports"
prefix = "cur"
export_name = "cur-hourly"
"""
OTHER = """
[sources.aws_billing]
dataset = "elsewhere"
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which two clouds are loaded."""
    folder = tmp_path_factory.mktemp("home")
    configure(folder, BOTH)
    write_azure(folder / "exports", months=2, rows=40, seed=1)
    write_aws(folder / "exports", months=2, rows=40, seed=1)
    assert run_apart(folder, "load").returncode == 0
    return folder


SUMS = "SELECT x_BillingMonth AS month, SUM(BilledCost) AS billed FROM focus GROUP BY 1 ORDER BY 1"


class TestQuery:
    def test_its_three_forms_have_the_same_amounts(self, run: Run, home: Path) -> None:
        table = run("query", "--exact", SUMS, cwd=home)
        text = run("query", "--csv", SUMS, cwd=home)
        document = json.loads(run("query", "--json", SUMS, cwd=home).stdout)
        assert [done.returncode for done in (table, text)] == [0, 0]
        rows = list(csv.DictReader(io.StringIO(text.stdout)))
        assert rows == document["rows"]
        assert len(rows) == 2
        for line, row in zip(table.stdout.splitlines()[1:], rows, strict=True):
            month, billed = line.split()
            assert (month, Decimal(billed.replace(",", ""))) == (
                row["month"],
                Decimal(row["billed"]),
            )

    def test_the_sql_comes_from_a_file_as_well(self, run: Run, home: Path, tmp_path: Path) -> None:
        (tmp_path / "sums.sql").write_text(f"-- months\n{SUMS};\n")
        done = run("query", "--file", str(tmp_path / "sums.sql"), cwd=home)
        assert done.stdout == run("query", SUMS, cwd=home).stdout

    def test_sql_that_is_no_utf_8_is_named_and_a_mark_before_it_is_none(
        self, home: Path, run_process: Run
    ) -> None:
        for given, code in ((b"SELECT '\xfc'", 2), ("\ufeffSELECT 'ü'".encode(), 0)):
            done = subprocess.run(
                [imported_command(), "query", "-"],
                cwd=home,
                input=given,
                capture_output=True,
                check=False,
            )
            assert done.returncode == code
            assert (b"The SQL cannot be read from stdin" in done.stderr) == bool(code)
        wrong = run_process("query", os.fsdecode(b"SELECT '\xfc'"), cwd=home)
        assert (wrong.returncode, "fault of cloudbill" in wrong.stderr) == (2, False)

    def test_mistakes_end_with_2_and_without_a_traceback(self, run: Run, home: Path) -> None:
        for words, said in (
            (("SELECT * FROM focuss",), "billing has focus, "),
            (("DROP VIEW focus",), "it takes one SELECT, and got DROP"),
            (("SELECT 1", "--csv", "--json"), "choose one"),
            ((), "as an argument, as - for stdin, or as --file"),
            (("SELECT 1", "--source", "azzure"), "Did you mean 'azure'?"),
        ):
            done = run("query", *words, cwd=home)
            assert done.returncode == 2, words
            assert said in done.stderr
            assert "Traceback" not in done.stderr
            assert not done.stdout

    def test_of_several_datasets_one_has_to_be_chosen(self, run: Run, tmp_path: Path) -> None:
        configure(tmp_path, BOTH + 'dataset = "elsewhere"\n')
        done = run("query", "SELECT 1")
        assert done.returncode == 2
        assert "aws_billing in " in done.stderr
        assert "Choose with --source" in done.stderr
        done = run("query", "SELECT 1", "--source", "aws")
        assert "There is no DuckDB file" in done.stderr
        assert not list(tmp_path.glob("*.duckdb"))

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_signal_ends_it_at_once(self, home: Path, number: signal.Signals) -> None:
        endless = (
            "SELECT COUNT(*) FROM range(1000000) AS a, range(1000000) AS b WHERE a.range % 7 = 3"
        )
        command = [str(imported_command()), "query", endless]
        with subprocess.Popen(command, cwd=home, stdout=-1, stderr=-1, text=True) as process:
            # Python drops what a signal raises while it frees an object: then one sends it again.
            for _ in range(5):
                time.sleep(1.5)
                process.send_signal(number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=4)
                    break
            process.kill()
            out, err = process.communicate()
        assert (process.returncode, out) == (130, "")
        assert err.startswith("Stopped.")


class TestExport:
    def test_it_says_what_it_wrote(self, run: Run, home: Path, tmp_path: Path) -> None:
        done = run("export", "-o", str(tmp_path / "out"), "--json", cwd=home)
        document = json.loads(done.stdout)
        assert done.returncode == 0
        assert len(document["months"]) == 4
        for month in document["months"]:
            file = Path(month["file"])
            column = "BilledCost" if "azure" in month["table"] else "line_item_unblended_cost"
            ((rows, billed),) = duckdb.execute(
                f"SELECT count(*), sum({column}) FROM '{file}'"  # noqa: S608
            ).fetchall()
            assert (month["rows"], [Decimal(one) for one in month["billed"].values()]) == (
                rows,
                [billed],
            )
            assert file.stat().st_mode & 0o777 == 0o666 & ~_umask(tmp_path)
        assert sum(one["bytes"] for one in document["files"]) > 0

    def test_a_month_that_is_not_there_ends_it_with_2(
        self, run: Run, home: Path, tmp_path: Path
    ) -> None:
        for form, there in (("parquet", True), ("duckdb", False)):
            output = tmp_path / form
            words = ("--month", "2025-10", "--month", "2001-01", "--format", form)
            done = run("export", *words, "-o", str(output), cwd=home)
            assert done.returncode == 2
            assert "no source has a run or a record of 2001-01" in done.stderr
            assert output.exists() == there

    def test_a_killed_export_leaves_whole_files_and_the_next_one_clears_up(
        self, run: Run, home: Path, tmp_path: Path
    ) -> None:
        output = tmp_path / "out"
        command = [INSTALLED, "export", "-o", str(output)]
        with subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert "rows" in process.stdout.readline()
            process.kill()
        for file in output.rglob("*.parquet"):
            if "billing_month=" in str(file):
                assert duckdb.execute(f"SELECT count(*) FROM '{file}'").fetchall() == [(40,)]  # noqa: S608
        assert list(output.glob("cloudbill-*"))
        assert run("export", "-o", str(output), cwd=home).returncode == 0
        assert not list(output.glob("cloudbill-*"))
        assert len(list(output.rglob("*.parquet"))) == 4


def _umask(folder: Path) -> int:
    plain = folder / "plain"
    plain.touch()
    return 0o666 & ~plain.stat().st_mode
