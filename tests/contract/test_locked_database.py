"""A DuckDB file that another process has locked."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cloudbill.errors import LoadError
from cloudbill.warehouses.duckdb.opening import connect

if TYPE_CHECKING:
    import duckdb


class TestLockedFile:
    """It is waited for, and then the process is named."""

    HOLD = (
        "import duckdb, sys, time\n"
        "held = duckdb.connect(sys.argv[1])\n"
        "print('held', flush=True)\n"
        "time.sleep(float(sys.argv[2]))\n"
    )

    def hold(self, file: Path, seconds: float) -> subprocess.Popen[str]:
        """Another process that holds the file."""
        command = [sys.executable, "-c", self.HOLD, str(file), str(seconds)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        process.stdout.close()
        return process

    def open(self, file: Path, *, timeout_s: float) -> duckdb.DuckDBPyConnection:
        """A connection that writes the file."""
        return connect(file, read_only=False, timeout_s=timeout_s, storage_version="v1.4.0")

    def test_file_that_becomes_free_is_opened(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        with self.hold(tmp_path / "bills.duckdb", 1) as holder:
            self.open(tmp_path / "bills.duckdb", timeout_s=20).close()

        (waiting,) = [record.getMessage() for record in caplog.records]
        assert f"(PID {holder.pid})" in waiting

    def test_wait_ends_and_the_holder_is_named(self, tmp_path: Path) -> None:
        with self.hold(tmp_path / "bills.duckdb", 60) as holder:
            started = time.monotonic()
            with pytest.raises(LoadError, match=rf"within 0.5 s: .*PID {holder.pid}.*lock_timeout"):
                self.open(tmp_path / "bills.duckdb", timeout_s=0.5)
            assert time.monotonic() - started < 5
            holder.kill()
