"""CSV files.

https://cloud.google.com/bigquery/docs/loading-data-cloud-storage-csv
"""

from __future__ import annotations

import csv
import gzip
from typing import TYPE_CHECKING, Any

import duckdb

from emulators.bigquery.errors import JobError, unreadable
from emulators.bigquery.tables import literal, quoted
from emulators.bigquery.values import by_name, insert_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from emulators.bigquery.schema import Field
    from emulators.bigquery.sources import Source

_RAW = '"_csv_text"'
_UNEMULATED = ("maxBadRecords", "preserveAsciiControlCharacters", "timestampFormat")


def read_csv(
    connection: duckdb.DuckDBPyConnection,
    stage: str,
    fields: Sequence[Field],
    source: Source,
    config: dict[str, Any],
) -> None:
    """Append the file's rows to ``stage``; ``fields`` is the order of its columns."""
    for option in _UNEMULATED:
        if config.get(option):
            raise JobError("notImplemented", f"{option} is not emulated")
    if (config.get("encoding") or "UTF-8").upper() not in ("UTF-8", "UTF8"):
        raise JobError("notImplemented", f"Encoding {config['encoding']} is not emulated")
    names = _column_names(fields, source, config)
    try:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {_RAW} AS {_scan(names, source, config)}")
    except duckdb.Error as error:
        reason = str(error).splitlines()[0]
        raise unreadable(f"Error detected while parsing row: {reason}.", source.uri) from error
    if not config.get("allowQuotedNewlines"):
        _refuse_newlines(connection, names, source)
    known = by_name(fields)
    columns = {name: known[name.lower()] for name in names if name.lower() in known}
    insert_text(connection, stage, _RAW, columns, source.uri)


def _column_names(fields: Sequence[Field], source: Source, config: dict[str, Any]) -> list[str]:
    """The names of the file's columns.

    Columns match the schema by position, or with ``sourceColumnMatch`` NAME by the header, which
    is the last of the skipped rows.
    https://cloud.google.com/bigquery/docs/reference/rest/v2/Job (sourceColumnMatch)
    """
    if config.get("sourceColumnMatch") != "NAME":
        return [field["name"] for field in fields]
    header = _header(source.path, _skipped(config), config.get("fieldDelimiter") or ",")
    known = by_name(fields)
    unknown = [name for name in header if name.lower() not in known]
    if unknown and not config.get("ignoreUnknownValues"):
        raise unreadable(f"No such field in the schema: {unknown[0]}.", source.uri)
    return header


def _header(path: Path, skipped: int, delimiter: str) -> list[str]:
    """The last skipped row, by which columns are matched."""
    opener = gzip.open if is_gzip(path) else open
    with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, delimiter=delimiter)
        header: list[str] = []
        for _ in range(skipped):
            header = next(rows, [])
    return header


def _skipped(config: dict[str, Any]) -> int:
    rows = int(config.get("skipLeadingRows") or 0)
    return max(rows, 1) if config.get("sourceColumnMatch") == "NAME" else rows


def _scan(names: Sequence[str], source: Source, config: dict[str, Any]) -> str:
    """SQL that reads every column of the file as text.

    An unquoted empty cell is NULL and a quoted one is an empty string, unless ``nullMarker`` says
    otherwise.
    """
    nulls = config.get("nullMarkers") or [config.get("nullMarker") or ""]
    quote = config["quote"] if config.get("quote") is not None else '"'
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
    options = {
        "auto_detect": "false",
        "header": "false",
        "parallel": "false",
        "strict_mode": "true",
        "allow_quoted_nulls": "false",
        "max_line_size": "104857600",
        "skip": str(_skipped(config)),
        "delim": literal(config.get("fieldDelimiter") or ","),
        "quote": literal(quote),
        "escape": literal(quote),
        "nullstr": "[" + ", ".join(literal(marker) for marker in nulls) + "]",
        "null_padding": "true" if config.get("allowJaggedRows") else "false",
        "compression": "'gzip'" if is_gzip(source.path) else "'none'",
        "columns": "{" + columns + "}",
    }
    listed = ", ".join(f"{name} = {value}" for name, value in options.items())
    return f"SELECT * FROM read_csv({literal(str(source.path))}, {listed})"


def _refuse_newlines(
    connection: duckdb.DuckDBPyConnection, names: Sequence[str], source: Source
) -> None:
    """Without ``allowQuotedNewlines`` a quoted cell must end on the line it began on."""
    broken = " OR ".join(f"contains({quoted(name)}, chr(10))" for name in names)
    if connection.execute(f"SELECT 1 FROM {_RAW} WHERE {broken} LIMIT 1").fetchone():
        raise unreadable(
            'Error detected while parsing row. Error: Missing close quote character (").',
            source.uri,
        )


def is_gzip(path: Path) -> bool:
    """Whether the file is compressed, by its first bytes."""
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"
