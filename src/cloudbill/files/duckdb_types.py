"""DuckDB's types, for the table and for the files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from cloudbill.files.json_text import is_map
from cloudbill.manifests import ColumnType

__all__ = ["TABLE_TYPES", "column_type_of", "may_lose_digits", "table_type_of"]


TABLE_TYPES: Final[Mapping[ColumnType, str]] = {
    ColumnType.STRING: "VARCHAR",
    ColumnType.DECIMAL: "DECIMAL(38,18)",
    ColumnType.TIMESTAMP: "TIMESTAMP",
    ColumnType.DATE: "DATE",
    ColumnType.TIME: "TIME",
    ColumnType.BOOLEAN: "BOOLEAN",
    ColumnType.INTEGER: "BIGINT",
    ColumnType.FLOAT: "DOUBLE",
    ColumnType.BYTES: "BLOB",
    ColumnType.JSON: "JSON",
}

_SCALE: Final = 18

_TYPE_NAMES: Final[Mapping[str, ColumnType]] = {
    "VARCHAR": ColumnType.STRING,
    "TIMESTAMP": ColumnType.TIMESTAMP,
    "TIMESTAMP_S": ColumnType.TIMESTAMP,
    "TIMESTAMP_MS": ColumnType.TIMESTAMP,
    "TIMESTAMP_NS": ColumnType.TIMESTAMP,
    "TIMESTAMP WITH TIME ZONE": ColumnType.TIMESTAMP,
    "TIMESTAMPTZ_NS": ColumnType.TIMESTAMP,
    "DATE": ColumnType.DATE,
    "TIME": ColumnType.TIME,
    "BOOLEAN": ColumnType.BOOLEAN,
    "FLOAT": ColumnType.FLOAT,
    "DOUBLE": ColumnType.FLOAT,
    "BLOB": ColumnType.BYTES,
    "JSON": ColumnType.JSON,
    "TINYINT": ColumnType.INTEGER,
    "SMALLINT": ColumnType.INTEGER,
    "INTEGER": ColumnType.INTEGER,
    "BIGINT": ColumnType.INTEGER,
    "UTINYINT": ColumnType.INTEGER,
    "USMALLINT": ColumnType.INTEGER,
    "UINTEGER": ColumnType.INTEGER,
    "UBIGINT": ColumnType.INTEGER,
}

_DECIMAL: Final = re.compile(r"DECIMAL\((\d+),(\d+)\)")


def column_type_of(type_name: str) -> ColumnType | str:
    """The type of a DuckDB type, or DuckDB's name for a type that cloudbill does not create."""
    if _DECIMAL.fullmatch(type_name):
        return ColumnType.DECIMAL
    if is_map(type_name):
        return ColumnType.JSON
    return _TYPE_NAMES.get(type_name, type_name)


def table_type_of(type_name: str) -> ColumnType | str:
    """The same for a column of a table, where a decimal of another size or a map is foreign."""
    kind = column_type_of(type_name)
    is_ours = (
        kind not in {ColumnType.DECIMAL, ColumnType.JSON}
        or type_name == TABLE_TYPES[ColumnType(kind)]
    )
    return kind if is_ours else type_name


def may_lose_digits(type_name: str) -> bool:
    """Whether a decimal type has more digits after the point than the table keeps."""
    match = _DECIMAL.fullmatch(type_name)
    return match is not None and int(match[2]) > _SCALE
