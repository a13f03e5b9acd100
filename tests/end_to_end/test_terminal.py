"""What `load` shows on a terminal and in a log, and how Ctrl-C ends it."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from end_to_end.conftest import configure
from end_to_end.imported import INSTALLED
from end_to_end.terminal import Terminal, plain
from samples import write_aws, write_azure

if TYPE_CHECKING:
    from end_to_end.conftest import Run

LOCAL = """
[sources.azure_billing]
bucket = "./exports"
prefix = "billing"
export_name = "focus-daily"
"""
MONTHS = ["2025-10", "2025-09", "2025-08"]
ROWS = 20_000


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exports that take a while to load, written once."""
    folder = tmp_path_factory.mktemp("written")
    write_azure(folder, months=3, rows=ROWS, seed=3, runs_per_month=1)
    return folder


@pytest.fixture
def home(tmp_path: Path, written: Path) -> Path:
    """A folder with the configuration and the exports."""
    configure(tmp_path, LOCAL)
    shutil.copytree(written, tmp_path / "exports")
    return tmp_path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The same of few rows, where nobody has to see how a load gets on."""
    configure(tmp_path, LOCAL)
    write_azure(tmp_path / "exports", months=3, rows=100, seed=3, runs_per_month=1)
    return tmp_path


def months_held(home: Path) -> dict[str, int]:
    """The rows that the table holds of each month."""
    with closing(duckdb.connect(str(home / "cloudbill.duckdb"))) as connection:
        return dict(
            connection.execute(
                "SELECT strftime(BillingPeriodStart, '%Y-%m'), count(*) "
                "FROM billing.azure_focus_billing_data GROUP BY ALL"
            ).fetchall()
        )


class TestOnATerminal:
    def test_each_month_has_a_line_as_it_is_loaded_and_a_table_tells_all_at_the_end(
        self, home: Path
    ) -> None:
        code, text = Terminal("load", cwd=home).end()

        shown = plain(text)
        assert code == 0
        assert "Processing" not in shown
        for month in MONTHS:
            assert re.search(rf"{month} (starting|counting|inserting)", shown)
            assert f"{month} loaded into azure_focus_billing_data: 20,000 rows in " in shown
        *_, head, first, second, third = shown.strip().splitlines()
        # The last line of the bars was wiped away before the head of the table.
        assert re.search(r"source +month +run +rows +time +billed cost$", head)
        for line, month in zip((first, second, third), MONTHS, strict=True):
            assert re.fullmatch(
                rf"azure_billing  {month}  [0-9a-f]{{8}}  20,000  [\d.]+ s  +[\d,.]+  EUR", line
            )

    def test_the_cost_of_the_table_is_that_of_the_bill(self, small: Path) -> None:
        _, text = Terminal("load", "--month", "2025-10", "--exact", cwd=small).end()

        shown = re.search(r"s  +([\d,.]+)  EUR", plain(text))
        with closing(duckdb.connect(str(small / "cloudbill.duckdb"))) as connection:
            ((cost,),) = connection.execute(
                "SELECT sum(BilledCost) FROM billing.azure_focus_billing_data"
            ).fetchall()
        assert shown
        assert shown[1].replace(",", "") == f"{cost:f}".rstrip("0")

    def test_what_needs_nobody_is_counted_and_not_listed(self, run: Run, small: Path) -> None:
        assert run("load", cwd=small).returncode == 0

        code, text = Terminal("load", cwd=small).end()

        assert code == 0
        assert "Passed over: 3 already loaded (-v lists them)" in plain(text)
        assert "Skipping" not in plain(text)

    def test_verbose_lists_everything_in_plain_lines(self, run: Run, small: Path) -> None:
        assert run("load", cwd=small).returncode == 0

        _, text = Terminal("load", "-v", cwd=small).end()

        assert plain(text).count("Skipping") == 3

    def test_no_color_takes_the_colours_away(self, small: Path) -> None:
        colour = re.compile(r"\x1b\[[0-9;]*m")

        _, coloured = Terminal("load", cwd=small).end()
        _, bare = Terminal("load", "--force", cwd=small, env={"NO_COLOR": "1"}).end()

        assert colour.search(coloured)
        assert not [found for found in colour.findall(bare) if re.search(r"[39]\d", found)]
        assert "2025-10 loaded" in plain(bare)

    def test_quiet_shows_nothing(self, small: Path) -> None:
        assert Terminal("load", "-q", cwd=small).end() == (0, "")

    def test_a_failure_is_told_whole_and_says_where_more_stands(self, small: Path) -> None:
        part = max((small / "exports").rglob("20251001-*/*/*/part_0*"))
        part.write_bytes(part.read_bytes()[:-100] + b"\xff" * 100)

        code, text = Terminal("load", cwd=small).end()

        shown = " ".join(plain(text).split())
        assert code == 5
        assert "Failed 2025-10 (run_id: " in shown
        assert "More: cloudbill explain " in shown
        assert sorted(months_held(small)) == ["2025-08", "2025-09"]


class TestCtrlC:
    def test_keeps_what_is_loaded_says_so_and_the_next_run_goes_on(self, home: Path) -> None:
        terminal = Terminal("load", cwd=home, is_installed=True)
        terminal.wait_for(r"2025-10 loaded")
        terminal.type("\x03")

        code, text = terminal.end()

        shown = plain(text)
        held = months_held(home)
        assert code == 130
        assert "Stopping; again to leave at once" in shown
        assert f"Loaded and recorded: {', '.join(sorted(held, reverse=True))}" in shown
        assert "2025-08: " in shown
        assert "Run the same command again to continue: cloudbill load all" in shown
        assert "Traceback" not in shown
        assert {"2025-10"} <= set(held) < set(MONTHS)
        code, text = Terminal("load", cwd=home).end()
        assert code == 0
        assert f"Passed over: {len(held)} already loaded" in plain(text)
        assert months_held(home) == dict.fromkeys(MONTHS, ROWS)

    def test_before_anything_is_loaded_leaves_at_once(self, home: Path) -> None:
        terminal = Terminal("load", cwd=home, is_installed=True)
        terminal.wait_for("azure_billing looking")
        terminal.type("\x03")

        code, text = terminal.end()

        assert code == 130
        assert "Stopped. Nothing is half done; run the same again" in plain(text)
        assert "Traceback" not in text


class TestInALog:
    def test_lines_have_no_colour_and_no_movement(self, run: Run, small: Path) -> None:
        done = run("load", cwd=small)

        assert "Completed loading 2025-10" in done.stdout
        assert "\x1b" not in done.stdout + done.stderr

    def test_json_lines_tell_every_event_with_exact_amounts(self, run: Run, home: Path) -> None:
        done = run("load", "--log-format", "json", cwd=home)

        told = [json.loads(line) for line in done.stdout.splitlines()]
        assert [line["event"] for line in told] == [
            "discovered",
            *["load_started", "load_finished"] * 3,
            "finished",
        ]
        assert {line["source"] for line in told[:-1]} == {"azure_billing"}
        assert {line["level"] for line in told} == {"info"}
        assert all(line["time"].endswith("+00:00") for line in told)
        finished = [line for line in told if line["event"] == "load_finished"]
        assert [line["period"] for line in finished] == MONTHS
        assert [line["rows"] for line in finished] == [ROWS] * 3
        assert all(re.fullmatch(r"\d+\.\d{18}", f["totals"]["EUR"]["BilledCost"]) for f in finished)

    def test_json_lines_tell_failures_on_stderr(self, run: Run, small: Path) -> None:
        part = max((small / "exports").rglob("20251001-*/*/*/part_0*"))
        part.write_bytes(part.read_bytes()[:-100] + b"\xff" * 100)

        done = run("load", "--log-format", "json", cwd=small)

        (failure,) = [json.loads(line) for line in done.stderr.splitlines()]
        assert failure["level"] == "error"
        assert failure["event"] == "load_failed"
        assert failure["period"] == "2025-10"
        assert failure["exit_code"] == done.returncode

    def test_json_lines_tell_what_ends_the_command(self, run: Run, tmp_path: Path) -> None:
        done = run("load", "--log-format", "json", cwd=tmp_path)

        (failure,) = [json.loads(line) for line in done.stderr.splitlines()]
        assert (failure["event"], failure["error"]) == ("failed", "ConfigError")
        assert done.returncode == failure["exit_code"] == 2

    def test_a_scheduler_that_ends_the_process_is_answered_like_ctrl_c(self, home: Path) -> None:
        process = subprocess.Popen(
            [INSTALLED, "load"],
            cwd=home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        while "Completed loading 2025-10" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=90)

        assert process.returncode == 130
        assert "Loaded and recorded: 2025-10" in told
        assert "2025-10" in months_held(home)

    @pytest.mark.parametrize("source", ["azure", "all"])
    def test_a_month_that_is_loaded_is_recorded_before_the_process_ends(
        self, run: Run, tmp_path: Path, source: str
    ) -> None:
        write_azure(tmp_path / "azure", months=1, rows=60, seed=1, runs_per_month=1)
        write_aws(tmp_path / "aws", months=1, rows=60, seed=1)
        configure(
            tmp_path,
            '[sources.azure_billing]\nbucket = "./azure"\nprefix = "billing"\n'
            'export_name = "focus-daily"\n'
            '[sources.aws_billing]\nbucket = "./aws"\nprefix = "cur"\nexport_name = "cur-hourly"\n',
        )
        with subprocess.Popen(
            [INSTALLED, "load", source],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            while "Completed loading" not in process.stdout.readline():
                pass
            process.send_signal(signal.SIGTERM)
            _, told = process.communicate(timeout=90)

        # All is done of the source that it came to; with another one to come, it was stopped.
        assert process.returncode == (130 if source == "all" else 0), told
        again = run("load", "azure", "--json", cwd=tmp_path)
        assert again.returncode == 0
        assert [one["reason"] for one in json.loads(again.stdout)["skips"]] == ["already_loaded"]
        assert run("verify", "azure", cwd=tmp_path).returncode == 0


class TestTracebacks:
    def test_an_error_shows_its_traceback_only_when_asked(self, run: Run, tmp_path: Path) -> None:
        short, long = run("load", cwd=tmp_path), run("load", "-v", cwd=tmp_path)

        assert "Traceback" not in short.stderr
        assert "More: cloudbill explain ConfigError" in short.stderr
        assert "Traceback" in long.stderr
        assert short.returncode == long.returncode == 2

    @pytest.mark.parametrize("word", ["", "-v"])
    def test_what_nobody_expected_is_a_line_too(self, home: Path, word: str) -> None:
        program = (
            "import sys, cloudbill.pipeline as pipeline\n"
            "pipeline.load_source = lambda *_, **__: 1 / 0\n"
            "from cloudbill.cli import main\n"
            "main(sys.argv[1:])"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, "load", *([word] if word else [])],
            cwd=home,
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.returncode == 1
        assert "ZeroDivisionError" in done.stderr
        assert ("Traceback" in done.stderr) == bool(word)
        assert "Its traceback is in" in done.stderr
