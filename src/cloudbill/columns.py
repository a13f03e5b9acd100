"""The columns of a run: merged over its parts, and held against those of the table; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cloudbill.errors import SchemaError
from cloudbill.models import Column, ColumnType

__all__ = ["added_columns", "merge_parts"]


def merge_parts(parts: Sequence[tuple[str, Sequence[Column]]]) -> tuple[Column, ...]:
    """The columns of all parts, in the order of their first appearance.

    Each part comes with its address, for messages. Names are compared ignoring case, as every
    warehouse does.

    Raises:
        SchemaError: If a part has two columns of one name, or two parts disagree on a type.
    """
    merged: dict[str, tuple[Column, str]] = {}
    for address, columns in parts:
        seen: set[str] = set()
        for column in columns:
            key = column.target.lower()
            if key in seen:
                raise SchemaError(
                    f"{address} has two columns named '{column.target}' when case is ignored"
                )
            seen.add(key)
            first, where = merged.setdefault(key, (column, address))
            if first.type is not column.type:
                raise SchemaError(
                    f"Column '{first.target}' is {first.type} in {where} and {column.type} in "
                    f"{address}; the run contradicts itself"
                )
    return tuple(column for column, _ in merged.values())


def added_columns(
    columns: Iterable[Column], existing: Mapping[str, ColumnType | str], *, table: str
) -> tuple[Column, ...]:
    """Those columns of a run that the table does not have yet.

    `existing` gives the type of each column of the table, or the warehouse's own word for a type
    that cloudbill does not make.

    Raises:
        SchemaError: If a column of the table has another type in the run.
    """
    have = {name.lower(): kind for name, kind in existing.items()}
    added: list[Column] = []
    for column in columns:
        kind = have.get(column.target.lower())
        if kind is None:
            added.append(column)
        elif kind != column.type:
            raise SchemaError(
                f"Column '{column.target}' changed its type from {kind} (table {table}) to "
                f"{column.type} (this run). The old month stands. Load this export into a new "
                "'table_name', or convert the column of the table, and run again"
            )
    return tuple(added)
