"""Which runs wait for a person before they may become a month; pure.

A guard compares a run with its baseline: the loaded run, and every run that is newer than that,
older than this one, and not held itself. So the first load of a history is guarded too, and a slice
that slipped in between two snapshots does not hide what the older one had.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Final

from cloudbill.errors import Guard
from cloudbill.manifests import DiscoveredRun, Manifest, Part
from cloudbill.models import LeastCosts, LeastRows, LoadRecord
from cloudbill.periods import BillingPeriod
from cloudbill.planning.costs import billed_costs_of
from cloudbill.text.counts import counted

__all__ = [
    "CLOCKS_DIFFER",
    "Described",
    "Guards",
    "Held",
    "bytes_of",
    "describe",
    "described_record",
    "held_for_rows",
    "least_of",
    "told_apart",
]

_FEW_ROWS: Final = 10
"""A month that lacks fewer rows is not held: small bills vary."""
CLOCKS_DIFFER: Final = timedelta(hours=24)
"""How far a time may be ahead of both clocks that are known before it is impossible."""
_SLICES: Final = frozenset({"weektodate", "thelastweek", "thelastday", "yesterday"})
_ADVICE: Final = "cloudbill needs exports of the month to date"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """That a run is held: by which guard, and why."""

    guard: Guard
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What is compared of a run; None is what nobody knows, and is compared with nothing."""

    name: str
    days: frozenset[date] | None
    rows: int | None
    size: int | None
    file_format: str | None
    manifest: Manifest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """What makes a run wait for a person, and what persons have said so far.

    `max_row_drop` is the share of the rows of an earlier run that a newer one may lack, from 0
    to 1: a month only grows until it closes, and corrections are few. `max_cost_drop` is the same
    of the costs that the loaded run bills, as `billed_column` has them. `accepted` and `dismissed`
    have run ids, or identities of deliveries (`Manifest.identity`), by month. `now` is this
    machine's clock; None trusts every time.
    """

    max_row_drop: Decimal = Decimal("0.5")
    max_cost_drop: Decimal = Decimal("0.9")
    cost_trifle: Decimal = Decimal(1)
    billed_column: str = ""
    accepted: Mapping[BillingPeriod, Collection[str]] = field(default_factory=dict)
    dismissed: Mapping[BillingPeriod, Collection[str]] = field(default_factory=dict)
    found: Mapping[str, Held] = field(default_factory=dict)
    """What was held once it was read, by the identity of the delivery: no manifest shows that."""
    scope: str | None = None
    """The only scope that is wanted, if one is configured."""
    now: datetime | None = None
    max_wait: timedelta = timedelta(days=1)

    def is_overdue(self, manifest: Manifest) -> bool:
        """Whether parts of a run should have come by now.

        It is waited for since it was submitted, or since the newest of its files was written: a
        copy may begin long after.
        """
        stored = (part.stored.modified_at for part in manifest.parts if part.stored is not None)
        known = (manifest.stored_at, *stored)
        since = max([manifest.submitted_at, *(at for at in known if at is not None)])
        return self.now is not None and self.now - since > self.max_wait

    def is_accepted(self, manifest: Manifest) -> bool:
        """Whether a person has said that this run is right."""
        return _is_among(manifest, self.accepted)

    def is_dismissed(self, manifest: Manifest) -> bool:
        """Whether a person has said that this run is not wanted."""
        return _is_among(manifest, self.dismissed)

    def with_possible_time(self, run: DiscoveredRun) -> DiscoveredRun:
        """A run whose time has not come and that was accepted, as submitted when it was written.

        With its own time it would be newer than every later run.
        """
        if not self.is_accepted(run.manifest):
            return run
        return replace(run, manifest=self.possible(run.manifest))

    def possible(self, manifest: Manifest) -> Manifest:
        """The same, submitted when it was written if its own time has not come."""
        if self._impossible_time(manifest) is None:
            return manifest
        at = manifest.stored_at or self.now or manifest.submitted_at
        return replace(manifest, submitted_at=at)

    def hold(
        self, run: DiscoveredRun, baseline: Sequence[Described], *, is_slice: bool = False
    ) -> Held | None:
        """Why a run is held, or None if it is not; scopes are another matter."""
        manifest = run.manifest
        if self.is_accepted(manifest):
            return None
        return (
            _longer(run)
            or self._impossible_time(manifest)
            or _slice(manifest, is_one=is_slice)
            or next((why for one in baseline if (why := self._less(manifest, one))), None)
            or self.found_held(manifest)
        )

    def found_held(self, manifest: Manifest) -> Held | None:
        """Why a run was held when it was read, if it was."""
        return self.found.get(manifest.identity) if self.found else None

    def least_rows(self, manifest: Manifest, baseline: Sequence[Described]) -> LeastRows | None:
        """The least rows that a run may turn out to have, where its manifest does not say."""
        if manifest.rows is not None or self.is_accepted(manifest):
            return None
        found = [least_of(one.rows, one.name, self.max_row_drop) for one in baseline if one.rows]
        return max(found, key=lambda least: least.rows, default=None)

    def least_costs(self, manifest: Manifest, record: LoadRecord | None) -> LeastCosts | None:
        """What a run must at least bill, where the loaded run bills anything."""
        if record is None or not self.compares_costs(manifest):
            return None
        costs = billed_costs_of(record.totals, self.billed_column)
        if max(costs.values(), default=Decimal(0)) <= self.cost_trifle:
            return None
        return LeastCosts(
            run_id=record.run_id,
            costs=costs,
            share=1 - self.max_cost_drop,
            trifle=self.cost_trifle,
        )

    def compares_costs(self, manifest: Manifest) -> bool:
        """Whether a run is held if its costs collapsed."""
        return self.max_cost_drop < 1 and not self.is_accepted(manifest)

    def rivals(self, manifest: Manifest, baseline: Sequence[Described]) -> tuple[Manifest, ...]:
        """The runs of its baseline whose rows must be counted before it may be loaded.

        Rows of one of the two are unknown, and it may have far fewer bytes in the same format.
        """
        if self.is_accepted(manifest):
            return ()
        return tuple(
            one.manifest
            for one in baseline
            if one.manifest is not None and one.rows is None and self._may_be_less(manifest, one)
        )

    def _may_be_less(self, manifest: Manifest, one: Described) -> bool:
        # Nobody knows how many of the bytes of several months are of this one. A run without parts
        # has no format.
        if manifest.spans or not manifest.parts:
            return True
        if one.file_format != manifest.file_format:
            return one.manifest is not None and bool(one.manifest.spans)
        if one.size is None or manifest.size is None:
            return False
        return manifest.size < one.size * (1 - self.max_row_drop)

    def _less(self, manifest: Manifest, one: Described) -> Held | None:
        days = manifest.days
        if days is not None and one.days is not None and one.days - days:
            why = f"held: it covers {_span(days)}, {one.name} covers {_span(one.days)}"
            return Held(guard=Guard.DAYS, why=why)
        rows = manifest.rows if manifest.parts else 0
        if rows is None or not one.rows:
            return None
        if rows >= least_of(one.rows, one.name, self.max_row_drop).rows:
            return None
        return Held(guard=Guard.ROWS, why=held_for_rows(rows, one.name, one.rows))

    def _impossible_time(self, manifest: Manifest) -> Held | None:
        if self.now is None:
            return None
        latest = max(self.now, manifest.stored_at or self.now) + CLOCKS_DIFFER
        if manifest.submitted_at <= latest:
            return None
        why = (
            f"held: it says that it was submitted on {manifest.submitted_at:%Y-%m-%d %H:%M} UTC, "
            "which has not come yet, so no later run would ever be newer"
        )
        return Held(guard=Guard.TIME, why=why)


def least_of(rows: int, name: str, max_row_drop: Decimal) -> LeastRows:
    """The least rows that are not held against a run of `rows` rows; none is always held."""
    kept = int((rows * (1 - max_row_drop)).to_integral_value(ROUND_CEILING))
    return LeastRows(rows=max(1, min(kept, rows - _FEW_ROWS + 1)), name=name, others=rows)


def describe(manifest: Manifest) -> Described:
    """What is compared of a run in the store."""
    return Described(
        name=f"run {manifest.run_id}",
        days=manifest.days,
        rows=manifest.rows if manifest.parts else 0,
        size=manifest.size,
        file_format=manifest.file_format,
        manifest=manifest,
    )


def described_record(record: LoadRecord, manifest: Manifest | None) -> Described:
    """What is compared of the loaded run; `manifest` is its own, where the store still has it."""
    return Described(
        name=_loaded(record),
        days=record.days,
        rows=record.rows,
        size=record.size,
        file_format=record.file_format,
        manifest=manifest,
    )


def bytes_of(part: Part) -> str:
    """How many bytes a part has, and how many its manifest states."""
    name, size = part.path.rpartition("/")[2], part.stored.size if part.stored else 0
    return f"{name} has {size:,} of {part.size or 0:,} bytes"


def told_apart(manifest: Manifest) -> str:
    """What tells a delivery from another one under the same id."""
    written, days = manifest.stored_at or manifest.submitted_at, manifest.days
    rows = "unknown rows" if manifest.rows is None else counted(manifest.rows, "row", ",")
    covers = f", {_span(days)}" if days else ""
    return f"was written {written:%Y-%m-%d %H:%M} UTC: {rows}{covers}, digest {manifest.digest[:8]}"


def held_for_rows(rows: int, name: str, others: int) -> str:
    """What is said of a run that has too few rows."""
    return f"held: it has {counted(rows, 'row')}, {name} has {others}"


def _loaded(record: LoadRecord) -> str:
    return f"the loaded run {record.run_id}"


def _is_among(manifest: Manifest, said: Mapping[BillingPeriod, Collection[str]]) -> bool:
    chosen = said.get(manifest.period, ())
    return bool(chosen) and (manifest.run_id in chosen or manifest.identity in chosen)


def _longer(run: DiscoveredRun) -> Held | None:
    if not run.longer:
        return None
    why = f"held: {bytes_of(run.longer[0])}: a part of another delivery"
    return Held(guard=Guard.LONGER_PART, why=why)


def _slice(manifest: Manifest, *, is_one: bool) -> Held | None:
    frame = (manifest.time_frame or "").lower()
    if frame not in _SLICES and not is_one:
        return None
    days = manifest.days
    covers = f"it covers {_span(days)}" if days else f"its export covers {manifest.time_frame}"
    said = f" ({manifest.time_frame})" if frame in _SLICES and days else ""
    why = f"held: {covers}{said}, a slice of the month and not all of it so far; {_ADVICE}"
    return Held(guard=Guard.SLICE, why=why)


def _span(days: frozenset[date]) -> str:
    return f"{min(days)} to {max(days)}"
