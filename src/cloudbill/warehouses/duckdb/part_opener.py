"""Opens Parquet or CSV parts of a run for DuckDB, each batch as one relation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from cloudbill.files.csv_headers import read_columns
from cloudbill.files.csv_plain import CsvPart
from cloudbill.files.csv_relation import read_csv_parts
from cloudbill.files.parquet_relation import read_parquet_parts
from cloudbill.files.relation import PartsRelation
from cloudbill.manifests import Column, Manifest

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from cloudbill.files.downloads import Batch
    from cloudbill.providers import Provider
    from cloudbill.store import Store

__all__ = ["PartsOpener"]


class PartsOpener:
    """Opens local copies of the parts of one run."""

    def __init__(
        self,
        connection: DuckDBPyConnection,
        store: Store,
        manifest: Manifest,
        *,
        provider: Provider,
        existing_headers: Mapping[str, str],
    ) -> None:
        """Reads the headers of CSV parts from the store, so all parts get the same column names.

        `existing_headers` gives, for every column of the table, the header of a CSV that it came
        from.

        Raises:
            LoadError: If a header cannot be loaded.
            StoreError: If a part cannot be read.
        """
        self._connection = connection
        self._store = store
        self._manifest = manifest
        self._columns: tuple[tuple[Column, ...], ...] = ()
        if manifest.parts and manifest.file_format != "parquet":
            self._columns = read_columns(store, manifest, provider, existing_headers)

    @contextmanager
    def opened(self, batch: Batch) -> Iterator[PartsRelation | None]:
        """The parts of a batch as one relation; None if it has no parts.

        Raises:
            LoadError: If the parts contradict each other, or have a value that cannot be loaded.
            StoreError: If a part cannot be read, or is damaged.
        """
        if not batch.files:
            yield None
        elif self._manifest.file_format == "parquet":
            parts = self._manifest.parts[batch.slice]
            addresses = [self._store.uri(part.path) for part in parts]
            yield read_parquet_parts(self._connection, batch.files, addresses=addresses)
        else:
            # The same as in BigQuery, where an empty cell is the null marker.
            with read_csv_parts(self._csv_parts(batch), empty_text_is_null=True) as source:
                # Types depend only on the names of columns, so batches agree with each other.
                address = self._store.uri(self._manifest.parts[batch.first].path)
                yield replace(source, described=((address, source.columns),))

    def _csv_parts(self, batch: Batch) -> list[CsvPart]:
        parts = self._manifest.parts[batch.slice]
        return [
            CsvPart(file=file, address=self._store.uri(part.path), columns=columns)
            for part, file, columns in zip(
                parts, batch.files, self._columns[batch.slice], strict=True
            )
        ]
