"""Finds the fault in a CSV file that a warehouse refused: the line, the column and the cell.

It is slow, because it checks one cell after the other in Python, so it runs only after a failure.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from cloudbill.manifests import Column, ColumnType
from cloudbill.text.counts import counted

__all__ = ["MAX_ROW_BYTES", "find_fault"]

MAX_ROW_BYTES: Final = 32 * 1024 * 1024
"""A longer row is refused."""
_SHOWN_CHARACTERS: Final = 60
_SHOWN_BYTES: Final = 10
_DIGITS_BEFORE: Final = 20
_BOM: Final = "\ufeff"
_NUMBER: Final = re.compile(r"[+-]?([0-9]*)\.?([0-9]*)(?:[eE]([+-]?[0-9]{1,18}))?")
_ROUNDED_UP: Final = re.compile(r"9{38}[5-9]")
"""The digits of a number that has one more digit before the point once it is rounded."""
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,19}")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIMESTAMP: Final = re.compile(
    rf"({_DATE.pattern})"
    r"(?:[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6}0*)?)?)"
    r"(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
_BOOLEANS: Final = frozenset({"true", "false"})


def find_fault(
    path: Path, columns: Sequence[Column], *, has_nameless_end: bool = False
) -> str | None:
    """The fault of a plain CSV file and its line, or None if no fault is found.

    `columns` are those of the file, in its order. With `has_nameless_end` it has one more at its
    end, without a name, which must be empty.
    """
    lines = _Lines()
    with path.open("rb") as file, _fields_of_any_size():
        records = csv.reader(lines.of(file), strict=True)
        line = 1
        try:
            next(records, None)
            while True:
                # A record may have several lines; its fault is reported at the first one.
                line, lines.size = lines.number + 1, 0
                record = next(records, None)
                if record is None:
                    return None
                fault = _fault_of_row(record, columns, lines.size)
                if has_nameless_end and len(record) == len(columns) + 1 and record[-1]:
                    fault = f"'{_shortened(record[-1])}' is in a column without a name"
                if fault is not None:
                    return f"line {line}: {fault}"
        except csv.Error as error:
            return f"line {line}: {_fault_of_size(lines.size) or f'it is not CSV, {error}'}"
        except UnicodeDecodeError as error:
            shown = error.object[max(0, error.start - _SHOWN_BYTES) : error.end + _SHOWN_BYTES]
            return f"line {lines.number}: {shown!r} is not in UTF-8"


class _Lines:
    """The lines of a file as text, and the number of lines read so far."""

    def __init__(self) -> None:
        self.number = 0
        self.size = 0

    def of(self, file: Iterator[bytes]) -> Iterator[str]:
        for line in file:
            self.number += 1
            self.size += len(line)
            text = line.decode("utf-8")
            yield text.removeprefix(_BOM) if self.number == 1 else text


@contextmanager
def _fields_of_any_size() -> Iterator[None]:
    # The csv module has one limit for the whole process.
    limit = csv.field_size_limit(MAX_ROW_BYTES)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _fault_of_size(size: int) -> str | None:
    if size <= MAX_ROW_BYTES:
        return None
    return f"the row is longer than {MAX_ROW_BYTES} bytes, or a quote in it is never closed"


def _fault_of_row(record: Sequence[str], columns: Sequence[Column], size: int) -> str | None:
    if size > MAX_ROW_BYTES:
        return _fault_of_size(size)
    # DuckDB also skips an empty line, and accepts one comma too many at the end of a row.
    if not record or (len(record) == len(columns) + 1 and not record[-1]):
        return None
    if len(record) != len(columns):
        return f"the row has {counted(len(record), 'cell')}, the header {len(columns)}"
    for cell, column in zip(record, columns, strict=True):
        check = _CHECKS.get(column.type)
        problem = check(cell) if cell and check else None
        if problem is not None:
            return f"'{_shortened(cell)}' in column '{column.name}' {problem}"
    return None


def _fault_of_decimal(cell: str) -> str | None:
    match = _NUMBER.fullmatch(cell)
    if match is None or not (match[1] or match[2]):
        return "is not a number"
    digits = (match[1] + match[2]).lstrip("0")
    kept = digits.rstrip("0")
    if not kept:
        return None
    behind = len(match[2]) - int(match[3] or 0) - (len(digits) - len(kept))
    before = len(kept) - behind
    if before == _DIGITS_BEFORE and _ROUNDED_UP.match(kept):
        before += 1
    if before > _DIGITS_BEFORE:
        return f"has {before} digits before the point; {_DIGITS_BEFORE} fit"
    return None


def _fault_of_timestamp(cell: str) -> str | None:
    match = _TIMESTAMP.fullmatch(cell)
    if match is None:
        return "is not a time; write it as 2025-10-31T23:59:59Z"
    return _fault_of_day(match[1]) or _fault_of_time(match[2])


def _fault_of_date(cell: str) -> str | None:
    if _DATE.fullmatch(cell) is None:
        return "is not a day; write it as 2025-10-31"
    return _fault_of_day(cell)


def _fault_of_day(text: str) -> str | None:
    try:
        datetime.strptime(text, "%Y-%m-%d")  # noqa: DTZ007
    except ValueError:
        return "is not a day of the calendar"
    return None


def _fault_of_time(text: str | None) -> str | None:
    if text is None or text in {"24:00", "24:00:00"}:
        return None
    hour, minute, *second = (int(number) for number in text.partition(".")[0].split(":"))
    is_time = hour < 24 and minute < 60 and (not second or second[0] < 60)  # noqa: PLR2004
    return None if is_time else "is not a time of day"


def _fault_of_boolean(cell: str) -> str | None:
    return None if cell.lower() in _BOOLEANS else "is neither true nor false"


def _fault_of_integer(cell: str) -> str | None:
    is_integer = _INTEGER.fullmatch(cell) and -(2**63) <= int(cell) < 2**63
    return None if is_integer else "is not a whole number of 64 bits"


def _fault_of_object(cell: str) -> str | None:
    try:
        found = json.loads(cell, parse_constant=_no_number, parse_float=_finite, parse_int=_finite)
        json.dumps(found, ensure_ascii=False).encode("utf-8")
    except _NoNumberError:
        return "has a number that JSON does not have"
    except UnicodeEncodeError:
        return "has half of a character: one surrogate of two"
    except (ValueError, RecursionError):
        found = None
    return None if isinstance(found, dict) else "is not a JSON object"


class _NoNumberError(Exception):
    """A word for what is no number, or a number that no double holds."""


def _no_number(_: str) -> float:
    raise _NoNumberError


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


_CHECKS: Final[Mapping[ColumnType, Callable[[str], str | None]]] = {
    ColumnType.DECIMAL: _fault_of_decimal,
    ColumnType.TIMESTAMP: _fault_of_timestamp,
    ColumnType.DATE: _fault_of_date,
    ColumnType.BOOLEAN: _fault_of_boolean,
    ColumnType.INTEGER: _fault_of_integer,
    ColumnType.JSON: _fault_of_object,
}


def _shortened(cell: str) -> str:
    if len(cell) <= _SHOWN_CHARACTERS:
        return cell
    return f"{cell[:_SHOWN_CHARACTERS]}... ({counted(len(cell), 'character')})"
