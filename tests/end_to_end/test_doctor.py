"""`cloudbill doctor` says what is well and what to do, and changes nothing."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import shutil
import subprocess
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from google.cloud import bigquery as bq

from end_to_end.conftest import configure
from end_to_end.imported import imported_command
from samples import write_azure

if TYPE_CHECKING:
    from emulators.fixtures import Cloud
    from end_to_end.conftest import Run

LOCAL = """
[sources.azure_billing]
bucket = "./exports"
prefix = "billing"
export_name = "focus-daily"
"""
CLOUD = """
[sources.azure_billing]
bucket = "bills"
prefix = "billing"
export_name = "focus-daily"
project_id = "acme"
dataset = "finops"
retry_for_s = 2
"""


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    """The exports that `LOCAL` names."""
    configure(tmp_path, LOCAL)
    write_azure(tmp_path / "exports", months=1, rows=40, seed=1)
    return tmp_path / "exports"


@pytest.fixture
def env(cloud: Cloud, tmp_path: Path) -> dict[str, str]:
    """The exports that `CLOUD` names, and where the clouds are."""
    configure(tmp_path, CLOUD)
    write_azure(tmp_path / "written", months=1, rows=40, seed=1)
    cloud.gcs.create_bucket("bills")
    cloud.gcs.upload_tree(tmp_path / "written", "bills", "")
    shutil.rmtree(tmp_path / "written")
    return {
        "STORAGE_EMULATOR_HOST": cloud.gcs.url,
        "BIGQUERY_EMULATOR_HOST": cloud.bigquery.url,
    }


def checks(run: Run, env: dict[str, str] | None = None) -> dict[str, dict[str, Any]]:
    """Every check by what it is about, without the name of the source."""
    document = json.loads(run("doctor", "--json", env=env).stdout)
    return {check["subject"].removeprefix("azure_billing: "): check for check in document["checks"]}


def contents(folder: Path) -> dict[str, tuple[str, int]]:
    """The bytes of every file, and when it was written."""
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
        )
        for path in folder.rglob("*")
        if path.is_file() and "dlt" not in path.relative_to(folder).parts[:1]
    }


class TestDisk:
    def test_all_is_well_before_and_after_a_load_and_no_file_changes(
        self, run: Run, exports: Path, tmp_path: Path
    ) -> None:
        assert exports.is_dir()
        before = contents(tmp_path)
        result = run("doctor")
        assert (result.returncode, result.stderr) == (0, ""), result.stdout
        assert contents(tmp_path) == before
        assert all(line.startswith("ok ") for line in result.stdout.splitlines())
        found = checks(run)
        assert "Python 3." in found["versions"]["found"]
        assert found["configuration"]["found"].endswith("config.toml: 1 source (azure_billing)")
        assert "runs of 1 month, the newest of 2025-10-" in found["export"]["found"]
        assert "does not exist yet" in found["database"]["found"]
        assert "about 4 times its parts" in found["disk"]["found"]
        run("load")
        before = contents(tmp_path)
        after = checks(run)
        assert contents(tmp_path) == before
        assert {check["result"] for check in after.values()} == {"ok", "note"}
        assert after["focus_faults"]["result"] == "note"
        assert "there is nothing to load" in after["disk"]["found"]

    def test_an_export_that_is_not_there_is_said_with_what_to_do(
        self, run: Run, exports: Path, tmp_path: Path
    ) -> None:
        assert exports.is_dir()
        configure(tmp_path, LOCAL.replace("focus-daily", "focus"))
        result = run("doctor")
        assert result.returncode == 3
        assert "LOOK  azure_billing: export - Nothing was found in" in result.stdout
        assert "prefix 'billing' with export_name 'focus-daily'" in result.stdout
        assert "`cloudbill init`" in result.stdout

    def test_a_folder_that_is_not_there_does_not_hide_the_other_checks(
        self, run: Run, tmp_path: Path
    ) -> None:
        configure(tmp_path, LOCAL)
        found = checks(run)
        assert "There is no folder" in found["store"]["found"]
        assert found["store"]["result"] == "look"
        assert found["database"]["result"] == "ok"

    def test_a_file_that_another_process_holds_is_named_with_the_process(
        self, run_process: Run, exports: Path, tmp_path: Path
    ) -> None:
        assert exports.is_dir()
        configure(tmp_path, f"{LOCAL}lock_timeout_s = 0.2\n")
        with closing(duckdb.connect(str(tmp_path / "cloudbill.duckdb"))):
            found = checks(run_process)
        assert f"(PID {os.getpid()})" in found["warehouse"]["found"]

    def test_one_source_can_be_examined_alone(
        self, run: Run, exports: Path, tmp_path: Path
    ) -> None:
        assert exports.is_dir()
        configure(tmp_path, f"{LOCAL}[sources.aws_billing]\nbucket = './x'\nexport_name = 'y'\n")
        assert run("doctor").returncode == 1
        assert run("doctor", "azure").returncode == 0

    def test_a_wrong_configuration_is_a_failure_in_the_document_too(
        self, run_process: Run, tmp_path: Path
    ) -> None:
        configure(tmp_path, "[sources.azure_billing]\nbuket = 'x'\n")
        result = run_process("doctor", "--json")
        assert result.returncode == 2
        (failure,) = json.loads(result.stdout)["failures"]
        assert "Did you mean 'bucket'?" in failure["message"]

    def test_a_file_that_is_not_toml_is_said_with_its_line(
        self, run_process: Run, tmp_path: Path
    ) -> None:
        configure(tmp_path, "# mine\n[sources\n")
        result = run_process("doctor")
        assert result.returncode == 2
        assert ".dlt/config.toml is not valid TOML" in result.stderr
        assert "line 2" in result.stderr
        assert "Traceback" not in result.stderr

    @pytest.mark.parametrize(("no_color", "is_coloured"), [("", True), ("1", False)])
    def test_lines_are_coloured_on_a_terminal_that_wants_it(
        self, exports: Path, tmp_path: Path, no_color: str, *, is_coloured: bool
    ) -> None:
        assert exports.is_dir()
        leader, follower = pty.openpty()
        subprocess.run(
            [imported_command(), "doctor"],
            cwd=tmp_path,
            env={**os.environ, "NO_COLOR": no_color, "TERM": "xterm"},
            stdin=subprocess.DEVNULL,
            stdout=follower,
            check=True,
            timeout=60,
        )
        os.close(follower)
        shown = os.read(leader, 65536).decode()
        os.close(leader)
        assert ("\x1b[32m" in shown) == is_coloured
        assert "versions" in shown


class TestCloud:
    def test_all_is_well_before_and_after_a_load_and_nothing_is_made_or_changed(
        self, run: Run, cloud: Cloud, env: dict[str, str], tmp_path: Path
    ) -> None:
        # The emulator takes a while to count the faults.
        configure(tmp_path, CLOUD.replace("retry_for_s = 2", "retry_for_s = 40"))
        client = cloud.bigquery.client("acme")
        before = contents(cloud.gcs.root)
        found = checks(run, env)
        assert {check["result"] for check in found.values()} <= {"ok", "not_checked"}, found
        assert found["project"]["found"] == "acme accepts jobs"
        assert "acme.finops does not exist yet" in found["dataset"]["found"]
        assert list(client.list_datasets()) == []
        assert run("load", env=env).returncode == 0
        tables = {table.table_id for table in client.list_tables("finops")}
        modified = client.get_table("finops.azure_focus_billing_data").modified
        found = checks(run, env)
        results = {check["result"] for check in found.values()}
        assert results <= {"ok", "not_checked", "note"}, found
        assert found["finops.focus"]["found"] == "1 source, as the tables are now"
        assert found["focus_faults"]["result"] == "note"
        assert "partitioned by MONTH of BillingPeriodStart" in found["table"]["found"]
        assert contents(cloud.gcs.root) == before
        assert {table.table_id for table in client.list_tables("finops")} == tables
        assert client.get_table("finops.azure_focus_billing_data").modified == modified

    def test_a_location_that_is_not_the_datasets_is_noticed(
        self, run: Run, tmp_path: Path, env: dict[str, str]
    ) -> None:
        run("load", env=env)
        configure(tmp_path, f'{CLOUD}location = "EU"\n')
        found = checks(run, env)["location"]
        assert found["found"] == "'location' is EU, but the dataset is in US"
        assert found["remedy"] == "leave 'location' out, or set it to US"

    def test_a_table_that_is_not_partitioned_is_noticed(
        self, run: Run, cloud: Cloud, env: dict[str, str]
    ) -> None:
        client = cloud.bigquery.client("acme")
        client.create_dataset("finops")
        client.query(
            "CREATE TABLE finops.azure_focus_billing_data (BilledCost BIGNUMERIC)"
        ).result()
        found = checks(run, env)["table"]
        assert "is not partitioned; a month can be replaced in one step only" in found["found"]
        assert "Set another 'table_name'" in found["found"]

    def test_a_period_column_in_another_case_is_the_period_column(
        self, run: Run, cloud: Cloud, env: dict[str, str]
    ) -> None:
        make_table(cloud, {"billingperiodstart": "TIMESTAMP", "BilledCost": "BIGNUMERIC"})
        found = checks(run, env)["table"]
        assert found["result"] == "ok"
        assert "partitioned by MONTH of billingperiodstart" in found["found"]

    def test_a_cost_that_load_refuses_is_noticed(
        self, run: Run, cloud: Cloud, env: dict[str, str]
    ) -> None:
        make_table(cloud, {"BillingPeriodStart": "TIMESTAMP", "billedCost": "NUMERIC"})
        said = "billedCost of azure_focus_billing_data is NUMERIC, which would round the bill. "
        mending = (
            "Run `ALTER TABLE `acme`.`finops`.`azure_focus_billing_data` "
            "ALTER COLUMN `billedCost` SET DATA TYPE BIGNUMERIC`, and load again"
        )
        assert checks(run, env)["table"]["found"] == f"A load is refused. {said}{mending}"
        refused = run("load", env=env)
        assert refused.returncode == 5
        assert f"{said}The month was not changed. {mending}" in refused.stdout + refused.stderr

    def test_a_bucket_that_is_not_there_is_noticed(
        self, run: Run, tmp_path: Path, env: dict[str, str]
    ) -> None:
        configure(tmp_path, CLOUD.replace('"bills"', '"others"'))
        assert "There is no bucket gs://others" in checks(run, env)["store"]["found"]


def make_table(cloud: Cloud, kinds: dict[str, str]) -> None:
    """A table as somebody else made it, by the month of its first column."""
    client = cloud.bigquery.client("acme")
    client.create_dataset("finops")
    table = bq.Table(
        "acme.finops.azure_focus_billing_data",
        schema=[bq.SchemaField(name, kind) for name, kind in kinds.items()],
    )
    table.time_partitioning = bq.TimePartitioning(type_="MONTH", field=next(iter(kinds)))
    client.create_table(table)
