"""The result of loading a source."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloudbill.errors import CloudbillError, HeldError, StoppedError
from cloudbill.manifests import Manifest, ManifestFailure
from cloudbill.models import LoadFailure, LoadResult, PlannedLoad, Reason, Skip

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings


__all__ = ["Outcome", "exit_code_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of loading a source; `error` is the error that ended it, if any."""

    settings: SourceSettings
    results: tuple[LoadResult, ...] = ()
    skips: tuple[Skip, ...] = ()
    failures: tuple[LoadFailure, ...] = ()
    manifest_failures: tuple[ManifestFailure, ...] = ()
    planned: tuple[PlannedLoad, ...] = ()
    reasons: tuple[Reason, ...] = ()
    error: CloudbillError | None = None

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        """The manifests of all runs that could be read."""
        loads = [result.planned for result in self.results] + list(self.planned)
        loads += [failure.planned for failure in self.failures]
        skipped = [skip.manifest for skip in self.skips]
        return (*(load.manifest for load in loads), *skipped)

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
    def exit_code(self) -> int:
        """The highest exit code of its failures; without a failure, that of a held run, or 0.

        A run that would be held, had it not been loaded before anybody knew, counts as held.
        """
        is_held = any(skip.is_held for skip in self.skips)
        is_alarmed = any(result.alarm for result in self.results)
        waiting = HeldError.exit_code if is_held or is_alarmed else 0
        return max((error.exit_code for error in self.errors), default=waiting)


def exit_code_of(codes: Iterable[int]) -> int:
    """The exit code of a command that has several: the highest, but that of a held run last.

    Whatever else there is needs a person sooner.
    """
    every = set(codes)
    return max(every - {HeldError.exit_code} - {0} or every, default=0)
