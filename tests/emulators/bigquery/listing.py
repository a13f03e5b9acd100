"""INFORMATION_SCHEMA.PARTITIONS as a table of DuckDB, written whenever it is asked for.

The emulator writes the rows into the statement, so that no two are alike and each is parsed and
translated again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bqemulator.sql.rewriter import information_schema

from emulators.bigquery.tables import TableRef, quoted

if TYPE_CHECKING:
    from emulators.bigquery.catalog import Catalog
    from emulators.bigquery.engine import Engine

__all__ = ["list_partitions_in_tables"]

_DATASET: Final = "_partitions"
"""Where the tables are, each with the name of a dataset, so that no list of tables has them."""
_TYPES: Final = {"STRING": "VARCHAR", "INTEGER": "BIGINT", "TIMESTAMP": "TIMESTAMPTZ"}
_COLUMNS: Final = ", ".join(
    f"{name} {_TYPES[kind]}"
    for name, kind in information_schema._PARTITIONS_COLUMN_TYPES  # noqa: SLF001
)


def list_partitions_in_tables(engine: Engine) -> None:
    """Lets statements read the partitions of a dataset from a table of their own."""

    def listed(catalog: Catalog, project: str, dataset: str) -> str:
        partitions = [
            partition
            for table in catalog.list_tables(project, dataset)
            if table.table_type in {"TABLE", "SNAPSHOT", "CLONE"}
            for partition in catalog.list_partitions(project, dataset, table.table_id)
        ]
        if not partitions:
            return information_schema._empty_partitions_values_subquery()  # noqa: SLF001
        name = TableRef(project=project, dataset=_DATASET, table=dataset)
        engine.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(f'{project}__{_DATASET}')}")
        engine.execute(f"CREATE OR REPLACE TABLE {name.sql} ({_COLUMNS})")
        rows = [
            (
                part.table_catalog,
                part.table_schema,
                part.table_name,
                part.partition_id,
                part.total_rows,
                part.total_logical_bytes,
                # As the emulator writes it.
                part.last_modified_time.replace(
                    microsecond=part.last_modified_time.microsecond // 1000 * 1000
                ),
                part.storage_tier,
            )
            for part in partitions
        ]
        marks = ", ".join("(?, ?, ?, ?, ?, ?, ?, ?)" for _ in rows)
        values = [value for row in rows for value in row]
        engine.execute(f"INSERT INTO {name.sql} VALUES {marks}", values)
        return f"`{project}.{_DATASET}.{dataset}`"

    module: Any = information_schema
    module._partitions_as_values = listed  # noqa: SLF001
