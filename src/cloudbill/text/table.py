"""A table in plain text, for terminals and logs: aligned columns, and no other decoration."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

__all__ = ["Head", "TableRow", "printable", "short_ids", "table_lines", "wrapped"]

_GAP: Final = "  "
_INDENT: Final = "    "
_ID_LENGTH: Final = 8
_NARROWEST: Final = 8
"""The width below which no text is broken into lines."""
_LONG_WORD: Final = 16
"""A word that is longer may be broken itself; a date is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The title of a column; numbers are aligned to the right."""

    title: str
    is_number: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """The cells of a row, its lines of amounts, and notes below it.

    Each line of amounts has a cell for each amount column of the table.
    """

    cells: tuple[str, ...]
    amounts: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()


def table_lines(
    heads: Sequence[Head], amounts: Sequence[Head], rows: Sequence[TableRow], *, width: int
) -> Iterator[str]:
    """The lines of a table, with its head; no line is wider than `width`, as far as that can be.

    Where it would be wider, the widest texts are broken into lines, and numbers never. If that is
    not enough, the amounts of every row go on lines below it: nothing is rounded or cut.
    """
    beside = list(_beside(heads, amounts, rows, width))
    is_wide = any(len(line) > width for _, lines in beside for line in lines)
    for row, lines in _below(heads, amounts, rows, width) if is_wide and amounts else beside:
        yield from lines
        for note in row.notes if row else ():
            yield from wrapped(note, indent=_INDENT, width=width)


def wrapped(text: str, *, indent: str, width: int = 80) -> list[str]:
    """The lines of a text below a table; ids and amounts are never broken."""
    return textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _beside(
    heads: Sequence[Head], amounts: Sequence[Head], rows: Sequence[TableRow], width: int
) -> Iterator[tuple[TableRow | None, list[str]]]:
    """The head, then each row, with the amounts in the last columns."""
    sums = _widths(amounts, [line for row in rows for line in row.amounts])
    beside = width - sum(len(_GAP) + one for one in sums)
    widths = _narrowed(heads, rows, beside)
    columns, nothing = [*heads, *amounts], [("",) * len(amounts)]

    def lines(cells: Sequence[str], costs: Sequence[tuple[str, ...]]) -> list[str]:
        texts = _broken(cells, widths)
        blank = ("",) * len(heads)
        both = zip_longest(texts, costs or nothing)
        return [
            _line(columns, (*(text or blank), *(cost or nothing[0])), (*widths, *sums))
            for text, cost in both
        ]

    yield None, lines([head.title for head in heads], [tuple(head.title for head in amounts)])
    for row in rows:
        yield row, lines(row.cells, row.amounts)


def _below(
    heads: Sequence[Head], amounts: Sequence[Head], rows: Sequence[TableRow], width: int
) -> Iterator[tuple[TableRow | None, list[str]]]:
    """The head, then each row, with its amounts on lines below it."""
    widths = _narrowed(heads, rows, width)
    sums = _widths((), [line for row in rows for line in row.amounts])
    titles = _broken([head.title for head in heads], widths)
    yield None, [_line(heads, line, widths) for line in titles]
    for row in rows:
        below = [_INDENT + _line(amounts, line, sums) for line in row.amounts if any(line)]
        yield row, [*(_line(heads, line, widths) for line in _broken(row.cells, widths)), *below]


def _narrowed(columns: Sequence[Head], rows: Sequence[TableRow], width: int) -> list[int]:
    """The widths at which a line fits because the widest texts are broken, if there are any."""
    widths = _widths(columns, [row.cells for row in rows])
    if sum(widths) + len(_GAP) * (len(widths) - 1) <= width:
        return widths
    words = [[max(map(len, cell.split()), default=0) for cell in row.cells] for row in rows]
    narrowest = [max(_NARROWEST, min(_LONG_WORD, max(of))) for of in zip(*words, strict=True)]
    narrowed = list(widths)
    for _ in range(sum(widths) + len(_GAP) * (len(widths) - 1) - width):
        texts = [
            place
            for place, head in enumerate(columns)
            if not head.is_number and narrowed[place] > narrowest[place]
        ]
        if not texts:
            return widths
        narrowed[max(texts, key=narrowed.__getitem__)] -= 1
    return narrowed


def _broken(cells: Sequence[str], widths: Sequence[int]) -> list[tuple[str, ...]]:
    """The lines of a row whose cells may be wider than their columns."""
    lines = [
        textwrap.wrap(cell, width, break_on_hyphens=False) if len(cell) > width else [cell]
        for cell, width in zip(cells, widths, strict=True)
    ]
    return list(zip_longest(*lines, fillvalue=""))


def _widths(columns: Sequence[Head], cells: Iterable[Sequence[str]]) -> list[int]:
    """The width of each column: that of its widest cell, or of its title."""
    titles = [[head.title for head in columns]] if columns else []
    return [max(map(len, column)) for column in zip(*titles, *cells, strict=True)]


def _line(columns: Sequence[Head], cells: Sequence[str], widths: Sequence[int]) -> str:
    aligned = [
        cell.rjust(width) if head.is_number else cell.ljust(width)
        for head, cell, width in zip(columns, cells, widths, strict=True)
    ]
    return _GAP.join(aligned).rstrip()


def short_ids(run_ids: Iterable[str]) -> dict[str, str]:
    """The shortest distinct beginnings of run ids, all of the same length, at least 8."""
    whole = set(run_ids)
    length = _ID_LENGTH
    # Ids of one provider often begin the same, so a fixed length could show equal beginnings.
    while len({run_id[:length] for run_id in whole}) < len(whole):
        length += 1
    return {run_id: run_id[:length] for run_id in whole}


def printable(text: str, kept: str = "") -> str:
    """A text from the data, safe for a terminal, which would obey control characters.

    Those of `kept` stay as they are.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character in kept else repr(character)[1:-1]
        for character in text
    )
