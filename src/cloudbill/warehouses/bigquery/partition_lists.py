"""Which partitions the tables of a dataset have, asked again only once a table was written.

Each question bills at least 10 MB ("Introduction to INFORMATION_SCHEMA", pricing), and its answer
is the same until the table is written. `tables.get` tells when that was, and is free.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloudbill.models import TableMonth, TableRows
from cloudbill.warehouses.bigquery.partition_ids import Partition

if TYPE_CHECKING:
    from datetime import datetime

    from google.cloud import bigquery

    from cloudbill.periods import BillingPeriod

__all__ = ["PartitionLists", "rows_of_months"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """The partitions of a table, and the table as it was before they were asked."""

    modified: datetime | None
    rows: int | None
    partitions: tuple[Partition, ...]

    def is_of(self, table: bigquery.Table) -> bool:
        """Whether nothing was written since, as far as the table tells."""
        return (self.modified, self.rows) == (table.modified, table.num_rows)


class PartitionLists:
    """The partitions of tables; `find` reads a table for free, `ask` its partitions by a query."""

    def __init__(
        self,
        find: Callable[[str], bigquery.Table | None],
        ask: Callable[[str], Iterable[Partition]],
    ) -> None:
        self._find = find
        self._ask = ask
        # Months are loaded several at once, and one question answers all that wait for it.
        self._asking = threading.Lock()
        self._answers: dict[str, _Answer] = {}

    def of(self, name: str) -> tuple[Partition, ...]:
        """The partitions of a table by a column; none where it is not partitioned so."""
        with self._asking:
            table = self._find(name)
            by = None if table is None else table.time_partitioning
            if table is None or by is None or by.field is None:
                return ()
            if table.num_rows == 0 and table.streaming_buffer is None:
                return ()
            known = self._answers.get(name)
            if known is None or not known.is_of(table):
                # What is written from here on changes the table again, so it is asked again.
                known = _Answer(
                    modified=table.modified,
                    rows=table.num_rows,
                    partitions=tuple(self._ask(name)),
                )
                self._answers[name] = known
            return known.partitions


def rows_of_months(partitions: Iterable[Partition]) -> TableRows:
    """The rows of each month that has any, and when it was written last; and the rows of no month.

    Nothing says whether a partition is still listed once a DELETE has taken its last row.
    """
    months: dict[BillingPeriod, TableMonth] = {}
    of_no_month = 0
    for partition in partitions:
        if partition.period is None:
            of_no_month += partition.rows
            continue
        earlier = months.get(partition.period)
        rows, written_at = partition.rows, partition.written_at
        if earlier is not None and earlier.written_at is not None:
            rows, written_at = rows + earlier.rows, max(written_at, earlier.written_at)
        months[partition.period] = TableMonth(
            rows=rows, write_mark=written_at.isoformat(), written_at=written_at
        )
    with_rows = {period: month for period, month in months.items() if month.rows}
    return TableRows(months=with_rows, of_no_month=of_no_month)
