"""The headers of a wide table lie in one comment, beside what its user wrote there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudbill.warehouses.duckdb.dataset import Dataset
from cloudbill.warehouses.duckdb.headers import headers_in, write_headers
from figures import tries

TABLE = ("memory", "billing", "bill")
WIDE = 1_000


@pytest.fixture
def dataset() -> Iterator[Dataset]:
    with closing(duckdb.connect()) as connection:
        connection.execute("CREATE SCHEMA billing")
        connection.execute("CREATE TABLE billing.bill (tag_a VARCHAR, tag_b VARCHAR)")
        yield Dataset.of(connection, "billing")


def write(dataset: Dataset, new: dict[str, str], *, width: int) -> None:
    comment = dataset.comment("bill")
    write_headers(dataset.connection, TABLE, new, width=width, comment=comment)


@pytest.mark.parametrize("widths", [(2, 2), (WIDE, WIDE), (2, WIDE)])
def test_headers_are_added_to_those_that_are_known(
    dataset: Dataset, widths: tuple[int, int]
) -> None:
    write(dataset, {"tag_a": "user:a"}, width=widths[0])
    write(dataset, {"tag_b": "user:'b'"}, width=widths[1])

    assert dataset.headers("bill") == {"tag_a": "user:a", "tag_b": "user:'b'"}


def test_what_somebody_wrote_about_the_table_stays(dataset: Dataset) -> None:
    dataset.connection.execute("COMMENT ON TABLE billing.bill IS 'The bill,\nas it is'")
    write(dataset, {"tag_a": "user:a"}, width=WIDE)
    write(dataset, {"tag_b": "user:b"}, width=WIDE)

    assert dataset.headers("bill") == {"tag_a": "user:a", "tag_b": "user:b"}
    assert dataset.comment("bill").startswith("The bill,\nas it is\ncloudbill headers: {")


@tries(100)
@given(st.text())
def test_any_other_comment_has_no_headers(comment: str) -> None:
    assert headers_in(comment) == {}
    assert headers_in(f"cloudbill headers: {comment}") in ({}, headers_in(comment))


@tries(100)
@given(st.dictionaries(st.text(), st.text(st.characters(exclude_characters="\0"))))
def test_what_is_not_an_object_is_no_header(found: dict[str, str]) -> None:
    assert headers_in(f"cloudbill headers: {[*found]}") == {}
