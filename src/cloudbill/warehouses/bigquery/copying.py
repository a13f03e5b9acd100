"""Rows of BigQuery as Parquet, page by page.

A month of a table is listed by its partition, which is free (`tabledata.list`; "BigQuery pricing",
free operations). Its pages are not said to be of one moment, so the table is looked at before and
after. A view is asked by a query, whose answer is of one moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
from google.cloud import bigquery
from pyarrow import parquet

from cloudbill.errors import LoadError, TransientLoadError
from cloudbill.sql import BIGQUERY
from cloudbill.warehouses.bigquery.client import PersistentClient, bigquery_errors

if TYPE_CHECKING:
    from google.cloud.bigquery.table import RowIterator

    from cloudbill.warehouses.asking import RowsToCopy, ScanListener
    from cloudbill.warehouses.bigquery.dataset import Dataset

__all__ = ["copy_rows"]

_TIMES: Final = 3
_AMOUNT: Final = pa.decimal128(38, 18)
_TYPES: Final[Mapping[str, pa.DataType]] = {
    "BIGDECIMAL": _AMOUNT,
    "BIGNUMERIC": _AMOUNT,
    "BOOL": pa.bool_(),
    "BOOLEAN": pa.bool_(),
    "BYTES": pa.binary(),
    "DATE": pa.date32(),
    "DATETIME": pa.timestamp("us"),
    "DECIMAL": pa.decimal128(38, 9),
    "FLOAT": pa.float64(),
    "FLOAT64": pa.float64(),
    "INT64": pa.int64(),
    "INTEGER": pa.int64(),
    "JSON": pa.string(),
    "NUMERIC": pa.decimal128(38, 9),
    "STRING": pa.string(),
    "TIME": pa.time64("us"),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
}


def copy_rows(
    client: PersistentClient,
    dataset: Dataset,
    rows: RowsToCopy,
    file: Path,
    tell: ScanListener,
) -> None:
    """Writes some rows into a new Parquet file.

    Raises:
        TransientLoadError: If the table was written each time that it was listed.
        LoadError: If they cannot be read, or a value does not fit.
        OSError: If they cannot be written.
    """
    for _ in range(_TIMES):
        before = dataset.find_table(rows.name)
        if before is None:
            raise LoadError(f"{rows.name} is not there any more")
        fields = _fields(before)
        with bigquery_errors(f"Reading {rows.period} of {rows.name}"):
            if not _is_listed(before, rows):
                _write(_asked(client, dataset, rows, before, tell), fields, rows, file)
                return
            partition = f"{dataset.reference(rows.name)}${rows.period.partition_id}"
            _write(client.list_rows(partition, selected_fields=fields), fields, rows, file)
        after = dataset.find_table(rows.name)
        if after is not None and (after.etag, after.modified) == (before.etag, before.modified):
            return
    raise TransientLoadError(
        f"{rows.name} was written {_TIMES} times while {rows.period} was read. Run again"
    )


def _is_listed(table: bigquery.Table, rows: RowsToCopy) -> bool:
    """Whether one partition has the month, and nothing else."""
    by = table.time_partitioning
    return (
        rows.partitioned_by is not None
        and by is not None
        and by.type_ == bigquery.TimePartitioningType.MONTH
        and str(by.field).lower() == rows.partitioned_by.lower()
    )


def _fields(table: bigquery.Table) -> list[bigquery.SchemaField]:
    """The columns; JSON is taken for text, which keeps its numbers as they are.

    Raises:
        LoadError: If a column is of a type that is not copied.
    """
    for field in table.schema:
        if field.mode == "REPEATED" or field.field_type not in _TYPES:
            raise LoadError(
                f"{field.name} of {table.table_id} is {field.mode} {field.field_type}, which "
                "`export` does not write. Make a view without it, or drop the column"
            )
    return [
        bigquery.SchemaField(
            field.name, "STRING" if field.field_type == "JSON" else field.field_type
        )
        for field in table.schema
    ]


def _asked(
    client: PersistentClient,
    dataset: Dataset,
    rows: RowsToCopy,
    table: bigquery.Table,
    tell: ScanListener,
) -> RowIterator:
    """The rows by a query, after it was said what it scans."""
    statement = BIGQUERY.compose(
        "SELECT {values} FROM {table} AS cloudbill_rows WHERE {where}",
        values=[
            BIGQUERY.compose(
                "TO_JSON_STRING({name}) AS {name}" if field.field_type == "JSON" else "{name}",
                name=field.name,
            )
            for field in table.schema
        ],
        table=dataset.path(rows.name),
        where=rows.where,
    ).text
    dry = client.query(
        statement,
        job_config=dataset.query_config((), dry_run=True, maximum_bytes_billed=None),
        location=dataset.location,
    )
    tell(int(dry.total_bytes_processed or 0))
    return client.answer(statement, job_config=dataset.query_config(()), location=dataset.location)


def _write(
    rows: RowIterator, fields: Sequence[bigquery.SchemaField], asked: RowsToCopy, file: Path
) -> None:
    """Writes rows page by page, each a row group."""
    schema = pa.schema([(field.name, _TYPES[field.field_type]) for field in fields])
    with parquet.ParquetWriter(file, schema) as writer:
        for page in rows.pages:
            found = [row.values() for row in page]
            columns: Iterable[Any] = zip(*found, strict=True) if found else [()] * len(schema)
            arrays = [
                _array(values, column, asked)
                for values, column in zip(columns, schema, strict=True)
            ]
            writer.write_batch(pa.record_batch(arrays, schema=schema))


def _array(values: Sequence[object], column: pa.Field, asked: RowsToCopy) -> pa.Array:
    try:
        return pa.array(values, type=column.type)
    except pa.ArrowInvalid as error:
        raise LoadError(
            f"{column.name} in {asked.period} of {asked.name} has a value that {column.type} does "
            f"not hold, and none is rounded: {error}"
        ) from error
