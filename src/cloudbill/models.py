"""The frozen values that pass between the steps; none of them touches a store or a warehouse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import Final, Literal

from cloudbill.errors import CloudbillError
from cloudbill.least import LeastCosts, LeastRows
from cloudbill.periods import BillingPeriod, days_between

__all__ = [
    "BillingPeriod",
    "Column",
    "ColumnType",
    "DiscoveredRun",
    "FileFormat",
    "LeastCosts",
    "LeastRows",
    "LoadFailure",
    "LoadRecord",
    "LoadResult",
    "Manifest",
    "ManifestFailure",
    "Part",
    "Plan",
    "PlannedLoad",
    "Skip",
    "SkipReason",
    "StoredObject",
    "TableMonth",
    "Totals",
    "days_between",
    "utc_now",
]

FileFormat = Literal["parquet", "csv"]

_DIGEST: Final = 16

Totals = Mapping[str, Mapping[str, Decimal]]
"""Exact sums by currency, then by cost column; currencies are never added up."""


class ColumnType(StrEnum):
    """What a column holds, independent of the warehouse."""

    STRING = "string"
    DECIMAL = "decimal"
    """Exact decimal: DECIMAL(38,18) in DuckDB, BIGNUMERIC in BigQuery."""
    TIMESTAMP = "timestamp"
    """A time in UTC, to the microsecond."""
    DATE = "date"
    TIME = "time"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    FLOAT = "float"
    BYTES = "bytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of an export: its name in the files, its name in the table, and its type."""

    name: str
    target: str
    type: ColumnType


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object of a listing; `size` in bytes, `modified_at` in UTC.

    `version` changes whenever the object is written again; None if the store has no versions.
    """

    path: str
    size: int
    modified_at: datetime
    version: str | None = None
    fault: str | None = None
    """Why it is not read, such as a pipe on disk; what a message says after its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableMonth:
    """What a table holds of a month; `write_mark` changes whenever anybody writes the month.

    `write_mark` is None if no other process can write.
    """

    rows: int
    write_mark: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A data file of a run; `size` in bytes and `rows` are None if the manifest states none."""

    path: str
    size: int | None = None
    rows: int | None = None
    stored: StoredObject | None = None
    """The part as it was listed, or None if it is not there."""

    @property
    def is_whole(self) -> bool:
        """Whether it is there, and not shorter than stated, as during a copy."""
        return self.stored is not None and self.stored.size >= (self.size or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a manifest says of its run.

    `covers_from` and `covers_to` are the first and last day that the run covers, both inclusive.
    `rows` is None if the manifest states no count: unknown, not zero.
    `path` and the paths of the parts are keys in the store.
    """

    provider: str
    export: str
    path: str
    run_id: str
    period: BillingPeriod
    covers_from: date
    covers_to: date
    submitted_at: datetime
    file_format: FileFormat
    parts: tuple[Part, ...]
    columns: tuple[Column, ...] | None = None
    rows: int | None = None
    data_version: str | None = None
    """The provider's name for the layout of the data, such as `1.0r2`."""
    scope: str | None = None
    """What the provider bills together: a billing account, a subscription, a payer account."""
    is_current: bool = False
    """Whether the provider says that this run is the newest of its period, whatever the times."""
    stored_at: datetime | None = None
    """When the manifest was written into the store, or copied there."""
    states_days: bool = True
    """Whether `covers_from` and `covers_to` are stated, or the month alone is known."""
    time_frame: str | None = None
    """What the export says that each of its runs covers, such as `MonthToDate`."""
    spans: tuple[BillingPeriod, ...] = ()
    """All months of the run, where it has several and this is one of them."""
    run_rows: int | None = None
    """The rows that the manifest states of all those months together."""

    @property
    def stated_rows(self) -> int | None:
        """The rows that the manifest states of all parts together, whatever months they are of."""
        return self.run_rows if self.spans else self.rows

    @property
    def days(self) -> frozenset[date] | None:
        """The days of the month that the run can hold charges of; None where nobody knows them.

        A range that ends after the run was submitted is one of a month that was not over: FOCUS
        exports of Azure say the day of the run, or the whole month.
        """
        if not self.states_days:
            return None
        return days_between(self.period, self.covers_from, self.covers_to, self.submitted_at)

    @property
    def digest(self) -> str:
        """What tells two deliveries of one run id apart, wherever their manifests lie.

        It is made of what was parsed: the same for the two manifests that AWS writes of a run.
        """
        parts = [(part.path.rpartition("/")[2], part.size, part.rows) for part in self.parts]
        days = (self.covers_from, self.covers_to)
        whole = (*map(str, self.spans), self.run_rows) if self.spans else ()
        said = (self.run_id, str(self.period), *days, self.rows, parts, *whole)
        return sha256(repr(said).encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]

    @property
    def parts_digest(self) -> str | None:
        """The same of the sizes that the store shows, where the manifest states none."""
        if any(part.size is not None or part.stored is None for part in self.parts):
            return None
        sizes = [part.stored.size for part in self.parts if part.stored is not None]
        return sha256(repr(sizes).encode()).hexdigest()[:_DIGEST]

    @property
    def identity(self) -> str:
        """What a person accepts or dismisses: this delivery of the run, with the parts it has."""
        return "@".join((self.run_id, self.digest, self.parts_digest or ""))

    @property
    def size(self) -> int | None:
        """The bytes of all parts as they were listed, or None if a part was not listed."""
        sizes = [part.stored.size for part in self.parts if part.stored is not None]
        return sum(sizes) if len(sizes) == len(self.parts) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveredRun:
    """A manifest, and what keeps its run from being whole.

    `missing` are parts that are not there, or shorter than stated; `longer` those that are longer,
    so that they belong to another delivery. `settles_at` is None unless the run's files were
    written so lately that more may come.
    """

    manifest: Manifest
    missing: tuple[Part, ...] = ()
    longer: tuple[Part, ...] = ()
    settles_at: datetime | None = None

    @property
    def is_complete(self) -> bool:
        """Whether every part is there in full, and nothing more is awaited."""
        return not self.missing and self.settles_at is None

    @property
    def is_gone(self) -> bool:
        """Whether no part of it is there: not yet, or not any more, as after a retention."""
        return bool(self.missing) and len(self.missing) == len(self.manifest.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestFailure:
    """A manifest that cannot be read, and why; other runs are not affected."""

    path: str
    error: CloudbillError


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """A run that is not loaded, the reason, and the details in words."""

    manifest: Manifest
    reason: SkipReason
    detail: str

    @property
    def is_held(self) -> bool:
        """Whether a guard holds it."""
        return self.reason is SkipReason.HELD


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRecord:
    """What the ledger remembers of the run that a month holds.

    `submitted_at` and the coverage are None if an older form of the state did not keep them.
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
    job_id: str | None = None
    scope: str | None = None
    digest: str | None = None
    parts_digest: str | None = None
    size: int | None = None
    """The bytes of all its parts."""
    file_format: str | None = None

    @property
    def days(self) -> frozenset[date] | None:
        """The days of the month that it covers, by the rule of `Manifest.days`."""
        if self.covers_from is None or self.covers_to is None:
            return None
        return days_between(self.period, self.covers_from, self.covers_to, self.submitted_at)

    def is_of(self, manifest: Manifest) -> bool:
        """Whether this delivery is what was loaded; an older record tells by the run id alone."""
        return manifest.run_id == self.run_id and self.digest in {None, manifest.digest}


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
    job_id: str | None
    started_at: datetime
    finished_at: datetime
    alarm: str | None = None
    """What would have held the run, had it been known before the month was replaced."""

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
            job_id=self.job_id,
            scope=manifest.scope,
            digest=manifest.digest,
            parts_digest=manifest.parts_digest,
            size=manifest.size,
            file_format=manifest.file_format,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFailure:
    """A month that was not replaced, and why; the old month is unchanged."""

    planned: PlannedLoad
    error: CloudbillError


def utc_now() -> datetime:
    """The time now, aware and in UTC."""
    return datetime.now(UTC)
