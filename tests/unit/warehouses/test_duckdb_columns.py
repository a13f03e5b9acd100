"""The columns of a DuckDB table, which is asked for by its name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import duckdb
import pytest

from cloudbill.warehouses.duckdb.dataset import Dataset


@pytest.fixture
def dataset() -> Iterator[Dataset]:
    with closing(duckdb.connect()) as connection:
        connection.execute("CREATE SCHEMA billing")
        yield Dataset.of(connection, "billing")


def test_they_have_their_types_however_the_name_is_spelt(dataset: Dataset) -> None:
    statement = 'CREATE TABLE billing."a ""b.csv" (cost DECIMAL(38, 18), tag STRUCT(x INTEGER))'
    dataset.connection.execute(statement)

    expected = {"cost": "DECIMAL(38,18)", "tag": "STRUCT(x INTEGER)"}
    assert dataset.columns('a "b.csv') == dataset.columns('A "B.csv') == expected


def test_a_table_or_schema_that_is_not_there_has_none_and_ends_no_transaction(
    dataset: Dataset,
) -> None:
    nowhere = Dataset.of(dataset.connection, "nowhere")
    dataset.connection.execute("BEGIN")

    assert dataset.columns("bill") == dataset.headers("bill") == nowhere.columns("bill") == {}
    assert dataset.connection.execute("SELECT 1").fetchall() == [(1,)]


def test_a_view_whose_table_is_gone_has_its_columns(dataset: Dataset) -> None:
    for statement in (
        "CREATE TABLE billing.bill (cost INTEGER)",
        "CREATE VIEW billing.seen AS SELECT * FROM billing.bill",
        "DROP TABLE billing.bill",
    ):
        dataset.connection.execute(statement)

    assert dataset.columns("seen") == {"cost": "INTEGER"}
