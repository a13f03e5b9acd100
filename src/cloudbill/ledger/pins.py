"""Which month was pinned to which run, to and from the state of a dlt resource; pure.

    "pins": {"2025-10": {"sequence": 8, "run_id": ..., "digest": ..., "newest": ...,
                         "submitted_at": ..., "days": 20, "rows": null, "stored_at": ...,
                         "deliveries": [...]}}                               see `models.Pin`

A month with the run id null was released. `sequence` counts with those of the records, so the
greatest is true, whatever a clock said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudbill.models import Pin
from cloudbill.periods import BillingPeriod
from cloudbill.text.times import parse_time

__all__ = ["PinEntry", "pin_json", "read_pin", "with_older_pins"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PinEntry:
    """What a person decided of a month: `pin` is None where it was released."""

    pin: Pin | None
    sequence: int


def with_older_pins(
    newer: Mapping[BillingPeriod, PinEntry], older: Mapping[BillingPeriod, PinEntry]
) -> dict[BillingPeriod, PinEntry]:
    """Both, of each month what was decided last; of two that counted alike, that of `newer`."""
    kept = {
        period: entry
        for period, entry in newer.items()
        if period not in older or older[period].sequence <= entry.sequence
    }
    return {**older, **kept}


def read_pin(entry: Mapping[str, Any]) -> PinEntry:
    """What a state says of a month.

    Raises:
        ValueError: If it is of another shape; so may other errors of `entries.UNREADABLE`.
    """
    sequence = int(entry["sequence"])
    if entry["run_id"] is None:
        return PinEntry(pin=None, sequence=sequence)
    stored_at = entry.get("stored_at")
    rows = entry.get("rows")
    pin = Pin(
        run_id=str(entry["run_id"]),
        digest=str(entry["digest"]),
        newest=str(entry["newest"]),
        submitted_at=parse_time(entry["submitted_at"]),
        days=int(entry.get("days") or 0),
        rows=-1 if rows is None else int(rows),
        stored_at=None if stored_at is None else parse_time(stored_at),
        deliveries=frozenset(map(str, entry.get("deliveries", ()))),
    )
    return PinEntry(pin=pin, sequence=sequence)


def pin_json(entry: PinEntry) -> dict[str, Any]:
    """What a state holds of a month."""
    pin = entry.pin
    if pin is None:
        return {"run_id": None, "sequence": entry.sequence}
    return {
        "sequence": entry.sequence,
        "run_id": pin.run_id,
        "digest": pin.digest,
        "newest": pin.newest,
        "submitted_at": pin.submitted_at.isoformat(),
        "days": pin.days,
        "rows": None if pin.rows < 0 else pin.rows,
        "stored_at": None if pin.stored_at is None else pin.stored_at.isoformat(),
        "deliveries": sorted(pin.deliveries),
    }
