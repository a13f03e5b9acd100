"""The frozen values that pass between the steps; none of them touches a store or a warehouse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from cloudbill.errors import CloudbillError, Guard
from cloudbill.manifests import Manifest
from cloudbill.periods import BillingPeriod, days_between

__all__ = [
    "LeastCosts",
    "LeastRows",
    "LoadFailure",
    "LoadRecord",
    "LoadResult",
    "Pin",
    "Plan",
    "PlannedLoad",
    "Reason",
    "Skip",
    "SkipReason",
    "TableMonth",
    "TableRows",
    "Totals",
]


Totals = Mapping[str, Mapping[str, Decimal]]
"""Exact sums by currency, then by cost column; currencies are never added up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableMonth:
    """What a table holds of a month; `write_mark` changes whenever anybody writes the month.

    `write_mark` is None if no other process can write. `written_at` is when that was last, by the
    clock of the warehouse; None where the warehouse does not tell.
    """

    rows: int
    write_mark: str | None = None
    written_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRows:
    """The rows that a table holds: of each month, and how many are of no month.

    A row is of no month where its period is NULL, infinite, or before 1960 or after 2159: such rows
    add to the sum of the table and to no month.
    """

    months: Mapping[BillingPeriod, TableMonth] = field(default_factory=dict)
    of_no_month: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Something that a person should look at, although nothing that was tried has failed.

    `period` and `run_id` are None where it is not about one month, or not about one run.
    """

    error: CloudbillError
    period: BillingPeriod | None = None
    run_id: str | None = None


class SkipReason(StrEnum):
    """Why a run is not loaded; the values appear in JSON output."""

    ALREADY_LOADED = "already_loaded"
    SUPERSEDED = "superseded"
    WAITING = "waiting"
    OLDER_THAN_LOADED = "older_than_loaded"
    NOT_SELECTED = "not_selected"
    HELD = "held"
    """A guard found something that a person should look at first."""
    DISMISSED = "dismissed"
    """A person said that a held run is not wanted."""
    GONE = "gone"
    """None of its parts is in the store any more."""
    EXPIRED = "expired"
    """Its month is older than what the table keeps on purpose."""
    PINNED = "pinned"
    """A person chose another run of its month, when the store held this one already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """A run that is not loaded, the reason, and the details in words."""

    manifest: Manifest
    reason: SkipReason
    detail: str
    guard: Guard | None = None
    """What holds it, if it is held."""
    is_late: bool = False
    """Whether that was found only when the run was read, so that no plan says so."""
    older_alike: int = 0
    """How many older runs of its month the same guard holds."""
    is_alike: bool = False
    """Whether the same guard holds a newer run of its month, so that only that one is named."""

    @property
    def is_held(self) -> bool:
        """Whether a guard holds it."""
        return self.reason is SkipReason.HELD


def _currencyless(totals: Totals) -> str | None:
    """What rows without a currency cost, which no bill can be compared with; None if nothing."""
    for column, amount in totals.get("", {}).items():
        if amount:
            return f"rows without a currency have {amount:,.2f} in '{column}'"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRecord:
    """What the ledger remembers of the run that a month holds.

    `submitted_at` and the coverage are None where an older shape of the state did not keep them.
    `sequence` counts the records of a ledger: the greatest is the newest, whatever a clock said.
    It is 0 for a record of an older shape, which is older than all that count.
    """

    period: BillingPeriod
    run_id: str
    submitted_at: datetime | None = None
    covers_from: date | None = None
    covers_to: date | None = None
    loaded_at: datetime | None = None
    rows: int | None = None
    parts: int | None = None
    totals: Totals = field(default_factory=dict)
    rests: Totals = field(default_factory=dict)
    """What was rounded away of the totals, where it was anything: files minus table."""
    job_id: str | None = None
    sequence: int = 0
    scope: str | None = None
    digest: str | None = None
    parts_digest: str | None = None
    size: int | None = None
    """The bytes of all its parts."""
    file_format: str | None = None
    data_version: str | None = None
    """The version of its dataset, as its manifest states it."""

    @property
    def days(self) -> frozenset[date] | None:
        """The days of the month that it covers, by the rule of `Manifest.days`."""
        if self.covers_from is None or self.covers_to is None:
            return None
        return days_between(self.period, self.covers_from, self.covers_to, self.submitted_at)

    @property
    def currencyless(self) -> str | None:
        """What it costs in rows without a currency, if it does."""
        return _currencyless(self.totals)

    def is_of(self, manifest: Manifest) -> bool:
        """Whether this delivery is what was loaded; an older record tells by the run id alone."""
        return manifest.run_id == self.run_id and self.digest in {None, manifest.digest}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """That a month stays with a delivery until a run comes that the store did not hold by then.

    What comes is newer than all of those; `newest` is the id of the newest, `submitted_at`, `days`,
    `rows` (-1 where unknown) and `stored_at` are what such a run is compared by. `deliveries` are
    those that were submitted at that time, for their other values may change.
    """

    run_id: str
    digest: str
    newest: str
    submitted_at: datetime
    days: int = 0
    rows: int = -1
    stored_at: datetime | None = None
    deliveries: frozenset[str] = frozenset()

    def is_of(self, manifest: Manifest) -> bool:
        """Whether this delivery is the one that was chosen."""
        return manifest.run_id == self.run_id and manifest.digest == self.digest


@dataclass(frozen=True, slots=True, kw_only=True)
class LeastRows:
    """The rows below which a run is held; the run it is compared with, `name`, has `others`."""

    rows: int
    name: str
    others: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeastCosts:
    """What the loaded run bills by currency, and the share of it below which a run is held.

    Nothing is compared with what is not more than `trifle`. Where nothing is loaded it is another
    run, and `is_loaded` is false.
    """

    run_id: str
    costs: Mapping[str, Decimal]
    share: Decimal
    trifle: Decimal
    is_loaded: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLoad:
    """One month to be replaced by one run.

    `replaces` is what the ledger remembered of the month when the plan was made. `uris` are the
    addresses of the parts for a warehouse, in the order of the manifest's parts.
    """

    manifest: Manifest
    table: str
    period_column: str
    uris: tuple[str, ...]
    replaces: LoadRecord | None = None
    is_forced: bool = False
    write_mark: str | None = None
    """The warehouse's mark of the month before the plan was made, if it has any."""
    least_rows: LeastRows | None = None
    """For a run whose manifest does not count its rows."""
    least_costs: LeastCosts | None = None
    rivals: tuple[Manifest, ...] = ()
    """Older runs that may have many more rows, which nobody has counted: they are, before the load.
    """
    costs_rival: Manifest | None = None
    """An older run whose costs are read only where this one bills nothing, and none is loaded."""
    read_least_costs: Callable[[], LeastCosts | None] | None = field(
        default=None, compare=False, repr=False
    )
    """Reads the costs of that run."""
    max_row_drop: Decimal = Decimal(1)
    """The share of the rows of a rival that the run may lack."""
    otherwise: PlannedLoad | None = None
    """What to load should this run turn out to be held, or never to load."""

    @property
    def period(self) -> BillingPeriod:
        """The month that is replaced."""
        return self.manifest.period


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would be loaded, newest period first, and what would not, and why."""

    loads: tuple[PlannedLoad, ...]
    skips: tuple[Skip, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """A month that was replaced and reconciled, with the rows and totals that the table now has."""

    planned: PlannedLoad
    rows: int
    totals: Totals
    rests: Totals = field(default_factory=dict)
    """What was rounded away of the totals, where it was anything: files minus table."""
    job_id: str | None
    started_at: datetime
    finished_at: datetime
    alarm: str | None = None
    """What would have held the run, had it been known before the month was replaced."""
    untotalled: str | None = None
    """Why it has no totals although they are wanted."""

    @property
    def rowless(self) -> str | None:
        """Why the month has no rows now, where it has none."""
        if self.rows:
            return None
        manifest = self.planned.manifest
        if not manifest.parts:
            return f"{manifest.path} lists no file"
        return "its files have none" if not manifest.spans else "its files have none of this month"

    @property
    def notes(self) -> Mapping[str, str]:
        """What a person should know of it, by its name in JSON; nothing where all is well."""
        notes = {
            "alarm": self.alarm,
            "without_totals": self.untotalled,
            "without_rows": self.rowless,
            "without_currency": _currencyless(self.totals),
        }
        return {name: note for name, note in notes.items() if note is not None}

    @property
    def seconds(self) -> float:
        """How long the load took."""
        return (self.finished_at - self.started_at).total_seconds()

    def to_record(self) -> LoadRecord:
        """The record of this load for the ledger."""
        manifest = self.planned.manifest
        return LoadRecord(
            period=manifest.period,
            run_id=manifest.run_id,
            submitted_at=manifest.submitted_at,
            covers_from=manifest.covers_from if manifest.states_days else None,
            covers_to=manifest.covers_to if manifest.states_days else None,
            loaded_at=self.finished_at,
            rows=self.rows,
            parts=len(manifest.parts),
            totals=self.totals,
            rests=self.rests,
            job_id=self.job_id,
            scope=manifest.scope,
            digest=manifest.digest,
            parts_digest=manifest.parts_digest,
            size=manifest.size,
            file_format=manifest.file_format,
            data_version=manifest.data_version,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFailure:
    """A month that was not replaced, and why; the old month is unchanged."""

    planned: PlannedLoad
    error: CloudbillError
