"""What is said of rows of no month: they add to the sum of a table, and to no month."""

from __future__ import annotations

from cloudbill.sql import Dialect

__all__ = ["odd_rows_found", "odd_rows_remedy"]


def odd_rows_found(rows: int, table: str, period_column: str) -> str:
    """How many rows of no month a table holds, and what they are."""
    found = "1 row of no month, whose" if rows == 1 else f"{rows:,} rows of no month, whose"
    return f"{table} holds {found} {period_column} is empty, or before 1960 or after 2159"


def odd_rows_remedy(dialect: Dialect, table: tuple[str, ...], period_column: str) -> str:
    """How to see such rows and to be rid of them; `table` is its full name."""
    of_no_month = dialect.compose(
        "FROM {table} WHERE {condition}",
        table=table,
        condition=dialect.of_no_month(period_column),
    )
    return (
        f"see them with `SELECT * {of_no_month}`, and delete them: no load writes such rows, and "
        "none removes them"
    )
