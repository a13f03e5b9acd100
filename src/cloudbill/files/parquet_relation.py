"""How DuckDB reads Parquet parts: their columns, their rows, and the relation over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

import duckdb

from cloudbill.errors import LoadError, SchemaError
from cloudbill.files.columns import NOT_LOADED, merge_parts, no_objects, type_in_table
from cloudbill.files.damage import OFTEN, damaged_parts, reason_of
from cloudbill.files.decimals import (
    decimal_rest,
    double_value,
    filled_text,
    float_rest,
    float_value,
    text_rest,
    text_value,
)
from cloudbill.files.duckdb_types import TABLE_TYPES, column_type_of, may_lose_digits
from cloudbill.files.json_text import is_map, map_value, object_value, text_of_object
from cloudbill.files.relation import PartsRelation, Sample, literal_path
from cloudbill.manifests import Column, ColumnType
from cloudbill.sql import DUCKDB, Fragment

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["faults_named", "read_parquet_parts"]

# A folder such as `year=2025` is not a column of a bill.
_READ: Final = "read_parquet(${files}, union_by_name = true, hive_partitioning = false)"
_REST_OF: Final = "\x1frest of "
"""No column has a control character in its name."""
_SAMPLE: Final = (
    "(SELECT {name} FROM read_parquet($sampled, union_by_name = true, hive_partitioning = false) "
    "USING SAMPLE 5 PERCENT (system, 1))"
)
_SAMPLED_PARTS: Final = 4
_NO_REST: Final = Fragment("CAST(NULL AS DECIMAL(38,38))")
_NOTHING: Final = '"NULL"'
"""The type of a column in which the writer saw no value, so that it knew no type either."""
_MOST_DIGITS: Final = 38
"""DuckDB, "Numeric types": those of its widest decimal."""
_BY_PART: Final = frozenset({ColumnType.DECIMAL, ColumnType.JSON})
"""Types that are read from several of DuckDB's, each in its own way."""
_AWARE: Final = "TIMESTAMP WITH TIME ZONE"
_AWARE_NANOSECONDS: Final = "TIMESTAMPTZ_NS"
_NANOSECONDS_TO_UTC: Final = "CAST(CAST({name} AS TIMESTAMP WITH TIME ZONE) AS TIMESTAMP)"
# Both give the same time in UTC, and DuckDB's own cast takes many times as long. The cast is
# only for infinity, which has no microseconds.
_AWARE_TO_UTC: Final = "coalesce(make_timestamp(epoch_us({name})), CAST({name} AS TIMESTAMP))"


def read_parquet_parts(
    connection: DuckDBPyConnection,
    files: Sequence[PurePath],
    *,
    amounts: Callable[[str, ColumnType], bool],
    objects: Callable[[str], bool] = no_objects,
    addresses: Sequence[str] = (),
    scheme: str = "",
) -> PartsRelation:
    """Describes one or more Parquet parts by their footers.

    `amounts` says of a name and a type whether such a column holds amounts, and `objects` of a name
    whether text in it is that of objects. `addresses` names the parts in messages, where the files
    are called otherwise; `scheme` is that of the file system that they are in, where it is not the
    local one.

    Raises:
        SchemaError: If parts contradict each other or hold a type that is not loaded.
        LoadError: If a part is damaged.
    """
    # Each part is described separately. DuckDB would unify the columns of all files by itself, and
    # silently turn a decimal into a double if one file has doubles, or into one of fewer digits.
    names = [scheme + literal_path(file) for file in files]
    addresses = addresses or [file.name for file in files]
    described: list[tuple[str, Sequence[Column]]] = []
    names_in: list[tuple[str, frozenset[str]]] = []
    types: list[Mapping[str, str]] = []
    part_rows: list[int] = []
    for address, name in zip(addresses, names, strict=True):
        with damaged_parts(address):
            found = _describe(connection, name)
            part_rows.append(_footer_rows(connection, name))
        described.append((address, _columns(found, address, amounts, objects)))
        names_in.append((address, frozenset(column.lower() for column, _ in found)))
        types.append(
            {column.lower(): type_name for column, type_name in found if type_name != _NOTHING}
        )
    merged = merge_parts(described)
    reading = _Reading.of(merged, names, types)
    return PartsRelation(
        relation=reading.relation,
        parameters=reading.parameters,
        columns=merged,
        values=reading.values,
        rests=reading.rests,
        sample=partial(_sample, merged, types, names[:1] if scheme else names),
        addresses=dict(zip(names, addresses, strict=True)),
        part_names=tuple(names_in),
        part_rows=tuple(part_rows),
    )


def _sample(
    columns: Sequence[Column], types: Sequence[Mapping[str, str]], names: Sequence[str]
) -> dict[str, Sample]:
    """Rows from a few parts; columns that have several types in the parts have none."""
    step = -(-len(names) // _SAMPLED_PARTS)
    samples: dict[str, Sample] = {}
    for column in columns:
        if column.type is not ColumnType.JSON:
            continue
        (type_name, *others) = {part.get(column.name.lower()) for part in types} - {None}
        text = None if others else text_of_object(column.name, type_name or "")
        if text is not None:
            samples[column.name] = Sample(
                relation=DUCKDB.compose(_SAMPLE, name=column.name),
                parameters={"sampled": names[::step]},
                text=text,
            )
    return samples


def _columns(
    found: Sequence[tuple[str, str]],
    address: str,
    amounts: Callable[[str, ColumnType], bool],
    objects: Callable[[str], bool],
) -> list[Column]:
    columns: list[Column] = []
    for name, type_name in found:
        if type_name == _NOTHING:
            continue
        kind = column_type_of(type_name)
        if not isinstance(kind, ColumnType):
            raise SchemaError(
                f"Column '{name}' of {address} is a {type_name}, which is not loaded. {NOT_LOADED}"
            )
        kind = type_in_table(name, kind, address, amounts=amounts, objects=objects)
        columns.append(Column(name=name, target=name, type=kind))
    return columns


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """How the parts are read: by one call, or by one for all parts that have the same types."""

    relation: Fragment
    parameters: Mapping[str, object]
    values: Mapping[str, Fragment]
    rests: Mapping[str, Fragment]

    @classmethod
    def of(
        cls, columns: Sequence[Column], names: Sequence[str], types: Sequence[Mapping[str, str]]
    ) -> _Reading:
        """The reading of parts that have these columns; `types` are those of each part."""
        in_parts = {
            column.name: {
                part[column.name.lower()] for part in types if column.name.lower() in part
            }
            for column in columns
        }
        differing = [
            column
            for column in columns
            if column.type in _BY_PART and len(in_parts[column.name]) > 1
        ]
        apart = {column.name for column in differing}
        values = {
            column.name: DUCKDB.compose("{name}", name=column.name)
            if column.name in apart
            else _value(column, in_parts[column.name])
            for column in columns
        }
        rests = {
            column.name: rest
            for column in columns
            if column.type is ColumnType.DECIMAL and column.name not in apart
            for rest in [_rest(column, *in_parts[column.name])]
            if rest is not None
        }
        if not differing:
            return cls(
                relation=Fragment(_READ.format(files="files")),
                parameters={"files": names},
                values=values,
                rests=rests,
            )
        groups: dict[tuple[str | None, ...], list[str]] = {}
        for name, part in zip(names, types, strict=True):
            key = tuple(part.get(column.name.lower()) for column in differing)
            groups.setdefault(key, []).append(name)
        reads = [
            _converted(f"files_{index}", dict(zip(differing, key, strict=True)))
            for index, key in enumerate(groups)
        ]
        return cls(
            relation=Fragment(f"({' UNION ALL BY NAME '.join(map(str, reads))})"),
            parameters={f"files_{index}": some for index, some in enumerate(groups.values())},
            values=values,
            rests=rests
            | {
                column.name: DUCKDB.compose("{name}", name=_REST_OF + column.name)
                for column in differing
                if column.type is ColumnType.DECIMAL
            },
        )


def _converted(files: str, types: Mapping[Column, str | None]) -> Fragment:
    """Reads parts with the values of some columns, and what is rounded away of these."""
    there = {column: name for column, name in types.items() if name is not None}
    values = [
        DUCKDB.compose("{value} AS {name}", value=_value(column, {name}), name=column.name)
        for column, name in there.items()
    ]
    rests = [
        DUCKDB.compose(
            "{rest} AS {name}", rest=_rest(column, name) or _NO_REST, name=_REST_OF + column.name
        )
        for column, name in there.items()
        if column.type is ColumnType.DECIMAL
    ]
    return DUCKDB.compose(
        "SELECT {columns} FROM {read}",
        columns=[
            DUCKDB.compose("* REPLACE ({values})", values=values) if there else Fragment("*"),
            *rests,
        ],
        read=Fragment(_READ.format(files=files)),
    )


@contextmanager
def faults_named(
    connection: DuckDBPyConnection,
    source: PartsRelation,
    types: Callable[[], Mapping[str, ColumnType | str]] = dict,
) -> Iterator[None]:
    """Names the part that cannot be read while the block runs; DuckDB itself does not always.

    `types` are those of the table, by names in lower case, once they are known.

    Raises:
        LoadError: If a Parquet part is damaged.
    """
    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.InterruptException):
        raise  # neither is a fault of a part
    except duckdb.Error:
        for name, address in source.addresses.items():
            with damaged_parts(address):
                # Another connection, for the transaction of this one has failed.
                connection.cursor().execute(
                    "SELECT max(hash(COLUMNS(*))) FROM read_parquet($file)", {"file": name}
                ).fetchall()
        _require_values(connection, source, types())
        raise


def _require_values(
    connection: DuckDBPyConnection, source: PartsRelation, types: Mapping[str, ColumnType | str]
) -> None:
    """Names the part with a value that does not fit, unless parts differ in the types of amounts.

    Raises:
        LoadError: If there is one.
    """
    if source.parameters.keys() != {"files"}:
        return
    statement = DUCKDB.compose(
        "SELECT max(hash(COLUMNS(*))) FROM (SELECT {values} FROM {relation})",
        values=source.projection(types),
        relation=source.relation,
    )
    for name, address in source.addresses.items():
        try:
            connection.cursor().execute(statement.text, {"files": [name]}).fetchall()
        except duckdb.BinderException:
            continue  # a part without one of the columns
        except (
            duckdb.ConversionException,
            duckdb.InvalidInputException,
            duckdb.OutOfRangeException,
        ) as error:
            raise LoadError(f"{address} cannot be loaded: {reason_of(error)}. {OFTEN}") from error


def _value(column: Column, types: AbstractSet[str]) -> Fragment:
    """A column in its type; `types` are its types in the parts."""
    if types == {_AWARE}:
        return DUCKDB.compose(_AWARE_TO_UTC, name=column.name)
    if _AWARE_NANOSECONDS in types:
        return DUCKDB.compose(_NANOSECONDS_TO_UTC, name=column.name)
    (type_name, *others) = types
    convert = None if others else _CONVERSIONS.get((column.type, _family(type_name)))
    if convert is not None:
        return convert(column.name, type_name)
    return DUCKDB.compose(
        "CAST({name} AS {type})", name=column.name, type=Fragment(TABLE_TYPES[column.type])
    )


def _family(type_name: str) -> str:
    return "MAP" if is_map(type_name) else type_name


_CONVERSIONS: Final[Mapping[tuple[ColumnType, str], Callable[[str, str], Fragment]]] = {
    (ColumnType.DECIMAL, "DOUBLE"): lambda name, _: double_value(name),
    (ColumnType.DECIMAL, "FLOAT"): lambda name, _: float_value(name),
    (ColumnType.DECIMAL, "VARCHAR"): lambda name, _: text_value(filled_text(name), name),
    (ColumnType.JSON, "MAP"): map_value,
    (ColumnType.JSON, "VARCHAR"): lambda name, _: object_value(filled_text(name), name),
}
"""By the type of a column and the one type that it has in the parts."""


def _rest(column: Column, type_name: str) -> Fragment | None:
    """What is rounded away of a decimal that has one type in the parts; None if nothing can be."""
    if type_name in {"DOUBLE", "FLOAT"}:
        return float_rest(column.name)
    if type_name == "VARCHAR":
        return text_rest(filled_text(column.name))
    return decimal_rest(column.name) if may_lose_digits(type_name) else None


def _describe(connection: DuckDBPyConnection, name: str) -> list[tuple[str, str]]:
    """The names of the columns as they are in the file, and their types.

    DuckDB gives a column another name where a column before it has the same, in any case.
    """
    rows = connection.execute(
        "DESCRIBE SELECT * FROM read_parquet($file, hive_partitioning = false)", {"file": name}
    ).fetchall()
    return [
        (own_name, str(row[1]) if digits <= _MOST_DIGITS else f"decimal of {digits} digits")
        for (own_name, digits), row in zip(_names_in_file(connection, name), rows, strict=True)
    ]


def _names_in_file(connection: DuckDBPyConnection, name: str) -> list[tuple[str, int]]:
    """The name of each column, and how many digits it has if it is a decimal, else 0.

    DuckDB says of a decimal with more digits than it has that it is a double.
    """
    elements = iter(
        connection.execute(
            "SELECT name, coalesce(num_children, 0), coalesce(precision, 0) "
            "FROM parquet_schema($file)",
            {"file": name},
        ).fetchall()
    )
    _, columns, _ = next(elements)
    names: list[tuple[str, int]] = []
    for _ in range(columns):
        column, inside, digits = next(elements)
        names.append((str(column), int(digits)))
        # What is inside of a column comes next, and may have something inside as well.
        while inside:
            inside += next(elements)[1] - 1
    return names


def _footer_rows(connection: DuckDBPyConnection, name: str) -> int:
    row = connection.execute(
        "SELECT num_rows FROM parquet_file_metadata($file)", {"file": name}
    ).fetchone()
    return int(row[0]) if row else 0
