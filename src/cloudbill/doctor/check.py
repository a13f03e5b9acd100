"""One thing that was looked at, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass

from cloudbill.errors import CloudbillError

__all__ = ["Check", "failed_check"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at: what was found, and what to do where it is not well."""

    subject: str
    found: str
    remedy: str | None = None
    is_checked: bool = True
    """Whether there was an answer; else `found` says why there was none."""
    exit_code: int = 1
    """What `doctor` ends with where it is not well."""

    @property
    def is_well(self) -> bool:
        """Whether there is nothing to do."""
        return self.remedy is None


def failed_check(subject: str, error: CloudbillError) -> Check:
    """A check that ended in an error, whose message says what to do."""
    return Check(subject=subject, found=str(error), remedy="see the message")
