"""What a ledger becomes: records are put into its next state, and rows into its tracking table."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cloudbill.ledger.entries import tracking_row
from cloudbill.ledger.pins import PinEntry
from cloudbill.ledger.state import (
    accept_in,
    dismiss_in,
    forget_in,
    note_guards_in,
    pin_in,
    set_scope_in,
    write_record,
)

if TYPE_CHECKING:
    from cloudbill.ledger.merging import Merged
    from cloudbill.models import LoadRecord, Pin
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
        note_guards_in(self._ledger)
        self._sequence = merged.remembered.sequence
        self._has_scope = bool(merged.decisions.scopes)

    def put(self, record: LoadRecord, manifest_path: str | None = None) -> None:
        """Makes a record the newest of its month."""
        counted = replace(record, sequence=self._next())
        write_record(self._ledger, counted)
        if record.scope is not None and not self._has_scope:
            self._has_scope = True
            set_scope_in(self._ledger, record.period, record.scope)
        self.rows.append(tracking_row(counted, manifest_path))

    def forget(self, period: BillingPeriod) -> None:
        """Makes it unknown which run a month holds."""
        forget_in(self._ledger, period, self._next())

    def accept(self, period: BillingPeriod, run: str) -> None:
        """Remembers that a held run is right."""
        accept_in(self._ledger, period, run)

    def dismiss(self, period: BillingPeriod, run: str) -> None:
        """Remembers that a held run is not wanted."""
        dismiss_in(self._ledger, period, run)

    def set_scope(self, since: BillingPeriod, scope: str) -> None:
        """Remembers which scope the source loads from a month on."""
        set_scope_in(self._ledger, since, scope)

    def pin(self, period: BillingPeriod, pin: Pin | None) -> None:
        """Remembers that a month stays with a run, or does no more."""
        pin_in(self._ledger, period, PinEntry(pin=pin, sequence=self._next()))

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence
