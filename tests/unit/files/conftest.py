"""Fixtures of CSV parts in a real DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cloudbill.manifests import ColumnType
from unit.files.csv_bench import Parts


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    """No parts yet, and an empty DuckDB."""
    with duckdb.connect() as connection:
        connection.execute("SET preserve_insertion_order = false")
        connection.execute("SET TimeZone = 'UTC'")
        yield Parts(tmp_path, connection)


@pytest.fixture
def one_cell(parts: Parts) -> Any:
    """Reads one cell, as text and as a column of a type."""

    def read(cell: str, kind: ColumnType) -> Any:
        parts.add(f"a,b\n1,{cell}\n".encode(), types={"b": kind})
        ((_, value),) = parts.read()
        return value

    return read
