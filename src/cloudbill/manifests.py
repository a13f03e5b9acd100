"""What a provider delivers: the manifest of a run, its parts, and what the store shows of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final, Literal

from cloudbill.errors import CloudbillError
from cloudbill.periods import BillingPeriod, days_between

__all__ = [
    "Column",
    "ColumnType",
    "DiscoveredRun",
    "FileFormat",
    "Manifest",
    "ManifestFailure",
    "Part",
    "StoredObject",
]


FileFormat = Literal["parquet", "csv"]

_DIGEST: Final = 16


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
    JSON = "json"
    """One JSON object a row, such as the tags of a charge."""


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

    @property
    def is_empty(self) -> bool:
        """Whether it has no byte and is said to have no row: some exports write such parts."""
        return self.rows == 0 and self.stored is not None and self.stored.size == 0


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
        return f"{self.delivery}@{self.parts_digest or ''}"

    @property
    def delivery(self) -> str:
        """This delivery of the run, whatever the store shows of its parts."""
        return f"{self.run_id}@{self.digest}"

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
    is_updated: bool = False
    """Whether the provider says that it is overwriting files of the export, and has begun these."""

    @property
    def is_complete(self) -> bool:
        """Whether every part is there in full, and nothing more is awaited."""
        return not self.missing and self.settles_at is None and not self.is_updated

    @property
    def is_gone(self) -> bool:
        """Whether no part of it is there: not yet, or not any more, as after a retention.

        A part that was cut off is there.
        """
        parts = self.manifest.parts
        return bool(parts) and all(part.stored is None for part in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestFailure:
    """A manifest that cannot be read, and why; other runs are not affected."""

    path: str
    error: CloudbillError
