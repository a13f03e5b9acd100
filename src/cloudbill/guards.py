"""Holds a newer run that delivers less than the loaded one, until the user accepts it; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal

from cloudbill.models import BillingPeriod, LoadRecord, Manifest

__all__ = ["Guards", "held_for_rows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """The rules that hold a run, and the runs that a person has already accepted.

    `max_row_drop` is the share of the loaded rows that may be missing from a newer run, from 0 to
    1: a month only grows until it closes, and corrections are few.
    """

    max_row_drop: Decimal = Decimal("0.5")
    accepted: Mapping[BillingPeriod, frozenset[str]] = field(default_factory=dict)

    def is_accepted(self, manifest: Manifest) -> bool:
        """Whether a person has said that this run is right."""
        return manifest.run_id in self.accepted.get(manifest.period, frozenset())

    def hold(self, manifest: Manifest, loaded: LoadRecord) -> str | None:
        """Why a run that is newer than the loaded one is held, or None if it is not held."""
        if self.is_accepted(manifest):
            return None
        return _narrower(manifest, loaded) or self._fewer_rows(manifest, loaded)

    def min_rows(self, manifest: Manifest, loaded: LoadRecord | None) -> int:
        """The fewest rows that a run may have once it is counted, if its manifest states none."""
        if loaded is None or not loaded.rows or self.is_accepted(manifest):
            return 0
        kept = loaded.rows * (1 - self.max_row_drop)
        return max(1, int(kept.to_integral_value(ROUND_CEILING)))

    def _fewer_rows(self, manifest: Manifest, loaded: LoadRecord) -> str | None:
        rows = 0 if not manifest.parts else manifest.rows
        if rows is None or rows >= self.min_rows(manifest, loaded):
            return None
        return held_for_rows(rows, loaded)


def held_for_rows(rows: int, loaded: LoadRecord) -> str:
    """The reason for holding a run that has too few rows."""
    return f"held: it has {rows} rows, the loaded run {loaded.run_id} has {loaded.rows}"


def _narrower(manifest: Manifest, loaded: LoadRecord) -> str | None:
    if loaded.covers_from is None or loaded.covers_to is None:
        return None
    if manifest.covers_from <= loaded.covers_from and manifest.covers_to >= loaded.covers_to:
        return None
    return (
        f"held: it covers {manifest.covers_from} to {manifest.covers_to}, the loaded run "
        f"{loaded.run_id} covers {loaded.covers_from} to {loaded.covers_to}"
    )
