"""A failure of a command as a line and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloudbill.errors import CloudbillError


__all__ = ["error_line", "failure_entry"]


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
