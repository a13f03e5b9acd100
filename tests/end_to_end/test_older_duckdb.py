"""The file is for every DuckDB, not only for the one that writes it; a newer file can be copied."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import duckdb
import pytest

from end_to_end.conftest import configure
from samples import write_aws, write_azure

if TYPE_CHECKING:
    from pathlib import Path

    from end_to_end.conftest import Run

SOURCES = """
[sources.azure_billing]
bucket = "./exports"
prefix = "billing"
export_name = "focus-daily"
[sources.aws_billing]
bucket = "./exports"
prefix = "cur"
export_name = "cur-hourly"
"""
QUERIES = (
    "SELECT x_Source, count(*), sum(BilledCost)::VARCHAR FROM billing.focus GROUP BY 1 ORDER BY 1",
    "SELECT x_Source, Rule, FaultyRows FROM billing.focus_faults ORDER BY ALL",
    "SELECT column_name, comment FROM duckdb_columns() WHERE comment <> '' ORDER BY ALL",
)
ASK = """
import duckdb, json, sys
file, *queries = sys.argv[1:]
opened = duckdb.connect(file, read_only=True)
print(json.dumps([duckdb.__version__, *(opened.execute(query).fetchall() for query in queries)]))
"""


@pytest.fixture(autouse=True)
def _configured(tmp_path: Path) -> None:
    configure(tmp_path, SOURCES)
    write_azure(tmp_path / "exports", months=1, rows=40, seed=1)
    write_aws(tmp_path / "exports", months=1, rows=40, seed=1)


def answers(file: Path, folder: Path | None = None) -> list[object]:
    """The version of a DuckDB, which may be installed in a folder, and what it answers."""
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(file), *QUERIES],
        env={**os.environ, "PYTHONPATH": str(folder or "")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found: list[object] = json.loads(done.stdout)
    return found


def install(versions: str, folder: Path) -> None:
    """Installs a DuckDB, without anything else, into a folder."""
    command = ["uv", "pip", "install", "-q", "--no-deps", "--python", sys.executable, "--target"]
    done = subprocess.run(
        [*command, str(folder), f"duckdb{versions}"],
        cwd=folder.parent,  # where no project pins the version
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        pytest.fail(f"duckdb{versions} cannot be installed, so nothing was tested: {done.stderr}")


def test_a_new_file_and_its_views_are_read_by_older_duckdbs(run: Run, tmp_path: Path) -> None:
    assert run("load", "-q").returncode == 0
    _, *expected = answers(tmp_path / "cloudbill.duckdb")
    assert all(expected)
    for versions, begins in ((">=1.4,<1.5", "1.4."), (">=1.5,<2", "1.")):
        install(versions, tmp_path / begins)

        version, *found = answers(tmp_path / "cloudbill.duckdb", tmp_path / begins)

        assert str(version).startswith(begins)
        assert found == expected


def test_doctor_says_who_cannot_read_a_file_and_its_statements_copy_all_of_it(
    run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "cloudbill.duckdb"
    assert run("load", "-q", env={"SOURCES__STORAGE_VERSION": "latest"}).returncode == 0
    before = answers(file)
    bytes_before = file.read_bytes()

    told = [line for line in run("doctor").stdout.splitlines() if "storage version" in line]
    assert run("load", "-q").returncode == 0

    (line,) = told
    assert line.startswith(
        "note  cloudbill.duckdb - storage version v2.0.0: DuckDB 2.0.0 and newer"
    )
    assert file.read_bytes() == bytes_before
    duckdb.execute(line[line.index("ATTACH") :])
    duckdb.execute("DETACH old; DETACH new")
    (tmp_path / "cloudbill.duckdb.new").replace(file)
    assert "ok    cloudbill.duckdb - storage version v1.4.0: " in run("doctor").stdout
    assert answers(file) == before
    quiet = run("load", "-q")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    assert "nothing to change" in run("focus").stdout


def test_a_lower_version_counts_where_the_file_is_made(run: Run, tmp_path: Path) -> None:
    assert run("load", "azure", "-q", env={"SOURCES__STORAGE_VERSION": "1.2"}).returncode == 0
    assert run("load", "aws", "-q").returncode == 0

    with duckdb.connect(str(tmp_path / "cloudbill.duckdb"), read_only=True) as opened:
        tags = opened.execute("SELECT tags FROM duckdb_databases() LIMIT 1").fetchall()
    assert tags == [({"storage_version": "v1.2.0+"},)]
