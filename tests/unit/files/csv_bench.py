"""CSV parts in a folder, and how the tests read them in a real DuckDB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloudbill.files.csv_plain import CsvPart
from cloudbill.files.csv_relation import read_csv_parts
from cloudbill.manifests import Column, ColumnType

if TYPE_CHECKING:
    import duckdb

TYPES = {"Cost": ColumnType.DECIMAL, "Start": ColumnType.TIMESTAMP}
ROWS = b"1,2\n"


class Parts:
    """Files in a folder, which are read with the columns that their headers name."""

    def __init__(self, folder: Path, connection: duckdb.DuckDBPyConnection) -> None:
        self.folder = folder
        self.connection = connection
        self.parts: list[CsvPart] = []

    def add(
        self,
        content: bytes,
        header: Sequence[str] = ("a", "b"),
        *,
        types: Mapping[str, ColumnType] | None = None,
        name: str | None = None,
    ) -> None:
        file = self.folder / (name or f"part-{len(self.parts)}.csv")
        file.write_bytes(content)
        known = TYPES | dict(types or {})
        columns = tuple(
            Column(name=name, target=f"the_{name}", type=known.get(name, ColumnType.STRING))
            for name in header
        )
        self.parts.append(CsvPart(file=file, address=f"gs://bills/{file.name}", columns=columns))

    def read(self, *, empty_text_is_null: bool = True) -> list[tuple[Any, ...]]:
        """All rows, sorted by what they show; columns in the order of the first header."""
        with read_csv_parts(self.parts, empty_text_is_null=empty_text_is_null) as source:
            columns = ", ".join(str(piece) for piece in source.projection())
            statement = f"SELECT {columns} FROM {source.relation}"  # noqa: S608
            rows = self.connection.execute(statement, source.parameters).fetchall()
        return sorted(rows, key=repr)
