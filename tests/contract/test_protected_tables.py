"""Row access policies and policy tags survive every load, and no load works half blind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from cloudbill.errors import TransientLoadError
from cloudbill.looking.comparison import Verdict
from cloudbill.looking.status_reading import read_status
from cloudbill.looking.verification import verify_source
from cloudbill.periods import utc_now
from cloudbill.report.collecting import collect
from contract.deliveries import AwsWriter, AzureWriter, Writer, at, charges
from contract.places import Case
from contract.protected import (
    DATA_POLICIES,
    LIST,
    NEW,
    OLD,
    TAGS,
    allow,
    jobs_since,
    policies,
    tag,
    tagged,
    verdicts,
)
from contract.rewriting import rewrite, with_columns
from contract.test_several_months import AUGUST, OCTOBER, SEPTEMBER, backfill, one
from emulators.bigquery.access import LOADER

if TYPE_CHECKING:
    from google.cloud import bigquery as bq

    from emulators.fixtures import Cloud

WAYS = (("azure parquet", "bigquery"),)


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

    @pytest.mark.parametrize("lists_emptied", [False, True])
    def test_a_run_without_rows_empties_the_month_and_keeps_them(
        self, loaded: Case, client: bq.Client, cloud: Cloud, *, lists_emptied: bool
    ) -> None:
        cloud.bigquery.lists_emptied = lists_emptied
        loaded.deliver(replace(OLD, period="2025-09", charges=charges("2025-09", "7")))
        loaded.load()
        allow(client)
        loaded.deliver(replace(NEW, charges=[]))
        loaded.load()
        assert loaded.accept("2025-10").exit_code == 0
        assert loaded.held("2025-10") == []
        assert policies(client) == ["p"]
        assert loaded.load().results == ()
        latest = replace(NEW, submitted_at=at("2025-11-02 04:00"), run_id="latest")
        loaded.deliver(latest)
        assert loaded.load().exit_code == 0
        assert loaded.held("2025-10") == list(latest.charges)

    def test_a_run_over_several_months_replaces_each_of_them(
        self, case: Case, client: bq.Client
    ) -> None:
        case.deliver(one("2025-09", "1", run_id="september"))
        assert case.load().exit_code == 0
        allow(client)
        case.deliver(backfill())
        assert case.load().exit_code == 0
        assert case.held() == [replace(row, period=None) for row in (*AUGUST, *SEPTEMBER, *OCTOBER)]
        assert policies(client) == ["p"]
        assert verdicts(case) == {Verdict.EQUAL}

    @pytest.mark.parametrize("writer", [AzureWriter, AwsWriter])
    def test_rows_of_another_month_change_nothing(
        self, case: Case, client: bq.Client, writer: type[Writer]
    ) -> None:
        # The footers of Parquet tell; rows of CSV are told by the partition of the staging table.
        case = replace(case, writer=writer())
        case.deliver(OLD)
        case.load()
        allow(client)
        case.deliver(replace(NEW, period_start=date(2025, 11, 1)))
        (failure,) = case.load().failures
        assert "rows of another month" in str(failure.error) or "has rows" in str(failure.error)
        assert case.held() == list(OLD.charges)
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
        self, loaded: Case, client: bq.Client, cloud: Cloud
    ) -> None:
        allow(client, who="user:ada@example.com")
        status = read_status(loaded.settings, now=utc_now())
        assert (list(status.reasons), status.error) == ([], None)
        # Somebody writes the month, so its costs are compared with what was recorded.
        cloud.bigquery.caller = "user:ada@example.com"
        client.query_and_wait("UPDATE finops.bill SET BilledCost = 9 WHERE BilledCost = 1")
        cloud.bigquery.caller = LOADER
        error = read_status(loaded.settings, now=utc_now()).error
        assert "hides rows of finops.bill from this account" in str(error)
        (failed,) = verify_source(loaded.settings, frozenset(), lambda _: None).failures
        assert "hides rows of finops.bill from this account" in str(failed.error)
        report, error = collect(loaded.settings)
        assert "hides rows of finops.bill" in str(error)
        assert report.error


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagging:
    """What protects a column, and the rights that it asks for."""

    by: Mapping[str, Any]
    to_set: str
    to_read: str
    role: str


@pytest.fixture(
    params=[
        Tagging(
            by=TAGS,
            to_set="bigquery.tables.setCategory",
            to_read="datacatalog.categories.fineGrainedGet",
            role="roles/datacatalog.categoryFineGrainedReader",
        ),
        Tagging(
            by=DATA_POLICIES,
            to_set="bigquery.dataPolicies.attach",
            to_read="bigquery.dataPolicies.getRawData",
            role="roles/bigquerydatapolicy.rawDataReader",
        ),
    ],
    ids=["policy tags", "data policies"],
)
def tagging(request: pytest.FixtureRequest) -> Tagging:
    """Each thing that protects a column."""
    found: Tagging = request.param
    return found


class TestColumns:
    def test_their_tags_stay_and_no_right_to_set_them_is_needed(
        self, loaded: Case, client: bq.Client, cloud: Cloud, tagging: Tagging
    ) -> None:
        tag(client, by=tagging.by)
        cloud.bigquery.deny(tagging.to_set)
        added = with_columns(x_New=lambda rows: pa.array(["new"] * rows))
        rewrite(loaded, NEW, added)
        before = len(cloud.bigquery.jobs())
        assert loaded.load().exit_code == 0
        assert tagged(client) == ["BilledCost"]
        assert sorted(job["kind"] for job in jobs_since(cloud, before)) == ["load", "query"]
        assert loaded.held() == list(NEW.charges)
        assert loaded.values("x_New") == ["new"] * 3
        assert verdicts(loaded) == {Verdict.EQUAL}

    def test_what_the_sums_need_is_said_before_anything_is_staged(
        self, loaded: Case, client: bq.Client, cloud: Cloud, tagging: Tagging
    ) -> None:
        tag(client, by=tagging.by)
        cloud.bigquery.deny(tagging.to_read)
        loaded.deliver(NEW)
        before = len(cloud.bigquery.jobs())
        (failure,) = loaded.load().failures
        assert tagging.role in str(failure.error)
        assert "The month was not changed" in str(failure.error)
        assert not isinstance(failure.error, TransientLoadError)
        assert jobs_since(cloud, before) == []

    def test_where_nothing_is_summed_no_right_to_read_them_is_needed(
        self, loaded: Case, client: bq.Client, cloud: Cloud, tagging: Tagging
    ) -> None:
        tag(client, by=tagging.by)
        cloud.bigquery.deny(tagging.to_read)
        loaded.deliver(NEW)
        assert replace(loaded, keys={"totals": "false"}).load().exit_code == 0
        assert tagged(client) == ["BilledCost"]

    def test_where_their_sums_differ_it_is_said_that_a_masked_reader_sees_other_values(
        self, loaded: Case, client: bq.Client, tagging: Tagging
    ) -> None:
        # What a masked reader sees of a column is not emulated; its sums differ just so.
        client.query_and_wait("UPDATE finops.bill SET BilledCost = 0 WHERE TRUE")
        assert "masked reader" not in str(reason(loaded))
        tag(client, "ListCost", by=tagging.by)
        assert "masked reader" not in str(reason(loaded))
        tag(client, "BilledCost", by=tagging.by)
        assert "If this account is a masked reader of BilledCost, it sees 0 or NULL" in str(
            reason(loaded)
        )

    def test_where_none_has_a_value_after_a_load_that_is_said_too(
        self, loaded: Case, client: bq.Client, tagging: Tagging, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # As an account sees it to which each value is shown as NULL, once they are in the table.
        tag(client, by=tagging.by)
        loaded.deliver(NEW)
        monkeypatch.setattr("cloudbill.warehouses.bigquery.alarms.has_any", lambda *_: False)
        monkeypatch.setattr(
            "cloudbill.warehouses.bigquery.alarms.billed_costs_of", lambda *_: {"EUR": Decimal(0)}
        )
        (result,) = loaded.load().results
        assert "If this account is a masked reader of BilledCost" in str(result.alarm)


def reason(case: Case) -> str | None:
    """Why `verify` says what it says of the one month there is."""
    (report,) = verify_source(case.settings, frozenset(), lambda _: None).months
    assert report.verdict is Verdict.DIFFERENT
    return report.reason
