"""SQL is put together from templates, quoted names and safe pieces."""

from __future__ import annotations

import pytest

from cloudbill.sql import BIGQUERY, DUCKDB, Dialect, Fragment


class TestQuotes:
    @pytest.mark.parametrize(
        ("dialect", "name", "quoted"),
        [
            (DUCKDB, "BilledCost", '"BilledCost"'),
            (DUCKDB, 'a"b', '"a""b"'),
            (DUCKDB, "a\\b", '"a\\b"'),
            (BIGQUERY, "BilledCost", "`BilledCost`"),
            (BIGQUERY, "a`b", "`a\\`b`"),
            (BIGQUERY, "a\\`b", "`a\\\\\\`b`"),
        ],
    )
    def test_name_is_quoted(self, dialect: Dialect, name: str, quoted: str) -> None:
        assert dialect.quote_identifier(name) == quoted

    @pytest.mark.parametrize("dialect", [DUCKDB, BIGQUERY], ids=["duckdb", "bigquery"])
    @pytest.mark.parametrize("name", ["", "\0", "a\0b"], ids=["empty", "NUL", "NUL inside"])
    def test_what_no_warehouse_allows_is_refused(self, dialect: Dialect, name: str) -> None:
        with pytest.raises(ValueError, match="cannot be an identifier"):
            dialect.quote_identifier(name)


class TestTemplates:
    def test_text_is_a_name(self) -> None:
        assert DUCKDB.compose("SELECT {a}", a="b c").text == 'SELECT "b c"'

    def test_tuple_is_a_dotted_name(self) -> None:
        assert BIGQUERY.compose("{t}", t=("p", "d", "t")).text == "`p`.`d`.`t`"

    def test_fragment_is_taken_as_it_is(self) -> None:
        assert str(DUCKDB.compose("{a} {b}", a=Fragment("x; y"), b="z")) == 'x; y "z"'

    def test_commas_go_between_fragments(self) -> None:
        columns = [DUCKDB.compose("{name} INT", name=name) for name in ("a", "b")]

        assert DUCKDB.compose("({columns})", columns=columns).text == '("a" INT, "b" INT)'

    def test_no_fragments_are_nothing(self) -> None:
        assert DUCKDB.compose("({columns})", columns=[]).text == "()"

    def test_braces_in_a_name_are_no_template(self) -> None:
        assert DUCKDB.compose("{a} {b}", a="{b}", b="c").text == '"{b}" "c"'

    def test_piece_that_is_missing_is_a_mistake_of_the_caller(self) -> None:
        with pytest.raises(KeyError):
            DUCKDB.compose("SELECT {a}")
