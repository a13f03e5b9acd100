"""Turns errors of DuckDB into errors of a load."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from cloudbill.errors import LoadError
from cloudbill.models import PlannedLoad

__all__ = ["duckdb_errors"]


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
        if isinstance(error, duckdb.OutOfMemoryException):
            hint = ". Raise 'memory_limit', or free disk space in the folder of the database"
        raise LoadError(
            f"DuckDB could not load {planned.period} (run {planned.manifest.run_id}), the old "
            f"month is unchanged: {error}{hint}"
        ) from error
