"""What a process ends with, as a scheduler sees it, and which of several codes counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cloudbill.errors import CloudbillError, HeldError

__all__ = ["EXIT_CODES", "ExitCode", "exit_code_of", "highest_code"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitCode:
    """One number that the process ends with, as a scheduler sees it."""

    code: int
    means: str


EXIT_CODES: Final = (
    ExitCode(
        code=0,
        means="Everything that can be loaded is loaded; or everything that was checked is in "
        "order.",
    ),
    ExitCode(
        code=1,
        means="Something else went wrong, such as writing the ledger or the output; or `doctor` or "
        "`smoke-test` found something to look at. `status --check`: two sources deliver the same "
        "charges.",
    ),
    ExitCode(
        code=2,
        means="The configuration or the command line is missing something, or contradicts itself; "
        "or `--month` names a month in the future, or one that no source has; or `query` does not "
        "take the SQL.",
    ),
    ExitCode(
        code=3,
        means="A manifest cannot be read, or none is where a source looks, or what is delivered is "
        "of a dataset that is not loaded; the other runs were loaded.",
    ),
    ExitCode(code=4, means="The store cannot be read."),
    ExitCode(
        code=5,
        means="A month was not replaced and the old month is unchanged; the other months were "
        "loaded. `status --check`: the newest try failed, and none has succeeded since.",
    ),
    ExitCode(
        code=6,
        means="Nothing failed, but a run is held: look at it, then `cloudbill accept` or "
        "`dismiss`.",
    ),
    ExitCode(
        code=7,
        means="`verify` found a month that differs, rows of no month, or nothing loaded of the "
        "runs in the store; or a month was changed since it was loaded, and cannot be loaded "
        "again. `status --check` and `doctor`: also if the next load loads it again, or if rows of "
        "a month belong to no recorded load.",
    ),
    ExitCode(
        code=8,
        means="A run lacks a part for longer than `max_wait`; or the newest delivery of a source "
        "is older than `--max-age` or `max_age`; or a view is missing, or not as its tables are "
        "now.",
    ),
    ExitCode(code=130, means="You stopped the command; the months that were loaded are kept."),
)


def exit_code_of(errors: Iterable[CloudbillError]) -> int:
    """What a command ends with that met these errors; 0 if there are none."""
    return highest_code(error.exit_code for error in errors)


def highest_code(codes: Iterable[int]) -> int:
    """The highest of several exit codes; that of a held run only if nothing else went wrong."""
    found = {*codes}
    return max(found - {0, HeldError.exit_code}, default=max(found, default=0))
