"""Turns the answer to a query into a table for the terminal, CSV, or one JSON document.

In the table amounts are rounded, unless all digits are asked for; CSV and JSON have exact text, and
come piece by piece, however long the answer is.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Final

from cloudbill.costs.amounts import rounded_amount, shown_amount
from cloudbill.text.counts import counted
from cloudbill.text.table import Head, TableRow, printable, table_lines
from cloudbill.warehouses.asking import Answer, AnswerColumn

__all__ = ["answer_lines", "csv_pieces", "json_pieces"]

_SPECIAL: Final = frozenset(',"\r\n')


def answer_lines(answer: Answer, *, most: int, width: int, exact: bool = False) -> Iterator[str]:
    """The lines of a table of the first rows, and of how many more there are.

    Decimals are rounded to two places, which is said, unless `exact` asks for every digit.
    """
    rows: list[Sequence[object]] = []
    for batch in answer.batches:
        rows += batch
        if len(rows) > most:
            break
    heads = [Head(title=printable(one.name), is_number=one.is_number) for one in answer.columns]
    if not rows:
        yield f"No rows. The columns would be: {', '.join(head.title for head in heads)}"
        return
    shown = [
        TableRow(cells=tuple(printable(_shown(one, exact=exact)) for one in row))
        for row in rows[:most]
    ]
    yield from table_lines(heads, (), shown, width=width)
    if not exact and any(_is_rounded(one) for row in rows[:most] for one in row):
        yield "Rounded to two decimals: --exact shows every digit"
    if len(rows) > most:
        left = answer.count() - most
        yield (
            f"... and {counted(left, 'more row', ',')}: --rows shows more, --csv and "
            "--json write all"
        )


def csv_pieces(answer: Answer) -> Iterator[str]:
    """CSV with a head, without the last line end; NULL is nothing, and an empty text is `""`."""
    yield ",".join(_quoted(one.name) for one in answer.columns)
    for batch in answer.batches:
        yield "\n".join(
            ",".join("" if value is None else _quoted(_text(value)) for value in row)
            for row in batch
        )


def json_pieces(answer: Answer) -> Iterator[str]:
    """One JSON document: `columns` with names and types, and `rows`, a line for each."""
    names = _unlike(answer.columns)
    columns = [
        {"name": name, "type": one.type} for name, one in zip(names, answer.columns, strict=True)
    ]
    yield f'{{\n  "columns": {json.dumps(columns)},\n  "rows": ['
    held = None
    for batch in answer.batches:
        if held is not None:
            yield f"{held},"
        held = ",\n".join(
            f"    {json.dumps(dict(zip(names, map(_json_value, row), strict=True)))}"
            for row in batch
        )
    if held is not None:
        yield held
    yield "  ]\n}"


def _unlike(columns: Sequence[AnswerColumn]) -> list[str]:
    """The names of columns, each once: the second `a` is `a_1`, as in a subquery of DuckDB."""
    names: list[str] = []
    for one in columns:
        tries = itertools.chain([one.name], (f"{one.name}_{at}" for at in itertools.count(1)))
        names.append(next(name for name in tries if name not in names))
    return names


def _quoted(text: str) -> str:
    if text and not _SPECIAL & {*text}:
        return text
    return '"' + text.replace('"', '""') + '"'


def _shown(value: object, *, exact: bool) -> str:
    if value is None:
        return "NULL"
    return shown_amount(value, exact=exact) if isinstance(value, Decimal) else _text(value)


def _is_rounded(value: object) -> bool:
    return isinstance(value, Decimal) and value != rounded_amount(value)


def _text(value: object) -> str:
    """A value as text; an amount with every digit that it has."""
    match value:
        case bool():
            text = "true" if value else "false"
        case Decimal():
            text = f"{value:f}"
        case datetime():
            text = value.isoformat(sep=" ")
        case date() | time():
            text = value.isoformat()
        case bytes():
            text = value.hex()
        case list() | tuple() | Mapping():
            text = json.dumps(_json_value(value), ensure_ascii=False)
        case _:
            text = str(value)
    return text


def _json_value(value: object) -> object:
    """A value for a JSON document: an amount, and all that JSON does not have, is text."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case list() | tuple():
            return [_json_value(one) for one in value]
        case Mapping():
            return {str(key): _json_value(one) for key, one in value.items()}
        case _:
            return _text(value)
