"""Puts SQL together: identifiers are quoted here and nowhere else, values are parameters.

A text becomes part of SQL only where the grammar allows no parameter.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

__all__ = ["BIGQUERY", "DUCKDB", "Dialect", "Fragment", "Piece", "bigquery_text", "duckdb_text"]


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of SQL that is already safe."""

    text: str

    def __str__(self) -> str:
        return self.text


_ANY_DAY: Final = "'{value}'"
_FIRST_DAY: Final = date(1960, 1, 1)
_END: Final = date(2160, 1, 1)

Piece = str | tuple[str, ...] | Fragment | Sequence[Fragment]
"""An identifier, a dotted identifier, a piece of SQL, or pieces to be joined with commas."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a warehouse writes SQL: how it quotes identifiers, and what else differs.

    `{value}` in a template is replaced by a value.
    """

    quote: str
    replacements: tuple[tuple[str, str], ...]
    """The escapes of the quote and other characters inside an identifier."""
    parameter: str
    """What goes before the name of a parameter."""
    text: str
    """Any value but an object as text."""
    json_text: str
    """An object as text."""
    member: str
    """The text under a key of an object; `{key}` is a word."""
    day: str
    """The UTC day of a timestamp."""
    month: str
    """The month of a day as `YYYY-MM`."""
    time_of_day: str
    """The first moment of a day, for a column of times."""
    date_of_day: str
    """A day, for a column of days."""

    def quote_identifier(self, name: str) -> str:
        """An identifier that means exactly `name`, whatever characters `name` has.

        Raises:
            ValueError: If it is empty or contains a NUL, which no warehouse allows.
        """
        if not name or "\0" in name:
            raise ValueError(f"{name!r} cannot be an identifier")
        for found, replacement in self.replacements:
            name = name.replace(found, replacement)
        return f"{self.quote}{name}{self.quote}"

    def compose(self, template: str, **pieces: Piece) -> Fragment:
        """Fills a template: `{name}` becomes the piece of that name; identifiers are quoted."""
        return Fragment(
            template.format(**{name: self._render(piece) for name, piece in pieces.items()})
        )

    def in_month(self, period_column: str | Fragment) -> Fragment:
        """Whether a row is of a month; takes the parameters `month_start` and `month_end`."""
        at = self.parameter
        return self.compose(
            f"{{column}} >= {at}month_start AND {{column}} < {at}month_end", column=period_column
        )

    def in_spans(
        self, column: str | Fragment, spans: Iterable[tuple[date, date]], *, of_day: str = _ANY_DAY
    ) -> Fragment:
        """Whether a time is in one of some spans, from a first day to one that is not in it.

        `of_day` is `time_of_day` or `date_of_day`, where it is known which of the two the column
        holds; a text is taken for either, in BigQuery for a time in the zone of the project.
        """
        conditions = [
            self.compose(
                "({column} >= {first} AND {column} < {end})",
                column=column,
                first=Fragment(of_day.format(value=first)),
                end=Fragment(of_day.format(value=end)),
            )
            for first, end in spans
        ]
        return Fragment(f"({' OR '.join(map(str, conditions))})")

    def of_no_month(self, period_column: str, *, of_day: str = _ANY_DAY) -> Fragment:
        """Whether a row is of no month: it has no period, or one that no bill has.

        These are the years for which BigQuery makes partitions; rows outside them have none, be the
        table by month or by day ("Introduction to partitioned tables"). `of_day` as in `in_spans`.
        """
        return self.compose(
            "({column} IS NULL OR {column} < {first} OR {column} >= {end})",
            column=period_column,
            first=Fragment(of_day.format(value=_FIRST_DAY)),
            end=Fragment(of_day.format(value=_END)),
        )

    def _render(self, piece: Piece) -> str:
        if isinstance(piece, Fragment):
            return piece.text
        if isinstance(piece, str):
            return self.quote_identifier(piece)
        if isinstance(piece, tuple) and piece and all(isinstance(part, str) for part in piece):
            return ".".join(self.quote_identifier(str(part)) for part in piece)
        return ", ".join(str(part) for part in piece)


# DuckDB, "Keywords and identifiers": a quote inside a quoted identifier is doubled.
DUCKDB: Final = Dialect(
    quote='"',
    replacements=(('"', '""'),),
    parameter="$",
    text="CAST({value} AS VARCHAR)",
    json_text="CAST({value} AS VARCHAR)",
    member="json_extract_string({value}, '$.{key}')",
    day="CAST({value} AS DATE)",
    month="strftime({value}, '%Y-%m')",
    # The sessions are in UTC, and days are compared with texts and times alike.
    time_of_day=_ANY_DAY,
    date_of_day=_ANY_DAY,
)
# GoogleSQL, "Lexical structure": quoted identifiers have the escapes of string literals.
BIGQUERY: Final = Dialect(
    quote="`",
    replacements=(("\\", "\\\\"), ("`", "\\`")),
    parameter="@",
    text="CAST({value} AS STRING)",
    json_text="TO_JSON_STRING({value})",
    member="JSON_VALUE({value}, '$.{key}')",
    # The zone is stated: a project may have another one as its default.
    day="DATE({value}, 'UTC')",
    month="FORMAT_DATE('%Y-%m', {value})",
    time_of_day="TIMESTAMP '{value} 00:00:00+00'",
    date_of_day="DATE '{value}'",
)


def duckdb_text(text: str) -> Fragment:
    """A text as a literal of DuckDB, for places where its grammar allows no parameter.

    DuckDB, "Literal types", string literals: only the quote is special, and it is doubled.

    Raises:
        ValueError: If it contains a NUL, where DuckDB would end the statement.
    """
    if "\0" in text:
        raise ValueError(f"{text!r} cannot stand in SQL")
    return Fragment("'" + text.replace("'", "''") + "'")


def bigquery_text(text: str) -> Fragment:
    """A text as a literal of GoogleSQL, for places where its grammar allows no parameter.

    GoogleSQL, "Lexical structure", escape sequences: it has all of those of JSON.
    """
    return Fragment(json.dumps(text, ensure_ascii=False))
