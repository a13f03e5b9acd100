"""Parts with nothing in them, which some exports write for a month or a region without charges."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import duckdb

from cloudbill.disk.spool import spool_folder
from cloudbill.files.parquet_tail import read_parquet_tail, write_footer
from cloudbill.files.small_queries import open_for_small_queries

if TYPE_CHECKING:
    from cloudbill.manifests import Manifest, Part
    from cloudbill.models import PlannedLoad
    from cloudbill.store import Store

__all__ = ["filled_parts", "without_empty_parts"]

_NO_COLUMN: Final = "at least one non-root column"
"""What DuckDB says of a Parquet file without columns, which it does not read."""


def without_empty_parts(planned: PlannedLoad, store: Store) -> PlannedLoad:
    """The same load of those parts that have anything to read.

    Raises:
        StoreError: If a part that is said to have no row cannot be read.
    """
    filled = filled_parts(planned.manifest, store)
    if len(filled) == len(planned.uris):
        return planned
    uris = dict(zip(planned.manifest.parts, planned.uris, strict=True))
    return replace(
        planned,
        manifest=replace(planned.manifest, parts=filled),
        uris=tuple(uris[part] for part in filled),
    )


def filled_parts(manifest: Manifest, store: Store) -> tuple[Part, ...]:
    """The parts of a run but those that are said to have no row, and have no byte or no column.

    Raises:
        StoreError: If such a part cannot be read.
    """
    return tuple(part for part in manifest.parts if not _is_empty(part, manifest, store))


def _is_empty(part: Part, manifest: Manifest, store: Store) -> bool:
    if part.rows != 0:
        return False
    return part.is_empty or (manifest.file_format == "parquet" and _has_no_column(part, store))


def _has_no_column(part: Part, store: Store) -> bool:
    tail = read_parquet_tail(store, part.path)
    with spool_folder() as folder, closing(open_for_small_queries()) as connection:
        file = folder / "end.parquet"
        write_footer(tail, file, store.uri(part.path))
        try:
            connection.execute("SELECT 1 FROM parquet_schema($file)", {"file": str(file)})
        except duckdb.Error as error:
            # Any other fault of the footer is told when the part is loaded.
            return _NO_COLUMN in str(error)
    return False
