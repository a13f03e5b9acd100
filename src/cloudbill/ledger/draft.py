"""What a ledger becomes: records are put into its next state, and rows into its tracking table."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cloudbill.ledger.entries import tracking_row
from cloudbill.ledger.state import accept_in, forget_in, write_record

if TYPE_CHECKING:
    from cloudbill.ledger.merging import Merged
    from cloudbill.models import LoadRecord
    from cloudbill.periods import BillingPeriod

__all__ = ["Draft"]


class Draft:
    """The next state of a ledger, which holds all that is known, and the rows that go with it.

    Rows that the tracking table has lost are written again.
    """

    def __init__(self, merged: Merged) -> None:
        self.merged = merged
        self.sources: dict[str, Any] = merged.sources
        self.rows = [tracking_row(record) for record in merged.untracked]
        self._ledger = merged.ledger
        self._sequence = merged.remembered.sequence

    def put(self, record: LoadRecord, manifest_path: str | None = None) -> None:
        """Makes a record the newest of its month."""
        counted = replace(record, sequence=self._next())
        write_record(self._ledger, counted)
        self.rows.append(tracking_row(counted, manifest_path))

    def forget(self, period: BillingPeriod) -> None:
        """Makes it unknown which run a month holds."""
        forget_in(self._ledger, period, self._next())

    def accept(self, period: BillingPeriod, run_id: str) -> None:
        """Remembers that a held run is right."""
        accept_in(self._ledger, period, run_id)

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence
