"""Reads the footers of Parquet parts in the store: a few kilobytes at the end of each file."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from cloudbill.disk.spool import spool_folder
from cloudbill.errors import SchemaError, StoreError
from cloudbill.files.columns import NOT_LOADED, no_objects, type_in_table
from cloudbill.files.damage import AGAIN
from cloudbill.files.parquet_tail import PARQUET_MAGIC, read_parquet_tail, write_footer
from cloudbill.files.small_queries import open_for_small_queries
from cloudbill.manifests import Column, ColumnType, Part
from cloudbill.text.counts import counted

if TYPE_CHECKING:
    from cloudbill.store import Store

__all__ = ["Footer", "read_footers"]

_READERS: Final = 16
# Times have no zone here, or that of UTC, whatever the zone of this machine is.
_STATISTICS: Final = """
    SELECT TRY_CAST(TRY_CAST(stats_min_value AS TIMESTAMP) AS DATE),
        TRY_CAST(TRY_CAST(stats_max_value AS TIMESTAMP) AS DATE)
    FROM parquet_metadata($file) WHERE path_in_schema = $column AND row_group_num_rows <> 0
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footer:
    """The content of the footer of a part.

    `columns` have the types that they get in a table, and `forms` tell apart what is of one type
    there and not in files: times with and without a zone, and maps of other values. Of `doubles`,
    which become decimals, and of `maps`, which become objects, BigQuery reads something else from
    the file, and SQL converts it; with `is_rewritten`, there are others that no SQL converts.
    `required` has the names, in lower case, of the columns whose repetition is REQUIRED.
    `first_day` and `last_day` are the least and greatest day of the period column, or None if the
    file has no statistics of that column, or no rows.
    """

    address: str
    rows: int
    columns: tuple[Column, ...]
    forms: tuple[str, ...] = ()
    doubles: frozenset[str] = frozenset()
    maps: frozenset[str] = frozenset()
    number_maps: frozenset[str] = frozenset()
    """Those of the maps whose values are doubles."""
    is_rewritten: bool = False
    required: frozenset[str] = frozenset()
    untyped: frozenset[str] = frozenset()
    """The names, in lower case, of columns in which the writer saw no value."""
    first_day: date | None
    last_day: date | None


def read_footers(
    store: Store,
    parts: Sequence[Part],
    *,
    period_column: str,
    amounts: Callable[[str, ColumnType], bool],
    objects: Callable[[str], bool] = no_objects,
) -> tuple[Footer, ...]:
    """The footers of the parts, in order; many are read at a time.

    `amounts` says of a name and a type whether such a column holds amounts, and `objects` of a name
    whether text in it is that of objects.

    Raises:
        StoreError: If a part cannot be read or is not a Parquet file.
        SchemaError: If a part has a column of a type that is not loaded.
    """

    def read(part: Part) -> Footer:
        return _read_footer(store, part.path, period_column, amounts, objects)

    with ThreadPoolExecutor(_READERS, thread_name_prefix="footer") as readers:
        return tuple(readers.map(read, parts))


def _read_footer(
    store: Store,
    path: str,
    period_column: str,
    amounts: Callable[[str, ColumnType], bool],
    objects: Callable[[str], bool],
) -> Footer:
    address = store.uri(path)
    tail = read_parquet_tail(store, path)
    try:
        metadata = pq.read_metadata(io.BytesIO(PARQUET_MAGIC + tail))
        schema = metadata.schema.to_arrow_schema()
        leaves = [metadata.schema.column(index) for index in range(metadata.num_columns)]
        physical = {leaf.path: leaf.physical_type for leaf in leaves}
        fields = [(field.name, field) for field in schema]
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise StoreError(
            f"{address} is a damaged Parquet file ({error}). {AGAIN}", is_of_run=True
        ) from error
    if metadata.num_rows < 0:
        raise StoreError(
            f"{address} is a damaged Parquet file: it states "
            f"{counted(metadata.num_rows, 'row')}. {AGAIN}",
            is_of_run=True,
        )
    found = _Columns()
    for name, field in fields:
        found.add(field, physical.get(name), address, amounts, objects)
    first_day, last_day = _days(tail, found.columns, period_column, address)
    return Footer(
        address=address,
        rows=metadata.num_rows,
        columns=tuple(found.columns),
        forms=tuple(found.forms),
        doubles=frozenset(found.doubles),
        maps=frozenset(found.maps),
        number_maps=frozenset(found.number_maps),
        is_rewritten=found.is_rewritten,
        required=frozenset(name.lower() for name, field in fields if not field.nullable),
        untyped=frozenset(found.untyped),
        first_day=first_day,
        last_day=last_day,
    )


@dataclass(slots=True)
class _Columns:
    """The columns of a part as they are found one by one; see `Footer`."""

    columns: list[Column] = dataclass_field(default_factory=list)
    forms: list[str] = dataclass_field(default_factory=list)
    doubles: set[str] = dataclass_field(default_factory=set)
    maps: set[str] = dataclass_field(default_factory=set)
    number_maps: set[str] = dataclass_field(default_factory=set)
    untyped: set[str] = dataclass_field(default_factory=set)
    is_rewritten: bool = False

    def add(
        self,
        field: Any,
        physical_type: str | None,
        address: str,
        amounts: Callable[[str, ColumnType], bool],
        objects: Callable[[str], bool],
    ) -> None:
        """Takes the next column of the file."""
        name = str(field.name)
        if pa.types.is_null(_kind_of(field)):
            # The writer saw no value in it, so that it knew no type either.
            self.is_rewritten = True
            self.untyped.add(name.lower())
            return
        in_file = _column_type(field, address)
        kind = type_in_table(name, in_file, address, amounts=amounts, objects=objects)
        self.columns.append(Column(name=name, target=name, type=kind))
        self.forms.append(_form_of(field, physical_type))
        if _is_simple_map(field):
            self.maps.add(name)
            if pa.types.is_float64(field.type.item_type):
                self.number_maps.add(name)
        elif kind is ColumnType.DECIMAL and pa.types.is_float64(field.type):
            self.doubles.add(name)
        else:
            self.is_rewritten |= kind is not in_file or _is_in_nanoseconds(field, physical_type)
            self.is_rewritten |= in_file is ColumnType.JSON


def _column_type(field: Any, address: str) -> ColumnType:
    kind = _kind_of(field)
    for is_kind, column_type in _TYPES:
        if is_kind(kind):
            return column_type
    raise SchemaError(
        f"Column '{field.name}' of {address} is a {kind}, which is not loaded. {NOT_LOADED}"
    )


def _is_in_nanoseconds(field: Any, physical_type: str | None) -> bool:
    """Whether a column holds times that BigQuery does not read.

    BigQuery, "Loading Parquet data", type conversions: 64-bit timestamps must be milli- or
    microseconds. BigQuery also reads INT96, which pyarrow shows as nanoseconds.
    """
    kind = _kind_of(field)
    return pa.types.is_timestamp(kind) and kind.unit == "ns" and physical_type != "INT96"


def _form_of(field: Any, physical_type: str | None) -> str:
    """What a reader goes by who is told nothing but the file; nothing where the type says it all.

    The Parquet format, logical types: TIMESTAMP (isAdjustedToUTC) and MAP. INT96 is a time in UTC.
    """
    kind = _kind_of(field)
    if pa.types.is_timestamp(kind):
        is_local = kind.tz is None and physical_type != "INT96"
        return "local time" if is_local else "time in UTC"
    if pa.types.is_map(kind):
        return f"{kind.item_type}{'' if kind.item_field.nullable else ', required'}"
    return ""


def _kind_of(field: Any) -> Any:
    return field.type.value_type if pa.types.is_dictionary(field.type) else field.type


def _is_simple_map(field: Any) -> bool:
    """Whether a column holds maps of texts or of doubles, which SQL turns into objects."""
    kind = field.type
    return _is_map_of_texts(kind) and bool(
        pa.types.is_string(kind.item_type) or pa.types.is_float64(kind.item_type)
    )


def _is_map_of_texts(kind: Any) -> bool:
    return bool(pa.types.is_map(kind) and pa.types.is_string(kind.key_type))


_TYPES: Final = (
    (pa.types.is_string, ColumnType.STRING),
    (pa.types.is_large_string, ColumnType.STRING),
    (pa.types.is_decimal, ColumnType.DECIMAL),
    (pa.types.is_timestamp, ColumnType.TIMESTAMP),
    (pa.types.is_date, ColumnType.DATE),
    (pa.types.is_time, ColumnType.TIME),
    (pa.types.is_boolean, ColumnType.BOOLEAN),
    (pa.types.is_integer, ColumnType.INTEGER),
    (pa.types.is_floating, ColumnType.FLOAT),
    (_is_map_of_texts, ColumnType.JSON),
    (pa.types.is_binary, ColumnType.BYTES),
    (pa.types.is_large_binary, ColumnType.BYTES),
    (pa.types.is_fixed_size_binary, ColumnType.BYTES),
)


def _days(
    tail: bytes, columns: Sequence[Column], period_column: str, address: str
) -> tuple[date | None, date | None]:
    """The least and greatest day of a column, if every row group has statistics of the column.

    DuckDB reads them, because Arrow ends the process if the metadata of a row group are damaged:
    `terminate called after throwing an instance of 'parquet::ParquetException'`.
    """
    names = {column.name.lower(): column for column in columns}
    column = names.get(period_column.lower())
    if column is None or column.type not in {ColumnType.TIMESTAMP, ColumnType.DATE}:
        return None, None
    with spool_folder() as folder, open_for_small_queries() as connection:
        file = folder / "footer.parquet"
        write_footer(tail, file, address)
        try:
            ends = connection.execute(_STATISTICS, {"file": str(file), "column": column.name})
            days = ends.fetchall()
        except (duckdb.Error, OverflowError, ValueError):
            # Damaged, or days outside the years of `datetime`: the statistics cannot be used.
            return None, None
    found = [day for ends in days for day in ends]
    known = [day for day in found if isinstance(day, date)]
    return (min(known), max(known)) if known and len(known) == len(found) else (None, None)
