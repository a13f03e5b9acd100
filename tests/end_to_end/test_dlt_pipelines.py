"""The sources inside dlt pipelines of the user's own."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import dlt
import duckdb
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

from aws_forms import write_data_export
from cloudbill import aws_billing_source, aws_focus_billing_source, azure_billing_source
from samples import write_azure

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dlt.extract import DltSource

pytestmark = pytest.mark.usefixtures("own_dlt")


@pytest.fixture(autouse=True)
def _in_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_azure(tmp_path / "exports", months=2, rows=50, seed=2)


def pipeline(tmp_path: Path) -> dlt.Pipeline:
    """A pipeline as a user writes it."""
    return dlt.pipeline(
        "mine",
        destination=dlt.destinations.duckdb(str(tmp_path / "mine.duckdb")),
        dataset_name="bills",
        pipelines_dir=str(tmp_path / "pipelines"),
    )


def counts(tmp_path: Path) -> tuple[int, int]:
    """Rows of the bill and of its tracking table."""
    with closing(duckdb.connect(str(tmp_path / "mine.duckdb"))) as connection:
        (bill,) = connection.execute("SELECT count(*) FROM bills.focus").fetchall()[0]
        (track,) = connection.execute("SELECT count(*) FROM bills.focus_load_tracking").fetchall()[
            0
        ]
    return bill, track


def test_months_and_tracking_go_to_the_pipelines_own_file_and_dataset(tmp_path: Path) -> None:
    for _ in range(2):
        pipeline(tmp_path).run(
            azure_billing_source(
                bucket="./exports", prefix="billing", export_name="focus-daily", table_name="focus"
            )
        )
        assert counts(tmp_path) == (100, 2)
    with closing(duckdb.connect(str(tmp_path / "mine.duckdb"))) as connection:
        (tags,) = connection.execute("SELECT tags FROM duckdb_databases() LIMIT 1").fetchall()[0]
    assert tags == {"storage_version": "v1.4.0+"}


@pytest.mark.parametrize(
    ("table", "source"), [("cur", aws_billing_source), ("focus", aws_focus_billing_source)]
)
def test_both_kinds_of_data_exports_have_a_source(
    tmp_path: Path, table: str, source: Callable[..., DltSource]
) -> None:
    write_data_export(tmp_path / "exports", "export", table=table)
    for _ in range(2):
        pipeline(tmp_path).run(
            source(
                bucket="./exports",
                prefix="data-exports",
                export_name="export",
                table_name="focus",
            )
        )
        assert counts(tmp_path) == (3, 1)


def test_configuration_and_environment_fill_in_what_is_not_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCES__AZURE_BILLING__BUCKET", "./exports")
    monkeypatch.setenv("SOURCES__AZURE_BILLING__PREFIX", "billing")
    monkeypatch.setenv("SOURCES__AZURE_BILLING__EXPORT_NAME", "focus-daily")
    pipeline(tmp_path).run(azure_billing_source(table_name="focus"))
    assert counts(tmp_path) == (100, 2)


def test_a_month_that_fails_is_raised_once_the_others_are_loaded_and_recorded(
    tmp_path: Path,
) -> None:
    (part, *_) = sorted((tmp_path / "exports").rglob("20251001-*/*/*/part_0*"))[-1:]
    part.write_bytes(part.read_bytes()[:100] + b"\xff" * 500 + part.read_bytes()[600:])
    source = azure_billing_source(
        bucket="./exports", prefix="billing", export_name="focus-daily", table_name="focus"
    )
    # The older run of October is loaded instead of the damaged one.
    # What was loaded is recorded first, since dlt forgets what a resource wrote if it raises.
    pipeline(tmp_path).run(source)
    assert counts(tmp_path) == (78, 2)
    with pytest.raises(PipelineStepFailed, match="2025-10"):
        pipeline(tmp_path).run(source)
    assert counts(tmp_path) == (78, 2)
