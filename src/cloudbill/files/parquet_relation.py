"""How DuckDB reads the parts of a run: their columns, their rows, and the relation over them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from cloudbill.errors import SchemaError
from cloudbill.files.columns import merge_parts
from cloudbill.models import Column, ColumnType
from cloudbill.sql import DUCKDB, Fragment

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = [
    "TABLE_TYPES",
    "PartsRelation",
    "column_type_of",
    "describe_table",
    "literal_path",
    "read_parquet_parts",
]

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
}
_SCALE: Final = 18
_TYPE_NAMES: Final[Mapping[str, ColumnType]] = {
    "VARCHAR": ColumnType.STRING,
    "TIMESTAMP": ColumnType.TIMESTAMP,
    "TIMESTAMP_S": ColumnType.TIMESTAMP,
    "TIMESTAMP_MS": ColumnType.TIMESTAMP,
    "TIMESTAMP_NS": ColumnType.TIMESTAMP,
    "TIMESTAMP WITH TIME ZONE": ColumnType.TIMESTAMP,
    "DATE": ColumnType.DATE,
    "TIME": ColumnType.TIME,
    "BOOLEAN": ColumnType.BOOLEAN,
    "FLOAT": ColumnType.FLOAT,
    "DOUBLE": ColumnType.FLOAT,
    "BLOB": ColumnType.BYTES,
    "TINYINT": ColumnType.INTEGER,
    "SMALLINT": ColumnType.INTEGER,
    "INTEGER": ColumnType.INTEGER,
    "BIGINT": ColumnType.INTEGER,
    "UTINYINT": ColumnType.INTEGER,
    "USMALLINT": ColumnType.INTEGER,
    "UINTEGER": ColumnType.INTEGER,
    "UBIGINT": ColumnType.INTEGER,
}
_AWARE: Final = "TIMESTAMP WITH TIME ZONE"
# Both are the same time in UTC, and DuckDB's own conversion takes many times as long. It is left
# for infinity, which has no microseconds.
_AWARE_TO_UTC: Final = "coalesce(make_timestamp(epoch_us({name})), CAST({name} AS TIMESTAMP))"
_DECIMAL: Final = re.compile(r"DECIMAL\((\d+),(\d+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class PartsRelation:
    """The parts of a run as one relation.

    `relation` reads them and takes `parameters`. `columns` are named as the relation names them,
    and `values` gives for each of these names its value in the type of the table. `inexact` are
    the columns whose numbers may have more digits than the table keeps.

    `described` gives the columns of each part, under the name that messages give the part.

    `part_rows` is in the order of the parts, or None where the parts do not state it; the relation
    then tells in `file_column` which of `files` a row is from, which are in the order of the parts.
    """

    relation: Fragment
    parameters: Mapping[str, object]
    columns: tuple[Column, ...]
    values: Mapping[str, Fragment]
    described: Sequence[tuple[str, Sequence[Column]]] = ()
    inexact: tuple[Column, ...] = ()
    part_rows: tuple[int, ...] | None = None
    file_column: str | None = None
    files: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    """What a column of the table is called in the parts, where that is another name."""

    def value(self, name: str) -> Fragment:
        """What the table gets from a column of the relation."""
        return self.values[name]

    def projection(self) -> list[Fragment]:
        """Each column, in the type of the table and under its name there."""
        return [
            DUCKDB.compose(
                "{value} AS {target}", value=self.values[column.name], target=column.target
            )
            for column in self.columns
        ]


def read_parquet_parts(
    connection: DuckDBPyConnection, files: Sequence[PurePath], *, scheme: str = ""
) -> PartsRelation:
    """Looks at the footers of Parquet parts; there is at least one.

    `scheme` is that of the file system that they are in, where it is not the local one.

    Raises:
        SchemaError: If parts contradict each other or hold a type that is not loaded.
    """
    names = [scheme + literal_path(file) for file in files]
    described: list[tuple[str, list[Column]]] = []
    inexact: dict[str, Column] = {}
    types: dict[str, set[str]] = {}
    for file, name in zip(files, names, strict=True):
        columns: list[Column] = []
        for column_name, type_name in _describe(connection, name):
            kind = column_type_of(type_name)
            if not isinstance(kind, ColumnType):
                raise SchemaError(
                    f"Column '{column_name}' of {file.name} is a {type_name}, which is not loaded"
                )
            column = Column(name=column_name, target=column_name, type=kind)
            columns.append(column)
            types.setdefault(column_name.lower(), set()).add(type_name)
            if _may_lose_digits(type_name):
                inexact[column_name] = column
        described.append((file.name, columns))
    merged = merge_parts(described)
    return PartsRelation(
        # Folders such as `year=2025` are no columns of a bill.
        relation=Fragment("read_parquet($files, union_by_name = true, hive_partitioning = false)"),
        parameters={"files": names},
        columns=merged,
        values={
            column.name: _parquet_value(column, types[column.name.lower()]) for column in merged
        },
        described=described,
        inexact=tuple(inexact.values()),
        part_rows=tuple(_footer_rows(connection, name) for name in names),
    )


def _parquet_value(column: Column, types: AbstractSet[str]) -> Fragment:
    """A column in the type of the table; `types` are those that it has in the parts."""
    if types == {_AWARE}:
        return DUCKDB.compose(_AWARE_TO_UTC, name=column.name)
    return DUCKDB.compose(
        "CAST({name} AS {type})", name=column.name, type=Fragment(TABLE_TYPES[column.type])
    )


def column_type_of(type_name: str) -> ColumnType | str:
    """What a DuckDB type holds, or the type's own name where cloudbill does not make it."""
    if _DECIMAL.fullmatch(type_name):
        return ColumnType.DECIMAL
    return _TYPE_NAMES.get(type_name, type_name)


def describe_table(
    connection: DuckDBPyConnection, schema: str, table: str
) -> list[tuple[str, str, str]]:
    """Name, type and comment of each column of a table; none where there is no such table."""
    rows = connection.execute(
        "SELECT column_name, data_type, comment FROM duckdb_columns() "
        "WHERE database_name = current_database() AND lower(schema_name) = lower($schema) "
        "AND lower(table_name) = lower($table)",
        {"schema": schema, "table": table},
    ).fetchall()
    return [(str(name), str(kind), str(comment or "")) for name, kind, comment in rows]


def _may_lose_digits(type_name: str) -> bool:
    """Whether a decimal type has more digits behind the point than the table keeps."""
    match = _DECIMAL.fullmatch(type_name)
    return match is not None and int(match[2]) > _SCALE


def literal_path(file: PurePath) -> str:
    """A path in which no character is a pattern to DuckDB."""
    return re.sub(r"([*?\[])", r"[\1]", str(file))


def _describe(connection: DuckDBPyConnection, name: str) -> list[tuple[str, str]]:
    rows = connection.execute(
        "DESCRIBE SELECT * FROM read_parquet($file, hive_partitioning = false)", {"file": name}
    ).fetchall()
    return [(str(row[0]), str(row[1])) for row in rows]


def _footer_rows(connection: DuckDBPyConnection, name: str) -> int:
    row = connection.execute(
        "SELECT num_rows FROM parquet_file_metadata($file)", {"file": name}
    ).fetchone()
    return int(row[0]) if row else 0
