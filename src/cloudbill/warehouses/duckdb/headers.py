"""The header that each column came from, in the comments of a DuckDB table.

For each comment of a column DuckDB copies the description of the whole table, so those of a table
with thousands of tags would take minutes. In a wide table one comment of the table has them all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from cloudbill.sql import DUCKDB, duckdb_text

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["headers_in", "write_headers"]

_WIDE: Final = 500
"""Columns, from which on a table has one comment for all of them."""
_MARK: Final = "cloudbill headers: "
"""Begins the line with the headers; what somebody wrote before it stays."""


def headers_in(comment: str) -> dict[str, str]:
    """The headers by column that the comment of a table has; none where it was written over."""
    *_, line = comment.rpartition("\n")
    if not line.startswith(_MARK):
        return {}
    try:
        found = json.loads(line.removeprefix(_MARK))
    except ValueError:
        return {}
    items = found.items() if isinstance(found, dict) else ()
    return {str(column): str(header) for column, header in items}


def write_headers(
    connection: DuckDBPyConnection,
    table: tuple[str, ...],
    headers: Mapping[str, str],
    *,
    width: int,
    comment: str,
) -> None:
    """Records the headers of some columns; `width` is how many the table has.

    `comment` is that of the table, whose headers are kept.
    """
    if width <= _WIDE:
        for column, header in headers.items():
            statement = DUCKDB.compose(
                "COMMENT ON COLUMN {column} IS {header}",
                column=(*table, column),
                header=duckdb_text(header),
            )
            connection.execute(statement.text)
        return
    known = headers_in(comment)
    text = comment.rpartition("\n")[0] if known else comment
    line = _MARK + json.dumps({**known, **headers}, ensure_ascii=False)
    statement = DUCKDB.compose(
        "COMMENT ON TABLE {table} IS {comment}",
        table=table,
        comment=duckdb_text(f"{text}\n{line}" if text else line),
    )
    connection.execute(statement.text)
