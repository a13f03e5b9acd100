"""An installation without extras loads, looks and compares, with DuckDB and files on disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cloudbill.disk.installation import read_installation
from contract.deliveries import AzureCsvWriter, AzureWriter, Delivery, Writer, at, charges
from end_to_end.conftest import configure
from samples import write_aws, write_azure

EXTRAS = ("adlfs", "gcsfs", "google.cloud", "numpy", "pandas", "pyarrow", "s3fs")
"""What only an extra of cloudbill brings, or one of those."""
PROGRAM = """
import json
import sys
for name in sys.argv[1].split(","):
    sys.modules[name] = None
from cloudbill.cli import main
codes = []
for words in json.loads(sys.argv[2]):
    try:
        main(words)
        codes.append(0)
    except SystemExit as ended:
        codes.append(ended.code or 0)
print(json.dumps(codes))
"""
SAMPLES = """
[sources.azure_billing]
bucket = "./exports"
prefix = "billing"
export_name = "focus-daily"
[sources.aws_billing]
bucket = "./exports"
prefix = "cur"
export_name = "cur-hourly"
"""


def run(
    home: Path, *commands: tuple[str, ...]
) -> tuple[list[int], subprocess.CompletedProcess[str]]:
    """The exit codes of commands, one after another in a process that can import no extra."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, ",".join(EXTRAS), json.dumps(commands)],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done
    return json.loads(done.stdout.splitlines()[-1]), done


def test_every_command_that_needs_no_extra_works_without(tmp_path: Path) -> None:
    write_azure(tmp_path / "exports", months=1, rows=40, seed=1)
    write_aws(tmp_path / "exports", months=1, rows=40, seed=1)
    configure(tmp_path, SAMPLES)
    commands = (
        ("plan",),
        ("load",),
        ("status", "--check"),
        ("history",),
        ("verify", "--strict"),
        ("doctor",),
        ("state", "rebuild"),
        ("load",),
        ("report",),
        ("smoke-test", "--project", "acme", "--bucket", "acme-bills", "--yes"),
    )
    codes, done = run(tmp_path, *commands)
    assert codes == [0] * (len(commands) - 1) + [2], done
    assert "unexpected" not in done.stderr
    assert replace(read_installation(), here=str(tmp_path)).adding("bigquery") in done.stderr


@pytest.mark.parametrize("writer", [AzureWriter(), AzureCsvWriter()])
def test_runs_whose_manifests_count_nothing_are_counted_without(
    tmp_path: Path, writer: Writer
) -> None:
    for day, run_id, costs in ((10, "full", 3000), (11, "cut", 20)):
        delivery = Delivery(
            period="2025-10",
            charges=charges("2025-10", *(f"{n}.{n}" for n in range(1, costs))),
            submitted_at=at(f"2025-11-{day} 04:00"),
            run_id=run_id,
            stated_rows=None,
        )
        writer.write(tmp_path / "exports", delivery)
        for file in (tmp_path / "exports").rglob("*"):
            os.utime(file, (delivery.submitted_at.timestamp(),) * 2)
    configure(
        tmp_path, SAMPLES.replace('billing"', f'{writer.prefix}"', 1).partition("[sources.aws")[0]
    )
    codes, done = run(tmp_path, ("load",), ("accept", "2025-10", "--yes"))
    assert codes == [6, 0], done
    assert "(run_id: cut) - held" in done.stdout
