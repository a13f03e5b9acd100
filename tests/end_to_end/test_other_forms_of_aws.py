"""An export of AWS in the section of another kind, or without its manifests, is said as it is."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aws_forms import write_data_export, write_report
from end_to_end.conftest import configure
from end_to_end.situations import BEFORE, NOW, ends
from samples import write_azure

if TYPE_CHECKING:
    from end_to_end.conftest import Run

SECTIONS = {"cur": "aws_billing", "focus": "aws_focus_billing"}


def section(name: str, prefix: str, export_name: str) -> str:
    """The configuration of a source."""
    return (
        f"[sources.{name}]\nbucket = './exports'\nprefix = '{prefix}'\n"
        f"export_name = '{export_name}'\n"
    )


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    """An empty bucket."""
    return tmp_path / "exports"


class TestOtherSection:
    @pytest.mark.parametrize("table", ["cur", "focus"])
    @pytest.mark.parametrize("form", ["parquet", "gzip"])
    def test_each_data_export_names_the_section_that_it_belongs_into(
        self, run: Run, bucket: Path, table: str, form: str
    ) -> None:
        for month in ("2025-09", "2025-10"):
            write_data_export(bucket, "export", table=table, form=form, month=month)
        (other,) = {*SECTIONS.values()} - {SECTIONS[table]}
        configure(bucket.parent, section(other, "data-exports", "export"))
        ends(
            run,
            3,
            f"configure it in [sources.{SECTIONS[table]}]",
        )
        # Azure reads none of them, so that what lies there is looked at.
        configure(bucket.parent, section("azure_billing", "data-exports", "export"))
        ends(
            run, 3, f"Configure it in [sources.{SECTIONS[table]}]", "Cost and usage details (FOCUS)"
        )
        configure(bucket.parent, section(SECTIONS[table], "data-exports", "export"))
        assert run("load").returncode == 0

    @pytest.mark.parametrize("form", ["parquet", "gzip"])
    def test_a_query_without_columns_in_its_manifest_is_told_by_its_files(
        self, run: Run, bucket: Path, form: str
    ) -> None:
        manifest = write_data_export(bucket, "export", table="focus", form=form)
        stated = json.loads(manifest.read_text())
        del stated["columns"]
        manifest.write_text(json.dumps(stated))
        configure(bucket.parent, section("aws_billing", "data-exports", "export"))
        done = run("load")
        assert done.returncode == 3, done
        assert "[sources.aws_focus_billing]" in done.stderr
        configure(bucket.parent, section("aws_focus_billing", "data-exports", "export"))
        assert run("load").returncode == 0

    def test_a_legacy_report_is_no_focus_export(self, run: Run, bucket: Path) -> None:
        write_report(bucket, "daily")
        configure(bucket.parent, section("aws_focus_billing", "reports", "daily"))
        ends(run, 3, "an AWS Cost and Usage Report", "Configure it in [sources.aws_billing]")

    @pytest.mark.parametrize("name", SECTIONS.values())
    def test_focus_of_azure_is_none_of_aws(self, run: Run, bucket: Path, name: str) -> None:
        write_azure(bucket, months=1, rows=40, seed=1)
        configure(bucket.parent, section(name, "billing", "focus-daily"))
        ends(run, 3, "is of an Azure FOCUS export", "Configure it in [sources.azure_billing]")


class TestNoBill:
    @pytest.mark.parametrize(
        ("partition", "columns", "named"),
        [
            ("date=2025-10-01", ["recommendation_id", "action_type"], "cost optimization"),
            ("date=2025-10-01", [], "cost optimization"),
            ("usage_period=2025-10", [], "carbon emissions"),
            ("BILLING_PERIOD=2025-10", ["total_mbm_emissions_value"], "carbon emissions"),
        ],
    )
    def test_it_is_refused_by_name(
        self, run: Run, bucket: Path, partition: str, columns: list[str], named: str
    ) -> None:
        home = bucket / "data-exports/hub"
        manifest = home / "metadata" / partition / "hub-Manifest.json"
        data = home / "data" / partition / "hub-00001.snappy.parquet"
        for file in (manifest, data):
            file.parent.mkdir(parents=True)
        data.write_bytes(b"PAR1")
        stated = {
            "executionId": "x",
            "columns": [{"name": column, "type": "string"} for column in columns],
            "dataFiles": [f"s3://b/{data.relative_to(bucket)}"],
        }
        manifest.write_text(json.dumps(stated))
        for name in ("azure_billing", "aws_billing"):
            configure(bucket.parent, section(name, "data-exports", "hub"))
            ends(run, 3, named)
        manifest.unlink()
        done = run("load")
        assert done.returncode == 3
        assert ("metadata/" if "BILLING" in partition else named) in done.stderr


class TestWithoutMetadata:
    @pytest.mark.parametrize("table", ["cur", "focus"])
    def test_data_alone_is_said_to_lack_metadata(self, run: Run, bucket: Path, table: str) -> None:
        shutil.rmtree(write_data_export(bucket, "export", table=table).parents[1])
        configure(bucket.parent, section(SECTIONS[table], "data-exports", "export"))
        ends(run, 3, "1 Parquet file of a Data Export in data/", "has to bring metadata/ as well")
        configure(bucket.parent, section("azure_billing", "data-exports", "export"))
        ends(run, 3, "[sources.aws_billing] or [sources.aws_focus_billing]")

    def test_the_status_of_a_report_needs_no_manifest(self, run: Run, bucket: Path) -> None:
        manifest = write_report(bucket, "daily", form="parquet", month=BEFORE)
        written = (NOW - timedelta(days=9)).timestamp()
        for file in bucket.rglob("*.*"):
            os.utime(file, (written, written))
        status = "cost_and_usage_data_status"
        later = manifest.parents[1] / f"daily/{status}/{status}.parquet"
        later.parent.mkdir()
        later.write_bytes(b"PAR1")
        os.utime(later, ((NOW - timedelta(days=3)).timestamp(),) * 2)
        configure(bucket.parent, section("aws_billing", "reports", "daily"))
        ends(run, 0)


class TestDeliveries:
    @pytest.mark.parametrize("table", ["cur", "focus"])
    @pytest.mark.parametrize(
        "run_ids", [("", ""), ("2025-10-01T00:00:00.000Z-1", "2025-10-02T00-2")]
    )
    def test_the_newest_run_replaces_its_month_in_both_delivery_modes(
        self, run: Run, bucket: Path, table: str, run_ids: tuple[str, str]
    ) -> None:
        configure(bucket.parent, section(SECTIONS[table], "data-exports", "export"))
        for run_id, costs in zip(run_ids, (("1", "2"), ("1", "2", "4")), strict=True):
            written = write_data_export(bucket, "export", table=table, run=run_id, costs=costs)
            stated = json.loads(written.read_text())
            stated["executionId"] = f"run-{len(costs)}"
            written.write_text(json.dumps(stated))
            done = run("load", "--json")
            (load,) = json.loads(done.stdout)["loads"]
            assert (load["run_id"], load["rows"]) == (f"run-{len(costs)}", len(costs))
        assert run("load", "--json").stdout.count("already_loaded") == 1
        (month,) = json.loads(run("verify", "--json", "--strict").stdout)["months"]
        assert month["result"] == "equal"

    def test_a_section_may_change_its_form(self, run: Run, bucket: Path) -> None:
        for month in ("2025-09", "2025-10"):
            write_report(bucket, "old", month=month)
        write_data_export(bucket, "new")
        configure(bucket.parent, section("aws_billing", "reports", "old"))
        assert run("load").returncode == 0
        configure(bucket.parent, section("aws_billing", "data-exports", "new"))
        assert [one["run_id"] for one in json.loads(run("load", "--json").stdout)["loads"]] == [
            "run-of-new"
        ]
        ends(run, 0)

    def test_costs_without_a_currency_are_said_by_load_and_status_and_doctor(
        self, run: Run, bucket: Path
    ) -> None:
        write_data_export(bucket, "export", form="gzip")
        (part,) = bucket.rglob("*.csv.gz")
        part.write_bytes(gzip.compress(gzip.decompress(part.read_bytes()).replace(b"USD", b"")))
        configure(bucket.parent, section("aws_billing", "data-exports", "export"))
        said = "rows without a currency have 1.35 in 'line_item_unblended_cost': no bill can"

        done = run("load", "--quiet")

        assert done.returncode == 0
        assert said in done.stdout + done.stderr
        assert said in " ".join(run("status").stdout.split())
        (source,) = json.loads(run("status", "--json").stdout)["sources"]
        assert source["months"][0]["loaded"]["without_currency"] == said.partition(":")[0]
        examined = run("doctor")
        assert examined.returncode == 1
        assert said in " ".join(examined.stdout.split())

    def test_a_month_without_files_is_said_once_and_files_replace_it(
        self, run: Run, bucket: Path
    ) -> None:
        manifest = write_data_export(bucket, "export")
        described = json.loads(manifest.read_text())
        manifest.write_text(json.dumps(described | {"executionId": "e-0", "dataFiles": []}))
        configure(bucket.parent, section("aws_billing", "data-exports", "export"))

        done = run("load", "--quiet")

        assert done.returncode == 0
        assert "Loaded 2025-10 (run_id: e-0) without rows: " in done.stdout + done.stderr
        assert "export-Manifest.json lists no file" in done.stdout + done.stderr
        again = run("load", "--quiet")
        assert (again.returncode, again.stdout + again.stderr) == (0, "")
