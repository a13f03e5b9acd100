"""The emulated BigQuery lets partitions expire as the documentation says."""

from __future__ import annotations

import datetime as dt
from typing import Any

from unit.emulated.bench import Bench, http_error, succeeded

DAY_MS = 86_400_000
TODAY = dt.datetime.now(tz=dt.UTC).date()
OLD = dt.date(2025, 10, 1)
NEW = TODAY.replace(day=1)


def default(bench: Bench, **days: int) -> None:
    """Gives a dataset its default expirations."""
    keys = {"partitions": "defaultPartitionExpirationMs", "tables": "defaultTableExpirationMs"}
    body = {keys[name]: str(value * DAY_MS) for name, value in days.items()}
    bench.call("PATCH", "/projects/bench/datasets/d", body)


def limit(bench: Bench, days: int | None) -> Any:
    """Changes how long a table keeps its partitions."""
    by = {"type": "MONTH", "field": "month", "expirationMs": days and str(days * DAY_MS)}
    path = "/projects/bench/datasets/d/tables/t"
    return bench.call("PATCH", path, {"timePartitioning": by})


class TestExpirations:
    def test_a_new_table_inherits_the_default_for_partitions_before_the_one_for_tables(
        self, bench: Bench
    ) -> None:
        default(bench, partitions=60, tables=30)
        bench.create("new")
        table = bench.client.get_table("d.new")
        assert table.time_partitioning.expiration_ms == 60 * DAY_MS
        assert table.expires is None

    def test_a_new_table_inherits_the_default_for_tables(self, bench: Bench) -> None:
        default(bench, tables=30)
        bench.create("new")
        left = bench.client.get_table("d.new").expires - dt.datetime.now(tz=dt.UTC)
        assert dt.timedelta(days=29) < left <= dt.timedelta(days=30)

    def test_what_a_table_states_comes_before_what_it_would_inherit(self, bench: Bench) -> None:
        default(bench, partitions=60)
        stated = {"type": "MONTH", "field": "month", "expirationMs": str(90 * DAY_MS)}
        bench.create("new", timePartitioning=stated)
        assert bench.client.get_table("d.new").time_partitioning.expiration_ms == 90 * DAY_MS

    def test_a_partition_that_is_too_old_vanishes_as_it_is_written(self, bench: Bench) -> None:
        limit(bench, 60)
        for day, name in ((OLD, "old"), (NEW, "new")):
            uri = bench.month(f"{name}.parquet", day)
            assert succeeded(bench.load(uri, into=f"t${day:%Y%m}"))
        assert bench.counts() == {f"{NEW:%Y%m}": 1}

    def test_a_shorter_expiration_deletes_older_partitions_at_once(self, bench: Bench) -> None:
        bench.load(bench.month("old.parquet", OLD), into=f"t${OLD:%Y%m}")
        assert bench.counts() == {f"{OLD:%Y%m}": 1}
        limit(bench, 60)
        assert bench.counts() == {}

    def test_a_project_without_billing_keeps_nothing_for_ever(self, bench: Bench) -> None:
        limit(bench, 60)
        bench.cloud.bigquery.is_sandbox = True
        with http_error(403):
            limit(bench, None)

    def test_a_partition_may_be_listed_late(self, bench: Bench) -> None:
        bench.cloud.bigquery.lists_late = True
        bench.load(bench.month("new.parquet", NEW), into=f"t${NEW:%Y%m}")
        assert bench.counts() == {}
        assert len(bench.costs()) == 1
        bench.cloud.bigquery.lists_late = False
        assert bench.counts() == {f"{NEW:%Y%m}": 1}
