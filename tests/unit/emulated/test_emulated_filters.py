"""Tables of the emulated BigQuery that demand a filter of partitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.api_core import exceptions as api

from unit.emulated.bench import NOVEMBER, OCTOBER, Bench

if TYPE_CHECKING:
    from google.cloud import bigquery as bq


@pytest.fixture
def demanding(bench: Bench) -> bq.Table:
    """A table with a row in October and one in November, after the demand was made."""
    bench.load(bench.month("1.parquet", OCTOBER, NOVEMBER), writeDisposition="WRITE_APPEND")
    table = bench.client.get_table("d.t")
    assert not table.require_partition_filter
    table.require_partition_filter = True
    changed: bq.Table = bench.client.update_table(table, ["require_partition_filter"])
    assert changed.require_partition_filter
    return changed


@pytest.mark.usefixtures("demanding")
def test_a_query_without_a_condition_on_the_partitions_is_refused(bench: Bench) -> None:
    for query in ("SELECT COUNT(*) FROM d.t", "SELECT COUNT(*) FROM d.t WHERE cost > 0"):
        with pytest.raises(api.BadRequest, match=r"without a filter over column\(s\) 'month'"):
            bench.rows(query)
        with pytest.raises(api.BadRequest, match="partition elimination"):
            bench.client.query(query).result()
    assert bench.rows("SELECT COUNT(*) FROM d.t WHERE month = '2025-10-01'") == [(1,)]
    inner = "SELECT COUNT(*) FROM (SELECT cost FROM d.t WHERE month < '2025-12-01')"
    assert bench.rows(inner) == [(2,)]


def test_the_demand_ends_where_it_is_taken_back(bench: Bench, demanding: bq.Table) -> None:
    demanding.require_partition_filter = False
    bench.client.update_table(demanding, ["require_partition_filter"])
    assert bench.rows("SELECT COUNT(*) FROM d.t") == [(2,)]
