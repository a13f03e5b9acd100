"""Writes the ledger again from the tracking table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloudbill.ledger import Ledger
from cloudbill.models import BillingPeriod, LoadRecord
from cloudbill.warehouses import open_warehouse

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings


__all__ = ["Rebuilt", "rebuild_ledger", "rebuilt_lines"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """A ledger that was written again; `unknown` are months whose rows have no recorded load."""

    settings: SourceSettings
    records: tuple[LoadRecord, ...]
    unknown: tuple[BillingPeriod, ...]


def rebuild_ledger(settings: SourceSettings) -> Rebuilt:
    """Writes the ledger again from the tracking table, as far as the table agrees with it.

    A month whose rows are not those of its last tracked load is left out, so the next load loads
    the newest run of that month.

    Raises:
        CloudbillError: If the warehouse cannot be read or written.
    """
    with closing(open_warehouse(settings.warehouse)) as warehouse:
        months = warehouse.table_months(settings.table_name, settings.provider.PERIOD_COLUMN)
        held = {period: month.rows for period, month in months.items()}
        ledger = Ledger(settings, warehouse)
        tracked = ledger.tracked()
        records = tuple(
            record
            for period, record in sorted(tracked.items())
            if record.rows == held.get(period, 0)
        )
        ledger.restore(records)
    known = {record.period for record in records}
    return Rebuilt(
        settings=settings,
        records=records,
        unknown=tuple(sorted(period for period in {*held, *tracked} if period not in known)),
    )


def rebuilt_lines(rebuilt: Rebuilt) -> Iterator[str]:
    """The lines about a ledger that was written again."""
    source = rebuilt.settings.source
    yield f"Rebuilt the ledger of {source}: {len(rebuilt.records)} months"
    for period in rebuilt.unknown:
        yield (
            f"  {period} is left out: its rows are not those of its last tracked load. "
            "The next load loads its newest run"
        )
