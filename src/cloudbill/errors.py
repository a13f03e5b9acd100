"""Every error that cloudbill raises on purpose, each with the exit code that a scheduler sees.

    CloudbillError                  1   something else went wrong
    ├── ConfigError                 2   the configuration is missing or contradicts itself
    ├── QueryError                  2   the SQL of `query` has a mistake, or would change something
    ├── ManifestError               3   a manifest cannot be read
    ├── NoManifestError             3   no manifest is where a source looks for them
    ├── DatasetError                3   what was delivered is of a kind that is not loaded
    ├── LedgerError                 1   the ledger cannot be read or written; no month was lost
    ├── HeldError                   6   a guard held a run; `cloudbill accept` loads it after all
    ├── UnexpectedError             1   a fault of cloudbill itself; its traceback is in a file
    ├── VerificationError           7   the files of a month and its table differ
    ├── StaleError                  8   a delivery is late: none is new enough, or parts lack
    ├── StoreError                  4   the store cannot be listed or read
    │   └── PartMissingError        4   a part that was listed is gone
    ├── StoppedError              130   the user stopped the command; no month is half done
    └── LoadError                   5   a month was not changed
        ├── BytesLimitError         5   a query would bill more than 'maximum_bytes_billed'
        ├── LastTryError            5   the newest try of a month failed, and none succeeded since
        ├── OvertakenError          5   another process wrote the month first; its run stays
        ├── ReconciliationError     5   the counts or totals of a month differ
        ├── SchemaError             5   a column does not fit the table
        └── TransientLoadError      5   the same load may succeed if it is tried again

A message says what happened, where, and what to do next.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from cloudbill.redaction import redacted

__all__ = [
    "BytesLimitError",
    "CloudbillError",
    "ConfigError",
    "DatasetError",
    "Guard",
    "HeldError",
    "LastTryError",
    "LedgerError",
    "LoadError",
    "ManifestError",
    "NoManifestError",
    "OvertakenError",
    "PartMissingError",
    "QueryError",
    "ReconciliationError",
    "SchemaError",
    "StaleError",
    "StoppedError",
    "StoreError",
    "TransientLoadError",
    "UnexpectedError",
    "VerificationError",
]


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


class CloudbillError(Exception):
    """Base of every error that cloudbill raises on purpose.

    Messages quote clouds and their clients, so this class removes secrets from every message.
    """

    exit_code: ClassVar[int] = 1
    is_of_run: bool = False
    """Whether the run itself is at fault for good, so that an older run may load in its place."""

    def __init__(self, message: str = "", *, is_of_run: bool | None = None) -> None:
        super().__init__(redacted(message))
        if is_of_run is not None:
            self.is_of_run = is_of_run


class UnexpectedError(CloudbillError):
    """A fault of cloudbill itself, which ended one source; its traceback is in a file."""


class ConfigError(CloudbillError):
    """The configuration lacks a value, has an unknown key, or contradicts itself."""

    exit_code = 2


class QueryError(CloudbillError):
    """The SQL of `query` has a mistake, or is anything but a SELECT; it did not run."""

    exit_code = 2


class ManifestError(CloudbillError):
    """A manifest cannot be read; `path` is its key in the store, `key` the place inside it."""

    exit_code = 3
    is_of_run = True

    def __init__(self, problem: str, *, path: str, key: str | None = None) -> None:
        self.problem = problem
        self.path = path
        self.key = key
        where = f"'{key}' of {path}" if key else path
        super().__init__(f"{problem} {where}")


class NoManifestError(CloudbillError):
    """No manifest is where a source looks for them: nothing at all, or files without one."""

    exit_code = 3


class DatasetError(CloudbillError):
    """What was delivered is of a kind that the source does not load."""

    exit_code = 3
    is_of_run = True


class StoreError(CloudbillError):
    """The store could not be listed or read."""

    exit_code = 4


class PartMissingError(StoreError):
    """A part from the listing is gone, as happens when an export overwrites its runs."""


class LoadError(CloudbillError):
    """A month was not replaced; the table still has the old month."""

    exit_code = 5
    is_of_run = True


class LedgerError(CloudbillError):
    """The ledger cannot be read or written; the months that are loaded are as they were."""


class HeldError(CloudbillError):
    """A run is held because of what it would replace; nothing was changed."""

    exit_code = 6

    def __init__(self, message: str = "", guard: Guard | None = None) -> None:
        super().__init__(message)
        self.guard = guard


class BytesLimitError(LoadError):
    """A query would bill more than `maximum_bytes_billed` allows; it did not run."""

    is_of_run = False


class LastTryError(LoadError):
    """The newest try to load a month, or a source, failed, and none has succeeded since."""


class OvertakenError(LoadError):
    """Another process wrote the month after it was planned; the run of that process stays."""

    is_of_run = False


class ReconciliationError(LoadError):
    """Manifest, files and table do not agree on the rows or totals of a month."""


class SchemaError(LoadError):
    """A column of the run does not fit the table."""


class TransientLoadError(LoadError):
    """The warehouse failed for a passing reason; the same load may be tried again."""

    is_of_run = False


class StoppedError(CloudbillError):
    """The user stopped the command before a month was replaced; it was not changed."""

    exit_code = 130


class VerificationError(CloudbillError):
    """The files of a month, its table and its record differ when they are read again."""

    exit_code = 7


class StaleError(CloudbillError):
    """The newest delivery is older than the user allows, or a run lacks parts for too long."""

    exit_code = 8
