"""A load into DuckDB that its user stops says of its month what is so."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from cloudbill.errors import LoadError, StoppedError
from cloudbill.warehouses.duckdb.errors import duckdb_errors
from cloudbill.warehouses.duckdb.interruption import Interruption
from unit.builders import manifest, to_load

ROWS = 100_000


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A file, for in memory a commit takes no time."""
    with closing(duckdb.connect(tmp_path / "a.duckdb")) as connection:
        yield connection


def is_committed(connection: duckdb.DuckDBPyConnection, wait_s: float) -> bool:
    """Commits rows while another thread asks to stop after a time; whether it says it did."""
    connection.execute("CREATE OR REPLACE TABLE charges (id BIGINT, text VARCHAR)")
    interruption = Interruption(connection)
    begins = threading.Event()

    def stop() -> None:
        begins.wait()
        time.sleep(wait_s)
        interruption.ask()

    stopping = threading.Thread(target=stop)
    stopping.start()
    connection.execute("BEGIN")
    connection.execute("INSERT INTO charges SELECT id, 'x' || id FROM range($1) r(id)", [ROWS])
    begins.set()
    try:
        with interruption.held_off():
            connection.execute("COMMIT")
    except StoppedError:
        connection.execute("ROLLBACK")
        return False
    finally:
        stopping.join()
    return True


def test_a_commit_that_is_stopped_at_any_moment_is_told_as_it_ended(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    for step in range(80):
        told = is_committed(connection, step / 8_000)

        assert connection.sql("SELECT count(*) FROM charges").fetchall() == [(ROWS * told,)]


def test_nothing_is_committed_after_a_stop(connection: duckdb.DuckDBPyConnection) -> None:
    interruption = Interruption(connection)
    interruption.ask()

    with pytest.raises(StoppedError), interruption.held_off():
        pytest.fail("the commit began")


@pytest.mark.parametrize("is_wrapped", [False, True])
def test_an_interrupted_statement_is_no_fault_of_the_month(
    connection: duckdb.DuckDBPyConnection, *, is_wrapped: bool
) -> None:
    def query() -> None:
        timer = threading.Timer(0.05, connection.interrupt)
        timer.start()
        try:
            connection.execute("SELECT sum(a.range) FROM range(10_000_000) a, range(100_000) b")
        except duckdb.Error as error:
            if is_wrapped:
                raise LoadError("The columns cannot be read") from error
            raise
        finally:
            timer.join()

    with (
        pytest.raises(StoppedError),
        duckdb_errors(to_load(manifest()), database=Path("a.duckdb")),
    ):
        query()
