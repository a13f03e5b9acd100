"""The DuckDB for small queries is one for all, and another where it has ended."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from cloudbill.files import small_queries
from cloudbill.files.small_queries import open_for_small_queries


def test_many_threads_ask_at_once_and_each_gets_its_own_answer() -> None:
    def ask(number: int) -> int:
        with closing(open_for_small_queries()) as connection:
            row = connection.execute("SELECT $number::INTEGER", {"number": number}).fetchone()
            return int(row[0]) if row else -1

    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(ask, range(200))) == list(range(200))


def test_one_that_has_ended_is_replaced() -> None:
    with (
        closing(open_for_small_queries()) as one,
        closing(open_for_small_queries()) as other,
    ):
        one.execute("CREATE OR REPLACE TABLE ours AS SELECT 1 AS a")
        assert other.execute("FROM ours").fetchall() == [(1,)]

    # As after an error that is fatal to a DuckDB, which nothing brings about on purpose.
    small_queries._kept(os.getpid()).close()  # noqa: SLF001

    with closing(open_for_small_queries()) as connection:
        assert connection.execute("SELECT count(*) FROM duckdb_tables()").fetchall() == [(0,)]
