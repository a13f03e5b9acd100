"""Opens the parts of a run as one relation that DuckDB reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cloudbill.files.columns import objects_of
from cloudbill.files.csv_headers import read_columns
from cloudbill.files.csv_plain import CsvPart
from cloudbill.files.csv_relation import read_csv_parts
from cloudbill.files.downloads import local_parts
from cloudbill.files.parquet_relation import read_parquet_parts
from cloudbill.files.relation import PartsRelation
from cloudbill.manifests import ColumnType, Manifest

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from cloudbill.progress import ProgressListener
    from cloudbill.providers import Provider
    from cloudbill.store import Store

__all__ = ["opened_parts"]


@contextmanager
def opened_parts(
    connection: DuckDBPyConnection,
    store: Store,
    manifest: Manifest,
    listen: ProgressListener | None,
    *,
    provider: Provider,
    amounts: Callable[[str, ColumnType], bool],
    read_headers: Callable[[], Mapping[str, str]],
    is_stopped: Callable[[], bool],
) -> Iterator[PartsRelation | None]:
    """The parts of a run, once all of them are on this disk; None if it has none.

    `amounts` says of a name and a type whether such a column holds amounts. `read_headers` gives,
    for every column of the table, the header of a CSV that it came from.

    Raises:
        LoadError: If the parts contradict each other, or have a value that cannot be loaded.
        StoreError: If a part cannot be read, or is damaged.
        StoppedError: If `is_stopped` says so while parts are awaited.
    """
    if not manifest.parts:
        yield None
        return
    addresses = [store.uri(part.path) for part in manifest.parts]
    if manifest.file_format == "parquet":
        with local_parts(store, manifest, listen, is_stopped=is_stopped) as files:
            yield read_parquet_parts(
                connection,
                files,
                amounts=amounts,
                objects=objects_of(provider, manifest),
                addresses=addresses,
            )
        return
    # Headers come first: they are small, and what is wrong with one is known before all is here.
    columns = read_columns(store, manifest, provider, read_headers())
    with local_parts(store, manifest, listen, is_stopped=is_stopped) as files:
        parts = [
            CsvPart.of(file, address, header)
            for file, address, header in zip(files, addresses, columns, strict=True)
        ]
        # The same as in BigQuery, where an empty cell is the null marker.
        with read_csv_parts(parts, empty_text_is_null=True) as source:
            yield source
