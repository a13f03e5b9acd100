"""What happens while a source is loaded, reported to a listener as it happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloudbill.models import (
    LoadFailure,
    LoadRecord,
    LoadResult,
    ManifestFailure,
    PlannedLoad,
    Skip,
)

if TYPE_CHECKING:
    from cloudbill.progress import Progress
    from cloudbill.settings import SourceSettings

__all__ = [
    "Discovered",
    "Drifted",
    "Event",
    "LoadFinished",
    "LoadStarted",
    "Progressed",
    "Stopping",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovered:
    """The export of a source was listed; `address` is the folder where its runs belong.

    `is_explained` is true if an error says why there are no manifests.
    """

    settings: SourceSettings
    manifests: int
    address: str
    is_explained: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadStarted:
    """A month is being replaced; `store_title` is the name of the store for people."""

    planned: PlannedLoad
    store_title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed:
    """The load of a month made progress; reported only if progress is wanted."""

    planned: PlannedLoad
    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping:
    """The user stopped the load; months that are about to finish get a moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFinished:
    """A month was replaced."""

    result: LoadResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Drifted:
    """The table no longer has the rows that were loaded for a month; something else changed it."""

    record: LoadRecord
    rows_in_table: int


Event = (
    Discovered
    | Drifted
    | Skip
    | LoadStarted
    | Progressed
    | Stopping
    | LoadFinished
    | LoadFailure
    | ManifestFailure
)
