"""Reads the parts of a run again, only for their rows and costs; changes nothing.

A separate DuckDB in memory reads the parts, whatever the warehouse is. Remote parts are downloaded
a few at a time, so neither memory nor disk use grows with the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb

from cloudbill.costs.daily_totals import DailyTotals, merge_totals
from cloudbill.errors import CloudbillError, LoadError, PartMissingError, StoreError
from cloudbill.files.csv_headers import read_columns
from cloudbill.files.csv_plain import CsvPart
from cloudbill.files.csv_relation import read_csv_parts
from cloudbill.files.downloads import local_parts
from cloudbill.files.parquet_relation import read_parquet_parts
from cloudbill.files.sums import sum_by_day
from cloudbill.models import Column

if TYPE_CHECKING:
    from cloudbill.models import Manifest, Part
    from cloudbill.providers import Provider
    from cloudbill.settings import SourceSettings
    from cloudbill.store import Store

__all__ = ["sum_parts"]

_AT_ONCE: Final = 4
"""How many parts are on this disk at once."""


def sum_parts(
    store: Store, manifest: Manifest, settings: SourceSettings, headers: Mapping[str, str]
) -> DailyTotals:
    """The rows and exact cost totals of a run's parts, by currency and day.

    `headers` gives, for every column of the table, the header of a CSV that it came from.

    Raises:
        PartMissingError: If a part is gone.
        StoreError: If a part cannot be read, or has a value that no table can store.
        CloudbillError: If `memory_limit` is too low.
    """
    columns: Mapping[str, tuple[Column, ...]] = {}
    if manifest.file_format == "csv":
        columns = _columns_of_csv(store, manifest, settings.provider, headers)
    with closing(_connect(settings)) as connection:
        return merge_totals(_each_part(connection, store, manifest, settings, columns))


def _columns_of_csv(
    store: Store, manifest: Manifest, provider: Provider, headers: Mapping[str, str]
) -> dict[str, tuple[Column, ...]]:
    """The columns of each part by its path, with their names in the table."""
    try:
        columns = read_columns(store, manifest, provider, headers)
    except LoadError as error:
        raise StoreError(f"Run {manifest.run_id} cannot be read again: {error}") from error
    paths = [part.path for part in manifest.parts]
    return dict(zip(paths, columns, strict=True))


def _each_part(
    connection: duckdb.DuckDBPyConnection,
    store: Store,
    manifest: Manifest,
    settings: SourceSettings,
    columns: Mapping[str, tuple[Column, ...]],
) -> Iterator[DailyTotals]:
    # Part by part, because the sums are added here and not by DuckDB: each query is small, whatever
    # the size of the run.
    for start in range(0, len(manifest.parts), _AT_ONCE):
        batch = replace(manifest, parts=manifest.parts[start : start + _AT_ONCE])
        with local_parts(store, batch) as files:
            for part, file in zip(batch.parts, files, strict=True):
                with _part_errors(store, part, file, settings):
                    if manifest.file_format == "parquet":
                        yield _sum_parquet(connection, file, settings.provider)
                    else:
                        described = CsvPart(
                            file=file, address=store.uri(part.path), columns=columns[part.path]
                        )
                        yield _sum_csv(connection, described, settings.provider)


def _sum_parquet(
    connection: duckdb.DuckDBPyConnection, file: Path, provider: Provider
) -> DailyTotals:
    source = read_parquet_parts(connection, [file])
    # Amounts are added in the type of the file, which may have more digits than the table.
    charges = source.charges(is_as_stored=True)
    return sum_by_day(connection, charges, source.parameters, provider=provider)


def _sum_csv(
    connection: duckdb.DuckDBPyConnection, part: CsvPart, provider: Provider
) -> DailyTotals:
    # Whether an empty text is NULL makes no difference to a currency or a sum.
    with read_csv_parts([part], empty_text_is_null=True) as source:
        return sum_by_day(connection, source.charges(), source.parameters, provider=provider)


def _connect(settings: SourceSettings) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:")
    connection.execute("SET memory_limit = $limit", {"limit": settings.memory_limit})
    # A sum needs no space on disk, and the default folder would be in the working folder.
    connection.execute("SET temp_directory = ''")
    connection.execute("SET preserve_insertion_order = false")
    connection.execute("SET TimeZone = 'UTC'")
    return connection


@contextmanager
def _part_errors(store: Store, part: Part, file: Path, settings: SourceSettings) -> Iterator[None]:
    address = store.uri(part.path)
    if not file.is_file():
        raise PartMissingError(f"{address} does not exist; was it replaced meanwhile?")
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise CloudbillError(
            f"{address} cannot be read within 'memory_limit', which is {settings.memory_limit}: "
            f"{error}. Raise it"
        ) from error
    except LoadError as error:
        raise StoreError(f"{address} cannot be read again: {error}") from error
    except duckdb.Error as error:
        raise StoreError(
            f"{address} cannot be read again: {error}. It is damaged, or was changed after it was "
            "loaded"
        ) from error
