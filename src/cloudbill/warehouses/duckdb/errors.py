"""Turns errors of DuckDB into errors of a load."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final

import duckdb

from cloudbill.disk.room import duckdb_needs, full_disk_of
from cloudbill.errors import LoadError, StoppedError
from cloudbill.files.damage import OFTEN, damaged_part, reason_of
from cloudbill.models import PlannedLoad
from cloudbill.sql import DUCKDB, Fragment

if TYPE_CHECKING:
    from cloudbill.settings.warehouse import WarehouseSettings

__all__ = ["duckdb_errors", "table_errors", "without_period"]

_FILE: Final = re.compile(r"file [\"'](?P<name>[^\"'\n]+)[\"']")
_AWAITED: Final = "awaited:"
_TOO_LARGE: Final = "Overflow in HUGEINT"
"""What DuckDB says of a sum of decimals."""


@contextmanager
def duckdb_errors(planned: PlannedLoad, *, database: Path) -> Iterator[None]:
    """Says why a month could not be loaded, which part is at fault if one is, and what to do.

    Raises:
        LoadError: If DuckDB raised an error.
        StoppedError: If a statement was interrupted, which a commit never is.
    """
    try:
        yield
    except duckdb.InterruptException as error:
        raise StoppedError("The load was stopped") from error
    except LoadError as error:
        if isinstance(error.__cause__, duckdb.InterruptException):
            raise StoppedError("The load was stopped") from error
        raise
    except duckdb.Error as error:
        raise _load_error(error, planned, database) from error


@contextmanager
def table_errors(what: str, settings: WarehouseSettings) -> Iterator[None]:
    """Says what could not be read of a table, and why.

    Raises:
        LoadError: If DuckDB raised an error.
    """
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise LoadError(
            f"{what} cannot be read within 'memory_limit', which is {settings.memory_limit}: "
            f"{reason_of(error)}. Raise it"
        ) from error
    except duckdb.Error as error:
        raise LoadError(
            f"{what} in {settings.database} cannot be read: {reason_of(error)}"
        ) from error


def without_period(table: Fragment, period_column: str) -> LoadError:
    """The error for a table without the column that tells its months apart."""
    name = DUCKDB.compose("{name}", name=period_column)
    return LoadError(
        f"{table.text} has no column {period_column} any more, which tells its months apart. If "
        f"it was renamed, `ALTER TABLE {table.text} RENAME COLUMN the_name_now TO {name.text}` "
        "gives it its name back; if it was dropped, rename the table, and the next load makes it "
        "again from the files that are still there"
    )


def _load_error(error: duckdb.Error, planned: PlannedLoad, database: Path) -> LoadError:
    what = "The month was not changed"
    size = planned.manifest.size
    full = full_disk_of(
        error,
        database,
        needed=None if size is None else duckdb_needs(size),
        remedy="set 'database' to a file on another disk, and run again",
    )
    if full is not None:
        return LoadError(f"{what}: {full}", is_of_run=False)
    if isinstance(error, duckdb.OutOfMemoryException):
        return LoadError(
            f"{what}: {reason_of(error)}. Raise 'memory_limit', or free disk space in "
            f"the folder of {database}, and run again",
            is_of_run=False,
        )
    part = _part_in(str(error), planned)
    if part is not None:
        return damaged_part(part, error)
    run = f"DuckDB could not load {planned.period} (run {planned.manifest.run_id})"
    if isinstance(error, duckdb.OutOfRangeException) and _TOO_LARGE in str(error):
        return LoadError(
            f"{run}: a sum of its costs has more than 20 digits before the point, which is more "
            f"than DECIMAL(38,18) holds. {what}. {OFTEN}"
        )
    return LoadError(f"{run}: {reason_of(error)}. {what}")


def _part_in(message: str, planned: PlannedLoad) -> str | None:
    """The address of the part whose file a message names, if it names one."""
    found = _FILE.search(message)
    if found is None:
        return None
    name = found["name"]
    if name.startswith(_AWAITED):
        # Parts that are on their way are called by their place in the manifest.
        return planned.uris[int(PurePath(name).stem)]
    return name if name in planned.uris else None
