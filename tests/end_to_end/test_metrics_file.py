"""`--metrics`: a file that a collector of Prometheus reads, however the command ended."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from contract.deliveries import AzureWriter
from end_to_end.conftest import configure
from end_to_end.situations import AZURE, NOW, deliver
from unit.alerts.test_metrics import samples

if TYPE_CHECKING:
    from end_to_end.conftest import Run

WRITER = AzureWriter()
SOURCE = {"command": "load", "source": "azure_billing"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with one source and one run of it."""
    configure(tmp_path, AZURE)
    deliver(tmp_path, WRITER, run_id="first")
    return tmp_path


def read(file: Path, **labels: str) -> dict[str, float]:
    """The samples of a file that have just these labels, by name."""
    wanted = frozenset(labels.items())
    found = samples(file.read_text(encoding="utf-8"))
    return {
        name.removeprefix("cloudbill_"): value
        for (name, of), value in found.items()
        if of == wanted
    }


def test_a_load_and_a_status_write_all_that_they_know(run: Run, home: Path) -> None:
    (home / "metrics").mkdir()
    assert run("load", "--metrics", "metrics/load.prom").returncode == 0
    found = read(home / "metrics/load.prom", **SOURCE)
    assert found.pop("last_success_timestamp_seconds") == pytest.approx(time.time(), abs=60)
    age = found.pop("newest_delivery_age_seconds")
    assert age == pytest.approx(time.time() - NOW.timestamp() + 10800, abs=60)
    assert found.pop("newest_delivery_timestamp_seconds") == pytest.approx(NOW.timestamp() - 10800)
    assert found == {"rows_loaded": 3, "table_rows": 3, "reasons": 0}
    for state, count in (("loaded", 1), ("held", 0), ("waiting", 0), ("failed", 0)):
        found = read(home / "metrics/load.prom", **SOURCE, state=state)
        assert found == {"months": count}
    of_run = read(home / "metrics/load.prom", command="load", sources="all")
    assert of_run["run_exit_code"] == 0
    # A second load has nothing to do, and that is a success as well.
    run("load", "azure", "--metrics", "metrics/load.prom")
    assert read(home / "metrics/load.prom", **SOURCE)["rows_loaded"] == 0
    assert run("status", "--metrics", "metrics/status.prom").returncode == 0
    found = read(home / "metrics/status.prom", command="status", source="azure_billing")
    assert "rows_loaded" not in found
    assert found["table_rows"] == 3
    assert [one.name for one in sorted((home / "metrics").iterdir())] == [
        "load.prom",
        "status.prom",
    ]


def test_a_failure_keeps_when_it_was_last_well(run: Run, run_process: Run, home: Path) -> None:
    file = home / "load.prom"
    run("load", "--metrics", "load.prom")
    well = read(file, **SOURCE)["last_success_timestamp_seconds"]
    (home / "exports").rename(home / "away")
    assert run("load", "--metrics", "load.prom").returncode == 4
    found = read(file, **SOURCE)
    # What is in the store is not known now, and what is in the table is.
    # The message of an alert has one reason, and so has this.
    assert found == {
        "last_success_timestamp_seconds": well,
        "rows_loaded": 0,
        "table_rows": 3,
        "reasons": 1,
    }
    assert read(file, **SOURCE, state="failed") == {}
    assert read(file, **SOURCE, state="loaded") == {"months": 1}
    assert read(file, **SOURCE, state="held") == {}
    assert read(file, command="load", sources="all")["run_exit_code"] == 4
    # On a machine without that file, the ledger says when the last month was loaded.
    file.unlink()
    run("load", "--metrics", "load.prom")
    found = read(file, **SOURCE)
    assert found["last_success_timestamp_seconds"] == pytest.approx(well, abs=60)
    # With a broken configuration only the file before it knows.
    configure(home, AZURE + "max_wait = 7\n")
    before = found["last_success_timestamp_seconds"]
    assert run("load", "--metrics", "load.prom").returncode == 2
    assert read(file, **SOURCE) == {
        "last_success_timestamp_seconds": before,
        "reasons": 1,
    }
    configure(home, "[sources\n")
    assert run_process("load", "--metrics", "load.prom").returncode == 2
    assert read(file, command="load", sources="all")["run_exit_code"] == 2
    assert read(file, **SOURCE) == {"last_success_timestamp_seconds": before}


def test_months_that_fail_and_that_are_held_are_counted(run: Run, home: Path) -> None:
    deliver(home, WRITER, run_id="broken", at=NOW, damaged=True)
    assert run("load", "--metrics", "load.prom").returncode == 5
    file = home / "load.prom"
    assert read(file, **SOURCE, state="failed") == {"months": 1}
    assert read(file, **SOURCE)["reasons"] == 1
    assert read(file, command="load", sources="all")["run_exit_code"] == 5


def test_the_collector_can_read_it_whatever_the_mask_is(run: Run, home: Path) -> None:
    before = os.umask(0o077)
    try:
        run("load", "--metrics", "load.prom")
    finally:
        os.umask(before)
    assert (home / "load.prom").stat().st_mode & 0o777 == 0o644


def test_where_it_cannot_be_written_the_load_is_done_and_it_is_said(run: Run, home: Path) -> None:
    (home / "file").write_text("")
    done = run("load", "--metrics", "file/load.prom")
    assert done.returncode == 2
    assert "Finished with exit code 0" in done.stdout
    assert "The metrics cannot be written to file/load.prom" in done.stderr
    assert "--metrics" in done.stderr
    assert "1 month loaded" in done.stdout
    assert run("status", "--metrics", "file/load.prom").returncode == 2
    # No collector reads a folder that was not there.
    done = run("load", "--metrics", "none/load.prom")
    assert (done.returncode, (home / "none").exists()) == (2, False)
    assert "The metrics cannot be written to none/load.prom: there is no folder none" in done.stderr


def test_while_the_file_is_locked_nothing_is_said_to_be_well(
    run: Run, run_process: Run, home: Path
) -> None:
    run("load")
    configure(home, AZURE + "lock_timeout_s = 1\n")
    with duckdb.connect(home / "cloudbill.duckdb"):
        assert run_process("load", "--metrics", "load.prom").returncode == 5
    assert read(home / "load.prom", **SOURCE)["reasons"] == 1
    assert read(home / "load.prom", **SOURCE, state="failed") == {}


def test_ages_by_the_key_count_in_a_status_without_check(run: Run, home: Path) -> None:
    configure(home, AZURE + 'max_age = "1m"\n')
    run("load")
    assert run("status", "--metrics", "status.prom").returncode == 0
    found = read(home / "status.prom", command="status", source="azure_billing")
    assert found["reasons"] == 1
