"""A value that does not do is named with its source, and no other source notices it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from end_to_end.conftest import configure
from samples import write_aws, write_azure

if TYPE_CHECKING:
    from end_to_end.conftest import Run

AZURE = """
[sources.azure_billing]
bucket = "./exports"
prefix = "billing"
export_name = "focus-daily"
"""
AWS = """
[sources.aws_billing]
bucket = "./exports"
prefix = "cur"
export_name = "cur-hourly"
"""
COMMANDS = (("load", "-q"), ("status", "--check"), ("doctor",))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A month of each provider, written once."""
    folder = tmp_path_factory.mktemp("written")
    write_azure(folder, months=1, rows=40, seed=1)
    write_aws(folder, months=1, rows=40, seed=1)
    return folder


@pytest.fixture(autouse=True)
def exports(tmp_path: Path, written: Path) -> None:
    """The same, for one test."""
    shutil.copytree(written, tmp_path / "exports")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('memory_limit = "1KB"', "too little for DuckDB to open its file; give it 1GB"),
        ('storage_version = "v1.99"', "does not know; name a version of DuckDB such as v1.4.0"),
        ('database = "./exports"', "exports, which is not a file; name a file"),
        ('bucket = "$HOME/exports"', "neither the name of a bucket nor a path"),
        ("export_name = {a = 1}", "'export_name' of [sources.azure_billing] must be a text"),
        ("bucket = [1, 2]", "'bucket' of [sources.azure_billing] must be a text"),
    ],
)
def test_a_value_is_named_and_the_other_source_goes_on(
    run: Run, tmp_path: Path, subtests: pytest.Subtests, line: str, said: str
) -> None:
    name = line.partition(" ")[0]
    kept = [one for one in AZURE.splitlines() if not one.startswith(name)]
    configure(tmp_path, "\n".join([*kept, line, AWS]))
    assert run("load", "aws", "-q").returncode == 0

    for words in COMMANDS:
        with subtests.test(" ".join(words)):
            done = run(*words)

            output = done.stdout + done.stderr
            assert done.returncode == 2, output
            assert said in output
            assert "Failed aws_billing" not in output
            assert "LOOK  aws_billing" not in output
            assert "unexpected" not in output
            assert "Possible solutions" not in output


@pytest.mark.parametrize("path", ["C:\\Users", "C:\\bills"], ids=["no escape", "escape"])
def test_a_path_of_windows_in_double_quotes_needs_single_ones(
    run_process: Run, tmp_path: Path, path: str
) -> None:
    configure(tmp_path, AZURE.replace("./exports", path))

    done = run_process("load")

    assert done.returncode == 2
    assert "write a path of Windows in single quotes" in done.stderr


def test_a_folder_that_cannot_be_made_is_named(run: Run, tmp_path: Path) -> None:
    configure(tmp_path, f'{AZURE}\ndatabase = "/proc/x/y.duckdb"\n{AWS}')

    done = run("load", "-q")

    assert done.returncode == 2
    assert "Set 'database' of [sources.azure_billing] to a file in a folder" in done.stderr


def test_a_section_that_is_no_table_is_not_passed_over(
    run: Run, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    configure(tmp_path, f"[sources]\nazure_billing = 3\n{AWS}")
    assert run("load", "aws", "-q").returncode == 0

    for words in COMMANDS:
        with subtests.test(" ".join(words)):
            done = run(*words)

            assert done.returncode == 2
            said = done.stdout + done.stderr
            assert "'azure_billing' in [sources] is 3, and must be a section" in said


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("RUNTIME__SENTRY_DSN", "https://x@y.example/1"),
        ("RUNTIME__LOG_LEVEL", "nope"),
        ("RUNTIME__DLTHUB_TELEMETRY", "abc"),
        ("RUNTIME__REQUEST_TIMEOUT", "abc"),
    ],
)
def test_a_setting_of_dlt_that_dlt_does_not_take_is_named(
    run_process: Run, tmp_path: Path, variable: str, value: str
) -> None:
    configure(tmp_path, AWS)

    done = run_process("load", "-q", env={variable: value})

    assert done.returncode == 2
    assert "dlt does not take its settings in the variables " in done.stderr
    assert variable in done.stderr
    assert "fault of cloudbill" not in done.stderr
