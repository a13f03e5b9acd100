"""A DuckDB file that another process has open: one line while it is waited for, then the result."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from end_to_end.conftest import configure
from end_to_end.imported import imported_command
from samples import write_azure

if TYPE_CHECKING:
    from pathlib import Path

    from end_to_end.conftest import Run

LOCAL = """
[sources.azure_billing]
bucket = "./exports"
prefix = "billing"
export_name = "focus-daily"
lock_timeout_s = 0.3
"""
OPEN = """
import duckdb, sys, time
opened = duckdb.connect("cloudbill.duckdb", read_only=sys.argv[1] == "reads")
print("open", flush=True)
time.sleep(float(sys.argv[2]))
"""

LEAVES_A_LOG = """
import duckdb, os
opened = duckdb.connect("cloudbill.duckdb")
opened.execute("CREATE TABLE billing.of_others AS SELECT 1 AS x")
os._exit(0)
"""
OPENS_OFTEN = """
import duckdb, select, sys
opened = refused = 0
while not select.select([sys.stdin], [], [], 0.002)[0]:
    try:
        duckdb.connect("cloudbill.duckdb", read_only=True, config={"threads": 1}).close()
        opened += 1
    except duckdb.IOException:
        refused += 1
print(opened, refused)
"""


@pytest.fixture(autouse=True)
def _loaded(run: Run, tmp_path: Path) -> None:
    """A month that is loaded."""
    configure(tmp_path, LOCAL)
    write_azure(tmp_path / "exports", months=1, rows=40, seed=1)
    assert run("load", "-q").returncode == 0


@contextmanager
def other_process(folder: Path, does: str, seconds: float = 60) -> Iterator[int]:
    """While the block runs, a process reads or writes the file; gives its id."""
    command = [sys.executable, "-c", OPEN, does, str(seconds)]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process.pid
        process.kill()


def test_a_reader_does_not_fail_a_run_that_has_nothing_to_load(run: Run, tmp_path: Path) -> None:
    with other_process(tmp_path, "reads"):
        quiet, told = run("load", "-q"), run("load")

    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    assert (told.returncode, told.stderr) == (0, "")
    assert "already loaded" in told.stdout


def test_what_has_nothing_to_do_beside_a_reader_needs_no_lock_even_with_a_log(
    run: Run, tmp_path: Path
) -> None:
    subprocess.run([sys.executable, "-c", LEAVES_A_LOG], cwd=tmp_path, check=True)
    with other_process(tmp_path, "reads"):
        assert (tmp_path / "cloudbill.duckdb.wal").exists()
        codes = [run(*words).returncode for words in (("load", "-q"), ("focus",))]
        accepted = run("accept", "2025-10")

    assert codes == [0, 0]
    assert (accepted.returncode, "no run of 2025-10 is held" in accepted.stderr) == (2, True)


def test_no_reader_is_refused_while_runs_find_nothing_to_load(
    run_process: Run, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", OPENS_OFTEN]
    with subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:
        codes = [run_process("load", "-q").returncode for _ in range(2)]
        opened, refused = map(int, reader.communicate("over")[0].split())

    assert codes == [0, 0]
    assert opened > 2
    assert refused == 0


def test_of_two_runs_at_once_the_second_plans_again_and_loads_nothing_twice(
    run: Run, tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path / "exports")
    write_azure(tmp_path / "exports", months=3, rows=40, seed=2)
    (tmp_path / "cloudbill.duckdb").unlink()
    env = {**os.environ, "SOURCES__AZURE_BILLING__LOCK_TIMEOUT_S": "60"}
    command = [str(imported_command()), "load", "--json"]
    runs = [
        subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    documents = [json.loads(one.communicate(timeout=120)[0]) for one in runs]

    assert [one.returncode for one in runs] == [0, 0]
    loaded = [load["period"] for one in documents for load in one["loads"]]
    assert len(loaded) == len({*loaded}) == 3
    assert "equal" in run("verify").stdout


def test_a_run_that_has_something_to_load_waits_for_a_reader_and_says_so_once(
    run: Run, tmp_path: Path
) -> None:
    with other_process(tmp_path, "reads", seconds=2.5) as pid:
        done = run("load", "--force", env={"SOURCES__AZURE_BILLING__LOCK_TIMEOUT_S": "60"})

    assert done.returncode == 0
    (waiting,) = done.stderr.splitlines()
    assert waiting.startswith("cloudbill.duckdb is locked by ")
    assert f"(PID {pid})" in waiting
    assert waiting.endswith("; waiting for at most 60 s")


@pytest.mark.parametrize("command", ["load", "plan", "status", "history", "verify"])
def test_a_writer_ends_a_command_with_one_line_and_then_the_failure(
    run: Run, tmp_path: Path, command: str
) -> None:
    with other_process(tmp_path, "writes") as pid:
        done = run(command)

    waiting, failed = [line for line in done.stderr.splitlines() if not line.startswith("More:")]
    assert done.returncode == 5
    assert waiting.startswith("cloudbill.duckdb is locked by ")
    assert failed.startswith("Failed azure_billing - The DuckDB file cloudbill.duckdb was not free")
    if command == "plan":
        assert done.stdout == "azure_billing: it is not known what would be loaded\n"
    if command == "history":
        assert done.stdout == ""
    for line in (waiting, failed):
        assert f"(PID {pid})" in line
        assert "_" not in line.replace("azure_billing", "").replace("lock_timeout_s", "")


def test_a_quiet_load_says_nothing_but_the_failure(run: Run, tmp_path: Path) -> None:
    with other_process(tmp_path, "writes"):
        done = run("load", "-q")

    failed, more = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (5, "")
    assert failed.startswith("Failed azure_billing - The DuckDB file cloudbill.duckdb was not free")
    assert more == "More: cloudbill explain LoadError"


class TestReport:
    def test_a_good_page_stays_where_nothing_can_be_read(self, run: Run, tmp_path: Path) -> None:
        assert run("report").returncode == 0
        good = (tmp_path / "report.html").read_bytes()
        with other_process(tmp_path, "writes"):
            done = run("report")

        assert done.returncode == 5
        assert (
            "No page was written, because no source could be read; report.html is still the one "
            "from before"
        ) in done.stderr.splitlines()
        assert (tmp_path / "report.html").read_bytes() == good
        assert run("report").returncode == 0
        assert list(tmp_path.glob("report.html*")) == [tmp_path / "report.html"]

    def test_a_source_that_can_be_read_is_drawn_though_another_cannot(
        self, run: Run, tmp_path: Path
    ) -> None:
        broken = '[sources.aws_billing]\nbucket = "./x"\nexport_name = "x"\ndatabase = ".dlt"\n'
        configure(tmp_path, f"{LOCAL}\n{broken}")

        done = run("report")

        assert done.returncode == 2
        assert "'database' names .dlt, which is not a file" in done.stderr
        assert "which is not a file" in (tmp_path / "report.html").read_text()

    def test_a_page_is_written_to_a_pipe_as_well(self, run_process: Run) -> None:
        done = run_process("report", "-o", "/dev/stdout")

        assert done.returncode == 0
        assert done.stdout.startswith("<!doctype html>")
