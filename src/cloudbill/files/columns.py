"""The columns of a run: merged over its parts, and compared with those of the table; pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cloudbill.costs.sums import EXACT, is_inexact, is_narrow
from cloudbill.errors import SchemaError
from cloudbill.exports.limits import MAX_NAME, UNPRINTABLE, shown
from cloudbill.manifests import Column, ColumnType, Manifest

if TYPE_CHECKING:
    from cloudbill.providers import Provider

__all__ = [
    "Fit",
    "NOT_LOADED",
    "RENAME",
    "RESERVED_PREFIXES",
    "amounts_of",
    "assign_columns",
    "fit_columns",
    "merge_parts",
    "no_objects",
    "objects_of",
    "require_columns",
    "type_in_table",
]

# BigQuery is the strictest of the warehouses for column names ("Specify a schema": flexible column
# names): at most 300 characters, and none of its reserved prefixes.
_LONGEST_NAME: Final = 280
"""Leaves room below BigQuery's 300 characters for the number of a name that collides."""
_HASH_DIGITS: Final = 8
_AMOUNTS: Final = frozenset(
    {ColumnType.DECIMAL, ColumnType.INTEGER, ColumnType.FLOAT, ColumnType.STRING}
)
"""The types of a file that amounts are read from."""
_NUMBERS: Final = frozenset(
    {ColumnType.DECIMAL, ColumnType.INTEGER, ColumnType.FLOAT, ColumnType.BOOLEAN}
)
"""The types of columns that become text when a run has text in them."""
_EXACT_IN: Final[Mapping[ColumnType, frozenset[ColumnType]]] = {
    ColumnType.STRING: _NUMBERS
    | {ColumnType.JSON, ColumnType.TIMESTAMP, ColumnType.DATE, ColumnType.TIME},
    ColumnType.DECIMAL: frozenset({ColumnType.INTEGER}),
    ColumnType.FLOAT: frozenset({ColumnType.INTEGER}),
    ColumnType.TIMESTAMP: frozenset({ColumnType.DATE}),
    ColumnType.JSON: frozenset({ColumnType.STRING}),
}
"""By the type of a column in a table, the types of a run whose values it holds as they are."""
_MONEY: Final = re.compile("cost|price", re.IGNORECASE)
_ILLEGAL: Final = re.compile(r"[^\w &%=+:'<>#|-]")
RESERVED_PREFIXES: Final = (
    "_table_",
    "_file_",
    "_partition",
    "_row_timestamp",
    "__root__",
    "_colidentifier",
    "_change_sequence_number",
    "_change_type",
    "_change_timestamp",
)
"""What no name of a column may begin with in BigQuery, in lower case."""
RENAME: Final = (
    "Give the column another name where the export is made, and export again: in the query of a "
    "Data Export of AWS by AS; that of a tag by renaming or deactivating the cost allocation tag"
)
"""What to do about the name of a column."""


NOT_LOADED: Final = (
    "The month was not changed. Leave the column out of the export, or export it as text"
)
"""What to do about a column of a type that no table has."""


def merge_parts(parts: Iterable[tuple[str, Sequence[Column]]]) -> tuple[Column, ...]:
    """The columns of all parts of a run, in the order of their first appearance.

    The address of each part is for messages. Names are compared without case, as in every
    warehouse.

    Raises:
        SchemaError: If a part has two columns of one name, or two parts disagree on a type.
    """
    merged: dict[str, tuple[Column, str]] = {}
    for address, columns in parts:
        require_columns(columns, address=address)
        seen: set[str] = set()
        for column in columns:
            key = column.target.lower()
            if key in seen:
                raise SchemaError(
                    f"{address} has two columns named '{column.target}' when case is ignored. "
                    f"{RENAME}"
                )
            seen.add(key)
            first, where = merged.setdefault(key, (column, address))
            if first.type is not column.type:
                raise SchemaError(
                    f"Column '{first.target}' is {first.type} in {where} and {column.type} in "
                    f"{address}; the run contradicts itself"
                )
    return tuple(column for column, _ in merged.values())


def amounts_of(
    provider: Provider,
    manifest: Manifest,
    existing: Mapping[str, ColumnType | str] = MappingProxyType({}),
) -> Callable[[str, ColumnType], bool]:
    """Says of the name and the type of a column whether it holds amounts, which become decimals.

    The provider's documentation says so, whatever the type in the file is. A column that it does
    not know is one if it holds floating point numbers, and calls itself a cost or a price or holds
    exact numbers in the table, whose types are in `existing`.
    """
    exact = {name.lower() for name, kind in existing.items() if kind in EXACT or is_narrow(kind)}

    def is_amount(name: str, kind: ColumnType) -> bool:
        if provider.column_type(name, manifest) is ColumnType.DECIMAL:
            if kind in _AMOUNTS:
                return True
            raise SchemaError(
                f"Column '{name}' is {kind}, but it is documented as an amount. The month was "
                "not changed. Export it as a number"
            )
        return kind is ColumnType.FLOAT and (
            name.lower() in exact or _MONEY.search(name) is not None
        )

    return is_amount


def objects_of(provider: Provider, manifest: Manifest) -> Callable[[str], bool]:
    """Says of the name of a column whether its text is documented as that of an object."""
    return lambda name: provider.column_type(name, manifest) is ColumnType.JSON


def no_objects(_: str) -> bool:
    """Says that no text is that of an object."""
    return False


def type_in_table(
    name: str,
    kind: ColumnType,
    address: str,
    *,
    amounts: Callable[[str, ColumnType], bool],
    objects: Callable[[str], bool],
) -> ColumnType:
    """The type that a column of a part has in a table; the address is for messages.

    Raises:
        SchemaError: If it is one of amounts and holds none.
    """
    if kind is ColumnType.STRING and objects(name):
        return ColumnType.JSON
    try:
        return ColumnType.DECIMAL if amounts(name, kind) else kind
    except SchemaError as error:
        raise SchemaError(f"{error}, not as in {address}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What a table needs to take the columns of a run.

    `widened` has columns of the table that change their type, and the type that they get.
    `converted` are columns of the run that are written in the type of the table.
    """

    added: tuple[Column, ...] = ()
    widened: Mapping[str, ColumnType] = field(default_factory=dict)
    converted: tuple[Column, ...] = ()


def fit_columns(
    columns: Iterable[Column],
    existing: Mapping[str, ColumnType | str],
    *,
    table: str,
    amounts: Callable[[str, ColumnType], bool],
) -> Fit:
    """How a table takes the columns of a run.

    `existing` gives the type of each column of the table, or the warehouse's word for a type that
    cloudbill does not create; `amounts` says of a name and a type whether it is one of amounts.
    Numbers become exact where they were not, and text where they are no amounts; nothing else
    changes its type.

    Raises:
        SchemaError: If a column of the table has another type in the run.
    """
    have = {name.lower(): (name, kind) for name, kind in existing.items()}
    added: list[Column] = []
    converted: list[Column] = []
    widened: dict[str, ColumnType] = {}
    for column in columns:
        spelt, kind = have.get(column.target.lower(), (column.target, None))
        if kind is None:
            added.append(column)
            continue
        if kind == column.type:
            continue
        is_amount = amounts(column.name, column.type)
        if _is_widened(kind, column.type, is_amount=is_amount):
            widened[spelt] = column.type
        elif _is_converted(kind, column.type, is_amount=is_amount):
            converted.append(column)
        else:
            raise SchemaError(
                f"Column '{column.target}' changed its type from {kind} (table {table}) to "
                f"{column.type} (this run). The month was not changed. Load this export into a new "
                "'table_name', or convert the column of the table, and run again"
            )
    return Fit(added=tuple(added), widened=widened, converted=tuple(converted))


def _is_widened(kind: ColumnType | str, wanted: ColumnType, *, is_amount: bool) -> bool:
    if wanted is ColumnType.DECIMAL:
        return (
            is_inexact(kind)
            or kind is ColumnType.INTEGER
            or (is_amount and kind is ColumnType.STRING)
        )
    # Text can be read as an object: a column of objects stays one. So does one of times.
    return wanted is ColumnType.STRING and (is_narrow(kind) or kind in _NUMBERS) and not is_amount


def _is_converted(kind: ColumnType | str, found: ColumnType, *, is_amount: bool) -> bool:
    if is_narrow(kind):
        kind = ColumnType.DECIMAL
    if kind is ColumnType.STRING and is_amount:
        return False
    return isinstance(kind, ColumnType) and found in _EXACT_IN.get(kind, frozenset())


def assign_columns(
    headers: Iterable[str], existing: Mapping[str, str], name: Callable[[str], str]
) -> dict[str, str]:
    """The column for each header of a run, in the order of the headers.

    `name` returns the column name that a header prefers. `existing` gives, for every column of the
    table, the header from its comment or description. A header keeps the column that it already
    has. A column without a header, or with a text of the user, goes to the first header that
    prefers its name, with the number that it may have; record that header, or another header may
    get the column later.

    Names are compared without case: headers that are names of columns, and differ by case alone,
    get one column. Other headers that prefer the same name get `_2`, `_3` and so on. The order of
    the headers makes no difference.
    """
    # A header must have the same column in every month, although `lineItem/Cost` and
    # `line_item/cost` prefer the same name. So recorded headers come first, and only the rest is
    # named, in sorted order, because the order in a file may change from run to run.
    every = {header: _own_name(header, name) for header in headers}
    first = _first_of_alike(every)
    wanted = {header: own for header, own in every.items() if first[header] == header}
    owned: dict[str, str] = {}
    free: dict[str, str] = {}
    for column in sorted(existing, key=lambda column: (len(column), column)):
        if _belongs_to(column, existing[column], name):
            owned.setdefault(existing[column], column)
        else:
            free[column.lower()] = column
    alike: dict[str, str] = {}
    for header, column in owned.items():
        if _own_name(header, name) == header:
            alike.setdefault(header.lower(), column)
    found = {
        header: alike.get(header.lower()) if own == header else owned.get(header)
        for header, own in wanted.items()
    }
    assigned = {header: column for header, column in found.items() if column is not None}
    used = {column.lower() for column in existing}
    # A numbered name must not be the name that another header prefers: `cost_2` may be a header.
    reserved = {own.lower() for own in wanted.values()}
    for header in sorted(wanted.keys() - assigned.keys()):
        own = wanted[header]
        numbered = [
            key
            for key in free
            if key not in reserved and re.fullmatch(rf"{re.escape(own.lower())}_[0-9]+", key)
        ]
        if own.lower() in free:
            column = free.pop(own.lower())
        elif len(numbered) == 1 and own != header:
            column = free.pop(numbered[0])  # whose record somebody wrote over
        else:
            column = own if own.lower() not in used else _numbered(own, used | reserved)
        assigned[header] = column
        used.add(column.lower())
    return {header: assigned[first[header]] for header in every}


def _first_of_alike(own_names: Mapping[str, str]) -> dict[str, str]:
    """The header that stands for each: of those that differ by case alone, the first in order.

    Where a column is called as in the files, they are one column, as they are in Parquet. Where it
    has another name they are not: AWS has a column for each tag, and keys may differ by case alone.
    """
    first: dict[str, str] = {}
    for header in sorted(own_names):
        if own_names[header] == header:
            first.setdefault(header.lower(), header)
    return {
        header: first[header.lower()] if own == header else header
        for header, own in own_names.items()
    }


def _own_name(header: str, name: Callable[[str], str]) -> str:
    """The name that a header prefers, made legal."""
    own = _ILLEGAL.sub("_", name(header)) or "column"
    if own.lower().startswith(RESERVED_PREFIXES):
        own = f"column{own}"
    if len(own) <= _LONGEST_NAME:
        return own
    # A hash, because long headers, such as tags, may differ only after the part that is kept.
    digits = hashlib.sha256(header.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_DIGITS]
    return f"{own[: _LONGEST_NAME - _HASH_DIGITS - 1]}_{digits}"


def _belongs_to(column: str, header: str, name: Callable[[str], str]) -> bool:
    """Whether a column may come from a header: it has the header's name, or that plus a number."""
    own = re.escape(_own_name(header, name).lower())
    return re.fullmatch(rf"{own}(_[0-9]+)?", column.lower()) is not None


def _numbered(own: str, taken: Collection[str]) -> str:
    names = (f"{own}_{number}" for number in count(2))
    return next(column for column in names if column.lower() not in taken)


_MAX_COLUMNS: Final = 10_000


def require_columns(columns: Sequence[Column], *, address: str) -> None:
    """Refuses columns that no warehouse can store.

    Raises:
        SchemaError: If there are too many, or one has no name, a very long one, or one with control
            characters.
    """
    if len(columns) > _MAX_COLUMNS:
        raise SchemaError(f"{address} has {len(columns)} columns, not at most {_MAX_COLUMNS}")
    for column in columns:
        name = column.target
        if not name.strip() or len(name) > MAX_NAME or UNPRINTABLE.search(name):
            raise SchemaError(
                f"{shown(name)} of {address} cannot be the name of a column: 1 to {MAX_NAME} "
                f"characters are allowed, none of them a control character. {RENAME}"
            )
