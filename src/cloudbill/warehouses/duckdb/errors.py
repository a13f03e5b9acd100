"""Turns errors of DuckDB into errors of a load."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import duckdb

from cloudbill.errors import LoadError
from cloudbill.models import PlannedLoad

__all__ = ["duckdb_errors"]

_FULL: Final = os.strerror(errno.ENOSPC)


@contextmanager
def duckdb_errors(planned: PlannedLoad) -> Iterator[None]:
    """Names the month and the run that could not be loaded, and says what to do.

    Raises:
        LoadError: If DuckDB raised an error.
    """
    try:
        yield
    except duckdb.Error as error:
        hint = ""
        has_no_room = isinstance(error, duckdb.OutOfMemoryException)
        if has_no_room:
            hint = ". Raise 'memory_limit', or free disk space in the folder of the database"
        raise LoadError(
            f"DuckDB could not load {planned.period} (run {planned.manifest.run_id}), the old "
            f"month is unchanged: {error}{hint}",
            # A full disk is an error of input and output to DuckDB.
            is_of_run=not has_no_room and _FULL not in str(error),
        ) from error
