"""A failure of a command as a line and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloudbill.errors import CloudbillError


__all__ = ["SourceFailure", "error_line", "failure_entry", "failures_json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFailure:
    """What ended a source before it had a result, or the command, whose `source` is None."""

    source: str | None
    error: CloudbillError


def error_line(source: str | None, error: CloudbillError) -> str:
    """The line for an error that ended a whole source, or the command."""
    return f"Failed {source} - {error}" if source else f"Failed - {error}"


def failure_entry(
    source: str | None, period: str | None, run_id: str | None, error: CloudbillError
) -> dict[str, str | None]:
    """A failure in the JSON document of any command."""
    return {
        "source": source,
        "period": period,
        "run_id": run_id,
        "error": type(error).__name__,
        "message": str(error),
    }


def failures_json(failures: Iterable[SourceFailure]) -> list[object]:
    """The failures of a command that belong to no month."""
    return [failure_entry(one.source, None, None, one.error) for one in failures]
