"""The emulators behave as the documentation of the clouds says: what the project relies on."""

from __future__ import annotations

import datetime as dt
import gzip
import http.client
import io
import json
import threading
import time
import urllib.error
import urllib.request
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emulators.fault_proxy import (
    Delay,
    Edit,
    FaultProxy,
    ResetAfter,
    ResetBefore,
    Status,
    Truncate,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from emulators.bigquery import BigQueryEmulator
    from emulators.fixtures import Cloud
    from emulators.gcs import GcsEmulator
    from emulators.s3 import S3Emulator

OCTOBER = dt.date(2025, 10, 1)
NOVEMBER = dt.date(2025, 11, 1)
FIELDS = [
    {"name": "month", "type": "DATE"},
    {"name": "cost", "type": "BIGNUMERIC", "description": "what it costs"},
    {"name": "service", "type": "STRING"},
]
CREATE = {"createDisposition": "CREATE_IF_NEEDED"}


class Bench:
    """A dataset with a table of months, and short words to load into it."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.client = cloud.bigquery.client("bench")
        self.client.create_dataset("d")
        cloud.gcs.create_bucket("billing")
        self.create("t")

    def create(self, name: str, **properties: Any) -> dict[str, Any]:
        body = {
            "tableReference": {"projectId": "bench", "datasetId": "d", "tableId": name},
            "schema": {"fields": FIELDS},
            "timePartitioning": {"type": "MONTH", "field": "month"},
            "clustering": {"fields": ["service"]},
            **properties,
        }
        return self.call("POST", "/projects/bench/datasets/d/tables", body)

    def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        return cast(
            "dict[str, Any]",
            self.client._connection.api_request(method=method, path=path, data=body),  # noqa: SLF001
        )

    def parquet(self, name: str, **columns: Any) -> str:
        sink = io.BytesIO()
        pq.write_table(pa.table(columns), sink)
        return self.put(name, sink.getvalue())

    def month(self, name: str, *months: dt.date | None, cost: str = "1.5") -> str:
        """A file with one row in each of these months."""
        costs = pa.array([Decimal(cost)] * len(months), pa.decimal128(38, 18))
        services = pa.array(["vm"] * len(months), pa.string())
        return self.parquet(name, month=pa.array(months, pa.date32()), cost=costs, service=services)

    def put(self, name: str, data: bytes) -> str:
        self.cloud.gcs.put("billing", name, data)
        return f"gs://billing/{name}"

    def job(self, kind: str, job_id: str | None = None, **config: Any) -> dict[str, Any]:
        """Insert a job, and give it back as it ended."""
        body: dict[str, Any] = {"configuration": {kind: config}}
        if job_id:
            body["jobReference"] = {"projectId": "bench", "jobId": job_id}
        return self.call("POST", "/projects/bench/jobs", body)

    def load(
        self, *uris: str, into: str = "t", job_id: str | None = None, **config: Any
    ) -> dict[str, Any]:
        """Load as the project does: replace a partition by Parquet files."""
        return self.job(
            "load",
            job_id,
            **{
                "destinationTable": table(into),
                "sourceUris": uris,
                "sourceFormat": "PARQUET",
                "writeDisposition": "WRITE_TRUNCATE",
                "createDisposition": "CREATE_NEVER",
                "decimalTargetTypes": ["BIGNUMERIC"],
                **config,
            },
        )

    def csv(self, text: str | bytes, *, into: str = "t", **config: Any) -> dict[str, Any]:
        """Append a CSV file with a header."""
        data = text if isinstance(text, bytes) else text.encode()
        options: dict[str, Any] = {
            "sourceFormat": "CSV",
            "writeDisposition": "WRITE_APPEND",
            "skipLeadingRows": 1,
            "decimalTargetTypes": None,
            **config,
        }
        return self.load(self.put("rows.csv", data), into=into, **options)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in self.client.query(sql).result()]

    def counts(self, name: str = "t") -> dict[str, int]:
        """Rows of each partition."""
        return dict(
            self.rows(
                "SELECT partition_id, total_rows FROM d.INFORMATION_SCHEMA.PARTITIONS "  # noqa: S608
                f"WHERE table_name = '{name}'"
            )
        )

    def modified(self) -> dict[str, dt.datetime]:
        """When each partition was last written."""
        return dict(
            self.rows(
                "SELECT partition_id, last_modified_time FROM d.INFORMATION_SCHEMA.PARTITIONS "
                "WHERE table_name = 't'"
            )
        )

    def costs(self) -> list[Decimal | None]:
        return [row[0] for row in self.rows("SELECT cost FROM d.t ORDER BY cost")]


@pytest.fixture
def bench(cloud: Cloud) -> Bench:
    return Bench(cloud)


def table(name: str) -> dict[str, str]:
    return {"projectId": "bench", "datasetId": "d", "tableId": name}


def error(job: dict[str, Any]) -> tuple[str, str]:
    result = job["status"]["errorResult"]
    return result["reason"], result["message"]


def succeeded(job: dict[str, Any]) -> bool:
    return bool(job["status"] == {"state": "DONE"})


def http_error(code: int) -> pytest.RaisesExc[Any]:
    return pytest.raises(_api_error(), match=f"^{code} ")


def _api_error() -> type[Exception]:
    from google.api_core.exceptions import GoogleAPICallError

    return GoogleAPICallError


class TestPartitions:
    def test_a_load_into_a_partition_replaces_only_that_partition(self, bench: Bench) -> None:
        both = bench.month("both.parquet", OCTOBER, OCTOBER, NOVEMBER)
        assert succeeded(bench.load(both, writeDisposition="WRITE_APPEND"))
        assert succeeded(bench.load(bench.month("1.parquet", OCTOBER, cost="7"), into="t$202510"))
        assert bench.counts() == {"202510": 1, "202511": 1}
        assert bench.costs() == [Decimal("1.5"), Decimal(7)]

    def test_a_day_partition_is_replaced_alike(self, bench: Bench) -> None:
        bench.create("days", timePartitioning={"type": "DAY", "field": "month"})
        day = bench.month("1.parquet", OCTOBER)
        assert succeeded(bench.load(day, into="days$20251001"))
        assert bench.counts("days") == {"20251001": 1}
        assert error(bench.load(day, into="days$20251002"))[0] == "invalid"

    @pytest.mark.parametrize("other", [NOVEMBER, None])
    def test_a_row_outside_the_partition_fails_the_job(
        self, bench: Bench, other: dt.date | None
    ) -> None:
        assert succeeded(bench.load(bench.month("old.parquet", OCTOBER), into="t$202510"))
        job = bench.load(bench.month("new.parquet", OCTOBER, other), into="t$202510")
        assert error(job) == (
            "invalid",
            (
                "Some rows belong to different partitions rather than destination partition "
                "bench:d.t$202510"
            ),
        )
        assert bench.counts() == {"202510": 1}

    def test_an_empty_file_empties_the_partition(self, bench: Bench) -> None:
        bench.load(bench.month("old.parquet", OCTOBER), into="t$202510")
        assert succeeded(bench.load(bench.month("new.parquet"), into="t$202510"))
        assert bench.counts() == {}

    @pytest.mark.parametrize("partition", ["2025", "20251001", "october", "__NULL__"])
    def test_the_partition_id_must_fit_the_granularity(self, bench: Bench, partition: str) -> None:
        job = bench.load(bench.month("1.parquet", OCTOBER), into=f"t${partition}")
        assert error(job)[0] == "invalid"

    @pytest.mark.parametrize("stage", ["start", "read:0", "read:1", "commit"])
    def test_a_job_that_fails_at_any_point_changes_nothing(self, bench: Bench, stage: str) -> None:
        from emulators.bigquery import JobError

        bench.load(bench.month("old.parquet", OCTOBER), into="t$202510")

        def fail(at: str, job: dict[str, Any]) -> None:
            if at == stage and job["job_id"] == "fails":
                raise JobError("backendError", "try again")

        bench.cloud.bigquery.faults.append(fail)
        new = [bench.month(f"{n}.parquet", OCTOBER, OCTOBER) for n in range(2)]
        job = bench.load(*new, into="t$202510", job_id="fails")
        assert error(job) == ("backendError", "try again")
        assert bench.counts() == {"202510": 1}

    def test_a_second_file_that_is_broken_changes_nothing(self, bench: Bench) -> None:
        bench.load(bench.month("old.parquet", OCTOBER), into="t$202510")
        good = bench.month("1.parquet", OCTOBER)
        job = bench.load(good, bench.put("2.parquet", b"PAR1 not"), into="t$202510")
        assert error(job)[0] == "invalid"
        assert "gs://billing/2.parquet" in error(job)[1]
        assert bench.counts() == {"202510": 1}

    def test_readers_see_the_old_rows_while_a_job_runs(self, bench: Bench) -> None:
        bench.load(bench.month("old.parquet", OCTOBER), into="t$202510")
        reached, released = threading.Event(), threading.Event()

        def hold(stage: str, _job: dict[str, Any]) -> None:
            if stage == "commit":
                reached.set()
                released.wait(10)

        bench.cloud.bigquery.faults.append(hold)
        bench.cloud.bigquery.answer_after_s = 0
        new = bench.month("new.parquet", OCTOBER, OCTOBER)
        try:
            job = bench.load(new, into="t$202510", job_id="slow")
            assert job["status"] == {"state": "RUNNING"}
            assert reached.wait(10)
            assert len(list(bench.client.list_rows("d.t"))) == 1
            with http_error(409):
                bench.load(new, into="t$202510", job_id="slow")
        finally:
            released.set()
        bench.client.get_job("slow").result()
        assert len(list(bench.client.list_rows("d.t"))) == 2

    def test_deleting_a_partition_leaves_the_others(self, bench: Bench) -> None:
        bench.load(bench.month("1.parquet", OCTOBER, NOVEMBER), writeDisposition="WRITE_APPEND")
        bench.client.delete_table("d.t$202510")
        assert bench.counts() == {"202511": 1}
        assert bench.client.get_table("d.t").num_rows == 1
        with http_error(404):
            bench.client.delete_table("d.none$202510")

    def test_each_partition_tells_when_it_was_last_written(self, bench: Bench) -> None:
        bench.load(bench.month("1.parquet", OCTOBER, NOVEMBER), writeDisposition="WRITE_APPEND")
        first = bench.modified()
        bench.load(bench.month("2.parquet", NOVEMBER), into="t$202511")
        second = bench.modified()
        assert second["202510"] == first["202510"]
        assert second["202511"] > first["202511"]
        bench.rows("UPDATE d.t SET cost = 3 WHERE month = '2025-10-01'")
        third = bench.modified()
        assert third["202510"] > second["202510"]
        assert third["202511"] == second["202511"]

    def test_a_copied_partition_replaces_the_same_partition(self, bench: Bench) -> None:
        bench.create("stage")
        bench.load(bench.month("1.parquet", OCTOBER, NOVEMBER), writeDisposition="WRITE_APPEND")
        before = bench.modified()
        new = bench.month("2.parquet", OCTOBER, OCTOBER)
        bench.load(new, into="stage$202510")
        copy: dict[str, Any] = {
            "sourceTable": table("stage$202510"),
            "destinationTable": table("t$202510"),
        }
        assert error(bench.job("copy", **copy))[0] == "duplicate"  # WRITE_EMPTY is the default
        assert succeeded(bench.job("copy", "c1", **copy, writeDisposition="WRITE_TRUNCATE"))
        assert bench.counts() == {"202510": 2, "202511": 1}
        assert bench.modified()["202510"] > before["202510"]
        assert bench.modified()["202511"] == before["202511"]
        with http_error(409):
            bench.job("copy", "c1", **copy, writeDisposition="WRITE_TRUNCATE")

    @pytest.mark.parametrize(
        ("properties", "source"),
        [
            ({"clustering": None}, "stage$202510"),
            ({"timePartitioning": {"type": "DAY", "field": "month"}}, "stage$20251001"),
            ({"timePartitioning": None}, "stage"),
            ({}, "stage$202511"),
        ],
    )
    def test_a_copy_between_unlike_partitions_fails(
        self, bench: Bench, properties: dict[str, Any], source: str
    ) -> None:
        bench.create("stage", **properties)
        bench.load(bench.month("1.parquet", OCTOBER), into="t$202510")
        job = bench.job(
            "copy",
            sourceTable=table(source),
            destinationTable=table("t$202510"),
            writeDisposition="WRITE_TRUNCATE",
        )
        assert error(job)[0] == "invalid"
        assert bench.counts() == {"202510": 1}

    def test_a_whole_table_is_copied_to_a_new_one(self, bench: Bench) -> None:
        bench.load(bench.month("1.parquet", OCTOBER), into="t$202510")
        assert succeeded(bench.job("copy", sourceTable=table("t"), destinationTable=table("copy")))
        assert bench.counts("copy") == {"202510": 1}

    def test_jobs_and_readers_do_not_disturb_each_other(self, bench: Bench) -> None:
        uris = [bench.month(f"{n}.parquet", dt.date(2025, n, 1)) for n in range(1, 7)]
        seen: list[int] = []

        def work(number: int) -> None:
            bench.load(uris[number], into=f"t$2025{number + 1:02}")
            seen.append(len(list(bench.client.list_rows("d.t"))))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert max(seen) == 6
        assert bench.counts() == {f"2025{number:02}": 1 for number in range(1, 7)}


class TestLoadJobs:
    def test_statistics_tell_what_was_loaded(self, bench: Bench) -> None:
        uris = [bench.month("1.parquet", OCTOBER), bench.month("2.parquet", OCTOBER, OCTOBER)]
        job = bench.load(*uris, into="t$202510")
        size = sum(path.stat().st_size for path in (bench.cloud.gcs.root / "billing").iterdir())
        assert job["statistics"]["load"] == {
            "inputFiles": "2",
            "inputFileBytes": str(size),
            "outputRows": "3",
            "outputBytes": str(size),
            "badRecords": "0",
        }
        assert int(job["statistics"]["startTime"]) <= int(job["statistics"]["endTime"])

    def test_output_rows_are_those_of_the_job(self, bench: Bench) -> None:
        one = bench.month("1.parquet", OCTOBER)
        bench.load(one, writeDisposition="WRITE_APPEND")
        job = bench.load(one, writeDisposition="WRITE_APPEND")
        assert job["statistics"]["load"]["outputRows"] == "1"
        assert bench.client.get_table("d.t").num_rows == 2

    def test_create_never_needs_the_table(self, bench: Bench) -> None:
        job = bench.load(bench.month("1.parquet", OCTOBER), into="other$202510")
        assert error(job) == ("notFound", "Not found: Table bench:d.other")

    def test_a_missing_file_is_not_found(self, bench: Bench) -> None:
        job = bench.load("gs://billing/none.parquet", into="t$202510")
        assert error(job) == ("notFound", "Not found: URI gs://billing/none.parquet")

    def test_a_missing_dataset_is_not_found(self, bench: Bench) -> None:
        destination = {**table("t"), "datasetId": "none"}
        job = bench.load(bench.month("1.parquet", OCTOBER), destinationTable=destination)
        assert error(job)[0] == "notFound"

    def test_a_wildcard_names_many_files(self, bench: Bench) -> None:
        for name in ("p/1.parquet", "p/2.parquet", "q/3.parquet"):
            bench.month(name, OCTOBER)
        job = bench.load("gs://billing/p/*.parquet", into="t$202510")
        assert job["statistics"]["load"]["inputFiles"] == "2"

    def test_a_job_keeps_its_labels(self, bench: Bench) -> None:
        uri = bench.month("1.parquet", OCTOBER)
        config = {
            "labels": {"run": "r1"},
            "load": {
                "destinationTable": table("t"),
                "sourceUris": [uri],
                "sourceFormat": "PARQUET",
            },
        }
        reference = {"projectId": "bench", "jobId": "labelled"}
        bench.call(
            "POST", "/projects/bench/jobs", {"configuration": config, "jobReference": reference}
        )
        assert bench.client.get_job("labelled").labels == {"run": "r1"}
        (seen,) = [job for job in bench.cloud.bigquery.jobs() if job["job_id"] == "labelled"]
        assert (seen["kind"], seen["state"], seen["labels"]) == ("load", "DONE", {"run": "r1"})

    @pytest.mark.parametrize("fails", [False, True])
    def test_the_id_of_a_job_is_used_up_even_if_it_fails(
        self, bench: Bench, *, fails: bool
    ) -> None:
        uri = bench.month("1.parquet", NOVEMBER if fails else OCTOBER)
        job = bench.load(uri, into="t$202510", job_id="once")
        assert succeeded(job) is not fails
        with http_error(409):
            bench.load(uri, into="t$202510", job_id="once")
        known = bench.client.get_job("once")
        assert known.state == "DONE"
        assert (known.error_result is not None) is fails

    def test_the_id_of_a_query_is_used_up(self, bench: Bench) -> None:
        bench.client.query("SELECT 1", job_id="q1", job_retry=None).result()
        with http_error(409):
            bench.job("query", "q1", query="SELECT 1", useLegacySql=False)

    def test_schema_update_options_need_an_append_or_a_partition(self, bench: Bench) -> None:
        uri = bench.parquet("1.parquet", month=[OCTOBER], extra=["x"])
        allowed: dict[str, Any] = {"schemaUpdateOptions": ["ALLOW_FIELD_ADDITION"]}
        assert error(bench.load(uri, **allowed)) == (
            "invalid",
            (
                "Schema update options should only be specified with WRITE_APPEND disposition, "
                "or with WRITE_TRUNCATE disposition on a table partition."
            ),
        )
        assert error(bench.load(uri, into="t$202510"))[1].startswith("Provided Schema does not")
        assert succeeded(bench.load(uri, into="t$202510", **allowed))
        assert bench.rows("SELECT extra, cost FROM d.t") == [("x", None)]
        assert [field.name for field in bench.client.get_table("d.t").schema][-1] == "extra"

    def test_a_column_never_changes_its_type(self, bench: Bench) -> None:
        uri = bench.parquet("1.parquet", month=[OCTOBER], service=[1])
        options = ["ALLOW_FIELD_ADDITION", "ALLOW_FIELD_RELAXATION"]
        job = bench.load(uri, into="t$202510", schemaUpdateOptions=options)
        assert "Field service has changed type from STRING to INTEGER" in error(job)[1]

    def test_truncating_the_whole_table_replaces_its_schema(self, bench: Bench) -> None:
        uri = bench.parquet("1.parquet", month=[OCTOBER], other=["x"])
        assert succeeded(bench.load(uri))
        assert [field.name for field in bench.client.get_table("d.t").schema] == ["month", "other"]

    def test_descriptions_of_columns_outlive_a_load(self, bench: Bench) -> None:
        bench.load(bench.month("1.parquet", OCTOBER), into="t$202510")
        cost = bench.client.get_table("d.t").schema[1]
        assert (cost.field_type, cost.description) == ("BIGNUMERIC", "what it costs")

    def test_a_load_creates_a_table_with_its_layout(self, bench: Bench) -> None:
        assert succeeded(
            bench.load(
                bench.month("1.parquet", OCTOBER),
                into="new",
                createDisposition="CREATE_IF_NEEDED",
                timePartitioning={"type": "MONTH", "field": "month"},
                clustering={"fields": ["service"]},
            )
        )
        new = bench.client.get_table("d.new")
        assert new.time_partitioning.type_ == "MONTH"
        assert new.clustering_fields == ["service"]

    def test_the_layout_of_a_table_cannot_change(self, bench: Bench) -> None:
        layout = {"type": "DAY", "field": "month"}
        uri = bench.month("1.parquet", OCTOBER)
        job = bench.load(uri, timePartitioning=layout, writeDisposition="WRITE_APPEND")
        assert "Incompatible table partitioning specification" in error(job)[1]


class TestParquet:
    @pytest.mark.parametrize(
        ("precision", "scale", "targets", "expected"),
        [
            (38, 9, ["BIGNUMERIC", "NUMERIC"], "NUMERIC"),
            (38, 10, ["NUMERIC", "BIGNUMERIC"], "BIGNUMERIC"),
            (38, 18, ["BIGNUMERIC"], "BIGNUMERIC"),
            (38, 9, ["STRING", "BIGNUMERIC"], "BIGNUMERIC"),
            (20, 4, None, "NUMERIC"),
        ],
    )
    def test_decimals_take_the_first_type_that_holds_them(
        self, bench: Bench, precision: int, scale: int, targets: list[str] | None, expected: str
    ) -> None:
        column = pa.array([Decimal("1.25")], pa.decimal128(precision, scale))
        uri = bench.parquet("1.parquet", x=column)
        create: dict[str, Any] = {
            "createDisposition": "CREATE_IF_NEEDED",
            "decimalTargetTypes": targets,
        }
        assert succeeded(bench.load(uri, into="new", **create))
        assert bench.client.get_table("d.new").schema[0].field_type == expected
        assert bench.rows("SELECT x FROM d.new") == [(Decimal("1.25"),)]

    def test_a_decimal_that_numeric_cannot_hold_fails_the_job(self, bench: Bench) -> None:
        column = pa.array([Decimal("0.0000000001")], pa.decimal128(38, 18))
        uri = bench.parquet("1.parquet", x=column)
        create: dict[str, Any] = {
            "createDisposition": "CREATE_IF_NEEDED",
            "decimalTargetTypes": None,
        }
        assert "out of valid NUMERIC range" in error(bench.load(uri, into="new", **create))[1]

    def test_all_eighteen_digits_arrive(self, bench: Bench) -> None:
        cost = "12345678901234567890.123456789012345678"
        bench.load(bench.month("1.parquet", OCTOBER, cost=cost), into="t$202510")
        assert bench.costs() == [Decimal(cost)]
        assert [row["cost"] for row in bench.client.list_rows("d.t")] == [Decimal(cost)]

    def test_the_schema_is_that_of_the_alphabetically_last_file(self, bench: Bench) -> None:
        first = bench.parquet("a.parquet", x=[1])
        last = bench.parquet("b.parquet", x=[2], y=["z"])
        create: dict[str, Any] = {"createDisposition": "CREATE_IF_NEEDED"}
        assert succeeded(bench.load(last, first, into="new", **create))
        assert bench.rows("SELECT * FROM d.new ORDER BY x") == [(1, None), (2, "z")]

    def test_columns_match_by_name_whatever_their_order_and_case(self, bench: Bench) -> None:
        uri = bench.parquet("1.parquet", SERVICE=["vm"], Month=[OCTOBER])
        assert succeeded(bench.load(uri, into="t$202510"))
        assert bench.rows("SELECT month, cost, service FROM d.t") == [(OCTOBER, None, "vm")]

    def test_with_a_schema_missing_columns_are_null(self, bench: Bench) -> None:
        uri = bench.parquet("1.parquet", month=[OCTOBER])
        assert succeeded(bench.load(uri, into="t$202510", schema={"fields": FIELDS}))
        assert bench.rows("SELECT cost, service FROM d.t") == [(None, None)]

    def test_with_a_schema_another_type_is_an_error(self, bench: Bench) -> None:
        uri = bench.parquet("1.parquet", month=[OCTOBER], service=[1])
        job = bench.load(uri, into="t$202510", schema={"fields": FIELDS})
        assert "Parquet column 'service' has type int64" in error(job)[1]

    @pytest.mark.parametrize("names", [["a", "A"], ["a.b"], ["lineItem/Cost"], ["_TABLE_x"]])
    def test_names_that_bigquery_refuses_fail_the_job(self, bench: Bench, names: list[str]) -> None:
        uri = bench.parquet("1.parquet", **{name: [1] for name in names})
        job = bench.load(uri, into="new", createDisposition="CREATE_IF_NEEDED")
        assert error(job)[0] == "invalid"

    def test_times_are_utc(self, bench: Bench) -> None:
        at = dt.datetime(2025, 10, 1, 12, 30, 0, 123456, tzinfo=dt.UTC)
        naive = pa.array([at.replace(tzinfo=None)], pa.timestamp("us"))
        aware = pa.array([at], pa.timestamp("ms", "UTC"))
        uri = bench.parquet("1.parquet", naive=naive, aware=aware.cast(pa.timestamp("us", "UTC")))
        bench.load(uri, into="new", createDisposition="CREATE_IF_NEEDED")
        assert [field.field_type for field in bench.client.get_table("d.new").schema] == [
            "TIMESTAMP",
            "TIMESTAMP",
        ]
        assert bench.rows("SELECT naive FROM d.new") == [(at,)]


class TestCsv:
    @pytest.mark.parametrize(
        "text",
        ["1E-7", "-2.5e+3", "0.123456789012345678", "9.1234567890123456E-2", "12E-18", "5", ".5"],
    )
    def test_decimals_arrive_exactly_in_every_notation(self, bench: Bench, text: str) -> None:
        assert succeeded(bench.csv(f"m,c,s\n2025-10-01,{text},vm\n"))
        assert bench.costs() == [Decimal(text)]

    @pytest.mark.parametrize("text", ["abc", "1,5", "0." + "1" * 39, "1e-39", "NaN", "1_000"])
    def test_what_is_no_bignumeric_fails_the_job(self, bench: Bench, text: str) -> None:
        job = bench.csv(f'm,c,s\n2025-10-01,"{text}",vm\n')
        assert f"Invalid BIGNUMERIC value: {text}" in error(job)[1]

    def test_the_emulator_never_rounds(self, bench: Bench) -> None:
        job = bench.csv("m,c,s\n2025-10-01,0.1234567890123456789,vm\n")
        assert error(job)[0] == "notImplemented"

    def test_numeric_takes_nine_fraction_digits(self, bench: Bench) -> None:
        bench.create("n", schema={"fields": [{"name": "x", "type": "NUMERIC"}]}, **PLAIN)
        assert succeeded(bench.csv("x\n1.123456789\n", into="n"))
        assert "Invalid NUMERIC value" in error(bench.csv("x\n1.1234567891\n", into="n"))[1]

    def test_gzip_is_read(self, bench: Bench) -> None:
        assert succeeded(bench.csv(gzip.compress(b"m,c,s\n2025-10-01,1,vm\n")))
        assert bench.costs() == [Decimal(1)]

    def test_columns_match_by_position_or_by_name(self, bench: Bench) -> None:
        text = "service,cost,month\nvm,1,2025-10-01\n"
        assert error(bench.csv(text))[0] == "invalid"
        assert succeeded(bench.csv(text, sourceColumnMatch="NAME"))
        assert bench.rows("SELECT month, cost, service FROM d.t") == [(OCTOBER, Decimal(1), "vm")]

    def test_quoted_newlines_must_be_allowed(self, bench: Bench) -> None:
        text = 'm,c,s\n2025-10-01,1,"two\nlines"\n'
        assert "Missing close quote" in error(bench.csv(text))[1]
        assert succeeded(bench.csv(text, allowQuotedNewlines=True))
        assert bench.rows("SELECT service FROM d.t") == [("two\nlines",)]

    def test_an_empty_cell_is_null_and_a_quoted_one_is_text(self, bench: Bench) -> None:
        assert succeeded(bench.csv('m,c,s\n2025-10-01,,\n2025-10-01,,""\n'))
        found = bench.rows("SELECT cost, service FROM d.t ORDER BY service NULLS FIRST")
        assert found == [(None, None), (None, "")]

    def test_a_null_marker_takes_the_place_of_the_empty_cell(self, bench: Bench) -> None:
        assert succeeded(bench.csv("m,c,s\n2025-10-01,NULL,\n", nullMarker="NULL"))
        assert bench.rows("SELECT cost, service FROM d.t") == [(None, "")]
        assert error(bench.csv("m,c,s\n2025-10-01,,\n", nullMarker="NULL"))[0] == "invalid"

    def test_short_rows_must_be_allowed(self, bench: Bench) -> None:
        text = "m,c,s\n2025-10-01,1\n"
        assert error(bench.csv(text))[0] == "invalid"
        assert succeeded(bench.csv(text, allowJaggedRows=True))
        assert bench.rows("SELECT service FROM d.t") == [(None,)]

    def test_long_rows_fail_the_job(self, bench: Bench) -> None:
        assert error(bench.csv("m,c,s\n2025-10-01,1,vm,more\n"))[0] == "invalid"

    @pytest.mark.parametrize("rows", ["", "m,c,s\n"])
    def test_a_file_without_rows_is_a_success(self, bench: Bench, rows: str) -> None:
        assert bench.csv(rows)["statistics"]["load"]["outputRows"] == "0"

    def test_a_timestamp_has_a_time_of_day(self, bench: Bench) -> None:
        bench.create("s", schema={"fields": [{"name": "at_time", "type": "TIMESTAMP"}]}, **PLAIN)
        good = "at\n2025-10-01T00:00:00Z\n2025-10-01 00:00:00 UTC\n2025-10-01 02:00:00+02:00\n"
        assert succeeded(bench.csv(good, into="s"))
        midnight = dt.datetime(2025, 10, 1, tzinfo=dt.UTC)
        assert set(bench.rows("SELECT at_time FROM d.s")) == {(midnight,)}
        assert error(bench.csv("at\n2025-10-01\n", into="s"))[0] == "invalid"


PLAIN: dict[str, Any] = {"timePartitioning": None, "clustering": None}


class TestUploads:
    def upload(self, bench: Bench, data: bytes, file_format: str, **kwargs: Any) -> Any:
        from google.cloud.bigquery import LoadJobConfig

        options = {"source_format": file_format, "write_disposition": "WRITE_TRUNCATE"}
        config = LoadJobConfig(**options, **kwargs.pop("config", {}))
        into = kwargs.pop("into", "d.t$202510")
        job = bench.client.load_table_from_file(io.BytesIO(data), into, job_config=config, **kwargs)
        return job.result(timeout=10)

    @pytest.mark.parametrize("size", [None, 28])
    def test_csv_goes_into_a_partition_under_the_id_of_the_client(
        self, bench: Bench, size: int | None
    ) -> None:
        data = b"month,cost,service\n2025-10-01"[19:] + b",1E-7,vm\n\n"
        data = data.ljust(28, b"\n")[:28]
        job = self.upload(bench, data, "CSV", job_id="mine", size=size)
        assert (job.job_id, job.output_rows, job.input_files) == ("mine", 1, 1)
        assert job.input_file_bytes == 28
        assert bench.costs() == [Decimal("1E-7")]
        with http_error(409):
            self.upload(bench, data, "CSV", job_id="mine", size=size)

    def test_json_is_read_by_name_without_losing_a_digit(self, bench: Bench) -> None:
        rows = [
            {"month": "2025-10-01", "cost": "0.123456789012345678"},
            {"Service": None, "month": "2025-10-01", "cost": "1E-7"},
        ]
        data = "\n".join(map(json.dumps, rows)).encode()
        self.upload(bench, gzip.compress(data), "NEWLINE_DELIMITED_JSON")
        assert bench.costs() == [Decimal("1E-7"), Decimal("0.123456789012345678")]

    def test_an_unknown_key_of_json_fails_the_job(self, bench: Bench) -> None:
        data = b'{"month": "2025-10-01", "other": 1}'
        with pytest.raises(_api_error(), match="No such field: other"):
            self.upload(bench, data, "NEWLINE_DELIMITED_JSON")

    def test_parquet_that_spans_months_changes_nothing(self, bench: Bench) -> None:
        bench.load(bench.month("old.parquet", OCTOBER), into="t$202510")
        sink = io.BytesIO()
        pq.write_table(pa.table({"month": [OCTOBER, NOVEMBER]}), sink)
        with pytest.raises(_api_error(), match="Some rows belong to different partitions"):
            self.upload(bench, sink.getvalue(), "PARQUET")
        assert bench.counts() == {"202510": 1}


class TestTables:
    def test_properties_are_kept_and_changed(self, bench: Bench) -> None:
        ends = int(dt.datetime(2030, 1, 1, tzinfo=dt.UTC).timestamp() * 1000)
        bench.create("p", labels={"a": "1", "b": "2"}, description="d1", expirationTime=str(ends))
        found = bench.client.get_table("d.p")
        assert (found.labels, found.description) == ({"a": "1", "b": "2"}, "d1")
        assert found.expires == dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
        found.labels, found.description, found.expires = {"a": None, "c": "3"}, None, None
        bench.client.update_table(found, ["labels", "description", "expires"])
        found = bench.client.get_table("d.p")
        assert (found.labels, found.description) == ({"b": "2", "c": "3"}, None)
        assert found.expires is None

    def test_a_patch_adds_columns_that_can_be_loaded(self, bench: Bench) -> None:
        bench.load(bench.month("1.parquet", NOVEMBER), into="t$202511")
        fields = [*FIELDS, {"name": "extra", "type": "STRING", "description": "new"}]
        path = "/projects/bench/datasets/d/tables/t"
        bench.call("PATCH", path, {"schema": {"fields": fields}})
        uri = bench.parquet("2.parquet", month=[OCTOBER], extra=["x"])
        assert succeeded(bench.load(uri, into="t$202510"))
        assert bench.rows("SELECT extra FROM d.t ORDER BY month") == [("x",), (None,)]
        assert bench.client.get_table("d.t").schema[-1].description == "new"

    def test_a_patch_changes_descriptions(self, bench: Bench) -> None:
        fields = [{**field, "description": field["name"].upper()} for field in FIELDS]
        bench.call("PATCH", "/projects/bench/datasets/d/tables/t", {"schema": {"fields": fields}})
        found = bench.client.get_table("d.t").schema
        assert [field.description for field in found] == ["MONTH", "COST", "SERVICE"]

    @pytest.mark.parametrize(
        "fields",
        [
            FIELDS[:2],
            [*FIELDS, {"name": "x", "type": "STRING", "mode": "REQUIRED"}],
            [*FIELDS[:2], {"name": "service", "type": "INTEGER"}],
            [*FIELDS, {"name": "COST", "type": "STRING"}],
        ],
    )
    def test_other_changes_of_the_schema_are_refused(
        self, bench: Bench, fields: list[dict[str, Any]]
    ) -> None:
        path = "/projects/bench/datasets/d/tables/t"
        with http_error(400):
            bench.call("PATCH", path, {"schema": {"fields": fields}})

    @pytest.mark.parametrize(
        "properties",
        [
            {"timePartitioning": {"type": "MONTH", "field": "service"}},
            {"timePartitioning": {"type": "MONTH", "field": "none"}},
            {"clustering": {"fields": ["none"]}},
            {"schema": {"fields": [*FIELDS, {"name": "MONTH", "type": "DATE"}]}},
        ],
    )
    def test_a_table_that_cannot_be_is_refused(
        self, bench: Bench, properties: dict[str, Any]
    ) -> None:
        with http_error(400):
            bench.create("bad", **properties)

    def test_sums_of_bignumeric_are_exact(self, bench: Bench) -> None:
        uris = [bench.month(f"{n}.parquet", OCTOBER, cost="0.1") for n in range(3)]
        bench.load(*uris, into="t$202510")
        assert bench.rows("SELECT SUM(cost), COUNT(*) FROM d.t") == [(Decimal("0.3"), 3)]

    def test_a_reset_forgets_everything_quickly(self, bench: Bench) -> None:
        bench.load(bench.month("1.parquet", OCTOBER), into="t$202510", job_id="j")
        started = time.perf_counter()
        bench.cloud.bigquery.reset()
        assert time.perf_counter() - started < 0.5
        assert bench.cloud.bigquery.jobs() == []
        assert list(bench.client.list_datasets()) == []


@pytest.mark.usefixtures("own_dlt")
class TestDlt:
    def test_dlt_loads_and_restores_its_state_on_a_fresh_machine(
        self, bigquery: BigQueryEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import dlt

        from emulators.dlt_destination import bigquery_destination

        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", bigquery.url)
        monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
        monkeypatch.chdir(tmp_path)

        @dlt.resource(name="seen", write_disposition="append")
        def seen(run: str) -> Iterator[dict[str, Any]]:
            state = dlt.current.resource_state("seen")
            state.setdefault("runs", []).append(run)
            yield {"run": run, "cost": Decimal("1.5"), "runs": len(state["runs"])}

        def fresh_pipeline(machine: str) -> dlt.Pipeline:
            return dlt.pipeline(
                "months",
                destination=bigquery_destination("p"),
                dataset_name="d",
                pipelines_dir=str(tmp_path / machine),
            )

        for run in ("r1", "r2"):
            fresh_pipeline(run).run(seen(run))
        client = bigquery.client("p")
        rows = client.query("SELECT run, runs FROM d.seen ORDER BY run").result()
        assert [tuple(row.values()) for row in rows] == [("r1", 1), ("r2", 2)]
        pipeline = fresh_pipeline("r3")
        pipeline.sync_destination()
        assert sorted(pipeline.dataset().seen.df().runs) == [1, 2]


class TestStores:
    def test_gcs_knows_size_and_generation_of_what_was_uploaded(
        self, gcs: GcsEmulator, tmp_path: Path
    ) -> None:
        (tmp_path / "a b").mkdir()
        (tmp_path / "a b" / "1.csv").write_bytes(b"hello")
        (tmp_path / "2.csv").write_bytes(b"")
        gcs.create_bucket("billing")
        names = gcs.upload_tree(tmp_path, "billing", "x/y")
        assert names == ["x/y/2.csv", "x/y/a b/1.csv"]
        first = listed(gcs)
        assert {name: item["size"] for name, item in first.items()} == {
            "x/y/2.csv": "0",
            "x/y/a b/1.csv": "5",
        }
        assert (gcs.root / "billing/x/y/a b/1.csv").read_bytes() == b"hello"
        gcs.put("billing", "x/y/2.csv", b"more")
        second = listed(gcs)
        assert second["x/y/2.csv"]["size"] == "4"
        assert second["x/y/2.csv"]["generation"] > first["x/y/2.csv"]["generation"]
        gcs.delete("billing", "x/y/2.csv")
        assert list(listed(gcs)) == ["x/y/a b/1.csv"]

    def test_gcs_takes_hundreds_of_files_quickly(self, gcs: GcsEmulator, tmp_path: Path) -> None:
        for number in range(200):
            (tmp_path / f"{number}.csv").write_bytes(b"x" * 1000)
        gcs.create_bucket("billing")
        started = time.perf_counter()
        gcs.upload_tree(tmp_path, "billing")
        assert time.perf_counter() - started < 5
        assert len(listed(gcs)) == 200

    def test_gcs_is_empty_after_a_reset(self, gcs: GcsEmulator) -> None:
        gcs.create_bucket("billing")
        gcs.put("billing", "1", b"x")
        gcs.reset()
        assert list(gcs.root.iterdir()) == []
        gcs.create_bucket("billing")
        assert listed(gcs) == {}

    def test_s3_keeps_what_was_uploaded_until_a_reset(self, s3: S3Emulator, tmp_path: Path) -> None:
        (tmp_path / "1.csv").write_bytes(b"hello")
        s3.create_bucket("billing")
        assert s3.upload_tree(tmp_path, "billing", "cur") == ["cur/1.csv"]
        s3.put("billing", "2.csv", b"x")
        s3.delete("billing", "2.csv")
        assert get(f"{s3.url}/billing/cur/1.csv", **s3.signed) == b"hello"
        s3.reset()
        with pytest.raises(urllib.error.HTTPError, match="404"):
            get(f"{s3.url}/billing/cur/1.csv", **s3.signed)


def get(url: str, **headers: str) -> bytes:
    request = urllib.request.Request(url, headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return cast("bytes", answer.read())
    except urllib.error.HTTPError as failure:
        failure.close()
        raise


def listed(gcs: GcsEmulator) -> dict[str, dict[str, Any]]:
    body = json.loads(get(f"{gcs.url}/storage/v1/b/billing/o"))
    return {item["name"]: item for item in (body or {}).get("items") or []}


class TestFaultProxy:
    @pytest.fixture
    def proxy(self, gcs: GcsEmulator) -> Iterator[FaultProxy]:
        gcs.create_bucket("billing")
        gcs.put("billing", "1.csv", b"0123456789")
        with FaultProxy(gcs.url) as proxy:
            yield proxy

    def read(self, proxy: FaultProxy, **headers: str) -> bytes:
        return get(f"{proxy.url}/storage/v1/b/billing/o/1.csv?alt=media", **headers)

    def test_it_passes_and_writes_down_what_is_read(self, proxy: FaultProxy) -> None:
        assert self.read(proxy, Range="bytes=2-5") == b"2345"
        assert self.read(proxy) == b"0123456789"
        first, second = proxy.log
        assert (first.method, first.path) == ("GET", "/storage/v1/b/billing/o/1.csv")
        assert (first.query, first.range, first.status) == ("alt=media", "bytes=2-5", 206)
        assert (first.action, first.response_bytes, second.range) == (None, 4, None)
        assert proxy.bytes_read(r"/1\.csv$") == 14
        proxy.clear()
        assert proxy.log == []

    def test_it_answers_with_an_error_as_often_as_told(self, proxy: FaultProxy) -> None:
        rule = proxy.add("GET", r"/o/1\.csv", Status(429, "rateLimitExceeded"), times=2)
        for _ in range(2):
            with pytest.raises(urllib.error.HTTPError, match="429"):
                self.read(proxy)
        assert self.read(proxy) == b"0123456789"
        assert rule.hits == 2
        assert [seen.action for seen in proxy.log] == ["Status", "Status", None]

    def test_it_resets_before_the_server_knows(self, proxy: FaultProxy, gcs: GcsEmulator) -> None:
        proxy.add("DELETE", r"/o/1\.csv", ResetBefore())
        with pytest.raises(ConnectionError):
            send(proxy, "DELETE", "/storage/v1/b/billing/o/1.csv")
        assert list(listed(gcs)) == ["1.csv"]
        assert proxy.log[0].status is None

    def test_it_resets_after_the_work_is_done(self, proxy: FaultProxy, gcs: GcsEmulator) -> None:
        proxy.add("*", r"/o/1\.csv", ResetAfter())
        with pytest.raises(ConnectionError):
            send(proxy, "DELETE", "/storage/v1/b/billing/o/1.csv")
        assert listed(gcs) == {}

    def test_it_cuts_a_body_short(self, proxy: FaultProxy) -> None:
        proxy.add("GET", r"/o/1\.csv", Truncate(3))
        with pytest.raises(http.client.IncompleteRead) as caught:
            self.read(proxy)
        assert caught.value.partial == b"012"
        assert proxy.log[0].response_bytes == 3

    def test_it_waits_and_edits(self, proxy: FaultProxy) -> None:
        proxy.add("GET", r"/o/1\.csv", Delay(0.1))
        proxy.add("GET", r"/o/1\.csv", Edit(bytes.upper))
        started = time.perf_counter()
        assert self.read(proxy) == b"0123456789"
        assert time.perf_counter() - started >= 0.1
        proxy.clear()
        proxy.add("GET", "alt=media", Edit(lambda body: body + b"!"))
        assert self.read(proxy) == b"0123456789!"

    def test_a_rule_may_look_at_the_body(self, proxy: FaultProxy, gcs: GcsEmulator) -> None:
        proxy.add("POST", "/upload", Status(503), body="poison")
        path = "/upload/storage/v1/b/billing/o?uploadType=media&name=2"
        assert send(proxy, "POST", path, b"poison")[0] == 503
        assert send(proxy, "POST", path, b"bread")[0] == 200
        assert list(listed(gcs)) == ["1.csv", "2"]
        assert proxy.log[-1].request_bytes == 5

    def test_a_head_keeps_the_length_of_the_body(self, proxy: FaultProxy, s3: S3Emulator) -> None:
        s3.create_bucket("billing")
        s3.put("billing", "1", b"hello")
        with FaultProxy(s3.url) as before_s3:
            connection = http.client.HTTPConnection(before_s3.url.removeprefix("http://"))
            connection.request("HEAD", "/billing/1", headers=s3.signed)
            answer = connection.getresponse()
            assert (answer.getheader("Content-Length"), answer.read()) == ("5", b"")
            connection.close()
        assert proxy.log == []

    def test_chunked_bodies_pass_both_ways(self, proxy: FaultProxy, gcs: GcsEmulator) -> None:
        connection = http.client.HTTPConnection(proxy.url.removeprefix("http://"))
        path = "/upload/storage/v1/b/billing/o?uploadType=media&name=2"
        chunks = iter([b"ab", b"cde"])
        connection.request("POST", path, chunks, encode_chunked=True)
        assert connection.getresponse().status == 200
        connection.close()
        assert (gcs.root / "billing/2").read_bytes() == b"abcde"
        for number in range(40):  # a listing of this size comes in chunks
            gcs.put("billing", f"many/{number}", b"")
        assert len(json.loads(get(f"{proxy.url}/storage/v1/b/billing/o"))["items"]) == 42

    def test_many_clients_are_served_at_once(self, proxy: FaultProxy) -> None:
        proxy.add("GET", r"/o/1\.csv", Delay(0.2), times=None)
        results: list[bytes] = []
        threads = [
            threading.Thread(target=lambda: results.append(self.read(proxy))) for _ in range(8)
        ]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [b"0123456789"] * 8
        assert time.perf_counter() - started < 1.2
        assert len(proxy.log) == 8

    def test_a_job_whose_answer_was_lost_is_there(self, bench: Bench) -> None:
        uri = bench.month("1.parquet", OCTOBER)
        with FaultProxy(bench.cloud.bigquery.url) as proxy:
            proxy.add("POST", "/jobs", ResetAfter(), body="lost-1")
            body = {
                "jobReference": {"projectId": "bench", "jobId": "lost-1"},
                "configuration": {
                    "load": {
                        "destinationTable": table("t$202510"),
                        "sourceUris": [uri],
                        "sourceFormat": "PARQUET",
                        "decimalTargetTypes": ["BIGNUMERIC"],
                    }
                },
            }
            path = "/bigquery/v2/projects/bench/jobs"
            with pytest.raises(ConnectionError):
                send(proxy, "POST", path, json.dumps(body).encode())
            assert send(proxy, "POST", path, json.dumps(body).encode())[0] == 409
        assert bench.counts() == {"202510": 1}


def send(proxy: FaultProxy, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(proxy.url.removeprefix("http://"), timeout=10)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
