"""What happens while a source is loaded, reported to a listener as it happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cloudbill.costs.month_totals import RecordDifference, shown_differences
from cloudbill.manifests import ManifestFailure
from cloudbill.models import LoadFailure, LoadRecord, LoadResult, PlannedLoad, Skip
from cloudbill.text.counts import counted

if TYPE_CHECKING:
    from cloudbill.periods import BillingPeriod
    from cloudbill.progress import Progress
    from cloudbill.settings import SourceSettings

__all__ = [
    "Discovered",
    "Drifted",
    "Event",
    "LoadFinished",
    "LoadStarted",
    "NewlyHeld",
    "OddRows",
    "Progressed",
    "Stopping",
    "UnrecordedRows",
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
    """A month of the table is not what was recorded; something else changed it.

    `differences` are totals that differ, `inexact` are columns that were recorded and hold no exact
    amounts now, with what they hold.
    """

    record: LoadRecord
    rows_in_table: int
    differences: tuple[RecordDifference, ...] = ()
    inexact: Mapping[str, str] = field(default_factory=dict)
    is_refused: bool = False
    """Whether no load mends that: such a column takes no amounts."""
    is_loaded_again: bool = True

    @property
    def found(self) -> str:
        """What the table has and what was loaded, in words."""
        rows = self.record.rows
        told = list(shown_differences(self.differences, self.inexact))
        if rows is not None and rows != self.rows_in_table:
            told.insert(
                0, f"the table has {counted(self.rows_in_table, 'row', ',')}, {rows:,} were loaded"
            )
        return "; ".join(told)


@dataclass(frozen=True, slots=True, kw_only=True)
class OddRows:
    """The table of a source holds rows of no month, which no load writes or replaces."""

    settings: SourceSettings
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnrecordedRows:
    """The table holds rows of a month that belong to no recorded load.

    `is_replaced` says whether a run of the plan replaces them.
    """

    settings: SourceSettings
    period: BillingPeriod
    rows: int
    is_replaced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NewlyHeld:
    """Runs that are held by guards which the version had not that wrote the ledger last."""

    settings: SourceSettings
    skips: tuple[Skip, ...]


Event = (
    Discovered
    | NewlyHeld
    | Drifted
    | OddRows
    | UnrecordedRows
    | Skip
    | LoadStarted
    | Progressed
    | Stopping
    | LoadFinished
    | LoadFailure
    | ManifestFailure
)
