"""Tables of the emulated BigQuery, and dlt upon them."""

from __future__ import annotations

import datetime as dt
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from unit.emulated.bench import (
    FIELDS,
    NOVEMBER,
    OCTOBER,
    Bench,
    http_error,
    succeeded,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from emulators.bigquery import BigQueryEmulator


class TestQueries:
    def test_a_query_is_a_job_with_its_labels(self, bench: Bench) -> None:
        from google.cloud import bigquery

        config = bigquery.QueryJobConfig(labels={"source": "x"})
        rows = bench.client.query_and_wait("SELECT 1 AS one", job_config=config)
        assert [row.one for row in rows] == [1]
        assert bench.client.get_job(str(rows.job_id)).labels == {"source": "x"}

    @pytest.mark.parametrize(
        ("sql", "code"),
        [("SELECT nope FROM d.t", 400), ("SELECT 1 FROM nope.t", 404), ("SELEC 1", 400)],
        ids=["column", "dataset", "syntax"],
    )
    def test_a_query_that_fails_is_answered_with_its_error(
        self, bench: Bench, sql: str, code: int
    ) -> None:
        with http_error(code):
            bench.client.query_and_wait(sql)


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
        started = time.process_time()
        bench.cloud.bigquery.reset()
        assert time.process_time() - started < 0.5
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
