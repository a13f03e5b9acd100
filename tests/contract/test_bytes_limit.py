"""A limit of what a query may bill: `maximum_bytes_billed`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cloudbill.errors import BytesLimitError
from cloudbill.loading.words import outcomes_json
from cloudbill.looking.status_reading import read_status
from cloudbill.looking.verification import verify_source
from cloudbill.periods import utc_now
from cloudbill.report.collecting import collect
from contract.deliveries import AwsWriter, AzureWriter, Delivery, at, charges
from contract.octobers import LATE, LATEST, MANY, october
from contract.places import PROJECT, Case, GcsAndBigQuery
from contract.protected import LIST, allow, jobs_since, policies

if TYPE_CHECKING:
    from pathlib import Path

    from google.cloud import bigquery as bq

    from emulators.fixtures import Cloud

MEGABYTE = 1024 * 1024
LEAST = 10 * MEGABYTE
OF_A_ROW = MEGABYTE // 8
"""So many rows of a period, which is a time, are a megabyte."""


@pytest.fixture
def case(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    """Azure on BigQuery, whose queries may bill 20 MB."""
    return limited(cloud, tmp_path, monkeypatch)


def limited(cloud: Cloud, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", cloud.gcs.url)
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", cloud.bigquery.url)
    keys = {"maximum_bytes_billed": str(2 * LEAST)}
    return Case(place=GcsAndBigQuery(cloud), writer=AzureWriter(), scratch=folder, keys=keys)


def refused(cloud: Cloud) -> int:
    """How many queries did not run because of what they would bill."""
    errors = [job["error"] for job in cloud.bigquery.jobs() if job["error"]]
    return len([error for error in errors if error["reason"] == "bytesBilledLimitExceeded"])


class TestLimit:
    def test_every_query_of_ours_states_it(self, case: Case, cloud: Cloud) -> None:
        case.deliver(october("1"))
        case.load()
        case.load()
        collect(case.settings)
        jobs = [job for job in cloud.bigquery.jobs() if job["kind"] == "query"]
        ours = [job["configuration"] for job in jobs if "source" in job["labels"]]
        assert len(ours) > 5
        assert [one for one in ours if "maximumBytesBilled" not in str(one)] == []

    @pytest.mark.parametrize("rows", [("3", "4"), ()], ids=["replaced", "emptied"])
    def test_every_statement_about_a_protected_table_states_it(
        self, case: Case, cloud: Cloud, rows: tuple[str, ...]
    ) -> None:
        case.deliver(october("1"))
        case.load()
        allow(cloud.bigquery.client(PROJECT))
        before = len(cloud.bigquery.jobs())
        case.deliver(october(*rows, submitted_at=LATEST, run_id="newer"))
        outcome = case.load() if rows else case.accept("2025-10", "newer")
        assert outcome.exit_code == 0
        jobs = [job for job in cloud.bigquery.jobs()[before:] if job["kind"] == "query"]
        asked = [job["configuration"] for job in jobs if job["labels"] or "DELETE" in str(job)]
        ours = [one for one in asked if not one.get("dryRun")]  # which bills nothing
        assert any("DELETE" in str(one) for one in ours)
        assert [one for one in ours if "maximumBytesBilled" not in str(one)] == []

    def test_it_stops_no_load_of_a_plain_table_whose_policies_may_not_be_listed(
        self, case: Case, cloud: Cloud
    ) -> None:
        """That load bills nothing; what a query over any month would tell bills too much."""
        cloud.bigquery.deny(LIST)
        case.deliver(october(*MANY))
        case.load()
        cloud.bigquery.row_weight = 3 * OF_A_ROW
        case.deliver(october(*MANY, "7", submitted_at=LATEST, run_id="newer"))
        before = len(cloud.bigquery.jobs())
        outcome = case.load()
        assert outcome.exit_code == 0
        assert [one.rows for one in outcome.results] == [len(MANY) + 1]
        assert [job["kind"] for job in jobs_since(cloud, before)] == ["load"]

    def test_a_protected_table_is_known_by_its_smallest_month(
        self, case: Case, cloud: Cloud, client: bq.Client
    ) -> None:
        small = charges("2025-09", "1")
        case.deliver(
            october(*MANY),
            Delivery(period="2025-09", charges=small, submitted_at=at("2025-10-02 04:00")),
        )
        case.load()
        allow(client)
        cloud.bigquery.deny(LIST)
        cloud.bigquery.row_weight = 3 * OF_A_ROW
        case.deliver(october(*MANY, "7", submitted_at=LATEST, run_id="newer"))
        case.load()
        cloud.bigquery._runner.access.denied.clear()  # noqa: SLF001
        assert policies(client) == ["p"]

    def test_the_ledger_is_read_whatever_it_is(self, case: Case) -> None:
        """Its query is over two tables, and each of them bills 10 MB."""
        case.keys = {"maximum_bytes_billed": str(LEAST)}
        case.deliver(october("1"))
        assert case.load().exit_code == 0
        assert list(case.load().results) == []

    def test_a_month_that_is_too_large_to_sum_is_loaded_without_totals(
        self, case: Case, cloud: Cloud
    ) -> None:
        cloud.bigquery.row_weight = OF_A_ROW
        case.deliver(october(*MANY))
        outcome = case.load()
        assert outcome.exit_code == 0
        (result,) = outcome.results
        assert result.rows == len(MANY)
        assert result.totals == {}
        (told,) = json.loads(outcomes_json([outcome]))["loads"]
        assert "'maximum_bytes_billed' allows 20,971,520. It did not run" in told["without_totals"]
        assert [row[3] for row in case.tracked()]
        # It counts as loaded: nothing is loaded again, and no look at it fails.
        assert list(case.load().results) == []
        assert read_status(case.settings, now=utc_now()).reasons == ()

    def test_its_rows_are_counted_where_its_partition_is_listed_late(
        self, case: Case, cloud: Cloud
    ) -> None:
        cloud.bigquery.row_weight = OF_A_ROW
        cloud.bigquery.lists_late = True
        case.deliver(october(*MANY))
        outcome = case.load()
        assert outcome.exit_code == 0
        assert [result.rows for result in outcome.results] == [len(MANY)]

    def test_a_limit_is_no_failure_to_try_again(self, case: Case, cloud: Cloud) -> None:
        cloud.bigquery.row_weight = OF_A_ROW
        case.deliver(october(*MANY))
        case.load()
        assert refused(cloud) == 1

    def test_a_staged_run_is_not_held_for_costs_that_cannot_be_summed(
        self, cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        case = limited(cloud, tmp_path, monkeypatch)
        case.writer = AwsWriter()
        case.deliver(october(*MANY, submitted_at=LATE))
        case.load()
        cloud.bigquery.row_weight = 10 * OF_A_ROW
        case.deliver(october(*["0.001"] * 10, submitted_at=LATEST))
        (result,) = case.load().results
        assert result.untotalled

    def test_others_say_which_key_and_how_many_bytes(self, case: Case, cloud: Cloud) -> None:
        case.deliver(october(*MANY))
        case.load()
        cloud.bigquery.row_weight = OF_A_ROW
        verified = verify_source(case.settings, frozenset(), lambda _: None)
        errors = [verified.error, *(failure.error for failure in verified.failures)]
        _, reported = collect(case.settings)
        for error in (*errors, reported):
            if error is not None:
                assert isinstance(error, BytesLimitError)
                assert "the query would bill " in str(error)
                assert "Set 'maximum_bytes_billed' to " in str(error)
        assert reported is not None
        assert [error for error in errors if error is not None]

    def test_months_that_were_written_since_are_summed_one_by_one(
        self, case: Case, cloud: Cloud, client: bq.Client
    ) -> None:
        """Together they would bill too much, and each by itself does not."""
        for month in ("2025-08", "2025-09", "2025-10"):
            rows = charges(month, *MANY)
            submitted = at("2025-11-03 04:00")
            case.deliver(Delivery(period=month, charges=rows, submitted_at=submitted, run_id=month))
        case.load()
        client.query("UPDATE finops.bill SET BilledCost = BilledCost + 1 WHERE TRUE").result()
        cloud.bigquery.row_weight = OF_A_ROW // 12
        results = list(case.load().results)
        assert sorted(str(one.planned.period) for one in results) == [
            "2025-08",
            "2025-09",
            "2025-10",
        ]
        assert refused(cloud) == 1
