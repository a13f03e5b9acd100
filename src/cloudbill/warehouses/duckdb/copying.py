"""Rows of a DuckDB file as Parquet, written by DuckDB itself.

A file that is open for reading is locked against writers, so all that is copied while it is open is
of one moment.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from cloudbill.sql import DUCKDB
from cloudbill.warehouses.duckdb.errors import table_errors

if TYPE_CHECKING:
    from cloudbill.settings.warehouse import WarehouseSettings
    from cloudbill.warehouses.asking import RowsToCopy
    from cloudbill.warehouses.duckdb.dataset import Dataset

__all__ = ["copy_rows"]

_WIDE: Final = frozenset({"HUGEINT", "UHUGEINT"})
"""Parquet has no such integers, and DuckDB would write floats."""


def copy_rows(dataset: Dataset, rows: RowsToCopy, file: Path, settings: WarehouseSettings) -> None:
    """Writes some rows into a new Parquet file.

    Raises:
        LoadError: If they cannot be read, or written.
    """
    values = [
        DUCKDB.compose(
            "CAST({name} AS DECIMAL(38,0)) AS {name}" if kind in _WIDE else "{name}", name=name
        )
        for name, kind in dataset.columns(rows.name).items()
    ]
    statement = DUCKDB.compose(
        "COPY (SELECT {values} FROM {table} WHERE {where}) TO $file (FORMAT parquet)",
        values=values,
        table=dataset.table(rows.name),
        where=rows.where,
    )
    with table_errors(f"{rows.period} of {rows.name}", settings):
        dataset.connection.execute(statement.text, {"file": str(file)})
