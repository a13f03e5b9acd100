"""Schemas: names, types, and what a job may change of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from bqemulator.api.routes.tables import _field_to_rest
from bqemulator.storage import type_map

from emulators.bigquery.errors import JobError
from emulators.bigquery.tables import TableRef, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from bqemulator.catalog.models import TableMeta

Field = dict[str, Any]  # a TableFieldSchema of the REST API

# DuckDB's decimals end at 38 digits, so of BIGNUMERIC's 38 + 38 the middle is kept.
BIGNUMERIC_SCALE = 18
BIGNUMERIC_STORAGE = f"DECIMAL(38, {BIGNUMERIC_SCALE})"

# tables.get and jobs.get answer with these names, whatever name was given.
_WIRE_NAMES = {
    "INT64": "INTEGER",
    "FLOAT64": "FLOAT",
    "BOOL": "BOOLEAN",
    "STRUCT": "RECORD",
    "DECIMAL": "NUMERIC",
    "BIGDECIMAL": "BIGNUMERIC",
}

# https://cloud.google.com/bigquery/docs/schemas#column_names and #flexible-column-names
_LEGAL_NAME = re.compile(r"[\w\-&%=+:'<>#| ]{1,300}")
_RESERVED_PREFIXES = (
    "_TABLE_",
    "_FILE_",
    "_PARTITION",
    "_ROW_TIMESTAMP",
    "__ROOT__",
    "_COLIDENTIFIER",
    "_CHANGE_SEQUENCE_NUMBER",
    "_CHANGE_TYPE",
    "_CHANGE_TIMESTAMP",
)


def store_bignumeric() -> None:
    """Give BIGNUMERIC a physical type that DuckDB has."""
    for name in ("BIGNUMERIC", "BIGDECIMAL"):
        type_map._BQ_TO_DUCKDB[name] = BIGNUMERIC_STORAGE  # noqa: SLF001
    type_map._BQ_TO_DUCKDB["DECIMAL"] = type_map._BQ_TO_DUCKDB["NUMERIC"]  # noqa: SLF001
    type_map._DUCKDB_TO_BQ[BIGNUMERIC_STORAGE] = "BIGNUMERIC"  # noqa: SLF001


def normalised(field: Field) -> Field:
    """The field as the service would answer with it."""
    given = field.get("type", "STRING").upper()
    mode = (field.get("mode") or "NULLABLE").upper()
    out = {**field, "type": _WIRE_NAMES.get(given, given), "mode": mode}
    if field.get("fields"):
        out["fields"] = [normalised(child) for child in field["fields"]]
    return out


def fields_of(table: TableMeta) -> list[Field]:
    """The schema of a table."""
    return [normalised(_field_to_rest(field)) for field in table.schema_.fields]


def columns_sql(fields: Sequence[Field]) -> str:
    """Column definitions for CREATE TABLE."""
    columns = type_map.bq_schema_to_duckdb_columns(list(fields))
    return ", ".join(f"{quoted(name)} {kind}" for name, kind in columns)


def storage_type(field: Field) -> str:
    """The physical type of a column."""
    return type_map.bq_schema_to_duckdb_columns([field])[0][1]


def check_names(fields: Sequence[Field]) -> None:
    """Refuse names that BigQuery refuses; names that differ in case alone are duplicates."""
    seen: set[str] = set()
    for field in fields:
        name = field["name"]
        if not _LEGAL_NAME.fullmatch(name) or name.upper().startswith(_RESERVED_PREFIXES):
            raise JobError(
                "invalid",
                f'Invalid field name "{name}". Fields must contain the allowed characters, '
                "and be at most 300 characters long.",
            )
        if name.lower() in seen:
            raise JobError("invalid", f"Duplicate field name: {name}. Names ignore case.")
        seen.add(name.lower())


def decimal_type(precision: int, scale: int, targets: Collection[str]) -> str:
    """The type of a decimal column of a file.

    NUMERIC, BIGNUMERIC and STRING are tried in this order whatever the order of the list; where
    none holds every value, the widest listed is taken.
    https://cloud.google.com/bigquery/docs/reference/rest/v2/Job (decimalTargetTypes)
    """
    holds = {
        "NUMERIC": scale <= 9 and precision - scale <= 29,
        "BIGNUMERIC": scale <= 38 and precision - scale <= 38,
        "STRING": True,
    }
    listed = [name for name in holds if name in (targets or ["NUMERIC"])]
    return next((name for name in listed if holds[name]), listed[-1])


# https://cloud.google.com/bigquery/docs/loading-data-cloud-storage-parquet#type_conversions
# Each kind: how to know it, the type it becomes, and the types that a schema may give it.
_PARQUET_KINDS: tuple[tuple[Callable[[pa.DataType], bool], str, frozenset[str]], ...] = (
    (pa.types.is_boolean, "BOOLEAN", frozenset({"BOOLEAN"})),
    (pa.types.is_integer, "INTEGER", frozenset({"INTEGER"})),
    # A column of nothing but NULL is written as INT32.
    (pa.types.is_null, "INTEGER", frozenset({"INTEGER"})),
    (pa.types.is_floating, "FLOAT", frozenset({"FLOAT"})),
    (pa.types.is_string, "STRING", frozenset({"STRING", "JSON"})),
    (pa.types.is_large_string, "STRING", frozenset({"STRING", "JSON"})),
    (pa.types.is_binary, "BYTES", frozenset({"BYTES"})),
    (pa.types.is_large_binary, "BYTES", frozenset({"BYTES"})),
    (pa.types.is_date, "DATE", frozenset({"DATE"})),
    (pa.types.is_time, "TIME", frozenset({"TIME"})),
    (
        lambda kind: pa.types.is_timestamp(kind) and kind.unit in ("ms", "us"),
        "TIMESTAMP",
        frozenset({"TIMESTAMP", "DATETIME"}),
    ),
)


def plain(kind: pa.DataType) -> pa.DataType:
    """The type of the values, where they are written as a dictionary."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def parquet_types(kind: pa.DataType) -> frozenset[str]:
    """The types that a schema may give to a Parquet column; none if it is not emulated."""
    kind = plain(kind)
    if pa.types.is_decimal(kind):
        return frozenset({"NUMERIC", "BIGNUMERIC", "STRING"})
    if pa.types.is_nested(kind):
        return frozenset({"RECORD"})
    return next((types for known, _, types in _PARQUET_KINDS if known(kind)), frozenset())


def parquet_field(column: pa.Field, targets: Collection[str]) -> Field:
    """The field that a Parquet column describes by itself."""
    kind = plain(column.type)
    if pa.types.is_map(kind):
        return _map_field(column, kind)
    if pa.types.is_timestamp(kind) and kind.tz is None and kind.unit != "ns":
        # "Loading Parquet data", type conversions: isAdjustedToUTC says which it is.
        name = "DATETIME"
    elif pa.types.is_decimal(kind):
        name = decimal_type(kind.precision, kind.scale, targets)
    else:
        name = next((name for known, name, _ in _PARQUET_KINDS if known(kind)), "")
    if not name:
        raise JobError(
            "notImplemented", f"Parquet column {column.name} of type {kind} is not emulated"
        )
    return {
        "name": column.name,
        "type": name,
        "mode": "NULLABLE" if column.nullable else "REQUIRED",
    }


def _map_field(column: pa.Field, kind: pa.DataType) -> Field:
    """A map is a record with a repeated record of keys and values.

    https://cloud.google.com/bigquery/docs/loading-data-cloud-storage-parquet#type_conversions and
    the Parquet format, logical type MAP.
    """
    inside = [
        parquet_field(pa.field("key", kind.key_type, nullable=False), ()),
        parquet_field(pa.field("value", kind.item_type), ()),
    ]
    pairs = {"name": "key_value", "type": "RECORD", "mode": "REPEATED", "fields": inside}
    mode = "NULLABLE" if column.nullable else "REQUIRED"
    return {"name": column.name, "type": "RECORD", "mode": mode, "fields": [pairs]}


def merged(
    table: TableRef, existing: Sequence[Field], incoming: Sequence[Field], options: Collection[str]
) -> list[Field]:
    """The schema of a table after a load, if the job's schemaUpdateOptions allow the change.

    https://cloud.google.com/bigquery/docs/managing-table-schemas
    Options add NULLABLE columns and relax REQUIRED ones; a type never changes by them, and no
    NULLABLE column becomes REQUIRED (the same page, #change_a_columns_mode).
    """

    def mismatch(what: str) -> JobError:
        return JobError("invalid", f"Provided Schema does not match Table {table}. {what}")

    after = {field["name"].lower(): dict(field) for field in existing}
    given = {field["name"].lower(): field for field in incoming}
    for key, field in given.items():
        if key not in after:
            if "ALLOW_FIELD_ADDITION" not in options:
                raise mismatch(f"Cannot add fields (field: {field['name']})")
            mode = "REPEATED" if field["mode"] == "REPEATED" else "NULLABLE"
            after[key] = {**field, "mode": mode}
        elif after[key]["type"] != field["type"]:
            raise mismatch(
                f"Field {field['name']} has changed type from {after[key]['type']} "
                f"to {field['type']}"
            )
        elif (after[key]["mode"], field["mode"]) == ("NULLABLE", "REQUIRED"):
            raise mismatch(f"Field {field['name']} has changed mode from NULLABLE to REQUIRED")
    for key, field in after.items():
        relaxed = given.get(key, {"mode": "NULLABLE"})["mode"] != "REQUIRED"
        if field["mode"] == "REQUIRED" and relaxed:
            if "ALLOW_FIELD_RELAXATION" not in options:
                raise mismatch(f"Field {field['name']} has changed mode from REQUIRED to NULLABLE")
            field["mode"] = "NULLABLE"
    return list(after.values())
