"""Byte order marks, and a comma at the end of each line, change no cell."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from cloudbill.errors import LoadError, SchemaError
from cloudbill.files.csv_headers import Header, read_headers
from cloudbill.files.csv_plain import CsvPart
from cloudbill.files.csv_relation import read_csv_parts
from cloudbill.manifests import Column, ColumnType, Part
from cloudbill.sql import DUCKDB
from cloudbill.store.local import LocalStore

MARK = b"\xef\xbb\xbf"
Read = Callable[[bytes], list[tuple[str, ...]]]


@pytest.fixture(params=[False, True], ids=["plain", "gzipped"])
def rows_of(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Read]:
    """Reads a file as a load does: first its header from the store, then its rows."""
    with duckdb.connect() as connection:

        def read(content: bytes) -> list[tuple[str, ...]]:
            file = tmp_path / "part.csv"
            file.write_bytes(gzip.compress(content) if request.param else content)
            header = header_of(tmp_path)
            columns = tuple(
                Column(name=name, target=name, type=ColumnType.STRING) for name in header.names
            )
            part = CsvPart(
                file=file,
                address="gs://bills/part.csv",
                columns=columns,
                has_nameless_end=header.has_nameless_end,
            )
            with read_csv_parts([part], empty_text_is_null=True) as source:
                statement = DUCKDB.compose(
                    "SELECT {cells} FROM {relation}",
                    cells=source.projection(),
                    relation=source.relation,
                )
                return connection.execute(statement.text, source.parameters).fetchall()

        yield read


def header_of(folder: Path) -> Header:
    """The header as it is read from the store."""
    (header,) = read_headers(LocalStore(folder), [Part(path="part.csv")])
    return header


@pytest.mark.parametrize(
    "content",
    [
        MARK + b"a,b\n" + MARK + b"1,2\n3,4\n",
        MARK + b"a,b\r\n" + MARK + b"1,2\r\n3,4\r\n",
        MARK * 2 + b"a,b\n1,2\n3,4\n",
        b"a,b\n" + MARK * 3 + b'"1",2\n3,4\n',
    ],
    ids=["before the first row", "CRLF", "twice at the start", "three, and a quote"],
)
def test_a_byte_order_mark_is_part_of_no_cell(rows_of: Read, content: bytes) -> None:
    assert rows_of(content) == [("1", "2"), ("3", "4")]


def test_a_mark_inside_of_a_text_stays(rows_of: Read) -> None:
    assert rows_of(b"a,b\n1," + MARK + b"2\n") == [("1", "\ufeff2")]


@pytest.mark.parametrize("size", [64 * 1024 + offset for offset in range(-5, 6)])
def test_a_mark_is_seen_wherever_the_first_read_ends(tmp_path: Path, size: int) -> None:
    header = b"a," + b"b" * (size - 3) + b"\n"
    (tmp_path / "part.csv").write_bytes(header + MARK + b"1,2\n" + b"3,4\n" * 100)

    found = header_of(tmp_path)

    assert (found.size, found.has_mark_after) == (size, True)


@pytest.mark.parametrize(
    "content", [b"a,b,\n1,2,\n3,4,\n", b'a,b,""\r\n1,2,\r\n3,4,""\r\n', b"a,b,\n1,2,\n3,4,"]
)
def test_a_last_column_without_a_name_that_is_empty_is_passed_over(
    rows_of: Read, content: bytes
) -> None:
    assert rows_of(content) == [("1", "2"), ("3", "4")]


def test_a_cell_in_a_column_without_a_name_is_refused_by_its_line(rows_of: Read) -> None:
    with pytest.raises(LoadError, match="line 3: 'x' is in a column without a name"):
        rows_of(b"a,b,\n1,2,\n3,4,x\n")


@pytest.mark.parametrize("content", [b"a,,b\n1,,2\n", b",a\n1,2\n", b"a,b,,\n1,2,,\n"])
def test_any_other_column_without_a_name_is_refused(rows_of: Read, content: bytes) -> None:
    with pytest.raises(SchemaError, match=r"has no name|which cannot be told apart"):
        rows_of(content)
