"""Row access policies and policy tags survive every load, and no load works half blind."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from google.cloud import bigquery as bq

from cloudbill.errors import LoadError, TransientLoadError
from cloudbill.looking.status_reading import read_status
from cloudbill.looking.comparison import Verdict
from cloudbill.looking.verification import verify_source
from cloudbill.models import LoadResult
from cloudbill.periods import utc_now
from cloudbill.report.collecting import collect
from contract.deliveries import AwsWriter, Delivery, at, charges
from contract.places import DATASET, PROJECT, Case
from emulators.bigquery.access import LOADER
from emulators.bigquery.errors import JobError

if TYPE_CHECKING:
    from emulators.fixtures import Cloud

WAYS = (("azure parquet", "bigquery"),)
TABLE = f"{PROJECT}.{DATASET}.bill"
LIST = "bigquery.rowAccessPolicies.list"
TAG = "projects/acme/locations/us/taxonomies/1/policyTags/2"
OLD = Delivery(
    period="2025-10",
    charges=charges("2025-10", "1", "2", note="old"),
    submitted_at=at("2025-10-15 04:00"),
    run_id="old",
)
NEW = replace(
    OLD,
    charges=charges("2025-10", "3", "4", "5", note="new"),
    submitted_at=at("2025-10-31 22:00"),
    run_id="new",
)


def allow(
    client: bq.Client, *, who: str = LOADER, condition: str = "TRUE", name: str = "p"
) -> None:
    """Makes a row access policy."""
    client.query_and_wait(
        f"CREATE ROW ACCESS POLICY {name} ON {TABLE} GRANT TO ('{who}') FILTER USING ({condition})"
    )


def policies(client: bq.Client) -> list[str]:
    """The row access policies of the table, by a request that needs no right here."""
    path = f"/projects/{PROJECT}/datasets/{DATASET}/tables/bill/rowAccessPolicies"
    answer: Any = client._connection.api_request(method="GET", path=path)  # noqa: SLF001
    return [one["rowAccessPolicyReference"]["policyId"] for one in answer["rowAccessPolicies"]]


def tag(client: bq.Client, column: str = "BilledCost") -> None:
    """Gives a column a policy tag, as a person does."""
    table = client.get_table(TABLE)
    tags = bq.PolicyTagList([TAG])
    table.schema = [
        bq.SchemaField.from_api_repr({**one.to_api_repr(), "policyTags": tags.to_api_repr()})
        if one.name == column
        else one
        for one in table.schema
    ]
    client.update_table(table, ["schema"])


def tagged(client: bq.Client) -> list[str]:
    """The columns of the table that have policy tags."""
    return [one.name for one in client.get_table(TABLE).schema if one.policy_tags]


def jobs_since(cloud: Cloud, before: int) -> list[dict[str, Any]]:
    """The jobs that changed the table of bills or its staging tables, as they were inserted."""
    return [
        job
        for job in cloud.bigquery.jobs()[before:]
        if re.search(r"'bill(?:_staging_\w+)?\$|BEGIN TRANSACTION", str(job["configuration"]))
    ]


def verdicts(case: Case) -> set[Verdict]:
    """What `verify` says of the months."""
    return {one.verdict for one in verify_source(case.settings, frozenset(), lambda _: None).months}


@pytest.fixture
def loaded(case: Case) -> Case:
    """A case whose table holds the old run."""
    case.deliver(OLD)
    assert case.load().exit_code == 0
    return case


class TestRowAccessPolicies:
    def test_a_month_is_replaced_whole_and_the_policies_stay(
        self, loaded: Case, client: bq.Client, cloud: Cloud
    ) -> None:
        allow(client)
        allow(client, who="user:ada@example.com", condition="BilledCost > 1", name="ada")
        loaded.deliver(NEW, replace(OLD, period="2025-09", charges=charges("2025-09", "7")))
        before = len(cloud.bigquery.jobs())
        outcome = loaded.load()
        assert outcome.exit_code == 0
        assert policies(client) == ["ada", "p"]
        assert loaded.held("2025-10") == list(NEW.charges)
        assert loaded.held("2025-09") == charges("2025-09", "7")
        # Two months: each is loaded into a staging table and inserted; nothing truncates the table.
        done = jobs_since(cloud, before)
        assert sorted(job["kind"] for job in done) == ["load", "load", "query", "query"]
        assert not [job for job in done if "'bill$" in str(job["configuration"])]
        assert loaded.tracked()[-1][1:3] in {("new", 3), ("old", 1)}
        assert verdicts(loaded) == {Verdict.EQUAL}
        assert loaded.load().results == ()

    def test_a_job_of_the_transaction_says_whose_it_is(
        self, loaded: Case, client: bq.Client, cloud: Cloud
    ) -> None:
        allow(client)
        loaded.deliver(NEW)
        (result,) = loaded.load().results
        (job,) = [job for job in cloud.bigquery.jobs() if job["job_id"] == result.job_id]
        assert job["labels"] == {"source": "azure_billing", "period": "2025-10"}
        assert result.rows == 3

    def test_readers_see_the_month_before_or_the_month_after(
        self, loaded: Case, client: bq.Client, cloud: Cloud
    ) -> None:
        allow(client)
        loaded.deliver(NEW)
        seen: list[int] = []

        def look(_stage: str, job: dict[str, Any]) -> None:
            if "BEGIN TRANSACTION" in str(job["configuration"]):
                connection = cloud.bigquery._runner.engine.new_connection()  # noqa: SLF001
                rows = connection.execute('SELECT count(*) FROM "acme__finops"."bill"').fetchall()
                seen.append(rows[0][0])

        cloud.bigquery.faults.append(look)
        assert loaded.load().exit_code == 0
        assert seen == [2] * len(seen)
        assert len(seen) == 5  # start, three statements, commit
        assert len(loaded.held()) == 3

    def test_csv_with_other_columns_adds_them_and_keeps_the_policies(
        self, case: Case, client: bq.Client
    ) -> None:
        aws = replace(case, writer=AwsWriter())
        aws.deliver(OLD)
        assert aws.load().exit_code == 0
        allow(client)
        aws.deliver(replace(NEW, added={"user:team": "blue"}))
        assert aws.load().exit_code == 0
        assert aws.held() == list(NEW.charges)
        assert policies(client) == ["p"]
        assert "blue" in aws.values("resource_tags_user_user_team")

    def test_a_run_without_rows_empties_the_month_and_keeps_them(
        self, loaded: Case, client: bq.Client
    ) -> None:
        allow(client)
        loaded.deliver(replace(NEW, charges=[]))
        loaded.load()
        loaded.accept("2025-10")
        assert loaded.held() == []
        assert policies(client) == ["p"]

    def test_rows_of_another_month_change_nothing(self, loaded: Case, client: bq.Client) -> None:
        allow(client)
        loaded.deliver(replace(NEW, period_start=at("2025-11-01 00:00").date()))
        (failure,) = loaded.load().failures
        assert isinstance(failure.error, LoadError)
        assert loaded.held() == list(OLD.charges)
        assert policies(client) == ["p"]

    def test_one_request_asks_for_them_and_none_where_nothing_is_loaded(
        self, loaded: Case, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from contract.faulty import requests
        from emulators.fault_proxy import FaultProxy

        with FaultProxy(cloud.bigquery.url) as proxy:
            monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", proxy.url)
            assert loaded.load().results == ()
            assert requests(proxy, "GET", "rowAccessPolicies") == 0
            loaded.deliver(NEW, replace(OLD, period="2025-09", charges=charges("2025-09", "7")))
            assert len(loaded.load().results) == 2
            assert requests(proxy, "GET", "rowAccessPolicies") == 1


class TestWithoutTheRightToList:
    def test_a_query_tells_that_there_are_policies(
        self, loaded: Case, client: bq.Client, cloud: Cloud
    ) -> None:
        allow(client)
        cloud.bigquery.deny(LIST)
        loaded.deliver(NEW)
        assert loaded.load().exit_code == 0
        cloud.bigquery._runner.access.denied.clear()  # noqa: SLF001
        assert policies(client) == ["p"]
        assert loaded.held() == list(NEW.charges)

    def test_a_plain_table_is_loaded_as_ever(self, loaded: Case, cloud: Cloud) -> None:
        cloud.bigquery.deny(LIST)
        loaded.deliver(NEW)
        before = len(cloud.bigquery.jobs())
        (result,) = loaded.load().results
        (job,) = jobs_since(cloud, before)
        assert (job["kind"], job["job_id"]) == ("load", result.job_id)


class TestRowsThatAreHidden:
    @pytest.mark.parametrize("condition", ["BilledCost > 1", None])
    @pytest.mark.parametrize("is_listed", [True, False])
    def test_nothing_is_staged_or_changed_for_an_account_that_does_not_see_all_rows(
        self,
        loaded: Case,
        client: bq.Client,
        cloud: Cloud,
        condition: str | None,
        *,
        is_listed: bool,
    ) -> None:
        allow(client, who="user:ada@example.com", name="ada")
        if condition is not None:
            allow(client, condition=condition)
        if not is_listed:
            cloud.bigquery.deny(LIST)
        loaded.deliver(NEW)
        before = len(cloud.bigquery.jobs())
        (failure,) = loaded.load().failures
        said = str(failure.error)
        assert "hides rows of finops.bill from this account" in said
        assert f"of 2025-10 it sees {1 if condition else 0} of 2" in said
        assert "CREATE ROW ACCESS POLICY" in said
        assert jobs_since(cloud, before) == []
        cloud.bigquery.caller = "user:ada@example.com"
        assert loaded.held() == list(OLD.charges)

    def test_a_month_that_would_hide_its_new_rows_stays_as_it_was(
        self, loaded: Case, client: bq.Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # It sees all that there is, and would not see all that comes: the job itself counts.
        monkeypatch.setattr("emulators.bigquery.protection.sees_all", lambda *_: True)
        allow(client, condition="BilledCost < 4")
        loaded.deliver(NEW)
        (failure,) = loaded.load().failures
        assert "a row access policy hides rows from this account" in str(failure.error)
        assert "FILTER USING (TRUE)" in str(failure.error)
        assert loaded.held() == list(OLD.charges)

    def test_verify_and_the_like_name_the_policy_and_raise_no_false_alarm(
        self, loaded: Case, client: bq.Client
    ) -> None:
        allow(client, who="user:ada@example.com")
        status = read_status(loaded.settings, now=utc_now())
        assert list(status.reasons) == []
        (failed,) = verify_source(loaded.settings, frozenset(), lambda _: None).failures
        assert "hides rows of finops.bill from this account" in str(failed.error)
        report, error = collect(loaded.settings)
        assert "hides rows of finops.bill" in str(error)
        assert report.error


class TestJobs:
    def test_a_job_that_a_killed_process_finished_is_taken_up(
        self, loaded: Case, client: bq.Client, cloud: Cloud
    ) -> None:
        allow(client)
        loaded.deliver(NEW)
        before = len(cloud.bigquery.jobs())
        (first,) = loaded.load_unrecorded()
        (second,) = loaded.load().results
        assert isinstance(first, LoadResult)
        assert second.job_id == first.job_id
        assert [job["kind"] for job in jobs_since(cloud, before)] == ["load", "query"]
        assert loaded.held() == list(NEW.charges)

    def test_a_job_that_still_runs_is_waited_for_and_not_repeated(
        self, loaded: Case, client: bq.Client, cloud: Cloud
    ) -> None:
        allow(client)
        loaded.deliver(NEW)
        reached, released = threading.Event(), threading.Event()

        def wait(stage: str, job: dict[str, Any]) -> None:
            if stage == "commit" and job["kind"] == "query":
                reached.set()
                released.wait(20)

        cloud.bigquery.faults.append(wait)
        cloud.bigquery.answer_after_s = 0.05
        before = len(cloud.bigquery.jobs())
        killed = threading.Thread(target=loaded.load_unrecorded)
        killed.start()
        try:
            assert reached.wait(20)
            threading.Timer(0.5, released.set).start()
            (result,) = loaded.load().results
        finally:
            released.set()
            killed.join(20)
        done = [job for job in jobs_since(cloud, before) if job["kind"] == "query"]
        assert [job["job_id"] for job in done] == [result.job_id]
        assert loaded.held() == list(NEW.charges)

    def test_a_job_that_fails_midway_changes_nothing_and_the_next_one_does_it(
        self, loaded: Case, client: bq.Client, cloud: Cloud
    ) -> None:
        allow(client)
        loaded.deliver(NEW)

        def stop(stage: str, job: dict[str, Any]) -> None:
            if stage == "commit" and job["kind"] == "query":
                raise JobError("stopped", "Job execution was cancelled")

        cloud.bigquery.faults.append(stop)
        (failure,) = loaded.load().failures
        assert "cancelled" in str(failure.error)
        assert loaded.held() == list(OLD.charges)
        cloud.bigquery.faults.clear()
        (result,) = loaded.load().results
        assert str(result.job_id).endswith("_1")
        assert loaded.held() == list(NEW.charges)

    def test_a_transaction_that_another_one_cancelled_is_tried_again(
        self, loaded: Case, client: bq.Client, cloud: Cloud, caplog: pytest.LogCaptureFixture
    ) -> None:
        allow(client)
        loaded.deliver(NEW)
        cancelled = iter([True])

        def cancel(stage: str, job: dict[str, Any]) -> None:
            if stage == "commit" and job["kind"] == "query" and next(cancelled, False):
                raise JobError(
                    "invalidQuery",
                    "Transaction is aborted due to concurrent update against table bill",
                )

        cloud.bigquery.faults.append(cancel)
        loaded_again = replace(loaded, keys={"retry_for_s": "2"})
        assert loaded_again.load().exit_code == 0
        assert "changed the table at the same time" in caplog.text
        assert loaded.held() == list(NEW.charges)

    def test_a_job_that_was_done_the_other_way_is_another_job(
        self, case: Case, client: bq.Client
    ) -> None:
        case.deliver(OLD)
        (first,) = case.load_unrecorded()
        assert isinstance(first, LoadResult)
        allow(client)
        (second,) = case.load().results
        assert second.job_id != first.job_id
        assert case.held() == list(OLD.charges)
        assert policies(client) == ["p"]


class TestPolicyTags:
    def test_they_stay_and_no_right_to_set_them_is_needed(
        self, loaded: Case, client: bq.Client, cloud: Cloud
    ) -> None:
        tag(client)
        cloud.bigquery.deny("bigquery.tables.setCategory")
        loaded.deliver(NEW)
        assert loaded.load().exit_code == 0
        assert tagged(client) == ["BilledCost"]
        assert loaded.held() == list(NEW.charges)
        assert verdicts(loaded) == {Verdict.EQUAL}

    def test_what_the_sums_need_is_said_before_anything_is_staged(
        self, loaded: Case, client: bq.Client, cloud: Cloud
    ) -> None:
        tag(client)
        cloud.bigquery.deny("datacatalog.categories.fineGrainedGet")
        loaded.deliver(NEW)
        before = len(cloud.bigquery.jobs())
        (failure,) = loaded.load().failures
        assert "roles/datacatalog.categoryFineGrainedReader" in str(failure.error)
        assert "The month was not changed" in str(failure.error)
        assert not isinstance(failure.error, TransientLoadError)
        assert jobs_since(cloud, before) == []

    def test_where_nothing_is_summed_no_right_to_read_them_is_needed(
        self, loaded: Case, client: bq.Client, cloud: Cloud
    ) -> None:
        tag(client)
        cloud.bigquery.deny("datacatalog.categories.fineGrainedGet")
        loaded.deliver(NEW)
        assert replace(loaded, keys={"totals": "false"}).load().exit_code == 0
        assert tagged(client) == ["BilledCost"]
