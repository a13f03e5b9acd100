"""Opens the parts of a run for DuckDB, Parquet or CSV, as one relation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cloudbill.csv_files import CsvPart
from cloudbill.csv_parts import read_columns
from cloudbill.models import Manifest
from cloudbill.warehouses._duckdb_csv import read_csv_parts
from cloudbill.warehouses._duckdb_parts import PartsRelation, read_parquet_parts

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from cloudbill.providers import Provider
    from cloudbill.store import Store

__all__ = ["csv_parts", "open_parts"]


@contextmanager
def open_parts(
    connection: DuckDBPyConnection,
    store: Store,
    manifest: Manifest,
    files: Sequence[Path],
    *,
    provider: Provider,
    existing_headers: Mapping[str, str],
) -> Iterator[PartsRelation | None]:
    """The parts of a run, of which `files` are local copies; None where it has no parts.

    `existing_headers` gives, for every column of the table, the header of a CSV that it came from.

    Raises:
        LoadError: If the parts contradict each other, or hold what cannot be loaded.
        StoreError: If a part cannot be read, or is damaged.
    """
    if not files:
        yield None
    elif manifest.file_format == "parquet":
        yield read_parquet_parts(connection, files)
    else:
        parts = csv_parts(store, manifest, files, provider, existing_headers)
        # As BigQuery reads it, for which an empty cell is its null marker.
        with read_csv_parts(parts, empty_text_is_null=True) as source:
            yield source


def csv_parts(
    store: Store,
    manifest: Manifest,
    files: Sequence[Path],
    provider: Provider,
    existing_headers: Mapping[str, str],
) -> list[CsvPart]:
    """The parts of a run with their columns: named once for all of them, typed by the provider."""
    columns = read_columns(store, manifest, provider, existing_headers)
    return [
        CsvPart(file=file, address=store.uri(part.path), columns=part_columns)
        for part, file, part_columns in zip(manifest.parts, files, columns, strict=True)
    ]
