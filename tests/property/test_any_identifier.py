"""Identifiers mean what they say, in whatever way they were written to say something else."""

from __future__ import annotations

import re
from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloudbill.sql import BIGQUERY, DUCKDB
from figures import tries

MODERATE = tries(150)

NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)
TRICKS = st.text(st.sampled_from("\"'`\\;{}[]()-./*$?%:@ \t\n\u00a0aBß"), min_size=1)
ANY = NAMES | TRICKS


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty DuckDB."""
    with duckdb.connect() as connection:
        yield connection


class TestAnyIdentifier:
    """Any identifier without NUL means itself."""

    @MODERATE
    @given(name=ANY)
    @example(name='"; DROP TABLE bill; --')
    @example(name="{name}")
    def test_duckdb_has_a_column_of_that_name(
        self, database: duckdb.DuckDBPyConnection, name: str
    ) -> None:
        create = DUCKDB.compose("CREATE OR REPLACE TABLE t AS SELECT 7 AS {name}", name=name)
        database.execute(create.text)

        columns = "SELECT column_name FROM duckdb_columns() WHERE NOT internal"
        assert database.execute(columns).fetchall() == [(name,)]
        select = DUCKDB.compose("SELECT {column} FROM t", column=("t", name))
        assert database.execute(select.text).fetchall() == [(7,)]

    @MODERATE
    @given(schema=ANY, table=ANY)
    def test_duckdb_has_a_table_in_a_schema_of_these_names(
        self, database: duckdb.DuckDBPyConnection, schema: str, table: str
    ) -> None:
        database.execute("BEGIN")
        try:
            for template in (
                "CREATE SCHEMA IF NOT EXISTS {schema}",
                "CREATE TABLE {table} (a INT)",
            ):
                database.execute(
                    DUCKDB.compose(template, schema=schema, table=(schema, table)).text
                )
            found = database.execute(
                "SELECT schema_name, table_name FROM duckdb_tables() WHERE table_name = $table",
                {"table": table},
            ).fetchall()
            assert (schema, table) in found
        finally:
            database.execute("ROLLBACK")

    @MODERATE
    @given(name=ANY)
    @example(name="a`; DROP TABLE bill; --")
    @example(name="ends in \\")
    def test_bigquery_quotes_are_closed_by_the_last_character_alone(self, name: str) -> None:
        quoted = BIGQUERY.quote_identifier(name)

        # GoogleSQL, "Lexical structure": a backslash and what follows it are one character.
        assert re.fullmatch(r"`(?:[^`\\]|\\[`\\])*`", quoted, re.DOTALL)
        assert re.sub(r"\\(.)", r"\1", quoted[1:-1], flags=re.DOTALL) == name
