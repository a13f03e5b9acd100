"""What BigQuery alone promises: how tables are made and taken, and that no data is copied."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from google.cloud import bigquery as bq

from cloudbill.errors import LoadError, TransientLoadError
from cloudbill.looking.status_reading import read_status
from cloudbill.models import LoadResult
from cloudbill.periods import utc_now
from contract.deliveries import Delivery, at, charges
from contract.places import DATASET, PROJECT, Case

if TYPE_CHECKING:
    import pytest

    from emulators.fixtures import Cloud

TABLE = f"{PROJECT}.{DATASET}.bill"
EARLY, LATE = at("2025-10-15 04:00"), at("2025-10-31 22:00")


WAYS = (("azure parquet", "bigquery"),)


def october(*costs: str, note: str = "", run_id: str = "run", early: bool = False) -> Delivery:
    """A run of October with one charge a day."""
    return Delivery(
        period="2025-10",
        charges=charges("2025-10", *costs, note=note),
        submitted_at=EARLY if early else LATE,
        run_id=run_id,
    )


def make_table(client: bq.Client, *, partitioned_by: str | None) -> None:
    """A table as somebody else made it, before cloudbill came."""
    client.create_dataset(f"{PROJECT}.{DATASET}")
    names = {
        "BilledCost": "BIGNUMERIC",
        "BillingCurrency": "STRING",
        "BillingPeriodStart": "TIMESTAMP",
        "ChargeDescription": "STRING",
        "ChargePeriodStart": "TIMESTAMP",
    }
    table = bq.Table(TABLE, schema=[bq.SchemaField(name, kind) for name, kind in names.items()])
    if partitioned_by is not None:
        # Column names are compared ignoring case.
        table.time_partitioning = bq.TimePartitioning(
            type_=partitioned_by, field="billingperiodstart"
        )
        table.schema = [
            bq.SchemaField(name.lower() if name == "BillingPeriodStart" else name, kind)
            for name, kind in names.items()
        ]
    client.create_table(table)


class TestTables:
    def test_a_new_table_has_month_partitions_clustering_and_exact_types(
        self, case: Case, client: bq.Client
    ) -> None:
        case.deliver(october("1"))
        case.load()
        table = client.get_table(TABLE)
        assert table.time_partitioning.type_ == "MONTH"
        assert table.time_partitioning.field == "BillingPeriodStart"
        assert table.clustering_fields == ["ChargePeriodStart"]
        types = {field.name: field.field_type for field in table.schema}
        assert types["BilledCost"] == "BIGNUMERIC"
        assert types["BillingPeriodStart"] == types["ChargePeriodStart"] == "TIMESTAMP"
        assert types["ChargeDescription"] == "STRING"

    def test_a_table_that_is_partitioned_by_day_on_the_same_column_works(
        self, case: Case, client: bq.Client
    ) -> None:
        make_table(client, partitioned_by="DAY")
        case.deliver(october("1", "2", run_id="old", early=True))
        assert case.load().exit_code == 0
        newer = october("3", run_id="new")
        case.deliver(newer)
        assert case.load().exit_code == 0
        assert case.held() == list(newer.charges)
        assert client.get_table(TABLE).time_partitioning.type_ == "DAY"

    def test_a_month_in_another_day_partition_is_not_counted_twice(
        self, case: Case, client: bq.Client
    ) -> None:
        make_table(client, partitioned_by="DAY")
        case.deliver(
            Delivery(
                period="2025-10",
                charges=charges("2025-10", "1"),
                submitted_at=EARLY,
                period_start=date(2025, 10, 15),
            )
        )
        case.load()
        case.deliver(october("2"))
        (failure,) = case.load().failures
        assert "20251015" in str(failure.error)
        assert "count twice" in str(failure.error)
        assert len(case.held()) == 1

    def test_a_table_without_partitions_is_refused_with_the_statements_that_convert_it(
        self, case: Case, client: bq.Client
    ) -> None:
        make_table(client, partitioned_by=None)
        case.deliver(october("1"))
        (failure,) = case.load().failures
        assert isinstance(failure.error, LoadError)
        assert "not partitioned" in str(failure.error)
        assert "PARTITION BY TIMESTAMP_TRUNC(`BillingPeriodStart`, MONTH)" in str(failure.error)
        assert case.held() == []


class TestJobs:
    def test_only_manifests_and_footers_are_read_from_the_store(
        self, case: Case, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from emulators.fault_proxy import FaultProxy

        # Text that does not compress: parts that are much larger than a footer.
        source = random.Random(1)
        noise = [source.randbytes(100).hex() for _ in range(4000)]
        rows = charges("2025-10", *["0.1"] * 28)
        wide = [
            type(rows[0])(day=rows[index % 28].day, cost=rows[0].cost, note=text)
            for index, text in enumerate(noise)
        ]
        written = case.write(
            Delivery(period="2025-10", charges=wide, submitted_at=LATE, run_id="large")
        )
        case.place.put(written.folder)
        sizes = [part.stat().st_size for part in written.parts]
        assert min(sizes) > 150_000
        with FaultProxy(cloud.gcs.url) as proxy:
            monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxy.url)
            assert case.load().exit_code == 0
            assert 0 < proxy.bytes_read(r"part_\d.*alt=media|/download/.*part_\d") <= 2 * 64 * 1024
        assert len(case.held()) == len(noise)

    def test_a_load_job_says_whose_it_is(self, case: Case, cloud: Cloud) -> None:
        case.deliver(october("1"))
        (result,) = case.load().results
        (job,) = [job for job in cloud.bigquery.jobs() if job["job_id"] == result.job_id]
        assert job["labels"] == {"source": "azure_billing", "period": "2025-10"}
        config = job["configuration"]["load"]
        assert config["writeDisposition"] == "WRITE_TRUNCATE"
        assert config["createDisposition"] == "CREATE_NEVER"
        assert config["destinationTable"]["tableId"] == "bill$202510"
        assert config["decimalTargetTypes"] == ["BIGNUMERIC"]

    def test_a_run_that_finds_nothing_new_asks_two_queries(self, case: Case, cloud: Cloud) -> None:
        """What the months hold, with their versions, and the ledger."""
        case.deliver(october("1"))
        case.load()
        before = len(cloud.bigquery.jobs())
        assert case.load().exit_code == 0
        asked = [str(job["configuration"]) for job in cloud.bigquery.jobs()[before:]]
        assert len(asked) == 2
        assert "INFORMATION_SCHEMA.PARTITIONS" in asked[0]
        assert "_dlt_pipeline_state" in asked[1]

    def test_only_months_that_were_written_since_their_load_are_summed(
        self, case: Case, cloud: Cloud, client: bq.Client
    ) -> None:
        case.deliver(october("1"))
        september = replace(october("2"), period="2025-09", charges=charges("2025-09", "2"))
        case.deliver(replace(september, run_id="earlier"))
        case.load()
        change = "UPDATE finops.bill SET BilledCost = 3 WHERE BilledCost = 2"
        client.query(change).result()
        before = len(cloud.bigquery.jobs())
        read_status(case.settings, now=utc_now())
        asked = [str(job["configuration"]) for job in cloud.bigquery.jobs()[before:]]
        (summed,) = [text for text in asked if "SUM(" in text]
        assert "'2025-09-01 00:00:00+00'" in summed.replace("\\'", "'")
        assert "2025-11-01" not in summed

    def test_a_job_that_a_killed_process_finished_is_taken_up(
        self, case: Case, cloud: Cloud
    ) -> None:
        case.deliver(october("1", "2"))
        (first,) = case.load_unrecorded()
        (second,) = case.load().results
        assert isinstance(first, LoadResult)
        assert second.job_id == first.job_id
        loads = [job for job in cloud.bigquery.jobs() if job["kind"] == "load"]
        assert len([job for job in loads if "$202510" in str(job["configuration"])]) == 1
        assert len(case.tracked()) == 1

    def test_a_finished_job_is_not_trusted_once_the_month_was_written_again(
        self, case: Case, client: bq.Client
    ) -> None:
        delivery = october("1", "2")
        case.deliver(delivery)
        (first,) = case.load_unrecorded()
        client.query(
            f"UPDATE `{TABLE}` SET ChargeDescription = 'changed by hand' WHERE true"  # noqa: S608
        ).result()
        (second,) = case.load().results
        assert isinstance(first, LoadResult)
        assert second.job_id != first.job_id
        assert case.held() == list(delivery.charges)

    def test_a_job_that_failed_burns_its_id_and_the_next_attempt_takes_the_next(
        self, case: Case, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from cloudbill.warehouses.bigquery import jobs
        from emulators.bigquery import JobError

        monkeypatch.setattr(jobs, "_FIRST_PAUSE_S", 0.01)
        failures = iter([JobError("backendError", "try again"), None])

        def fail_once(stage: str, job: dict[str, object]) -> None:
            if stage == "commit" and "$202510" in str(job["configuration"]):
                error = next(failures, None)
                if error is not None:
                    raise error

        cloud.bigquery.faults.append(fail_once)
        delivery = october("1")
        case.deliver(delivery)
        (result,) = case.load().results
        assert str(result.job_id).endswith("_1")
        assert case.held() == list(delivery.charges)

    def test_a_failure_that_stays_leaves_the_old_month_and_says_so(
        self, case: Case, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from cloudbill.warehouses.bigquery import jobs
        from emulators.bigquery import JobError

        monkeypatch.setattr(jobs, "_FIRST_PAUSE_S", 0.01)
        old = october("1", run_id="old", early=True)
        case.deliver(old)
        case.load()

        def fail(stage: str, job: dict[str, object]) -> None:
            if stage == "commit" and "$202510" in str(job["configuration"]):
                raise JobError("backendError", "try again")

        cloud.bigquery.faults.append(fail)
        case.deliver(october("2", run_id="new"))
        (failure,) = case.load().failures
        assert isinstance(failure.error, TransientLoadError)
        assert case.held() == list(old.charges)

    def test_several_months_load_at_once(self, case: Case, cloud: Cloud) -> None:
        for month in range(1, 9):
            period = f"2025-{month:02d}"
            case.deliver(Delivery(period=period, charges=charges(period, "1"), submitted_at=EARLY))
        in_flight: list[int] = []

        def wait_for_the_others(stage: str, job: dict[str, object]) -> None:
            if stage != "start" or "bill$" not in str(job["configuration"]) or in_flight:
                return
            until = time.monotonic() + 30
            running = 0
            while running < 8 and time.monotonic() < until:
                jobs = [job for job in cloud.bigquery.jobs() if job["kind"] == "load"]
                running = sum(job["state"] != "DONE" for job in jobs)
                time.sleep(0.05)
            in_flight.append(running)

        cloud.bigquery.faults.append(wait_for_the_others)
        outcome = case.load()
        assert outcome.exit_code == 0
        assert in_flight == [8]
        assert len(case.held()) == 8

    def test_totals_can_be_switched_off(self, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
        import dataclasses

        case.deliver(october("1"))
        settings = dataclasses.replace(case.settings, totals=False)
        monkeypatch.setattr(type(case), "settings", settings)
        (result,) = case.load().results
        assert result.totals == {}
        assert result.rows == 1
