"""Converts CSV parts to Parquet, for a warehouse that gets its files from this process.

DuckDB reads the CSV by the same rules as when it is the warehouse, so a part means the same in
both.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Final

import duckdb

from cloudbill.disk.room import full_disk_of
from cloudbill.disk.spool import ANOTHER_FOLDER
from cloudbill.errors import LoadError
from cloudbill.files.csv_plain import CsvPart
from cloudbill.files.csv_relation import read_csv_parts
from cloudbill.files.damage import reason_of
from cloudbill.manifests import ColumnType
from cloudbill.sql import DUCKDB, Fragment

__all__ = ["convert_csv_part"]

_COPY: Final = "COPY (SELECT {columns} FROM {relation}) TO $target (FORMAT parquet)"


def convert_csv_part(part: CsvPart, target: Path, *, memory_limit: str) -> None:
    """Writes a CSV part as Parquet, with the columns and exact types of the table.

    Raises:
        LoadError: If a row or a cell does not fit; the message names it.
        StoreError: If the part is damaged or was cut off.
    """
    try:
        _convert(part, target, memory_limit=memory_limit)
    except duckdb.OutOfMemoryException as error:
        raise LoadError(
            f"{part.address} could not be converted: {reason_of(error)}. Raise 'memory_limit'",
            is_of_run=False,
        ) from error
    except duckdb.Error as error:
        full = full_disk_of(error, target, remedy=ANOTHER_FOLDER)
        raise LoadError(
            f"{part.address} could not be converted: {full or reason_of(error)}",
            is_of_run=full is None,
        ) from error


def _convert(part: CsvPart, target: Path, *, memory_limit: str) -> None:
    with (
        closing(duckdb.connect()) as connection,
        read_csv_parts([part], empty_text_is_null=True) as source,
    ):
        connection.execute("SET memory_limit = $limit", {"limit": memory_limit})
        connection.execute("SET preserve_insertion_order = false")
        connection.execute("SET TimeZone = 'UTC'")
        columns = [
            DUCKDB.compose(
                # A time in Parquet is one in UTC only if its type says so.
                "CAST({value} AS TIMESTAMPTZ) AS {target}"
                if column.type is ColumnType.TIMESTAMP
                else "{value} AS {target}",
                value=source.value(column.name),
                target=column.target,
            )
            for column in source.columns
        ]
        statement = DUCKDB.compose(_COPY, columns=columns, relation=Fragment(source.relation.text))
        connection.execute(statement.text, {**source.parameters, "target": str(target)})
