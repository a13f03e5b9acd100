"""Objects that were spelt once are those that each row would get by itself."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

import duckdb
import pytest

from cloudbill.files.columns import no_objects
from cloudbill.files.csv_plain import CsvPart
from cloudbill.files.csv_relation import read_csv_parts
from cloudbill.files.known_objects import with_known_objects
from cloudbill.files.parquet_relation import read_parquet_parts
from cloudbill.files.relation import PartsRelation
from cloudbill.manifests import Column, ColumnType
from cloudbill.sql import DUCKDB

ROWS: Final = 9000
USUAL: Final = (
    '{"b":1.0,"a":"x"}',
    '{ "b" : "x\\u0041", "a" : null }',
    '{"a":1,"a":2}',
    '{"":"first\\nsecond, \\"quoted\\"","\u00e9":"\U0001f98a"}',
    "{}",
    "",
)


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


@contextmanager
def in_csv(folder: Path) -> Iterator[PartsRelation]:
    """Rows with usual objects, among them others; and cells with a line break."""
    names = ("few", "many", "text")
    with (folder / "part.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for row in range(ROWS):
            own = json.dumps({"b": row, "a": "x" * 40})
            writer.writerow([USUAL[row % 6], USUAL[row % 7] if row % 7 < 6 else own, "a\nb,c"])
    columns = tuple(
        Column(
            name=name,
            target=name,
            type=ColumnType.STRING if name == "text" else ColumnType.JSON,
        )
        for name in names
    )
    part = CsvPart(file=folder / "part.csv", address="part.csv", columns=columns)
    with read_csv_parts([part], empty_text_is_null=True) as source:
        yield source


def in_parquet(database: duckdb.DuckDBPyConnection, folder: Path) -> PartsRelation:
    """The same with maps, of which a sample takes some groups of 2,048 rows."""
    file = folder / "part.parquet"
    statement = (
        "COPY (SELECT CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN MAP {} ELSE "
        "MAP {'k' || (i % 300): NULL, '\"e': chr(10)} END AS few, "
        "MAP {'b': (i % 9)::DOUBLE, 'a': 0.1} AS doubles, MAP {'b': (i % 9)::FLOAT / 3} AS floats, "
        "MAP {'b': (i % 9)::DECIMAL(20,3)} AS decimals, MAP {'b': 'v' || i, 'a': 'x'} AS many "
        "FROM range($rows) r(i)) TO $file"
    )
    database.execute(statement, {"file": str(file), "rows": ROWS * 10})
    return read_parquet_parts(database, [file], amounts=lambda *_: False, objects=no_objects)


def texts_of(source: PartsRelation) -> list[list[str]]:
    """The texts that are known of each column."""
    return [
        cast("list[str]", value) for name, value in source.parameters.items() if "texts" in name
    ]


def objects_of(database: duckdb.DuckDBPyConnection, source: PartsRelation) -> list[tuple[int, ...]]:
    """The number of all rows, and a sum of their objects."""
    names = [column.name for column in source.columns if column.type is ColumnType.JSON]
    statement = DUCKDB.compose(
        "SELECT count(*), sum(hash({values})) FROM {relation}",
        values=[source.value(name) for name in names],
        relation=source.relation,
    )
    return database.execute(statement.text, source.parameters).fetchall()


def test_rows_of_csv_have_the_same_objects(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    with in_csv(tmp_path) as source:
        known = with_known_objects(database, source)
        assert [set(texts) for texts in texts_of(known)] == [set(USUAL) - {""}] * 2
        assert objects_of(database, known) == objects_of(database, source)


def test_rows_of_parquet_have_the_same_objects(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    source = in_parquet(database, tmp_path)
    known = with_known_objects(database, source)
    counts = sorted(map(len, texts_of(known)))
    assert counts == [9, 181]  # neither floats nor decimals, nor what each row has for itself
    assert objects_of(database, known) == objects_of(database, source)


def test_what_is_no_object_is_left_to_the_statement_that_reads_all_rows(
    database: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    file = tmp_path / "part.csv"
    file.write_text("few\n" + '"{""a"":1"\n' * ROWS)
    column = Column(name="few", target="few", type=ColumnType.JSON)
    part = CsvPart(file=file, address="part.csv", columns=(column,))
    with read_csv_parts([part], empty_text_is_null=True) as source:
        assert with_known_objects(database, source) is source
