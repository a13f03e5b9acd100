"""Load jobs of the emulated BigQuery do what the documentation says."""

from __future__ import annotations

from typing import Any

import pytest

from unit.emulated.bench import (
    NOVEMBER,
    OCTOBER,
    Bench,
    error,
    http_error,
    succeeded,
    table,
)


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
