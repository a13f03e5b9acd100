"""How DuckDB reads CSV parts: as text, which is converted exactly or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import duckdb

from cloudbill.columns import merge_parts
from cloudbill.csv_faults import MAX_ROW_BYTES, find_fault
from cloudbill.csv_files import CsvFile, CsvPart, plain_files
from cloudbill.errors import LoadError, SchemaError
from cloudbill.models import Column, ColumnType
from cloudbill.sql import DUCKDB, Fragment, duckdb_text
from cloudbill.warehouses._duckdb_parts import PartsRelation, literal_path

__all__ = ["read_csv_parts"]

_FILE_COLUMN: Final = "file.of.the.row"
"""No name of a column in a table has a point in it."""
# Each group of files with one header is read at once. Nothing is sniffed, and a file that breaks
# the rules of RFC 4180 is an error, not a guess.
_READ: Final = (
    "SELECT {cells} FROM read_csv({files}, columns = {columns}{not_null}, auto_detect = false, "
    "header = true, delim = ',', quote = '\"', escape = '\"', nullstr = '', "
    "strict_mode = true, null_padding = false, ignore_errors = false, compression = 'none', "
    "filename = {file_column}, hive_partitioning = false, "
    "max_line_size = {row_bytes}, buffer_size = {row_bytes})"
)

# What follows are texts in which DuckDB's own conversion is exact. It rounds what does not fit and
# passes over the offset of a time, so everything else takes a longer way or is an error.
_PLAIN_NUMBER: Final = r"[+-]?(?:[0-9]{1,20}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})"
# One digit and a negative exponent: at most 17 digits behind the point, those of the text and those
# of the exponent. DuckDB converts exponents in 64 bits 40 times as fast as in 128.
_SHORT_EXPONENT: Final = (
    r"[+-]?[0-9](?:(?:\.[0-9]{0,8})?[eE]-0?[1-9]"
    r"|(?:\.[0-9]{0,7})?[eE]-10|(?:\.[0-9]{0,3})?[eE]-1[0-4])"
)
_ANY_NUMBER: Final = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,18})?"
_PIECES: Final = r"^([+-]?)([0-9]*)\.?([0-9]*)(?:[eE]([+-]?[0-9]+))?$"
_TO_DECIMAL: Final = (
    "CASE WHEN {cell} IS NULL THEN NULL "
    "WHEN regexp_full_match({cell}, {plain}) THEN CAST({cell} AS DECIMAL(38,18)) "
    "WHEN regexp_full_match({cell}, {short}) "
    "THEN CAST(CAST({cell} AS DECIMAL(18,17)) AS DECIMAL(38,18)) "
    "WHEN regexp_full_match({cell}, {any}) THEN {slow} "
    "ELSE error('no number: ' || {cell}) END"
)
# The digits without zeros at either end, and how many of them are behind the point.
_SLOW_DECIMAL: Final = (
    "list_transform(list_transform(list_transform("
    "[regexp_extract({cell}, {pieces}, ['sign', 'whole', 'fraction', 'exponent'])], "
    "lambda p: {{'sign': p.sign, 'digits': ltrim(p.whole || p.fraction, '0'), "
    "'behind': strlen(p.fraction) - coalesce(TRY_CAST(p.exponent AS BIGINT), 0)}}), "
    "lambda n: {{'sign': n.sign, 'kept': rtrim(n.digits, '0'), "
    "'behind': n.behind - strlen(n.digits) + strlen(rtrim(n.digits, '0'))}}), "
    "lambda d: CASE WHEN d.kept = '' THEN CAST(0 AS DECIMAL(38,18)) "
    "WHEN d.behind > 18 OR strlen(d.kept) - d.behind > 20 "
    "THEN error('more digits than DECIMAL(38,18) holds: ' || {cell}) "
    "ELSE CAST(d.sign || left({unscaled}, 20) || '.' || right({unscaled}, 18) "
    "AS DECIMAL(38,18)) END)[1]"
)
_UNSCALED: Final = "lpad(d.kept || repeat('0', 18 - d.behind), 38, '0')"

_DAY: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_WHOLE_NUMBER: Final = r"[+-]?[0-9]{1,19}"
_UTC_TIME: Final = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6}0*)?)?Z?)?"
)
_TIME_WITH_OFFSET: Final = (
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6}0*)?)?)"
    r"([+-])([0-9]{2}):?([0-9]{2})?"
)
_TO_TIMESTAMP: Final = (
    "CASE WHEN {cell} IS NULL THEN NULL "
    "WHEN regexp_full_match({cell}, {utc}) THEN CAST({cell} AS TIMESTAMP) "
    "WHEN regexp_full_match({cell}, {offset}) "
    "THEN list_transform([regexp_extract({cell}, {offset}, ['local', 'sign', 'hours', 'minutes'])],"
    " lambda t: CAST(t.local AS TIMESTAMP) - to_minutes(CAST(t.sign || '1' AS BIGINT) "
    "* (60 * CAST(t.hours AS BIGINT) + coalesce(TRY_CAST(t.minutes AS BIGINT), 0))))[1] "
    "ELSE error('no time: ' || {cell}) END"
)
_TO_DATE: Final = (
    "CASE WHEN {cell} IS NULL THEN NULL WHEN regexp_full_match({cell}, {day}) "
    "THEN CAST({cell} AS DATE) ELSE error('no day: ' || {cell}) END"
)
_TO_BOOLEAN: Final = (
    "CASE lower({cell}) WHEN 'true' THEN true WHEN 'false' THEN false "
    "ELSE CASE WHEN {cell} IS NOT NULL THEN error('neither true nor false: ' || {cell}) END END"
)
_TO_INTEGER: Final = (
    "CASE WHEN {cell} IS NULL THEN NULL WHEN regexp_full_match({cell}, {integer}) "
    "THEN CAST({cell} AS BIGINT) ELSE error('no whole number: ' || {cell}) END"
)
_CONVERSIONS: Final[Mapping[ColumnType, str]] = {
    ColumnType.STRING: "{cell}",
    ColumnType.DECIMAL: _TO_DECIMAL,
    ColumnType.TIMESTAMP: _TO_TIMESTAMP,
    ColumnType.DATE: _TO_DATE,
    ColumnType.BOOLEAN: _TO_BOOLEAN,
    ColumnType.INTEGER: _TO_INTEGER,
}


@contextmanager
def read_csv_parts(
    parts: Sequence[CsvPart], *, empty_text_is_null: bool
) -> Iterator[PartsRelation]:
    """Opens CSV parts, of which there is at least one; what they need on this disk is removed.

    Their headers may differ in order and in length; a column that a part lacks is NULL in its
    rows. The relation names columns as the table does. An empty cell, quoted or not, is NULL; in a
    column of text only if `empty_text_is_null`, otherwise an empty text.

    Raises:
        StoreError: If a part cannot be read.
        SchemaError: If parts contradict each other, or have a type that is not read from CSV.
        LoadError: If a part is damaged or was cut off; or if a row or a cell does not fit, from
            whatever statement reads the relation. It says which.
    """
    columns = merge_parts([(part.address, part.columns) for part in parts])
    values = {column.target: _value(column) for column in columns}
    with plain_files(parts) as files:
        groups: dict[tuple[Column, ...], list[str]] = {}
        for file in files:
            groups.setdefault(file.part.columns, []).append(literal_path(file.path))
        parameters: dict[str, object] = {}
        reads = [
            _read(index, group, parameters, empty_text_is_null=empty_text_is_null)
            for index, group in enumerate(groups.items())
        ]
        with _explained(files):
            yield PartsRelation(
                relation=Fragment(f"({' UNION ALL BY NAME '.join(read.text for read in reads)})"),
                parameters=parameters,
                columns=tuple(replace(column, name=column.target) for column in columns),
                headers={column.target: column.name for column in columns},
                values=values,
                file_column=_FILE_COLUMN,
                files=tuple(str(file.path) for file in files),
            )


def _read(
    index: int,
    group: tuple[tuple[Column, ...], list[str]],
    parameters: dict[str, object],
    *,
    empty_text_is_null: bool,
) -> Fragment:
    """Reads the files of one header, as text; their columns are named by their place."""
    columns, files = group
    names = [f"cell_{place}" for place in range(len(columns))]
    texts = [
        name
        for name, column in zip(names, columns, strict=True)
        if column.type is ColumnType.STRING and not empty_text_is_null
    ]
    parameters[f"files_{index}"] = files
    parameters[f"columns_{index}"] = dict.fromkeys(names, "VARCHAR")
    if texts:
        parameters[f"texts_{index}"] = texts
    cells = [
        DUCKDB.compose("{name} AS {target}", name=name, target=column.target)
        for name, column in zip(names, columns, strict=True)
    ]
    return DUCKDB.compose(
        _READ,
        cells=[*cells, DUCKDB.compose("{name}", name=_FILE_COLUMN)],
        files=Fragment(f"$files_{index}"),
        columns=Fragment(f"$columns_{index}"),
        not_null=Fragment(f", force_not_null = $texts_{index}" if texts else ""),
        file_column=duckdb_text(_FILE_COLUMN),
        row_bytes=Fragment(str(MAX_ROW_BYTES)),
    )


def _value(column: Column) -> Fragment:
    """The cells of a column in the type of the table."""
    template = _CONVERSIONS.get(column.type)
    if template is None:
        raise SchemaError(f"Column '{column.name}' is {column.type}, which is not read from CSV")
    cell = DUCKDB.compose("{name}", name=column.target)
    slow = DUCKDB.compose(
        _SLOW_DECIMAL, cell=cell, pieces=duckdb_text(_PIECES), unscaled=Fragment(_UNSCALED)
    )
    return DUCKDB.compose(
        template,
        cell=cell,
        slow=slow,
        plain=duckdb_text(_PLAIN_NUMBER),
        short=duckdb_text(_SHORT_EXPONENT),
        any=duckdb_text(_ANY_NUMBER),
        utc=duckdb_text(_UTC_TIME),
        offset=duckdb_text(_TIME_WITH_OFFSET),
        day=duckdb_text(_DAY),
        integer=duckdb_text(_WHOLE_NUMBER),
    )


@contextmanager
def _explained(files: Sequence[CsvFile]) -> Iterator[None]:
    """Says which cell is at fault, if one is, when a statement fails."""
    try:
        yield
    except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
        for file in files:
            fault = find_fault(file.path, file.part.columns)
            if fault is not None:
                raise LoadError(
                    f"{file.part.address} cannot be loaded, {fault}; export "
                    "it again when the provider has corrected it"
                ) from error
        raise
