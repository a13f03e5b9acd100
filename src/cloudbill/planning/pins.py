"""Months that a person put a run into, and which run ends that; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from cloudbill.manifests import DiscoveredRun, Manifest
from cloudbill.models import LoadRecord, Pin
from cloudbill.periods import BillingPeriod
from cloudbill.planning.guards import Guards
from cloudbill.planning.runs import Age, age_of, possible_time

__all__ = ["is_after", "pin_to", "standing_pins"]


def pin_to(chosen: Manifest, runs: Iterable[DiscoveredRun], guards: Guards) -> Pin:
    """Pins a month to a run; `runs` are all that the store holds of the month, whole or not."""
    there = [guards.possible(run.manifest) for run in runs]
    newest = max(there, key=_age)
    return Pin(
        run_id=chosen.run_id,
        digest=chosen.digest,
        newest=newest.run_id,
        submitted_at=newest.submitted_at,
        days=len(newest.days or ()),
        rows=-1 if newest.rows is None else newest.rows,
        stored_at=newest.stored_at,
        deliveries=frozenset(
            one.delivery for one in there if one.submitted_at == newest.submitted_at
        ),
    )


def is_after(pin: Pin, manifest: Manifest, guards: Guards) -> bool:
    """Whether a run is newer than all that the store held when the month was pinned."""
    found = guards.possible(manifest)
    if found.submitted_at != pin.submitted_at:
        return found.submitted_at > pin.submitted_at
    if found.delivery in pin.deliveries:
        return False
    stored_at = pin.stored_at or datetime.min.replace(tzinfo=pin.submitted_at.tzinfo)
    newest: Age = (pin.submitted_at, False, pin.days, pin.rows, pin.newest, stored_at)
    return age_of(found) > newest


def standing_pins(
    pins: Mapping[BillingPeriod, Pin],
    loaded: Mapping[BillingPeriod, LoadRecord],
    now: datetime | None,
) -> dict[BillingPeriod, Pin]:
    """The pins that no newer run has ended, by what is loaded."""
    return {
        period: pin
        for period, pin in pins.items()
        if period not in loaded or not _is_ended(pin, loaded[period], now)
    }


def _is_ended(pin: Pin, record: LoadRecord, now: datetime | None) -> bool:
    """Whether the loaded run came after the pin; its other values may be what they were not then.

    So of a run of the same time, it only counts that the store did not hold it.
    """
    if record.run_id == pin.run_id and record.digest in {None, pin.digest}:
        return False
    at = possible_time(record, now)
    if at is None or at != pin.submitted_at:
        return at is not None and at > pin.submitted_at
    if record.digest is None:
        return record.run_id not in {one.rpartition("@")[0] for one in pin.deliveries}
    return f"{record.run_id}@{record.digest}" not in pin.deliveries


def _age(manifest: Manifest) -> Age:
    """How new a run is, whatever the provider says of now: another run may be current later."""
    return age_of(replace(manifest, is_current=False))
