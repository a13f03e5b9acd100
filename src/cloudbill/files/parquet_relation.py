"""How DuckDB reads Parquet parts: their columns, their rows, and the relation over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

import duckdb

from cloudbill.errors import SchemaError
from cloudbill.files.columns import merge_parts
from cloudbill.files.damage import damaged_parts
from cloudbill.files.duckdb_types import TABLE_TYPES, _may_lose_digits, column_type_of
from cloudbill.files.relation import PartsRelation, literal_path
from cloudbill.manifests import Column, ColumnType
from cloudbill.sql import DUCKDB, Fragment

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["faults_named", "read_parquet_parts"]

_AWARE: Final = "TIMESTAMP WITH TIME ZONE"
_AWARE_NANOSECONDS: Final = "TIMESTAMPTZ_NS"
_NANOSECONDS_TO_UTC: Final = "CAST(CAST({name} AS TIMESTAMP WITH TIME ZONE) AS TIMESTAMP)"
# Both give the same time in UTC, and DuckDB's own cast takes many times as long. The cast is
# only for infinity, which has no microseconds.
_AWARE_TO_UTC: Final = "coalesce(make_timestamp(epoch_us({name})), CAST({name} AS TIMESTAMP))"


def read_parquet_parts(
    connection: DuckDBPyConnection,
    files: Sequence[PurePath],
    *,
    addresses: Sequence[str] = (),
    scheme: str = "",
) -> PartsRelation:
    """Describes one or more Parquet parts by their footers.

    `addresses` names the parts in messages, where the files are called otherwise; `scheme` is that
    of the file system that they are in, where it is not the local one.

    Raises:
        SchemaError: If parts contradict each other or hold a type that is not loaded.
        LoadError: If a part is damaged.
    """
    # Each part is described separately. DuckDB would unify the columns of all files by itself, and
    # silently turn a decimal into a double if one file has doubles.
    names = [scheme + literal_path(file) for file in files]
    addresses = addresses or [file.name for file in files]
    described: list[tuple[str, list[Column]]] = []
    inexact: dict[str, Column] = {}
    types: dict[str, set[str]] = {}
    part_rows: list[int] = []
    for address, name in zip(addresses, names, strict=True):
        columns: list[Column] = []
        with damaged_parts(address):
            found = _describe(connection, name)
            part_rows.append(_footer_rows(connection, name))
        for column_name, type_name in found:
            kind = column_type_of(type_name)
            if not isinstance(kind, ColumnType):
                raise SchemaError(
                    f"Column '{column_name}' of {address} is a {type_name}, which is not loaded"
                )
            column = Column(name=column_name, target=column_name, type=kind)
            columns.append(column)
            types.setdefault(column_name.lower(), set()).add(type_name)
            if _may_lose_digits(type_name):
                inexact[column_name] = column
        described.append((address, columns))
    merged = merge_parts(described)
    return PartsRelation(
        # A folder such as `year=2025` is not a column of a bill.
        relation=Fragment("read_parquet($files, union_by_name = true, hive_partitioning = false)"),
        parameters={"files": names},
        columns=merged,
        values={
            column.name: _parquet_value(column, types[column.name.lower()]) for column in merged
        },
        addresses=tuple(addresses),
        inexact=tuple(inexact.values()),
        part_rows=tuple(part_rows),
    )


@contextmanager
def faults_named(connection: DuckDBPyConnection, source: PartsRelation) -> Iterator[None]:
    """Names the part that cannot be read while the block runs; DuckDB itself does not always.

    Raises:
        LoadError: If a Parquet part is damaged.
    """
    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.InterruptException):
        raise  # neither is a fault of a part
    except duckdb.Error:
        for address, name in zip(source.addresses, _names_of(source), strict=True):
            with damaged_parts(address):
                # Another connection, for the transaction of this one has failed.
                connection.cursor().execute(
                    "SELECT max(hash(COLUMNS(*))) FROM read_parquet($file)", {"file": name}
                ).fetchall()
        raise


def _names_of(source: PartsRelation) -> Sequence[str]:
    names = source.parameters.get("files", ()) if source.addresses else ()
    return names if isinstance(names, Sequence) else ()


def _parquet_value(column: Column, types: AbstractSet[str]) -> Fragment:
    """A column in the type of the table; `types` are its types in the parts."""
    if types == {_AWARE}:
        return DUCKDB.compose(_AWARE_TO_UTC, name=column.name)
    if _AWARE_NANOSECONDS in types:
        return DUCKDB.compose(_NANOSECONDS_TO_UTC, name=column.name)
    return DUCKDB.compose(
        "CAST({name} AS {type})", name=column.name, type=Fragment(TABLE_TYPES[column.type])
    )


def _describe(connection: DuckDBPyConnection, name: str) -> list[tuple[str, str]]:
    """The names of the columns as they are in the file, and their types.

    DuckDB gives a column another name where a column before it has the same, in any case.
    """
    rows = connection.execute(
        "DESCRIBE SELECT * FROM read_parquet($file, hive_partitioning = false)", {"file": name}
    ).fetchall()
    own_names = _names_in_file(connection, name)
    return [(own_name, str(row[1])) for own_name, row in zip(own_names, rows, strict=True)]


def _names_in_file(connection: DuckDBPyConnection, name: str) -> list[str]:
    elements = iter(
        connection.execute(
            "SELECT name, coalesce(num_children, 0) FROM parquet_schema($file)", {"file": name}
        ).fetchall()
    )
    _, columns = next(elements)
    names: list[str] = []
    for _ in range(columns):
        column, inside = next(elements)
        names.append(str(column))
        # What is inside of a column comes next, and may have something inside as well.
        while inside:
            inside += next(elements)[1] - 1
    return names


def _footer_rows(connection: DuckDBPyConnection, name: str) -> int:
    row = connection.execute(
        "SELECT num_rows FROM parquet_file_metadata($file)", {"file": name}
    ).fetchone()
    return int(row[0]) if row else 0
