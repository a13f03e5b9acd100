"""The partitions of a table, and what their ids tell."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cloudbill.models import TableMonth, TableRows
from cloudbill.periods import BillingPeriod

__all__ = ["Partition", "rows_of"]

# A table by YEAR has shorter ids, of which no month can be told. Rows without a period are in
# `__NULL__`; those that are outside all partitions, or were streamed a moment ago, in the last one.
_ID: Final = re.compile(r"[0-9]{6,10}|__NULL__|__UNPARTITIONED__")


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A partition; a month has several in a table by DAY. `period` is None where it is of none."""

    period: BillingPeriod | None
    written_at: datetime
    rows: int

    @classmethod
    def of(cls, name: str, *, written_at: datetime, rows: int) -> Partition:
        """The partition of an id."""
        period = None
        if name.isdecimal():
            period = BillingPeriod(year=int(name[:4]), month=int(name[4:6]))
        return cls(period=period, written_at=written_at, rows=rows)

    @staticmethod
    def is_told(name: str) -> bool:
        """Whether an id says of which month a partition is, or that it is of none."""
        return _ID.fullmatch(name) is not None


def rows_of(partitions: Iterable[Partition]) -> TableRows:
    """The rows of each month, and when it was written last; and the rows of no month."""
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
    return TableRows(months=months, of_no_month=of_no_month)
