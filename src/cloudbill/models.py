"""The frozen values that pass between the steps; none of them touches a store or a warehouse."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, Literal, Self

from cloudbill.errors import CloudbillError

__all__ = [
    "BillingPeriod",
    "Column",
    "ColumnType",
    "DiscoveredRun",
    "FileFormat",
    "LoadFailure",
    "LoadRecord",
    "LoadResult",
    "Manifest",
    "ManifestFailure",
    "Part",
    "Plan",
    "PlannedLoad",
    "Reason",
    "Skip",
    "SkipReason",
    "StoredObject",
    "TableMonth",
    "Totals",
    "utc_now",
]

FileFormat = Literal["parquet", "csv"]

_NO_MONTH: Final = "'{}' is not a month; write it as YYYY-MM, for example 2025-10"

Totals = Mapping[str, Mapping[str, Decimal]]
"""Exact sums by currency, then by cost column; currencies are never added up."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class BillingPeriod:
    """A calendar month that is billed as one; `str()` gives `YYYY-MM`."""

    year: int
    month: int

    def __post_init__(self) -> None:
        # The range of datetime; a period outside it could not be compared with the data.
        date(self.year, self.month, 1)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `YYYY-MM`.

        Raises:
            ValueError: If the text is not a month.
        """
        match = re.fullmatch(r"(\d{4})-(\d{2})", text, re.ASCII)
        if match is None:
            raise ValueError(_NO_MONTH.format(text))
        try:
            return cls(year=int(match[1]), month=int(match[2]))
        except ValueError as error:
            raise ValueError(_NO_MONTH.format(text)) from error

    @classmethod
    def of(cls, day: date) -> Self:
        """The month of a day, or of a time's UTC day."""
        return cls(year=day.year, month=day.month)

    @property
    def partition_id(self) -> str:
        """The period as BigQuery names a MONTH partition: `YYYYMM`."""
        return f"{self.year:04d}{self.month:02d}"

    @property
    def first_day(self) -> date:
        """The first day of the month."""
        return date(self.year, self.month, 1)

    @property
    def last_day(self) -> date:
        """The last day of the month, inclusive."""
        return date(self.year, self.month, monthrange(self.year, self.month)[1])

    @property
    def next(self) -> Self:
        """The month after this one."""
        if self.month == 12:  # noqa: PLR2004
            return type(self)(year=self.year + 1, month=1)
        return type(self)(year=self.year, month=self.month + 1)


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
    """Whether the provider says that this run is the newest of its period, despite the times."""
    written_at: datetime | None = None
    """When the manifest was written, or copied, as the listing showed it."""

    @property
    def size(self) -> int | None:
        """The bytes of all parts as they were listed, or None if a part was not listed."""
        sizes = [part.stored.size for part in self.parts if part.stored is not None]
        return sum(sizes) if len(sizes) == len(self.parts) else None

    def newest_file_at(self, now: datetime) -> datetime:
        """When the last of its files came, as far as they are there: it waits since then.

        A time that is still to come is of a clock that is wrong, so it does not count.
        """
        times = [self.submitted_at, self.written_at]
        times += [part.stored.modified_at for part in self.parts if part.stored is not None]
        return max((time for time in times if time is not None and time <= now), default=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveredRun:
    """A manifest, and its parts that are not there yet, or not whole."""

    manifest: Manifest
    missing: tuple[Part, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether every part is there and whole."""
        return not self.missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Something that a person should look at, although nothing that was tried has failed.

    `period` and `run_id` are None where it is not about one month, or not about one run.
    """

    error: CloudbillError
    period: BillingPeriod | None = None
    run_id: str | None = None


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
    """A guard found something that a person should check first."""


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
    min_rows: int = 0
    """A run with fewer rows is held; for runs whose manifest states no rows."""
    otherwise: PlannedLoad | None = None
    """What to load if this run is held once its rows are counted."""

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
            covers_from=manifest.covers_from,
            covers_to=manifest.covers_to,
            loaded_at=self.finished_at,
            rows=self.rows,
            parts=len(manifest.parts),
            totals=self.totals,
            job_id=self.job_id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFailure:
    """A month that was not replaced, and why; the old month is unchanged."""

    planned: PlannedLoad
    error: CloudbillError


def utc_now() -> datetime:
    """The time now, aware and in UTC."""
    return datetime.now(UTC)
