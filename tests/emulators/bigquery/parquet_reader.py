"""Parquet files.

https://cloud.google.com/bigquery/docs/loading-data-cloud-storage-parquet
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from emulators.bigquery.errors import JobError, unreadable
from emulators.bigquery.schema import (
    BIGNUMERIC_SCALE,
    Field,
    parquet_types,
    plain,
    storage_type,
)
from emulators.bigquery.tables import literal, quoted
from emulators.bigquery.values import by_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from emulators.bigquery.sources import Source

_NUMERIC_SCALE = 9
_DUCKDB_DIGITS = 38


def parquet_schema(source: Source) -> pa.Schema:
    """The schema that the file describes."""
    try:
        return pq.read_schema(source.path)
    except (pa.ArrowException, OSError) as error:
        raise unreadable(f"Input file is not in Parquet format: {error}.", source.uri) from error


def read_parquet(
    connection: duckdb.DuckDBPyConnection,
    stage: str,
    fields: Sequence[Field],
    source: Source,
    config: dict[str, Any],
) -> None:
    """Append the file's rows to ``stage`` by name; columns that the file lacks stay NULL."""
    known = by_name(fields)
    scan = f"read_parquet({literal(str(source.path))})"
    values: dict[str, str] = {}
    for column in parquet_schema(source):
        field = known.get(column.name.lower())
        if field is not None:
            _check_type(column, field, source)
            with _reading(source):
                _check_digits(connection, scan, column, field, source)
            values[field["name"]] = _value(column, field)
        elif not config.get("ignoreUnknownValues"):
            raise unreadable(f"No such field in the schema: {column.name}.", source.uri)
    if not values:  # rows without a known value are rows all the same
        values = {fields[0]["name"]: "NULL"}
    names = ", ".join(quoted(name) for name in values)
    with _reading(source):
        connection.execute(
            f"INSERT INTO {stage} ({names}) SELECT {', '.join(values.values())} FROM {scan}"
        )


def check_modes(fields: Sequence[Field], source: Source) -> None:
    """A column must have the mode that the schema gives it.

    No documentation says so; the service's answer is recorded, NULLABLE against REQUIRED, in
    googleapis/java-bigquery#13, also where the job states a schema (googleapis/python-bigquery#10),
    and the other way about in googleapis/google-cloud-python#8305.
    """
    known = by_name(fields)
    for column in parquet_schema(source):
        field = known.get(column.name.lower())
        mode = "NULLABLE" if column.nullable else "REQUIRED"
        if field is not None and field["mode"] not in (mode, "REPEATED"):
            name = source.uri.rpartition("/")[2]
            raise unreadable(
                f"Provided schema is not compatible with the file '{name}'. Field "
                f"'{column.name}' is specified as {field['mode']} in provided schema which does "
                f"not match {mode} as specified in the file.",
                source.uri,
            )


@contextmanager
def _reading(source: Source) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        raise unreadable(f"{str(error).splitlines()[0]}.", source.uri) from error


def _check_type(column: pa.Field, field: Field, source: Source) -> None:
    """A column must have the type that the schema gives it: nothing is cast."""
    types = parquet_types(column.type)
    if not types:
        raise JobError(
            "notImplemented", f"Parquet column {column.name} of type {column.type} is not emulated"
        )
    expected = "RECORD" if field["mode"] == "REPEATED" else field["type"]
    # Nothing says that a time in UTC is read into a DATETIME ("Loading Parquet data", types).
    is_in_utc = pa.types.is_timestamp(column.type) and column.type.tz is not None
    if expected not in types or (is_in_utc and expected == "DATETIME"):
        raise unreadable(
            f"Parquet column '{column.name}' has type {column.type} which does not match the "
            f"target type {field['type']}.",
            source.uri,
        )


def _check_digits(
    connection: duckdb.DuckDBPyConnection,
    scan: str,
    column: pa.Field,
    field: Field,
    source: Source,
) -> None:
    """A decimal that its type cannot hold is an error, never rounded."""
    kind = plain(column.type)
    if not pa.types.is_decimal(kind) or field["type"] == "STRING":
        return
    if kind.precision > _DUCKDB_DIGITS:
        raise JobError(
            "notImplemented",
            f"Parquet column {column.name}: decimals of more than 38 digits are not emulated",
        )
    numeric = field["type"] == "NUMERIC"
    scale = _NUMERIC_SCALE if numeric else BIGNUMERIC_SCALE
    name = quoted(column.name)
    there = f"TRY_CAST({name} AS DECIMAL(38, {scale}))"
    and_back = f"TRY_CAST({there} AS DECIMAL({kind.precision}, {kind.scale}))"
    lost = connection.execute(
        f"SELECT 1 FROM {scan} WHERE {and_back} IS DISTINCT FROM {name} LIMIT 1"
    ).fetchone()
    if lost is None:
        return
    if numeric:
        raise unreadable(
            f"The value for column '{column.name}' is out of valid NUMERIC range. Consider "
            "specifying decimal target types to allow a larger range of values.",
            source.uri,
        )
    raise JobError(
        "notImplemented",
        f"The emulator keeps {BIGNUMERIC_SCALE} fraction digits of a BIGNUMERIC: {column.name}",
    )


def _value(column: pa.Field, field: Field) -> str:
    """SQL that gives the column its storage type; times without a zone are UTC."""
    kind = plain(column.type)
    name = quoted(column.name)
    if pa.types.is_map(kind):
        pairs = f"list_transform(map_entries({name}), lambda one: one)"
        name = f"CASE WHEN {name} IS NOT NULL THEN struct_pack(key_value := {pairs}) END"
    if field["type"] == "TIMESTAMP" and pa.types.is_timestamp(kind) and kind.tz is None:
        name = f"{name} AT TIME ZONE 'UTC'"
    return f"CAST({name} AS {storage_type(field)})"
