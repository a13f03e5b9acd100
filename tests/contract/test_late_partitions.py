"""A partition that INFORMATION_SCHEMA.PARTITIONS does not list yet is there all the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cloudbill.looking.status_reading import read_status
from cloudbill.periods import utc_now
from contract.deliveries import AwsWriter, AzureWriter, Delivery, Writer, at, charges
from contract.places import Case, GcsAndBigQuery

if TYPE_CHECKING:
    from pathlib import Path

    from emulators.fixtures import Cloud

OLD = Delivery(
    period="2025-10",
    charges=charges("2025-10", "1", "2"),
    submitted_at=at("2025-10-15 04:00"),
    run_id="old",
)
NEW = replace(OLD, charges=charges("2025-10", "3", "4"), run_id="new")
NEW = replace(NEW, submitted_at=at("2025-10-16 04:00"))


@pytest.fixture(params=[AzureWriter, AwsWriter])
def case(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Case:
    """A provider on BigQuery; of AWS the second load of a month is staged and copied."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", cloud.gcs.url)
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", cloud.bigquery.url)
    writer: Writer = request.param()
    return Case(place=GcsAndBigQuery(cloud), writer=writer, scratch=tmp_path)


class TestLatePartitions:
    def test_a_month_that_is_not_listed_yet_is_recorded(self, case: Case, cloud: Cloud) -> None:
        cloud.bigquery.lists_late = True
        case.deliver(OLD)
        assert case.load().exit_code == 0
        case.deliver(NEW)
        assert case.load().exit_code == 0
        assert case.held() == list(NEW.charges)
        assert len(case.tracked()) == 2

    def test_it_is_neither_lost_nor_loaded_again(self, case: Case, cloud: Cloud) -> None:
        cloud.bigquery.lists_late = True
        case.deliver(OLD)
        case.load()
        assert list(case.load().results) == []
        status = read_status(case.settings, now=utc_now())
        assert [month for month in status.months if month.is_drifted] == []

    def test_a_job_that_a_killed_process_finished_is_taken_up(
        self, case: Case, cloud: Cloud
    ) -> None:
        cloud.bigquery.lists_late = True
        case.deliver(OLD)
        case.load_unrecorded()
        before = len(cloud.bigquery.jobs())
        assert case.load().exit_code == 0
        jobs = [str(job["configuration"]) for job in cloud.bigquery.jobs()[before:]]
        assert [text for text in jobs if "bill$202510" in text] == []
