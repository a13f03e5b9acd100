"""BigQuery deletes what expires; bills do not, unless a key says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from google.cloud import bigquery as bq

from cloudbill.doctor.examination import examine
from cloudbill.errors import LoadError
from cloudbill.looking.status_reading import read_status
from cloudbill.models import SkipReason
from cloudbill.periods import BillingPeriod, utc_now
from cloudbill.report.collecting import collect
from cloudbill.report.trust import Agreement, months_of
from contract.deliveries import AwsWriter, Delivery, at, charges
from contract.places import DATASET, PROJECT, Case

if TYPE_CHECKING:
    from emulators.fixtures import Cloud

TABLE = f"{PROJECT}.{DATASET}.bill"
DAY_MS = 86_400_000
KEY = "partition_expiration_days"
OLD = Delivery(
    period="2025-10",
    charges=charges("2025-10", "1", "2"),
    submitted_at=at("2025-10-15 04:00"),
    run_id="old",
)


WAYS = (("azure parquet", "bigquery"),)


def make_dataset(
    client: bq.Client, *, partitions: int | None = None, tables: int | None = None
) -> None:
    """A dataset whose new tables or partitions expire after some days."""
    dataset = bq.Dataset(f"{PROJECT}.{DATASET}")
    dataset.default_partition_expiration_ms = partitions and partitions * DAY_MS
    dataset.default_table_expiration_ms = tables and tables * DAY_MS
    client.create_dataset(dataset)


def let_expire(client: bq.Client, days: int) -> None:
    """Lets the partitions of the table expire, as a person does."""
    table = client.get_table(TABLE)
    table.time_partitioning.expiration_ms = days * DAY_MS
    client.update_table(table, ["time_partitioning"])


def found_by_doctor(case: Case) -> str:
    """What `doctor` finds to be mended."""
    checks = examine([case.settings])
    return "\n".join(f"{one.found} {one.remedy}" for one in checks if not one.is_well)


def recent() -> Delivery:
    """A run of this month."""
    month = str(BillingPeriod.of(utc_now()))
    return replace(
        OLD,
        period=month,
        charges=charges(month, "7"),
        submitted_at=utc_now() - timedelta(minutes=1),
        run_id="recent",
    )


class TestTablesThatAreMade:
    @pytest.mark.parametrize("days", [{"partitions": 60}, {"tables": 60}])
    def test_no_table_inherits_the_expiration_of_its_dataset(
        self, case: Case, client: bq.Client, days: dict[str, int]
    ) -> None:
        make_dataset(client, **days)
        case.deliver(OLD)
        assert case.load().exit_code == 0
        assert case.held() == list(OLD.charges)
        for listed in client.list_tables(DATASET):
            table = client.get_table(listed.reference)
            assert table.expires is None
            by = table.time_partitioning
            assert by is None or not by.expiration_ms

    def test_old_months_survive_the_staging_table(self, case: Case, client: bq.Client) -> None:
        make_dataset(client, partitions=60)
        aws = replace(case, writer=AwsWriter())
        # Parts with different columns are staged.
        first, second = OLD.charges
        aws.deliver(replace(OLD, charges=[first], parts=1, run_id="narrow"))
        assert aws.load().exit_code == 0
        newer = replace(OLD, charges=[first, second], submitted_at=at("2025-10-16 04:00"))
        aws.deliver(newer)
        assert aws.load().exit_code == 0
        assert aws.held() == list(newer.charges)

    def test_where_billing_is_off_the_table_is_named_and_not_changed(
        self, case: Case, client: bq.Client, cloud: Cloud, caplog: pytest.LogCaptureFixture
    ) -> None:
        make_dataset(client, partitions=60, tables=60)
        cloud.bigquery.is_sandbox = True
        case.deliver(OLD)
        (failure,) = case.load().failures
        assert "deletes partitions after 60 days" in str(failure.error)
        assert "enable billing" in str(failure.error)
        assert "finops.bill expires as its dataset says" in caplog.text
        case.deliver(recent())
        assert len(case.load().results) == 1
        assert "_dlt_pipeline_state expires as its dataset says" in caplog.text
        assert "deletes months after 60 days" in found_by_doctor(case)
        assert "deletes the whole of _dlt_pipeline_state" in found_by_doctor(case)


class TestTablesThatExpire:
    def test_a_month_that_would_expire_is_not_loaded(
        self, case: Case, client: bq.Client, cloud: Cloud
    ) -> None:
        case.deliver(recent())
        case.load()
        let_expire(client, 90)
        case.deliver(OLD)
        before = len(cloud.bigquery.jobs())
        (failure,) = case.load().failures
        assert isinstance(failure.error, LoadError)
        assert not failure.error.is_of_run
        assert "Table finops.bill deletes partitions after 90 days" in str(failure.error)
        statement = f"ALTER TABLE `{PROJECT}`.`{DATASET}`.`bill` SET OPTIONS ({KEY} = NULL)"
        assert statement in str(failure.error).replace("`.`", "`.`")
        jobs = cloud.bigquery.jobs()[before:]
        assert [job for job in jobs if "bill$" in str(job["configuration"])] == []
        assert f"bill deletes months after 90 days, but '{KEY}' is not set" in found_by_doctor(case)

    def test_a_month_that_bigquery_deleted_is_called_so(self, case: Case, cloud: Cloud) -> None:
        case.deliver(recent())
        case.load()

        def expire(stage: str, job: dict[str, object]) -> None:
            if stage == "start" and "bill$202510" in str(job["configuration"]):
                cloud.bigquery.faults.clear()
                cloud.bigquery.expire(TABLE, 90 * DAY_MS)

        cloud.bigquery.faults.append(expire)
        case.deliver(OLD)
        (failure,) = case.load().failures
        assert "BigQuery deleted 2025-10 of finops.bill" in str(failure.error)
        assert "another process" not in str(failure.error)

    def test_a_table_that_is_deleted_whole_is_named(
        self, case: Case, client: bq.Client, caplog: pytest.LogCaptureFixture
    ) -> None:
        case.deliver(OLD)
        case.load()
        table = client.get_table(TABLE)
        table.expires = utc_now() + timedelta(days=30)
        client.update_table(table, ["expires"])
        case.deliver(recent())
        assert case.load().exit_code == 0
        assert "deletes the whole of finops.bill" in caplog.text
        assert "deletes the whole of bill" in found_by_doctor(case)


class TestTheKey:
    def test_a_table_expires_as_the_key_says(self, case: Case, client: bq.Client) -> None:
        case.keys = {KEY: "90"}
        case.deliver(recent())
        assert case.load().exit_code == 0
        assert client.get_table(TABLE).time_partitioning.expiration_ms == 90 * DAY_MS
        assert "expiration" not in found_by_doctor(case)

    def test_older_months_are_said_to_be_outside_of_it(self, case: Case) -> None:
        case.keys = {KEY: "90"}
        case.deliver(OLD, recent())
        outcome = case.load()
        assert outcome.exit_code == 0
        (skip,) = outcome.skips
        assert skip.reason is SkipReason.EXPIRED
        assert f"outside of '{KEY}'" in skip.detail
        assert [charge.cost for charge in case.held()] == [7]

    def test_a_month_that_expired_on_purpose_is_no_alarm(
        self, case: Case, client: bq.Client
    ) -> None:
        case.deliver(OLD, recent())
        case.load()
        let_expire(client, 90)
        assert [charge.cost for charge in case.held()] == [7]
        case.keys = {KEY: "90"}
        outcome = case.load()
        assert outcome.exit_code == 0
        assert outcome.results == ()
        status = read_status(case.settings, now=utc_now())
        assert [month for month in status.months if month.is_drifted] == []
        report, _ = collect(case.settings)
        assert [month.agreement for month in months_of(report)] == [Agreement.EQUAL]
