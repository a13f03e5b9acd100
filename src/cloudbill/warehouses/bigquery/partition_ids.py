"""The partitions of a table, and what their ids tell."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cloudbill.periods import BillingPeriod

__all__ = ["Partition"]

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
