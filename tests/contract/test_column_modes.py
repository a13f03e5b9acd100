"""Parquet files and tables of BigQuery that call the same column REQUIRED and OPTIONAL."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.cloud.bigquery import SchemaField

from cloudbill.warehouses.bigquery.client import PersistentClient
from cloudbill.warehouses.bigquery.dataset import Dataset
from contract.deliveries import AzureCsvWriter, Delivery, at, charges
from contract.places import DATASET, PROJECT, Case
from contract.rewriting import rewrite, with_columns

if TYPE_CHECKING:
    from google.cloud import bigquery as bq

    from emulators.fixtures import Cloud

TABLE = f"{PROJECT}.{DATASET}.bill"
OLD = Delivery(
    period="2025-10",
    charges=charges("2025-10", "1", "2"),
    submitted_at=at("2025-10-15 04:00"),
    run_id="old",
)
NEW = replace(OLD, charges=charges("2025-10", "3", "4"), run_id="new")
NEW = replace(NEW, submitted_at=at("2025-10-16 04:00"))


WAYS = (("azure parquet", "bigquery"),)


def requiring(*names: str) -> Callable[[bytes], bytes]:
    """The same part, where these columns are REQUIRED."""

    def change(content: bytes) -> bytes:
        table = pq.read_table(io.BytesIO(content))
        fields = [field.with_nullable(field.name not in names) for field in table.schema]
        target = pa.BufferOutputStream()
        pq.write_table(table.cast(pa.schema(fields)), target)
        return bytes(target.getvalue())

    return change


def required(client: bq.Client) -> set[str]:
    """The REQUIRED columns of the table."""
    return {field.name for field in client.get_table(TABLE).schema if field.mode == "REQUIRED"}


def jobs_of_month(cloud: Cloud, since: int = 0) -> list[str]:
    """The kinds of the jobs that wrote the partition of the month, in order."""
    return [
        str(job["kind"])
        for job in cloud.bigquery.jobs()[since:]
        if "bill$202510" in str(job["configuration"]) and not job["error"]
    ]


class TestModes:
    def test_a_new_table_has_the_modes_of_the_file_and_takes_it_by_one_native_job(
        self, case: Case, cloud: Cloud, client: bq.Client
    ) -> None:
        rewrite(case, OLD, requiring("BilledCost", "ChargeDescription"))
        assert case.load().exit_code == 0
        rewrite(case, NEW, requiring("BilledCost", "ChargeDescription"))
        assert case.load().exit_code == 0
        assert required(client) == {"BilledCost", "ChargeDescription"}
        assert jobs_of_month(cloud) == ["load", "load"]
        assert case.held() == list(NEW.charges)

    def test_a_file_of_optional_columns_relaxes_the_table_within_its_job(
        self, case: Case, cloud: Cloud, client: bq.Client, caplog: pytest.LogCaptureFixture
    ) -> None:
        rewrite(case, OLD, requiring("BilledCost", "ChargeDescription"))
        case.load()
        rewrite(case, NEW, requiring("ChargeDescription"))
        assert case.load().exit_code == 0
        assert required(client) == {"ChargeDescription"}
        assert "so now NULLABLE: billedcost" in caplog.text
        assert jobs_of_month(cloud) == ["load", "load"]
        assert case.held() == list(NEW.charges)

    def test_a_required_column_that_the_run_lacks_is_relaxed(
        self, case: Case, cloud: Cloud, client: bq.Client
    ) -> None:
        rewrite(case, OLD, requiring("BilledCost", "ResourceId"))
        case.load()
        rewrite(case, replace(NEW, dropped=frozenset({"ResourceId"})), requiring("BilledCost"))
        assert case.load().exit_code == 0
        assert required(client) == {"BilledCost"}
        assert jobs_of_month(cloud) == ["load", "load"]
        assert case.values("ResourceId") == [None, None]

    def test_a_file_of_required_columns_is_written_again_for_a_nullable_table(
        self, case: Case, cloud: Cloud, client: bq.Client
    ) -> None:
        case.deliver(OLD)
        case.load()
        rewrite(case, NEW, requiring("BilledCost"))
        assert case.load().exit_code == 0
        assert required(client) == set()
        assert jobs_of_month(cloud) == ["load", "copy"]
        assert case.held() == list(NEW.charges)

    def test_a_required_column_that_the_table_lacks_is_added_as_nullable(
        self, case: Case, client: bq.Client
    ) -> None:
        rewrite(case, OLD, requiring("BilledCost"))
        case.load()
        rewrite(case, replace(NEW, added={"team": "red"}), requiring("BilledCost", "x_team"))
        assert case.load().exit_code == 0
        assert required(client) == set()
        assert case.values("x_team") == ["red", "red"]

    def test_parts_that_differ_in_modes_are_written_again(
        self, case: Case, cloud: Cloud, client: bq.Client
    ) -> None:
        rewrite(case, OLD, requiring("BilledCost"), requiring("ChargeDescription"))
        assert case.load().exit_code == 0
        assert required(client) == set()
        assert jobs_of_month(cloud) == ["copy"]
        assert case.held() == list(OLD.charges)

    def test_a_part_that_lacks_a_required_column_of_another_is_written_again(
        self, case: Case, client: bq.Client
    ) -> None:
        def without(content: bytes) -> bytes:
            target = pa.BufferOutputStream()
            pq.write_table(pq.read_table(io.BytesIO(content)).drop_columns(["ResourceId"]), target)
            return bytes(target.getvalue())

        rewrite(case, OLD, requiring("ResourceId"), without)
        assert case.load().exit_code == 0
        assert required(client) == set()
        assert sorted(case.values("ResourceId"), key=str) == ["", None]

    def test_parts_of_doubles_that_sql_converts_leave_required_columns_as_they_are(
        self, case: Case, cloud: Cloud, client: bq.Client
    ) -> None:
        rewrite(case, OLD, requiring("BilledCost", "ChargeDescription"))
        case.load()

        def doubles(rows: int) -> Any:
            return pa.array([0.5] * rows, pa.float64())

        def change(content: bytes) -> bytes:
            table = with_columns(ListCost=doubles)(content)
            return requiring("BilledCost", "ChargeDescription")(table)

        rewrite(case, NEW, change)
        assert case.load().exit_code == 0
        assert required(client) == {"BilledCost", "ChargeDescription"}
        assert jobs_of_month(cloud) == ["load", "copy"]
        assert case.held() == list(NEW.charges)

    def test_a_column_that_another_month_relaxes_meanwhile_fails_no_month(
        self, case: Case, cloud: Cloud, client: bq.Client
    ) -> None:
        rewrite(case, OLD, requiring("BilledCost"))
        case.load()

        def relax(stage: str, job: dict[str, object]) -> None:
            if stage == "start" and "bill$202510" in str(job["configuration"]):
                cloud.bigquery.faults.clear()
                cloud.bigquery.relax(TABLE, "BilledCost")

        rewrite(case, NEW, requiring("BilledCost"))
        cloud.bigquery.faults.append(relax)
        assert case.load().exit_code == 0
        assert required(client) == set()
        assert case.held() == list(NEW.charges)

    @pytest.mark.parametrize("is_staged", [False, True], ids=["native", "staged"])
    def test_a_column_that_another_month_adds_meanwhile_in_another_type_fails_no_month(
        self,
        case: Case,
        cloud: Cloud,
        client: bq.Client,
        monkeypatch: pytest.MonkeyPatch,
        *,
        is_staged: bool,
    ) -> None:
        case.deliver(OLD)
        case.load()
        where: type[Any] = PersistentClient
        name = "load_table_from_uri"
        if is_staged:
            where, name = Dataset, "extend_table"
        go_on, kinds = getattr(where, name), iter(["STRING"])

        def add_and_go_on(self: Any, *given: Any, **options: Any) -> Any:
            for kind in kinds:
                table = client.get_table(TABLE)
                table.schema = [*table.schema, SchemaField("x_Number", kind)]
                client.update_table(table, ["schema"])
            return go_on(self, *given, **options)

        monkeypatch.setattr(where, name, add_and_go_on)
        requires = requiring(*(("BilledCost",) if is_staged else ()))
        number = with_columns(x_Number=lambda rows: pa.array([7] * rows, pa.int64()))
        before = len(cloud.bigquery.jobs())
        rewrite(case, NEW, lambda content: requires(number(content)))
        assert case.load().exit_code == 0
        assert case.held() == list(NEW.charges)
        assert case.values("x_Number") == ["7", "7"]
        assert jobs_of_month(cloud, before) == ["copy"]  # written again, in the table's type

    def test_a_csv_run_relaxes_the_columns_that_it_lacks_and_no_others(
        self, case: Case, client: bq.Client
    ) -> None:
        rewrite(case, OLD, requiring("BilledCost", "ResourceId"))
        case.load()
        csv = replace(case, writer=AzureCsvWriter())
        csv.deliver(replace(NEW, dropped=frozenset({"ResourceId"}), stated_rows=None))
        assert csv.load().exit_code == 0
        assert "ResourceId" not in required(client)
        assert csv.values("ResourceId") == [None, None]
