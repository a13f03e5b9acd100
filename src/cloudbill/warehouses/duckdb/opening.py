"""Opens a DuckDB file, and waits for a while if another process locked it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import duckdb

from cloudbill.errors import ConfigError, LoadError
from cloudbill.settings.values import fault_of_database_path
from cloudbill.store.retrying import Patience, persist

__all__ = ["connect"]

# DuckDB, "Concurrency": one process may write a file; the message says which. Windows says less.
_LOCKED: Final = re.compile(r"Could not set lock|used by another process")
_HOLDER: Final = re.compile(r"lock is held in (?P<holder>.+?\(PID \d+\)(?: by user \S+?)?)[.\s]")


class _LockedError(Exception):
    """Another process locked the file."""


def _make_file(database: Path, storage_version: str) -> None:
    """Makes a file that is not there yet; DuckDB writes it as that version did, now and later.

    Raises:
        duckdb.Error: If it cannot be made, or DuckDB does not know the version.
    """
    if not database.exists():
        # Closed at once: DuckDB refuses a second connection whose configuration is another.
        duckdb.connect(
            str(database.absolute()), config={"storage_compatibility_version": storage_version}
        ).close()


def connect(
    database: Path, *, read_only: bool, timeout_s: float, storage_version: str
) -> duckdb.DuckDBPyConnection:
    """A connection to a file; to `:memory:` if the file is missing and only to be read.

    `storage_version` is what a missing file is made with.

    Raises:
        ConfigError: If it is no file, or DuckDB cannot keep one there.
        LoadError: If another process keeps the file locked.
        duckdb.Error: If it cannot be opened for another reason.
    """
    fault = fault_of_database_path(database.absolute())
    if fault is not None:
        raise ConfigError(f"{fault}; choose a name and folders without it")
    if read_only and not database.exists():
        return duckdb.connect(":memory:")
    if database.exists() and not database.is_file():
        # DuckDB would wait for ever for a pipe.
        raise ConfigError(
            f"'database' names {database}, which is not a file; name a file, which need not exist"
        )

    def attempt() -> duckdb.DuckDBPyConnection:
        try:
            if not read_only:
                _make_file(database, storage_version)
            # Absolute, because DuckDB takes text before a colon for the name of an extension.
            return duckdb.connect(str(database.absolute()), read_only=read_only)
        except duckdb.IOException as error:
            if _LOCKED.search(str(error)):
                raise _LockedError(_holder(str(error))) from error
            raise

    try:
        return persist(
            f"Opening {database}",
            attempt,
            may_pass=lambda error: isinstance(error, _LockedError),
            patience=Patience(timeout_s),
            once=lambda error: (
                f"{database} is locked by {error}; waiting for at most {timeout_s:g} s"
            ),
        )
    except _LockedError as error:
        raise LoadError(
            f"The DuckDB file {database} was not free within {timeout_s:g} s: it is "
            f"locked by {error}. Run again "
            "when that process has ended, or raise 'lock_timeout_s'"
        ) from error.__cause__


def _holder(message: str) -> str:
    match = _HOLDER.search(f"{message} ")
    return match["holder"] if match else "another process"
