"""Reads each part of a run by itself, to count or to sum it, and changes nothing.

A separate DuckDB in memory reads the parts, whatever the warehouse is. Remote parts are downloaded
a few at a time, so neither memory nor disk use grows with the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

import duckdb

from cloudbill.costs.daily_totals import DailyTotals, merge_totals
from cloudbill.disk.spool import spool_folder
from cloudbill.errors import CloudbillError, LoadError, PartMissingError, StoreError
from cloudbill.files.columns import amounts_of, objects_of
from cloudbill.files.csv_headers import PartColumns, read_columns
from cloudbill.files.csv_plain import CsvPart
from cloudbill.files.csv_relation import read_csv_parts
from cloudbill.files.damage import AGAIN, reason_of
from cloudbill.files.downloads import local_parts
from cloudbill.files.empty_parts import filled_parts
from cloudbill.files.parquet_relation import read_parquet_parts
from cloudbill.files.parquet_tail import read_parquet_tail, write_footer
from cloudbill.files.relation import PartsRelation
from cloudbill.files.small_queries import open_for_small_queries
from cloudbill.files.sums import sum_by_day
from cloudbill.sql import DUCKDB, Fragment
from cloudbill.text.counts import counted

if TYPE_CHECKING:
    from cloudbill.manifests import Manifest, Part
    from cloudbill.providers import Provider
    from cloudbill.store import Store

__all__ = ["count_rows", "read_each_part", "sum_days"]

_AT_ONCE: Final = 4
"""How many parts are on this disk at once."""
_READERS: Final = 16
"""How many footers are fetched at once."""

_Found = TypeVar("_Found")


def read_each_part(
    store: Store,
    manifest: Manifest,
    read: Callable[[duckdb.DuckDBPyConnection, PartsRelation], _Found],
    *,
    provider: Provider,
    memory_limit: str,
    headers: Mapping[str, str],
) -> Iterator[_Found]:
    """What `read` finds in each part.

    `headers` gives, for every column of the table, the header of a CSV that it came from.

    Raises:
        PartMissingError: If a part is gone.
        StoreError: If a part cannot be read, or has a value that no table can store.
        CloudbillError: If `memory_limit` is too low.
    """
    manifest = replace(manifest, parts=filled_parts(manifest, store))
    amounts, objects = amounts_of(provider, manifest), objects_of(provider, manifest)
    columns: Mapping[str, PartColumns] = {}
    if manifest.file_format == "csv":
        columns = _columns_of_csv(store, manifest, provider, headers)
    with closing(_connect(memory_limit)) as connection:
        # Part by part, because the results are added here and not by DuckDB: each query is small,
        # whatever the size of the run.
        for start in range(0, len(manifest.parts), _AT_ONCE):
            batch = replace(manifest, parts=manifest.parts[start : start + _AT_ONCE])
            with local_parts(store, batch) as files:
                for part, file in zip(batch.parts, files, strict=True):
                    with _part_errors(store, part, file, memory_limit):
                        if manifest.file_format == "parquet":
                            source = read_parquet_parts(
                                connection, [file], amounts=amounts, objects=objects
                            )
                            yield read(connection, source)
                            continue
                        described = CsvPart.of(file, store.uri(part.path), columns[part.path])
                        # An empty text that is NULL changes neither a currency nor a sum.
                        with read_csv_parts([described], empty_text_is_null=True) as source:
                            yield read(connection, source)


def count_rows(store: Store, manifest: Manifest, *, provider: Provider, memory_limit: str) -> int:
    """The rows of a run; of one over several months, those of the month of the manifest.

    Raises:
        StoreError: If a part cannot be read, or has a value that no table can store.
        CloudbillError: If `memory_limit` is too low.
    """
    if manifest.file_format == "parquet" and not manifest.spans:
        return sum(_rows_in_footers(store, manifest))

    def read(connection: duckdb.DuckDBPyConnection, source: PartsRelation) -> int:
        where, ends = _rows_of_month(manifest, source, provider)
        statement = DUCKDB.compose(
            "SELECT count(*) FROM {relation} WHERE {where}", relation=source.relation, where=where
        )
        row = connection.execute(statement.text, {**source.parameters, **ends}).fetchone()
        return int(row[0]) if row else 0

    counts = read_each_part(
        store, manifest, read, provider=provider, memory_limit=memory_limit, headers={}
    )
    return sum(counts)


def sum_days(
    store: Store,
    manifest: Manifest,
    *,
    provider: Provider,
    memory_limit: str,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> DailyTotals:
    """The rows and exact cost totals of a run in its month; raises as `read_each_part` does."""

    def read(connection: duckdb.DuckDBPyConnection, source: PartsRelation) -> DailyTotals:
        where, ends = _rows_of_month(manifest, source, provider)
        parameters = {**source.parameters, **ends}
        return sum_by_day(connection, source.charges(), parameters, provider=provider, where=where)

    parts = read_each_part(
        store, manifest, read, provider=provider, memory_limit=memory_limit, headers=headers
    )
    return merge_totals(parts)


def _rows_in_footers(store: Store, manifest: Manifest) -> Iterator[int]:
    """What the end of each Parquet part states; the rest of the part is not read.

    DuckDB reads it, for the warehouse may be DuckDB, which is installed without Arrow.
    """
    paths = [part.path for part in filled_parts(manifest, store)]
    with (
        ThreadPoolExecutor(_READERS, thread_name_prefix="footer") as readers,
        spool_folder() as folder,
        closing(open_for_small_queries()) as connection,
    ):
        tails = readers.map(lambda path: read_parquet_tail(store, path), paths)
        for number, (path, tail) in enumerate(zip(paths, tails, strict=True)):
            file = folder / f"{number}.parquet"
            write_footer(tail, file, store.uri(path))
            yield _stated_rows(connection, file, store.uri(path))
            file.unlink()


def _stated_rows(connection: duckdb.DuckDBPyConnection, file: Path, address: str) -> int:
    statement = "SELECT num_rows FROM parquet_file_metadata($file)"
    try:
        row = connection.execute(statement, {"file": str(file)}).fetchone()
    except duckdb.Error as error:
        raise StoreError(
            f"{address} is a damaged Parquet file ({reason_of(error)}). {AGAIN}", is_of_run=True
        ) from error
    rows = int(row[0]) if row else 0
    if rows < 0:
        raise StoreError(
            f"{address} is a damaged Parquet file: it states {counted(rows, 'row')}. {AGAIN}",
            is_of_run=True,
        )
    return rows


def _rows_of_month(
    manifest: Manifest, source: PartsRelation, provider: Provider
) -> tuple[Fragment, Mapping[str, object]]:
    """Which rows of a part are of the manifest's month, and the parameters of that.

    Only a run over several months has others.
    """
    if not manifest.spans:
        return Fragment("TRUE"), {}
    return source.in_month(provider.PERIOD_COLUMN, manifest.period)


def _columns_of_csv(
    store: Store, manifest: Manifest, provider: Provider, headers: Mapping[str, str]
) -> dict[str, PartColumns]:
    """The columns of each part by its path, with their names in the table."""
    try:
        columns = read_columns(store, manifest, provider, headers)
    except LoadError as error:
        raise StoreError(
            f"Run {manifest.run_id} cannot be read again: {error}", is_of_run=error.is_of_run
        ) from error
    paths = [part.path for part in manifest.parts]
    return dict(zip(paths, columns, strict=True))


def _connect(memory_limit: str) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:")
    connection.execute("SET memory_limit = $limit", {"limit": memory_limit})
    # A sum needs no space on disk, and the default folder would be in the working folder.
    connection.execute("SET temp_directory = ''")
    connection.execute("SET preserve_insertion_order = false")
    connection.execute("SET TimeZone = 'UTC'")
    return connection


@contextmanager
def _part_errors(store: Store, part: Part, file: Path, memory_limit: str) -> Iterator[None]:
    address = store.uri(part.path)
    if not file.is_file():
        raise PartMissingError(f"{address} does not exist; was it replaced meanwhile?")
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise CloudbillError(
            f"{address} cannot be read within 'memory_limit', which is {memory_limit}: {error}. "
            "Raise it"
        ) from error
    except LoadError as error:
        raise StoreError(
            f"{address} cannot be read again: {error}", is_of_run=error.is_of_run
        ) from error
    except duckdb.Error as error:
        raise StoreError(
            f"{address} cannot be read again: {error}. It is damaged, or was changed after it was "
            "loaded",
            is_of_run=True,
        ) from error
