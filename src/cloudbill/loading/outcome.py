"""The result of loading a source."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloudbill.errors import CloudbillError, HeldError, StoppedError
from cloudbill.manifests import Manifest, ManifestFailure
from cloudbill.models import LoadFailure, LoadResult, PlannedLoad, Reason, Skip, SkipReason
from cloudbill.periods import BillingPeriod
from cloudbill.text.exit_codes import exit_code_of

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings


__all__ = ["Outcome", "counts_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of loading a source; `error` is the error that ended it, if any.

    `reasons` are what a person should look at although no load failed. `known` are the months that
    the ledger or the table had before.
    """

    settings: SourceSettings
    results: tuple[LoadResult, ...] = ()
    skips: tuple[Skip, ...] = ()
    failures: tuple[LoadFailure, ...] = ()
    manifest_failures: tuple[ManifestFailure, ...] = ()
    planned: tuple[PlannedLoad, ...] = ()
    reasons: tuple[Reason, ...] = ()
    known: frozenset[BillingPeriod] = frozenset()
    error: CloudbillError | None = None

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        """The manifests of all runs that could be read."""
        loads = [result.planned for result in self.results] + list(self.planned)
        loads += [failure.planned for failure in self.failures]
        skipped = [skip.manifest for skip in self.skips]
        return (*(load.manifest for load in loads), *skipped)

    @property
    def months(self) -> frozenset[BillingPeriod]:
        """Every month of which there is a run or a record."""
        return self.known | {manifest.period for manifest in self.manifests}

    @property
    def is_unsure(self) -> bool:
        """Whether there may be months that were not seen."""
        return bool(self.error or self.manifest_failures or self.is_stopped)

    @property
    def is_stopped(self) -> bool:
        """Whether the user stopped it."""
        return any(isinstance(failure.error, StoppedError) for failure in self.failures)

    @property
    def errors(self) -> tuple[CloudbillError, ...]:
        """Every error."""
        errors = [failure.error for failure in self.failures]
        errors += [failure.error for failure in self.manifest_failures]
        errors += [reason.error for reason in self.reasons]
        return (*errors, self.error) if self.error else tuple(errors)

    @property
    def held(self) -> tuple[HeldError, ...]:
        """That a run is held, if one is.

        A run that would be held, had it not been loaded before anybody knew, counts as held.
        """
        is_held = any(skip.is_held for skip in self.skips)
        is_alarmed = any(result.alarm for result in self.results)
        return (HeldError(),) if is_held or is_alarmed else ()

    @property
    def exit_code(self) -> int:
        """The highest exit code of its failures; without a failure, that of a held run, or 0."""
        return exit_code_of((*self.errors, *self.held))


def counts_of(outcomes: Iterable[Outcome], *, ended: int = 0) -> dict[str, int]:
    """How many months were loaded and failed, and how many runs were skipped for each reason.

    The keys are those of a JSON log: `loaded`, `failed`, the values of `SkipReason`,
    `unreadable_manifests`, `failed_sources` and `reasons`; each is there, even if it is 0. `ended`
    is how many sources had no outcome.
    """
    counts = {"loaded": 0, "failed": 0, **{str(reason): 0 for reason in SkipReason}}
    counts |= {"unreadable_manifests": 0, "failed_sources": ended, "reasons": 0}
    for outcome in outcomes:
        counts["loaded"] += len(outcome.results)
        counts["failed"] += len(outcome.failures)
        counts["unreadable_manifests"] += len(outcome.manifest_failures)
        counts["failed_sources"] += outcome.error is not None
        counts["reasons"] += len(outcome.reasons)
        for skip in outcome.skips:
            counts[str(skip.reason)] += 1
    return counts
