"""The installed command, on exports on disk and a DuckDB file."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import closing
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from cloudbill.sample import WrittenRun
from end_to_end.conftest import ROOT, configure
from end_to_end.imported import INSTALLED
from samples import write_azure

if TYPE_CHECKING:
    from end_to_end.conftest import Run

LOCAL = """
[sources.azure_billing]
bucket = "./exports"
prefix = "billing"
export_name = "focus-daily"
"""


@pytest.fixture
def exports(tmp_path: Path) -> tuple[WrittenRun, ...]:
    """Sample exports of two months, and the configuration that loads them."""
    configure(tmp_path, LOCAL)
    return write_azure(tmp_path / "exports", months=2, rows=60, seed=7)


def newest(runs: tuple[WrittenRun, ...]) -> dict[str, WrittenRun]:
    """The run that each month should hold."""
    return {run.period: run for run in sorted(runs, key=lambda run: run.submitted_at)}


class TestHelp:
    def test_it_fits_a_screen_and_groups_what_people_want_to_do(self, run_installed: Run) -> None:
        lines = run_installed("--help", env={"COLUMNS": "80"}).stdout.splitlines()

        assert len(lines) <= 39
        assert max(map(len, lines)) <= 80
        groups = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
        assert groups == [
            "Options:",
            "Load the bills:",
            "Look at what is loaded:",
            "Set up and repair:",
        ]
        commands = [
            line.split()[0] for line in lines[lines.index("Load the bills:") :] if "  " in line
        ]
        assert commands == [
            *("load", "plan", "accept", "dismiss", "focus"),
            *("status", "history", "verify", "query", "report", "export"),
            *("demo", "init", "doctor", "config", "notify", "smoke-test", "sample", "explain"),
            *("state", "help", "completion"),
        ]

    def test_a_shell_can_complete_commands_and_options(self, run_process: Run) -> None:
        def completed(words: str) -> list[str]:
            env = {
                "_CLOUDBILL_COMPLETE": "complete_bash",
                "COMP_WORDS": words,
                "COMP_CWORD": str(len(words.split()) - 1),
            }
            return run_process(env=env).stdout.split()

        assert completed("cloudbill st") == ["status", "state"]
        assert completed("cloudbill status --max") == ["--max-age"]

    def test_the_version_is_that_of_the_package(self, run_process: Run) -> None:
        assert run_process("--version").stdout.split() == ["cloudbill", version("cloudbill")]

    def test_the_module_runs_as_the_command_does(self) -> None:
        words = (sys.executable, "-m", "cloudbill", "--version")
        module = subprocess.run(words, capture_output=True, text=True, check=True)
        assert module.stdout == subprocess.check_output([INSTALLED, "--version"], text=True)

    @pytest.mark.parametrize("words", [("explain", "LoadError"), ("load", "--no-such-option")])
    def test_the_command_that_tests_fork_says_what_the_installed_one_says(
        self, run_process: Run, run_installed: Run, words: tuple[str, ...]
    ) -> None:
        forked, installed = run_process(*words), run_installed(*words)
        assert (forked.returncode, forked.stdout, forked.stderr) == (
            installed.returncode,
            installed.stdout,
            installed.stderr,
        )


class TestLoad:
    def test_a_first_run_loads_every_month_to_the_last_digit_and_a_second_loads_nothing(
        self, run_process: Run, exports: tuple[WrittenRun, ...]
    ) -> None:
        first = json.loads(run_process("load", "--json").stdout)
        expected = newest(exports)
        assert first["failures"] == []
        assert {load["period"]: load["run_id"] for load in first["loads"]} == {
            period: written.run_id for period, written in expected.items()
        }
        for load in first["loads"]:
            written = expected[load["period"]]
            assert load["source"] == "azure_billing"
            assert load["rows"] == written.rows
            assert load["parts"] == 2
            assert load["job_id"] is None
            for currency, costs in load["totals"].items():
                assert set(costs) == {"BilledCost", "EffectiveCost", "ListCost", "ContractedCost"}
                for column, amount in costs.items():
                    assert Decimal(amount) == written.totals[currency][column]
                    assert len(amount.partition(".")[2]) == 18
        second = json.loads(run_process("load", "azure", "--json").stdout)
        assert second["loads"] == []
        assert {skip["reason"] for skip in second["skips"]} == {
            "already_loaded",
            "older_than_loaded",
        }

    def test_json_is_the_only_thing_on_stdout(
        self, run: Run, exports: tuple[WrittenRun, ...]
    ) -> None:
        result = run("load", "--json")
        assert set(json.loads(result.stdout)) == {"loads", "skips", "failures"}
        assert f"Discovered {len(exports)} Azure billing manifests" in result.stderr

    def test_one_month_is_loaded_when_one_is_asked_for(
        self, run: Run, exports: tuple[WrittenRun, ...]
    ) -> None:
        assert exports
        document = json.loads(run("load", "--month", "2025-09", "--json").stdout)
        assert [load["period"] for load in document["loads"]] == ["2025-09"]
        assert {skip["reason"] for skip in document["skips"]} == {"superseded", "not_selected"}

    def test_a_dry_run_says_what_it_would_do_and_leaves_not_even_a_file(
        self, run: Run, exports: tuple[WrittenRun, ...], tmp_path: Path
    ) -> None:
        assert exports
        result = run("load", "--dry-run")
        assert "Would load 2025-10" in result.stdout
        assert "60 rows" in result.stdout
        assert not list(tmp_path.glob("*.duckdb"))

    def test_quiet_prints_nothing(self, run_process: Run, exports: tuple[WrittenRun, ...]) -> None:
        assert exports
        result = run_process("load", "--quiet")
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")

    def test_force_loads_again_what_is_loaded(
        self, run: Run, exports: tuple[WrittenRun, ...]
    ) -> None:
        assert exports
        run("load")
        document = json.loads(run("load", "--force", "--json").stdout)
        assert [load["period"] for load in document["loads"]] == ["2025-10", "2025-09"]

    def test_a_damaged_part_fails_its_run_alone_with_exit_code_5_and_the_older_run_is_loaded(
        self, run: Run, exports: tuple[WrittenRun, ...]
    ) -> None:
        part = newest(exports)["2025-10"].part_paths[1]
        content = bytearray(part.read_bytes())
        content[4:2000] = b"\xff" * 1996
        part.write_bytes(content)
        result = run("load", "--json")
        document = json.loads(result.stdout)
        assert result.returncode == 5
        assert [load["period"] for load in document["loads"]] == ["2025-10", "2025-09"]
        (failure,) = document["failures"]
        assert failure["period"] == "2025-10"
        assert failure["run_id"] != document["loads"][0]["run_id"]
        assert failure["error"] == "LoadError"
        assert "Traceback" not in result.stderr


class TestHistory:
    def test_a_history_with_bad_days_is_loaded_as_time_passes(
        self, run: Run, tmp_path: Path
    ) -> None:
        configure(tmp_path, LOCAL)
        for days in ("12", "25"):
            written = run("sample", "exports", "--history", "--days", days, "--months", "1")
            assert written.returncode == 0
            shutil.copytree(tmp_path / "exports/azure", tmp_path / "exports", dirs_exist_ok=True)
            assert "Traceback" not in run("load").stderr
        verified = run("verify", "--json")
        months = json.loads(verified.stdout)["months"]
        assert [month["result"] for month in months] == ["equal"]


class TestConfiguration:
    @pytest.mark.parametrize(
        ("config", "words", "message"),
        [
            pytest.param("", ("load",), "No source is configured", id="no section"),
            pytest.param(
                "[sources.azure_billing]\nbuket = 'x'\nexport_name = 'y'",
                ("load",),
                "Did you mean 'bucket'?",
                id="unknown key",
            ),
            pytest.param(
                "[sources.azure_billing]\nexport_name = 'y'",
                ("load",),
                "'bucket' of source azure_billing is missing",
                id="missing key",
            ),
            pytest.param(LOCAL, ("load", "azur"), "Did you mean 'azure'?", id="unknown source"),
            pytest.param(
                LOCAL, ("load", "--month", "october"), "write it as YYYY-MM", id="no month"
            ),
        ],
    )
    def test_what_is_wrong_with_the_configuration_is_said_with_exit_code_2(
        self, run: Run, tmp_path: Path, config: str, words: tuple[str, ...], message: str
    ) -> None:
        configure(tmp_path, config)
        result = run(*words)
        assert result.returncode == 2
        assert message in result.stderr
        assert "Traceback" not in result.stderr

    def test_a_folder_that_is_not_there_is_exit_code_4(self, run: Run, tmp_path: Path) -> None:
        configure(tmp_path, LOCAL)
        result = run("load")
        assert result.returncode == 4
        assert "There is no folder" in result.stderr

    def test_a_database_that_another_process_holds_is_exit_code_5(
        self, run_process: Run, exports: tuple[WrittenRun, ...], tmp_path: Path
    ) -> None:
        assert exports
        with closing(duckdb.connect(str(tmp_path / "cloudbill.duckdb"))):
            result = run_process("load", env={"SOURCES__LOCK_TIMEOUT_S": "0.2"})
        assert result.returncode == 5
        assert "PID" in result.stderr

    def test_every_export_is_a_source_of_its_own(self, run: Run, tmp_path: Path) -> None:
        configure(
            tmp_path,
            """
            [sources]
            database = "bills.duckdb"
            [sources.azure_billing]
            bucket = "./exports"
            prefix = "billing"
            [sources.azure_billing.daily]
            export_name = "focus-daily"
            table_name = "daily"
            [sources.azure_billing.monthly]
            export_name = "focus-monthly"
            table_name = "monthly"
            """,
        )
        for name in ("focus-daily", "focus-monthly"):
            write_azure(tmp_path / "exports", months=1, rows=50, seed=3, export_name=name)
        result = run("load", "all", "--json")
        assert "azure_billing.daily and azure_billing.monthly - both deliver" in result.stderr
        assert "the sum of the tables doubles the bill" in result.stderr
        assert result.returncode == 0, "what was delivered is loaded"
        checked = run("status", "all", "--check")
        assert "the sum of the tables doubles the bill" in checked.stderr
        assert (checked.returncode, run("doctor").returncode) == (1, 1)
        document = json.loads(result.stdout)
        assert [load["source"] for load in document["loads"]] == [
            "azure_billing.daily",
            "azure_billing.monthly",
        ]
        with closing(duckdb.connect(str(tmp_path / "bills.duckdb"))) as connection:
            tables = connection.execute(
                "SELECT table_name FROM duckdb_tables() WHERE NOT starts_with(table_name, '_dlt')"
            ).fetchall()
        assert sorted(table for (table,) in tables) == [
            "daily",
            "daily_load_tracking",
            "monthly",
            "monthly_load_tracking",
        ]


class TestRepository:
    def test_main_py_loads_the_bundled_sample_and_a_second_time_nothing(
        self, tmp_path: Path
    ) -> None:
        clone = tmp_path / "clone"
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "main.py", ".dlt", "sample_exports"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        for name in listed:
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, clone / name)
        outputs = [
            subprocess.run(
                [sys.executable, "main.py", "all"],
                cwd=clone,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            for _ in range(2)
        ]
        assert outputs[0].count("Completed loading") == outputs[1].count(") - already loaded") > 0
        assert "Completed loading" not in outputs[1]

    def test_the_bundled_sample_is_what_the_sample_command_writes(
        self, run: Run, tmp_path: Path
    ) -> None:
        usual = ("sample", "again", "--months", "3", "--rows", "150", "--seed", "1")
        focus = ("--aws-forms", "focus-1.2", "--aws-overwrite")
        assert [run(*usual).returncode, run(*usual, *focus).returncode] == [0, 0]
        bundled = ROOT / "sample_exports"
        written = {p.relative_to(tmp_path / "again") for p in (tmp_path / "again").rglob("*.*")}
        assert written == {p.relative_to(bundled) for p in bundled.rglob("*.*")}
        assert sum(p.stat().st_size for p in bundled.rglob("*") if p.is_file()) <= 2_000_000
        for name in written:
            if name.suffix == ".json":
                assert (bundled / name).read_text() == (tmp_path / "again" / name).read_text()

    def test_the_bundled_focus_export_of_aws_loads_by_the_section_that_is_left_out(
        self, run: Run, tmp_path: Path
    ) -> None:
        text = (ROOT / ".dlt/config.toml").read_text()
        start = text.index("# [sources.aws_focus_billing]")
        section = text[start : text.index("[runtime]")].replace("# ", "")
        report = text[text.index("[sources.aws_billing]") : text.index("# The same AWS bill")]
        configure(tmp_path, section + report)
        shutil.copytree(ROOT / "sample_exports/aws", tmp_path / "sample_exports/aws")
        assert run("load").returncode == 0
        assert run("verify", "--strict").returncode == 0
        with closing(duckdb.connect(str(tmp_path / "cloudbill.duckdb"), read_only=True)) as opened:
            (focus, bill) = (
                opened.sql(
                    f"SELECT {period}, sum({cost}) FROM billing.{table} GROUP BY 1 ORDER BY 1"  # noqa: S608 - own text
                ).fetchall()
                for table, period, cost in (
                    ("aws_focus_billing_data", "BillingPeriodStart", "BilledCost"),
                    (
                        "aws_cur_billing_data",
                        "bill_billing_period_start_date",
                        "line_item_unblended_cost",
                    ),
                )
            )
        assert len(focus) == 3
        assert focus == bill
        # Which is why only one of them is configured.
        assert "doubles the bill" in run("doctor").stdout

    @pytest.mark.parametrize(
        "command",
        ["pip install uv && uv run main.py all", "pip install uv && uv run --group dev pytest"],
        ids=["run", "test"],
    )
    def test_the_readme_has_the_two_commands(self, command: str) -> None:
        assert command in (ROOT / "README.md").read_text()

    def test_the_table_of_keys_in_the_readme_is_that_of_the_code(self) -> None:
        command = [sys.executable, str(ROOT / "scripts/readme_keys.py"), "--check"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (result.returncode, result.stderr) == (0, "")

    def test_the_sample_is_written_in_any_form_of_aws_and_a_wrong_name_is_said(
        self, run: Run, tmp_path: Path
    ) -> None:
        given = ("sample", "all", "--months", "1", "--rows", "40", "--aws-forms")
        result = run(*given, "zip, athena,cur2-csv,zip")
        assert result.returncode == 0
        assert {path.name for path in (tmp_path / "all/aws").glob("*/*")} == {
            "aws-programmatic-access-test-object",
            "cur-athena",
            "cur-zip",
            "cur2-csv",
        }
        result = run(*given, "csv,focus")
        assert result.returncode == 2
        assert "'focus' is none of csv, zip, parquet, athena, cur2-parquet" in result.stderr

    def test_a_sample_that_cannot_be_written_is_no_fault_of_cloudbill(
        self, run: Run, tmp_path: Path
    ) -> None:
        (tmp_path / "file").touch()
        for history in ((), ("--history",)):
            result = run("sample", "file", *history)
            assert result.returncode == 2
            assert "The sample cannot be written to file: Not a directory" in result.stderr

    def test_ci_runs_the_readmes_test_command(self) -> None:
        assert "\npip install uv && uv run --group dev pytest\n" in (ROOT / ".ci/run").read_text()
