"""Cells from all over CSV files, to learn what many rows have: a few megabytes, read in places.

What is read need not be right. A place is entered at a line break, which may be inside of a cell,
so that a row which is not as long as the header is left out, and others may be wrong as well.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cloudbill.files.csv_plain import CsvFile

__all__ = ["sampled_cells"]

_PLACES: Final = 64
"""In all files together."""
_PLACE_BYTES: Final = 128 * 1024


def sampled_cells(files: Sequence[CsvFile], names: Sequence[str]) -> dict[str, list[str]]:
    """Some cells of columns that are not empty, by the names of the columns in the table."""
    cells: dict[str, list[str]] = {name: [] for name in names}
    if not names:
        return cells
    step = max(1, len(files) // _PLACES)
    chosen = files[::step]
    for file in chosen:
        columns = [column.target for column in file.part.columns]
        places = [(columns.index(name), cells[name]) for name in names if name in columns]
        width = len(columns) + file.part.has_nameless_end
        for row in _rows(file, max(1, _PLACES // len(chosen))):
            if len(row) == width:
                for place, found in places:
                    if row[place]:
                        found.append(row[place])
    return cells


def _rows(file: CsvFile, places: int) -> Iterator[list[str]]:
    size = file.path.stat().st_size
    with file.path.open("rb") as opened:
        for place in range(places):
            opened.seek(size * place // places)
            lines = opened.read(min(_PLACE_BYTES, size // places + 1)).split(b"\n")[1:-1]
            text = b"\n".join(lines).decode("utf-8", errors="replace")
            try:
                yield from csv.reader(io.StringIO(text, newline=""))
            except csv.Error:
                continue
