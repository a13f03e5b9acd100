"""How DuckDB reads CSV parts: as text, which is converted exactly or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Final

import duckdb

from cloudbill.errors import LoadError, SchemaError
from cloudbill.files.columns import merge_parts
from cloudbill.files.csv_faults import MAX_ROW_BYTES, find_fault
from cloudbill.files.csv_plain import CsvFile, CsvPart, plain_files
from cloudbill.files.csv_sample import sampled_cells
from cloudbill.files.damage import OFTEN
from cloudbill.files.decimals import text_rest, text_value
from cloudbill.files.json_text import object_value
from cloudbill.files.relation import PartsRelation, Sample, literal_path
from cloudbill.manifests import Column, ColumnType
from cloudbill.sql import DUCKDB, Fragment, duckdb_text

__all__ = ["read_csv_parts"]

# No column of a table has a point in its name.
_FILE_COLUMN: Final = "file.of.the.row"
_GIVEN: Final = "given.to.lambda"
_NAMELESS: Final = "cell.without.name"
_IS_EMPTY: Final = (
    " WHERE CASE WHEN {nameless} IS NULL THEN true "
    "ELSE error('a cell in a column without a name: ' || {nameless}) END"
)
# All files with the same header are read in one call. Nothing is sniffed: a file that breaks the
# rules of RFC 4180 is an error, never a guess.
_READ: Final = (
    "SELECT {cells} FROM read_csv({files}, columns = {columns}{not_null}, auto_detect = false, "
    "header = true, delim = ',', quote = '\"', escape = '\"', nullstr = '', "
    "strict_mode = true, null_padding = false, ignore_errors = false, compression = 'none', "
    "filename = {file_column}, hive_partitioning = false, "
    "max_line_size = {row_bytes}, buffer_size = {row_bytes})"
)

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
# The two forms that AWS and Azure write come first, because LIKE is twice as fast as a regexp.
_TO_TIMESTAMP: Final = (
    "CASE WHEN {cell} IS NULL THEN NULL "
    "WHEN {cell} LIKE '____-__-__T__:__:__Z' OR {cell} LIKE '____-__-__T__:__:__.000Z' "
    "THEN CAST({cell} AS TIMESTAMP) "
    "WHEN regexp_full_match({cell}, {utc}) THEN CAST({cell} AS TIMESTAMP) "
    "WHEN regexp_full_match({cell}, {offset}) "
    "THEN list_transform([regexp_extract({cell}, {offset}, ['local', 'sign', 'hours', 'minutes'])],"
    " lambda {given}: CAST({given}.local AS TIMESTAMP) "
    "- to_minutes(CAST({given}.sign || '1' AS BIGINT) * (60 * CAST({given}.hours AS BIGINT) "
    "+ coalesce(TRY_CAST({given}.minutes AS BIGINT), 0))))[1] "
    "ELSE error('not a time: ' || {cell}) END"
)
_TO_DATE: Final = (
    "CASE WHEN {cell} IS NULL THEN NULL WHEN regexp_full_match({cell}, {day}) "
    "THEN CAST({cell} AS DATE) ELSE error('not a day: ' || {cell}) END"
)
_TO_BOOLEAN: Final = (
    "CASE lower({cell}) WHEN 'true' THEN true WHEN 'false' THEN false "
    "ELSE CASE WHEN {cell} IS NOT NULL THEN error('neither true nor false: ' || {cell}) END END"
)
_TO_INTEGER: Final = (
    "CASE WHEN {cell} IS NULL THEN NULL WHEN regexp_full_match({cell}, {integer}) "
    "THEN CAST({cell} AS BIGINT) ELSE error('not a whole number: ' || {cell}) END"
)
_CONVERSIONS: Final[Mapping[ColumnType, str]] = {
    ColumnType.STRING: "{cell}",
    ColumnType.TIMESTAMP: _TO_TIMESTAMP,
    ColumnType.DATE: _TO_DATE,
    ColumnType.BOOLEAN: _TO_BOOLEAN,
    ColumnType.INTEGER: _TO_INTEGER,
}


@contextmanager
def read_csv_parts(
    parts: Sequence[CsvPart], *, empty_text_is_null: bool
) -> Iterator[PartsRelation]:
    """Opens one or more CSV parts; temporary files are removed at the end.

    The headers may differ in order and in length; if a part lacks a column, its rows have NULL
    there. The relation has the column names of the table. An empty cell, quoted or not, is NULL; in
    a column of text it is NULL only if `empty_text_is_null`, otherwise an empty text.

    Raises:
        StoreError: If a part cannot be read.
        SchemaError: If parts contradict each other, or have a type that is not read from CSV.
        LoadError: If a part is damaged or was cut off; or if a row or a cell does not fit, which
            the statement that reads the relation raises. The message names the cell.
    """
    columns = merge_parts([(part.address, part.columns) for part in parts])
    cells = {column.target: DUCKDB.compose("{name}", name=column.target) for column in columns}
    values = {column.target: _value(column, cells[column.target]) for column in columns}
    with plain_files(parts) as files:
        groups: dict[tuple[tuple[Column, ...], bool], list[str]] = {}
        for file in files:
            layout = file.part.columns, file.part.has_nameless_end
            groups.setdefault(layout, []).append(literal_path(file.path))
        parameters: dict[str, object] = {}
        reads = [
            _read(
                index,
                columns_of_group,
                paths,
                parameters,
                empty_text_is_null=empty_text_is_null,
                has_nameless_end=has_nameless_end,
            )
            for index, ((columns_of_group, has_nameless_end), paths) in enumerate(groups.items())
        ]
        with _explained(files):
            yield PartsRelation(
                relation=Fragment(f"({' UNION ALL BY NAME '.join(read.text for read in reads)})"),
                parameters=parameters,
                columns=tuple(replace(column, name=column.target) for column in columns),
                headers={column.target: column.name for column in columns},
                values=values,
                rests={
                    column.target: text_rest(cells[column.target])
                    for column in columns
                    if column.type is ColumnType.DECIMAL
                },
                texts=cells,
                sample=partial(_sample, columns, files),
                part_names=tuple(
                    (part.address, frozenset(column.target.lower() for column in part.columns))
                    for part in parts
                ),
                file_column=_FILE_COLUMN,
                files=tuple(str(file.path) for file in files),
            )


def _sample(columns: Sequence[Column], files: Sequence[CsvFile]) -> dict[str, Sample]:
    names = [column.target for column in columns if column.type is ColumnType.JSON]
    return {
        name: Sample(
            relation=DUCKDB.compose("(SELECT unnest($sampled) AS {name})", name=name),
            parameters={"sampled": cells},
            text=DUCKDB.compose("{name}", name=name),
        )
        for name, cells in sampled_cells(files, names).items()
    }


def _read(
    index: int,
    columns: tuple[Column, ...],
    files: list[str],
    parameters: dict[str, object],
    *,
    empty_text_is_null: bool,
    has_nameless_end: bool,
) -> Fragment:
    """Reads the files with one header as text; columns are named by their position."""
    names = [f"cell_{place}" for place in range(len(columns))]
    texts = [
        name
        for name, column in zip(names, columns, strict=True)
        if column.type is ColumnType.STRING and not empty_text_is_null
    ]
    read = [*names, _NAMELESS] if has_nameless_end else names
    parameters[f"files_{index}"] = files
    parameters[f"columns_{index}"] = dict.fromkeys(read, "VARCHAR")
    if texts:
        parameters[f"texts_{index}"] = texts
    cells = [
        DUCKDB.compose("{name} AS {target}", name=name, target=column.target)
        for name, column in zip(names, columns, strict=True)
    ]
    return DUCKDB.compose(
        _READ + (_IS_EMPTY if has_nameless_end else ""),
        cells=[*cells, DUCKDB.compose("{name}", name=_FILE_COLUMN)],
        nameless=_NAMELESS,
        files=Fragment(f"$files_{index}"),
        columns=Fragment(f"$columns_{index}"),
        not_null=Fragment(f", force_not_null = $texts_{index}" if texts else ""),
        file_column=duckdb_text(_FILE_COLUMN),
        row_bytes=Fragment(str(MAX_ROW_BYTES)),
    )


def _value(column: Column, cell: Fragment) -> Fragment:
    """The cells of a column in the type of the table."""
    if column.type is ColumnType.DECIMAL:
        return text_value(cell)
    if column.type is ColumnType.JSON:
        return object_value(cell)
    template = _CONVERSIONS.get(column.type)
    if template is None:
        raise SchemaError(f"Column '{column.name}' is {column.type}, which is not read from CSV")
    return DUCKDB.compose(
        template,
        cell=cell,
        given=_GIVEN,
        utc=duckdb_text(_UTC_TIME),
        offset=duckdb_text(_TIME_WITH_OFFSET),
        day=duckdb_text(_DAY),
        integer=duckdb_text(_WHOLE_NUMBER),
    )


@contextmanager
def _explained(files: Sequence[CsvFile]) -> Iterator[None]:
    """Names the faulty cell, if there is one, when a statement fails."""
    try:
        yield
    except (
        duckdb.InvalidInputException,
        duckdb.ConversionException,
        duckdb.OutOfRangeException,
    ) as error:
        for file in files:
            fault = find_fault(
                file.path, file.part.columns, has_nameless_end=file.part.has_nameless_end
            )
            if fault is not None:
                raise LoadError(
                    f"{file.part.address} cannot be loaded, {fault}. {OFTEN}"
                ) from error
        raise
