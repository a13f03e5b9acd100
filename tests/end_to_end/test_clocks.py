"""The newest load is the newest whatever the clock of a real process said."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from contract.deliveries import AzureWriter, Delivery, charges
from end_to_end.conftest import configure

if TYPE_CHECKING:
    from end_to_end.conftest import Run

FAKETIME = shutil.which("faketime")
NOW = datetime.now(UTC)
CONFIG = """
[sources.azure_billing]
bucket = "./exports"
prefix = "{prefix}"
export_name = "{export_name}"
"""

pytestmark = pytest.mark.skipif(
    FAKETIME is None and os.environ.get("CI") != "true", reason="there is no faketime"
)


def deliver(home: Path, run_id: str, days_ago: int) -> None:
    """Adds a run of October; each has one row more than the one before."""
    writer = AzureWriter()
    configure(home, CONFIG.format(prefix=writer.prefix, export_name=writer.export_name))
    at = NOW - timedelta(days=days_ago)
    delivery = Delivery(
        period="2025-10",
        charges=charges("2025-10", *["1"] * (20 - days_ago), note=run_id),
        submitted_at=at,
        run_id=run_id,
    )
    scratch = home / "scratch"
    writer.write(scratch, delivery)
    for file in scratch.rglob("*"):
        os.utime(file, (at.timestamp(), at.timestamp()))
    shutil.copytree(scratch, home / "exports", dirs_exist_ok=True)
    shutil.rmtree(scratch)


def at_clock(home: Path, clock: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs the command in a process whose clock says something else."""
    assert FAKETIME is not None
    command = [FAKETIME, "-f", clock, str(Path(sys.executable).parent / "cloudbill"), *words]
    # The clock that threads wait by is no clock that anybody sets.
    env = {**os.environ, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
    return subprocess.run(
        command, cwd=home, env=env, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("clock", ["+2h", "@2100-01-01 00:00:00", "@2001-01-01 00:00:00"])
def test_a_load_whose_clock_was_wrong_hides_nothing_that_came_after(
    run: Run, tmp_path: Path, clock: str
) -> None:
    deliver(tmp_path, "first", 9)
    assert run("load", "-q").returncode == 0
    deliver(tmp_path, "second", 8)
    done = at_clock(tmp_path, clock, "load")
    assert done.returncode in {0, 8}, done
    assert "(run_id: second)" in done.stdout
    deliver(tmp_path, "third", 7)
    assert run("load", "-q").returncode == 0

    again = run("load")

    assert "(run_id: third) - already loaded" in again.stdout
    (month,) = json.loads(run("history", "--json").stdout)["months"]
    assert [load["run_id"] for load in month["loads"]] == ["first", "second", "third"]
    shutil.rmtree(tmp_path / "exports")
    deliver(tmp_path, "second", 8)
    kept = run("load")
    assert kept.returncode == 0
    (shown,) = json.loads(run("status", "--json").stdout)["sources"][0]["months"]
    assert (shown["loaded"]["run_id"], shown["table_rows"]) == ("third", 13)
