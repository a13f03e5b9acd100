"""What happens while a source is loaded, told to whoever listens as it happens."""

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
    """The export of a source was listed; `address` is the folder that it belongs in.

    `is_explained` says that an error tells why there are no manifests.
    """

    settings: SourceSettings
    manifests: int
    address: str
    is_explained: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadStarted:
    """A month is being replaced; `store_title` is what people call the store."""

    planned: PlannedLoad
    store_title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed:
    """The load of a month goes on; told only to who asked for it."""

    planned: PlannedLoad
    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping:
    """The user stopped the load; what is about to end is waited for a moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFinished:
    """A month was replaced."""

    result: LoadResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Drifted:
    """A month does not hold the rows that were loaded; somebody else changed the table."""

    record: LoadRecord
    held: int


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
