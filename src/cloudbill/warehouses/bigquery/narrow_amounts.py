"""Columns of decimals that would round a bill; pure.

BigQuery rounds what a column of decimals has no room for behind the point, without a word ("Data
types", parameterized decimal type).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cloudbill.manifests import Column, ColumnType
from cloudbill.sql import BIGQUERY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.cloud import bigquery

__all__ = ["narrow_amounts"]

_NUMERIC: Final = frozenset({"NUMERIC", "DECIMAL"})
_BIGNUMERIC: Final = frozenset({"BIGNUMERIC", "BIGDECIMAL"})
_DIGITS: Final = 18
"""Behind the point, as everywhere in cloudbill; in front of it there are 20."""
_WHOLE_DIGITS: Final = 20


def narrow_amounts(table: bigquery.Table, columns: Iterable[Column]) -> str | None:
    """What is said of columns that hold fewer digits than bills have, and how they are mended.

    BigQuery widens NUMERIC to BIGNUMERIC, and takes the digits from the type of either, in place
    ("ALTER COLUMN SET DATA TYPE statement").
    """
    wanted = {column.target.lower() for column in columns if column.type is ColumnType.DECIMAL}
    found = {
        str(field.name): kind
        for field in table.schema
        if str(field.name).lower() in wanted and (kind := _narrow_type(field)) is not None
    }
    if not found:
        return None
    changes = [
        BIGQUERY.compose("ALTER COLUMN {name} SET DATA TYPE BIGNUMERIC", name=name)
        for name in found
    ]
    path = (str(table.project), str(table.dataset_id), str(table.table_id))
    mending = BIGQUERY.compose("ALTER TABLE {table} {changes}", table=path, changes=changes).text
    listed = ", ".join(f"{name} of {table.table_id} is {kind}" for name, kind in found.items())
    return (
        f"{listed}, which would round the bill. The month was not changed. Run `{mending}`, and "
        "load again"
    )


def _narrow_type(field: bigquery.SchemaField) -> str | None:
    """The type of a column if it is one of decimals that has less room than a bill needs."""
    kind = str(field.field_type)
    if field.mode == "REPEATED" or kind not in _NUMERIC | _BIGNUMERIC:
        return None
    if field.precision is None:
        return kind if kind in _NUMERIC else None
    scale = field.scale or 0
    has_room = scale >= _DIGITS and field.precision - scale >= _WHOLE_DIGITS
    return None if has_room and kind in _BIGNUMERIC else f"{kind}({field.precision}, {scale})"
