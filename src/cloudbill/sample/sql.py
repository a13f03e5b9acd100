"""DuckDB as the writer of samples: one thread, UTC, and nothing that depends on the machine."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

__all__ = ["connect", "copy", "create_table", "fetch", "quote_identifier", "quote_text", "set_time"]

_COPY_OPTIONS = {
    # Bloom filters would make a small file half as large again, and do not help to read all of it.
    # A row group is in memory with all of its columns, so it is small.
    "parquet": "FORMAT parquet, COMPRESSION snappy, WRITE_BLOOM_FILTER false, ROW_GROUP_SIZE 61440",
    "csv": "FORMAT csv, HEADER, NULLSTR ''",
    "csv.gz": "FORMAT csv, HEADER, NULLSTR '', COMPRESSION gzip",
    "csv, own header": "FORMAT csv, HEADER false, NULLSTR ''",
    "csv.gz, own header": "FORMAT csv, HEADER false, NULLSTR '', COMPRESSION gzip",
}


def connect() -> duckdb.DuckDBPyConnection:
    """An in-memory database whose results do not depend on cores, home folder or time zone."""
    connection = duckdb.connect(":memory:", config={"threads": 1})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET preserve_insertion_order = true")
    connection.execute("SET enable_progress_bar = false")
    # Joins stay as written, so rows keep the order of the left side.
    connection.execute("SET disabled_optimizers = 'join_order,build_side_probe_side'")
    return connection


def quote_identifier(name: str) -> str:
    """The name as an SQL identifier, whatever characters it holds."""
    return '"' + name.replace('"', '""') + '"'


def quote_text(text: str) -> str:
    """The text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def create_table(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    columns: Mapping[str, str],
    rows: Iterable[Mapping[str, object]],
) -> None:
    """Creates a small table from Python values, instead of any older one; missing values are null.

    `columns` are SQL types by column name, `rows` are values by column name; it is meant for dozens
    of rows, not thousands.
    """
    described = ", ".join(
        f"{quote_identifier(column)} {type_}" for column, type_ in columns.items()
    )
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {quote_identifier(name)} ({described})")
    places = ", ".join("?" for _ in columns)
    values = [[row.get(column) for column in columns] for row in rows]
    if values:
        statement = f"INSERT INTO {quote_identifier(name)} VALUES "  # noqa: S608 - values are bound
        statement += ", ".join(f"({places})" for _ in values)
        connection.execute(statement, [value for row in values for value in row])


def copy(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    path: Path,
    file_format: str,
    parameters: Mapping[str, object],
) -> int:
    """Writes the rows of a query to one file, and counts them.

    `query` is a SELECT of this package's own text, and `parameters` are the values that it names.
    The folder of `path` is created. `file_format` is `parquet` (snappy), `csv` or `csv.gz`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Fetches the whole answer, because an unfinished one keeps the connection busy.
    [(rows,)] = connection.execute(
        f"COPY ({query}) TO $file_path ({_COPY_OPTIONS[file_format]})",
        {**_used(query, parameters), "file_path": str(path)},
    ).fetchall()
    return int(rows)


def set_time(path: Path, moment: datetime) -> None:
    """Sets the modification time of a file to an aware time, exact to the microsecond."""
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    nanoseconds = since // timedelta(microseconds=1) * 1000
    os.utime(path, ns=(nanoseconds, nanoseconds))


def _used(query: str, parameters: Mapping[str, object]) -> dict[str, object]:
    """The parameters that the query names, because DuckDB refuses any other."""
    names = set(re.findall(r"\$(\w+)", query))
    return {name: value for name, value in parameters.items() if name in names}


def fetch(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Mapping[str, object]
) -> Sequence[tuple[Any, ...]]:
    """All rows of a query with a small result."""
    return connection.execute(query, _used(query, parameters)).fetchall()
