"""Which partitions a statement of SQL has changed."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from emulators.bigquery.tables import TableRef, partition_id, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from bqemulator.catalog.models import TimePartitioning

    from emulators.bigquery.jobs import JobRunner

_WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE|MERGE|TRUNCATE)\b", re.IGNORECASE)

Fingerprints = dict[tuple[tuple[str, str, str], str], tuple[int, int]]


def is_expired(partitioning: TimePartitioning | None, now: datetime) -> str:
    """SQL condition that holds for rows of partitions that are older than the table keeps them.

    An expiration counts from the end of the partition, in UTC, and "if data is being copied or
    inserted [...], any partitions older than partition expiration configured for the table are
    expired immediately"; so they are where it is changed.
    https://cloud.google.com/bigquery/docs/managing-partitioned-tables#partition-expiration
    """
    if partitioning is None or not partitioning.field or not partitioning.expiration_ms:
        return "false"
    unit = partitioning.type.lower()
    start = f"CAST(date_trunc('{unit}', {quoted(partitioning.field)}) AS TIMESTAMP)"
    end = f"{start} + INTERVAL 1 {unit} + to_milliseconds({partitioning.expiration_ms})"
    return f"{end} <= TIMESTAMP '{now:%Y-%m-%d %H:%M:%S}'"


@contextmanager
def stamping_changes(runner: JobRunner, sql: str) -> Iterator[None]:
    """Stamp the partitions whose rows differ after the block."""
    if not _WRITES.search(sql):
        yield
        return
    before = _fingerprints(runner, sql)
    yield
    after = _fingerprints(runner, sql)
    now = runner.context.clock.now()
    for key, partition in before.keys() | after.keys():
        if before.get((key, partition)) != after.get((key, partition)):
            runner.catalog.stamp(key, [partition], now)
            table = runner.catalog.get_table(*key)
            if table is not None:
                changed = table.model_copy(update={"last_modified_time": now})
                runner.catalog.update_table(changed)


def _fingerprints(runner: JobRunner, sql: str) -> Fingerprints:
    """The count and a hash of the rows of every partition of the tables that a statement names.

    What load jobs write into others meanwhile is not the statement's doing.
    """
    prints: Fingerprints = {}
    for table in runner.catalog.partitioned_tables():
        is_named = re.search(rf"\b{re.escape(table.table_id)}\b", sql)
        if table.time_partitioning is None or not is_named:
            continue
        ref = TableRef(project=table.project_id, dataset=table.dataset_id, table=table.table_id)
        rows = runner.context.engine.execute(
            f"SELECT {partition_id(table.time_partitioning)}, count(*), "
            f"sum(hash(part)::HUGEINT) FROM {ref.sql} AS part GROUP BY 1"
        ).fetchall()
        prints |= {(ref.key, str(name)): (count, total) for name, count, total in rows}
    return prints
