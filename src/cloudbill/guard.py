"""What holds a run until a person decides."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Guard"]


class Guard(StrEnum):
    """What holds a run; the values appear in JSON output, and in the state of the ledger."""

    DAYS = "days"
    """It lacks a day of an earlier run."""
    ROWS = "rows"
    """It has no rows, or far fewer than an earlier run."""
    COSTS = "costs"
    """It bills far less than the loaded run."""
    SCOPE = "scope"
    """It is of another scope than the source."""
    SLICE = "slice"
    """It is a week or a day of its month."""
    TIME = "time"
    """It says that it was submitted at a time that has not come."""
    LONGER_PART = "longer_part"
    """A part is longer than its manifest states."""
    CHANGED_PARTS = "changed_parts"
    """It is the loaded run, and its parts were changed under an unchanged manifest."""
