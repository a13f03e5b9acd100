"""A DuckDB that is kept for queries of a few kilobytes, such as those of footers.

To open a DuckDB takes 20 ms of computing, and such a query less than one.
"""

from __future__ import annotations

import functools
import os
import threading

import duckdb

__all__ = ["open_for_small_queries"]

_ONE_OPENS = threading.Lock()


def open_for_small_queries() -> duckdb.DuckDBPyConnection:
    """A connection of its own to a DuckDB in memory; whoever asks closes it, from any thread."""
    with _ONE_OPENS:
        # A process that was forked has none of the threads of its parent's.
        process = os.getpid()
        try:
            connection = _kept(process).cursor()
            connection.execute("SELECT 1")
        except duckdb.Error:
            # A damaged file may end a DuckDB for all its connections.
            _kept.cache_clear()
            return _kept(process).cursor()
        return connection


@functools.cache
def _kept(_process: int) -> duckdb.DuckDBPyConnection:
    # Otherwise it would keep what it read of files that are gone.
    return duckdb.connect(config={"threads": 1, "enable_external_file_cache": False})
