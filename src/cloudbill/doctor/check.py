"""One check of `doctor`, and its result."""

from __future__ import annotations

from dataclasses import dataclass

from cloudbill.errors import CloudbillError, ConfigError

__all__ = ["Check", "failed_check"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was checked: what was found, and what to do if it is not in order.

    `remedy` is None if it is in order, and empty if `found` says what to do as well. A note can
    have one.
    """

    subject: str
    found: str
    remedy: str | None = None
    is_checked: bool = True
    """Whether the check gave an answer; if not, `found` says why."""
    is_note: bool = False
    """Whether a person should know of it although it is in order."""
    exit_code: int = 1
    """What `doctor` ends with where it is not well."""

    @property
    def is_well(self) -> bool:
        """Whether there is nothing to fix."""
        return self.is_note or self.remedy is None


def failed_check(subject: str, error: CloudbillError) -> Check:
    """A check that ended in an error, whose message says what to do."""
    # A store or a warehouse that fails is something to look at; a mistake in a value is one.
    code = error.exit_code if isinstance(error, ConfigError) else 1
    return Check(subject=subject, found=str(error), remedy="", exit_code=code)
