"""Newline delimited JSON.

https://cloud.google.com/bigquery/docs/loading-data-cloud-storage-json
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb

from emulators.bigquery.csv_reader import is_gzip
from emulators.bigquery.errors import unreadable
from emulators.bigquery.tables import literal, quoted
from emulators.bigquery.values import by_name, insert_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emulators.bigquery.schema import Field
    from emulators.bigquery.sources import Source

_LINES = '"_json_lines"'
_RAW = '"_json_text"'


def read_json(
    connection: duckdb.DuckDBPyConnection,
    stage: str,
    fields: Sequence[Field],
    source: Source,
    config: dict[str, Any],
) -> None:
    """Append the file's rows to ``stage``, by name."""
    compression = "gzip" if is_gzip(source.path) else "none"
    scan = (
        f"SELECT json FROM read_ndjson_objects({literal(str(source.path))}, "
        f"compression = '{compression}', maximum_object_size = 104857600)"
    )
    try:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {_LINES} AS {scan}")
    except duckdb.Error as error:
        raise unreadable(
            f"JSON parsing error: {str(error).splitlines()[0]}.", source.uri
        ) from error
    columns = _columns(connection, fields, source, config)
    values = [f"{_text(key, field)} AS {quoted(key)}" for key, field in columns.items()]
    if not values:  # rows without a known value are rows all the same
        values, columns = (
            [f"NULL::VARCHAR AS {quoted(fields[0]['name'])}"],
            {fields[0]["name"]: fields[0]},
        )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {_RAW} AS SELECT {', '.join(values)} FROM {_LINES}"
    )
    insert_text(connection, stage, _RAW, columns, source.uri)


def _columns(
    connection: duckdb.DuckDBPyConnection,
    fields: Sequence[Field],
    source: Source,
    config: dict[str, Any],
) -> dict[str, Field]:
    """The keys of the file's objects, each with its field."""
    known = by_name(fields)
    keys = [
        row[0]
        for row in connection.execute(
            f"SELECT DISTINCT unnest(json_keys(json)) FROM {_LINES}"
        ).fetchall()
    ]
    unknown = sorted(key for key in keys if key.lower() not in known)
    if unknown and not config.get("ignoreUnknownValues"):
        raise unreadable(f"JSON parsing error: No such field: {unknown[0]}.", source.uri)
    return {key: known[key.lower()] for key in keys if key.lower() in known}


def _text(key: str, field: Field) -> str:
    """SQL that takes the value under ``key``, as JSON text where the field is not a scalar."""
    path = literal('$."' + key.replace('"', '\\"') + '"')
    if field["mode"] == "REPEATED" or field["type"] in ("RECORD", "JSON"):
        return f"nullif(json_extract(json, {path})::VARCHAR, 'null')"
    return f"json_extract_string(json, {path})"
