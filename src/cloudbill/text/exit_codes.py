"""What a command ends with that met several errors."""

from __future__ import annotations

from collections.abc import Iterable

from cloudbill.errors import CloudbillError, HeldError

__all__ = ["exit_code_of", "highest_code"]


def exit_code_of(errors: Iterable[CloudbillError]) -> int:
    """What a command ends with that met these errors; 0 where there are none."""
    return highest_code(error.exit_code for error in errors)


def highest_code(codes: Iterable[int]) -> int:
    """The highest of several exit codes; that of a held run only where nothing else went wrong."""
    found = {*codes}
    return max(found - {0, HeldError.exit_code}, default=max(found, default=0))
