"""Staging tables: how they are made, and how those go that a killed process left."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from google.cloud import bigquery

from cloudbill.periods import utc_now
from cloudbill.warehouses.bigquery.expirations import keep_table

if TYPE_CHECKING:
    from cloudbill.models import PlannedLoad
    from cloudbill.warehouses.bigquery.client import PersistentClient

__all__ = ["make_staging_table", "settle_staging_table"]

_EXPIRES_AFTER: Final = timedelta(days=1)
"""BigQuery removes the table by then if the process is killed."""
_CLOCKS_DIFFER: Final = timedelta(hours=1)
_LEFT_AFTER: Final = _EXPIRES_AFTER - _CLOCKS_DIFFER
"""BigQuery is about to remove an older staging table by itself, so whoever made it has lost it.

One month may take several jobs of six hours each ("Quotas and limits"): no other age tells that the
process of a staging table is dead.
"""


def make_staging_table(
    client: PersistentClient, table: bigquery.Table, planned: PlannedLoad
) -> bigquery.Table:
    """Makes an empty table for the rows of one attempt, with the columns of a table of bills.

    Each attempt has its own. A fixed name could still have the rows of an attempt that failed
    halfway, and the jobs that fill it append.
    """
    staging = bigquery.Table(
        f"{table.project}.{table.dataset_id}.{table.table_id}_staging_"
        f"{planned.period.partition_id}_{uuid4().hex[:8]}",
        schema=table.schema,
    )
    # A copy between partitions needs the same partitioning and clustering on both sides.
    by = table.time_partitioning
    if by is not None:
        # Without what else it may say: the service repeats the demand for a filter there (clients'
        # tests on it), and the rows of a staging table are counted without one.
        staging.time_partitioning = bigquery.TimePartitioning(type_=by.type_, field=by.field)
    staging.clustering_fields = table.clustering_fields
    staging.expires = utc_now() + _EXPIRES_AFTER
    return client.create_table(staging)


def settle_staging_table(
    client: PersistentClient, table: bigquery.Table, made: bigquery.Table
) -> bigquery.Table:
    """Gives a staging table its time to expire, and removes those that killed processes left."""
    # All months of a run are staged, however long the table keeps them.
    made = _expiring(client, keep_table(client, made, has_end=True))
    _remove_left(client, table, made)
    return made


def _expiring(client: PersistentClient, made: bigquery.Table) -> bigquery.Table:
    """A staging table that expires a day after it was made, by BigQuery's own clock.

    The clock of this machine may be off by more than that.
    """
    wanted = made.created + _EXPIRES_AFTER
    if made.expires is not None and abs(made.expires - wanted) < _CLOCKS_DIFFER:
        return made
    made.expires = wanted
    return client.update_table(made, ["expires"])


def _remove_left(client: PersistentClient, table: bigquery.Table, made: bigquery.Table) -> None:
    """Removes staging tables that killed processes left for the same table.

    How old they are is told from one that was just made, for both times are BigQuery's.
    """
    name = re.compile(
        rf"{re.escape(table.table_id)}_staging_\d{{6}}_[0-9a-f]{{8}}(_raw)?", re.ASCII
    )
    for found in client.list_tables(f"{table.project}.{table.dataset_id}"):
        is_left = found.created <= made.created - _LEFT_AFTER
        if is_left and found.table_id != made.table_id and name.fullmatch(found.table_id):
            client.delete_table(found.reference, not_found_ok=True)
