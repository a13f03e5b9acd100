"""Partitions of the emulated BigQuery are replaced and copied as the documentation says."""

from __future__ import annotations

import datetime as dt
import threading
from decimal import Decimal
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
