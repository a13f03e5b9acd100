"""What BigQuery deletes by itself: partitions and tables that expire.

A new table inherits the default expirations of its dataset. A partition that is older than its
expiration is deleted as soon as it is written, and no audit log has that ("Managing partitioned
tables", set the partition expiration). In a project without billing, 60 days cannot be lifted
("BigQuery sandbox", limitations).
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from google.api_core import exceptions as api
from google.cloud import bigquery

from cloudbill.errors import LoadError
from cloudbill.periods import utc_now
from cloudbill.redaction import redacted
from cloudbill.sql import BIGQUERY, Fragment
from cloudbill.text.counts import counted
from cloudbill.warehouses.bigquery.client import bigquery_errors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloudbill.models import PlannedLoad
    from cloudbill.warehouses.bigquery.client import PersistentClient

__all__ = [
    "BILLING",
    "days_kept",
    "expiration_ms",
    "keep_table",
    "keep_tables",
    "keep_whole_statement",
    "refuse_deleted",
    "require_kept",
    "set_days_statement",
]

_log = logging.getLogger(__name__)

_DAY_MS: Final = 86_400_000
_DAY_ID_LENGTH: Final = len("20251001")
BILLING: Final = "a project without billing forces it: enable billing first"


def expiration_ms(days: int | None) -> int | None:
    """A number of days as the expiration of partitions."""
    return None if days is None else days * _DAY_MS


def days_kept(table: bigquery.Table) -> float | None:
    """How many days after its end a partition is deleted; None where none is."""
    by = table.time_partitioning
    return by.expiration_ms / _DAY_MS if by is not None and by.expiration_ms else None


def keep_table(
    client: PersistentClient,
    table: bigquery.Table,
    *,
    days: int | None = None,
    has_end: bool = False,
) -> bigquery.Table:
    """Takes from a table what it inherited, except for the wanted expiration of its partitions.

    With `has_end` the table itself keeps the time at which it is deleted. If BigQuery refuses, the
    table stays as it is, and that is logged.
    """
    wanted = bigquery.Table(table.reference)
    fields = []
    by, wanted_ms = table.time_partitioning, expiration_ms(days)
    if by is not None and (by.expiration_ms or None) != wanted_ms:
        stated = None if wanted_ms is None else str(wanted_ms)
        resource = {**by.to_api_repr(), "expirationMs": stated}
        wanted.time_partitioning = bigquery.TimePartitioning.from_api_repr(resource)
        fields.append("time_partitioning")
    if table.expires is not None and not has_end:
        wanted.expires = None
        fields.append("expires")
    if not fields:
        return table
    why = "it answered as if it had"
    try:
        changed = client.update_table(wanted, fields)
    except (api.Forbidden, api.BadRequest) as error:
        changed, why = table, str(error.message)
    if days_kept(changed) != days or (changed.expires is not None and not has_end):
        _log.warning(
            "%s.%s expires as its dataset says, and BigQuery does not lift that: %s",
            table.dataset_id,
            table.table_id,
            why,
        )
    return changed


def keep_tables(client: PersistentClient, tables: Iterable[bigquery.Table | None]) -> None:
    """Keeps tables that dlt made from expiring; None is one that is not there."""
    try:
        for table in tables:
            if table is not None:
                with bigquery_errors(f"Keeping {table.table_id}"):
                    keep_table(client, table)
    except LoadError as error:  # the ledger is written all the same
        _log.warning("%s", redacted(str(error)))


def require_kept(
    planned: PlannedLoad, table: bigquery.Table, partition: str, *, now: datetime
) -> None:
    """Refuses a month that BigQuery would delete as soon as it is loaded.

    Raises:
        LoadError: If the partition is older than the table keeps partitions.
    """
    if table.expires is not None:
        _log.warning(
            "BigQuery deletes the whole of %s.%s on %s, as the table says; to keep it: %s",
            table.dataset_id,
            table.table_id,
            f"{table.expires:%Y-%m-%d}",
            keep_whole_statement(table),
        )
    days = days_kept(table)
    if days is None or _end_of(planned, partition) + timedelta(days=days) > now:
        return
    raise LoadError(
        f"Table {table.dataset_id}.{table.table_id} deletes partitions after "
        f"{counted(days, 'day', 'g')}, so "
        f"BigQuery would delete {planned.period} as soon as it is loaded. The month was not "
        f"changed. {_remedy(table)}",
        is_of_run=False,
    )


def refuse_deleted(table: bigquery.Table | None, planned: PlannedLoad) -> None:
    """Says that BigQuery deleted a month which is gone, if its table's expiration explains it.

    It is counted from the first day of the month, as it may also be read (REST, Dataset,
    defaultPartitionExpirationMs: "its partition time plus this value").

    Raises:
        LoadError: If the month was deleted so.
    """
    days = None if table is None else days_kept(table)
    start = datetime.combine(planned.period.first_day, datetime.min.time(), UTC)
    if table is None or days is None or start + timedelta(days=days) > utc_now():
        return
    raise LoadError(
        f"BigQuery deleted {planned.period} of {table.dataset_id}.{table.table_id}, because the "
        f"table deletes partitions after {counted(days, 'day', 'g')}. {_remedy(table)}",
        is_of_run=False,
    )


def _end_of(planned: PlannedLoad, partition: str) -> datetime:
    """The end of a partition, from which its expiration counts."""
    end = planned.period.next.first_day
    if len(partition) == _DAY_ID_LENGTH:
        end = datetime.strptime(partition, "%Y%m%d").date() + timedelta(days=1)  # noqa: DTZ007
    return datetime.combine(end, datetime.min.time(), UTC)


def _remedy(table: bigquery.Table) -> str:
    return (
        f"Keep all months ({BILLING}), and run again:\n  {set_days_statement(table, None)}\n"
        "Or set 'partition_expiration_days' to what is wanted: older months are then left out"
    )


def set_days_statement(table: bigquery.Table, days: int | None) -> str:
    """The statement that sets how long a table keeps its partitions."""
    return _options(table, f"partition_expiration_days = {'NULL' if days is None else days}")


def keep_whole_statement(table: bigquery.Table) -> str:
    """The statement by which a table is not deleted."""
    return _options(table, "expiration_timestamp = NULL")


def _options(table: bigquery.Table, option: str) -> str:
    name = str(table.project), str(table.dataset_id), str(table.table_id)
    statement = "ALTER TABLE {table} SET OPTIONS ({option})"
    return BIGQUERY.compose(statement, table=name, option=Fragment(option)).text
