"""Row access policies, policy tags, permissions and etags of the emulated BigQuery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.api_core import exceptions as api
from google.cloud import bigquery as bq

from emulators.bigquery.access import LOADER
from unit.emulated.bench import (
    FIELDS,
    NOVEMBER,
    OCTOBER,
    Bench,
    error,
    http_error,
    succeeded,
    table,
)

if TYPE_CHECKING:
    from emulators.bigquery import BigQueryEmulator

TAG = "projects/bench/locations/us/taxonomies/1/policyTags/2"
TAGGED = [
    {**field, "policyTags": {"names": [TAG]}} if field["name"] == "cost" else field
    for field in FIELDS
]
POLICIES = "/projects/bench/datasets/d/tables/t/rowAccessPolicies"


@pytest.fixture
def big(bench: Bench) -> BigQueryEmulator:
    """The emulator, over a table with a row in October and one in November."""
    bench.load(bench.month("1.parquet", OCTOBER, NOVEMBER), writeDisposition="WRITE_APPEND")
    return bench.cloud.bigquery


def allow(bench: Bench, name: str, who: str, condition: str) -> None:
    """A row access policy."""
    bench.rows(
        f"CREATE ROW ACCESS POLICY {name} ON d.t GRANT TO ('{who}') FILTER USING ({condition})"
    )


def policies(bench: Bench, name: str = "t") -> list[str]:
    """The policies of a table."""
    answer = bench.call("GET", POLICIES.replace("/t/", f"/{name}/"))
    return [one["rowAccessPolicyReference"]["policyId"] for one in answer["rowAccessPolicies"]]


def tagged(bench: Bench, name: str = "t") -> list[str]:
    """The columns of a table that have policy tags."""
    schema = bench.client.get_table(f"d.{name}").schema
    return [field.name for field in schema if field.policy_tags]


@pytest.mark.usefixtures("big")
class TestRowAccessPolicies:
    def test_an_account_sees_the_rows_of_its_policies_and_no_others(
        self, bench: Bench, big: BigQueryEmulator
    ) -> None:
        allow(bench, "all_rows", LOADER, "TRUE")
        allow(bench, "october", "user:ada@example.com", "month = '2025-10-01'")
        count = "SELECT COUNT(*) FROM d.t"
        assert bench.rows(count) == [(2,)]
        big.caller = "user:ada@example.com"
        assert bench.rows(count) == [(1,)]
        big.caller = "user:nobody@example.com"
        assert bench.rows(count) == [(0,)]
        assert bench.counts() == {"202510": 1, "202511": 1}  # metadata is not filtered

    def test_policies_are_listed_and_dropped(self, bench: Bench) -> None:
        allow(bench, "one", LOADER, "TRUE")
        allow(bench, "two", LOADER, "TRUE")
        assert policies(bench) == ["one", "two"]
        bench.rows("DROP ROW ACCESS POLICY one ON d.t")
        assert policies(bench) == ["two"]

    @pytest.mark.parametrize("into", ["t", "t$202510"])
    def test_a_truncating_load_takes_them_from_the_table(self, bench: Bench, into: str) -> None:
        allow(bench, "all_rows", LOADER, "TRUE")
        new = bench.month("2.parquet", OCTOBER)
        assert succeeded(bench.load(new, into=into, writeDisposition="WRITE_APPEND"))
        assert policies(bench) == ["all_rows"]
        assert succeeded(bench.load(new, into=into))
        assert policies(bench) == []

    def test_truncating_the_data_alone_keeps_them(self, bench: Bench) -> None:
        allow(bench, "all_rows", LOADER, "TRUE")
        new = bench.month("2.parquet", OCTOBER)
        assert succeeded(bench.load(new, writeDisposition="WRITE_TRUNCATE_DATA"))
        assert (policies(bench), bench.counts()) == (["all_rows"], {"202510": 1})
        refused = bench.load(new, into="t$202510", writeDisposition="WRITE_TRUNCATE_DATA")
        assert error(refused)[0] == "notImplemented"

    def test_a_copy_puts_those_of_its_source_in_their_place(self, bench: Bench) -> None:
        bench.create("stage")
        bench.load(bench.month("2.parquet", OCTOBER), into="stage$202510")
        copy: dict[str, Any] = {
            "sourceTable": table("stage$202510"),
            "destinationTable": table("t$202510"),
        }
        allow(bench, "all_rows", LOADER, "TRUE")
        assert succeeded(bench.job("copy", **copy, writeDisposition="WRITE_APPEND"))
        assert policies(bench) == ["all_rows"]
        assert succeeded(bench.job("copy", **copy, writeDisposition="WRITE_TRUNCATE"))
        assert policies(bench) == []

    def test_a_table_that_is_made_again_has_none(self, bench: Bench) -> None:
        allow(bench, "all_rows", LOADER, "TRUE")
        bench.client.delete_table("d.t")
        bench.create("t")
        assert policies(bench) == []

    @pytest.mark.parametrize(
        "sql",
        [
            "DELETE FROM d.t WHERE month = '2025-10-01'",
            "UPDATE d.t SET cost = 1 WHERE true",
            "INSERT INTO d.t (month) VALUES ('2025-10-01')",
        ],
    )
    def test_a_change_needs_a_policy_that_filters_nothing(self, bench: Bench, sql: str) -> None:
        allow(bench, "october", LOADER, "month = '2025-10-01'")
        with pytest.raises(api.Forbidden, match=r"does not have full access for table bench:d\.t"):
            bench.rows(sql)
        allow(bench, "all_rows", LOADER, "TRUE")
        bench.rows(sql)
        assert policies(bench) == ["all_rows", "october"]

    def test_a_job_says_that_policies_were_applied(self, bench: Bench) -> None:
        def said() -> object:
            job = bench.client.query("SELECT COUNT(*) FROM d.t")
            job.result()
            statistics = bench.client.get_job(job.job_id)._properties["statistics"]  # noqa: SLF001
            return statistics.get("rowLevelSecurityStatistics")

        assert said() is None
        allow(bench, "all_rows", LOADER, "TRUE")
        assert said() == {"rowLevelSecurityApplied": True}


class TestPolicyTags:
    def test_a_schema_sets_them_and_a_schema_without_them_takes_them_away(
        self, bench: Bench
    ) -> None:
        bench.create("p", schema={"fields": TAGGED})
        assert tagged(bench, "p") == ["cost"]
        bench.call("PATCH", "/projects/bench/datasets/d/tables/p", {"schema": {"fields": FIELDS}})
        assert tagged(bench, "p") == []

    def test_a_truncating_load_keeps_those_alone_that_it_states(self, bench: Bench) -> None:
        bench.create("p", schema={"fields": TAGGED})
        new = bench.month("1.parquet", OCTOBER)
        assert succeeded(bench.load(new, into="p$202510", schema={"fields": TAGGED}))
        assert tagged(bench, "p") == ["cost"]
        assert succeeded(bench.load(new, into="p", writeDisposition="WRITE_APPEND"))
        assert tagged(bench, "p") == ["cost"]
        assert succeeded(bench.load(new, into="p$202510"))
        assert tagged(bench, "p") == []

    def test_setting_them_is_a_right_of_its_own(self, bench: Bench) -> None:
        bench.cloud.bigquery.deny("bigquery.tables.setCategory")
        with pytest.raises(api.Forbidden, match=r"bigquery\.tables\.setCategory denied on table"):
            bench.create("p", schema={"fields": TAGGED})
        job = bench.load(bench.month("1.parquet", OCTOBER), schema={"fields": TAGGED})
        assert error(job)[0] == "accessDenied"

    def test_reading_a_column_needs_its_tag_and_writing_it_does_not(self, bench: Bench) -> None:
        bench.create("p", schema={"fields": TAGGED})
        bench.cloud.bigquery.deny("datacatalog.categories.fineGrainedGet")
        assert bench.rows("SELECT COUNT(*) FROM d.p") == [(0,)]
        bench.rows("INSERT INTO d.p (month, cost) VALUES ('2025-10-01', 1)")
        bench.rows("DELETE FROM d.p WHERE month = '2025-10-01'")
        for sql in ("SELECT SUM(cost) FROM d.p", "DELETE FROM d.p WHERE cost = 1"):
            with pytest.raises(api.Forbidden, match="policy tag"):
                bench.rows(sql)
        dry = bq.QueryJobConfig(dry_run=True)
        with pytest.raises(api.Forbidden, match="policy tag"):
            bench.client.query("SELECT SUM(cost) FROM d.p", job_config=dry)


class TestDataPolicies:
    def test_they_are_kept_read_and_set_as_tags_are_by_rights_of_their_own(
        self, bench: Bench
    ) -> None:
        own = [{"name": "projects/bench/locations/us/dataPolicies/masked"}]
        fields = [
            {**field, "dataPolicies": own} if field["name"] == "cost" else field for field in FIELDS
        ]

        def columns() -> list[str]:
            return [one.name for one in bench.client.get_table("d.p").schema if one.data_policies]

        bench.create("p", schema={"fields": fields})
        assert columns() == ["cost"]
        bench.cloud.bigquery.deny("bigquery.dataPolicies.getRawData")
        assert bench.rows("SELECT COUNT(*) FROM d.p") == [(0,)]
        with pytest.raises(api.Forbidden, match="a data policy on column cost"):
            bench.rows("SELECT SUM(cost) FROM d.p")
        assert succeeded(bench.load(bench.month("1.parquet", OCTOBER), into="p$202510"))
        assert columns() == []
        bench.cloud.bigquery.deny("bigquery.dataPolicies.attach")
        with pytest.raises(api.Forbidden, match=r"bigquery\.dataPolicies\.attach denied"):
            bench.create("q", schema={"fields": fields})


class TestPermissions:
    @pytest.mark.parametrize(
        ("permission", "call", "said"),
        [
            (
                "bigquery.rowAccessPolicies.list",
                ("GET", POLICIES),
                r"Permission bigquery.rowAccessPolicies.list denied on table bench:d.t \(or it",
            ),
            (
                "bigquery.tables.get",
                ("GET", "/projects/bench/datasets/d/tables/t"),
                "Access Denied: Table bench:d.t: Permission bigquery.tables.get denied",
            ),
            (
                "bigquery.datasets.get",
                ("GET", "/projects/bench/datasets/d"),
                "Permission bigquery.datasets.get denied on dataset bench:d",
            ),
            (
                "bigquery.jobs.create",
                ("POST", "/projects/bench/jobs"),
                "User does not have bigquery.jobs.create permission in project bench",
            ),
        ],
    )
    def test_a_request_is_refused_for_what_it_lacks(
        self, bench: Bench, permission: str, call: tuple[str, str], said: str
    ) -> None:
        bench.cloud.bigquery.deny(permission)
        with pytest.raises(api.Forbidden, match=said) as refused:
            bench.call(*call)
        assert refused.value.errors[0]["reason"] == "accessDenied"

    def test_a_job_is_refused_for_what_it_lacks(self, bench: Bench) -> None:
        bench.cloud.bigquery.deny("bigquery.tables.getData", "bigquery.tables.updateData")
        with pytest.raises(api.Forbidden, match="does not have permission to query table bench:d"):
            bench.rows("SELECT COUNT(*) FROM d.t")
        reason, message = error(bench.load(bench.month("1.parquet", OCTOBER)))
        assert (reason, "updateData" in message) == ("accessDenied", True)

    def test_a_table_tells_which_permissions_there_are(self, bench: Bench) -> None:
        asked = ["bigquery.tables.get", "bigquery.tables.update"]
        every = bench.client.test_iam_permissions("d.t", asked)
        assert every == {"permissions": asked}
        bench.cloud.bigquery.deny("bigquery.tables.update")
        assert bench.client.test_iam_permissions("d.t", asked) == {"permissions": asked[:1]}
        assert bench.client.test_iam_permissions("d.none", asked) == {}


class TestEtags:
    def test_a_table_that_was_changed_since_it_was_read_is_not_changed(self, bench: Bench) -> None:
        first = bench.client.get_table("d.t")
        first.description = "mine"
        second = bench.client.get_table("d.t")
        second.description = "yours"
        bench.client.update_table(second, ["description"])
        with http_error(412):
            bench.client.update_table(first, ["description"])
        assert bench.client.get_table("d.t").description == "yours"
        # Without an etag the last one wins.
        blind = bq.Table("bench.d.t")
        blind.description = "whose"
        assert bench.client.update_table(blind, ["description"]).description == "whose"

    def test_a_load_changes_the_etag(self, bench: Bench) -> None:
        before = bench.client.get_table("d.t").etag
        bench.load(bench.month("1.parquet", OCTOBER), into="t$202510")
        assert bench.client.get_table("d.t").etag != before
