"""Whatever headers a table meets in whatever order, each has its column and keeps it.

Headers that differ by case alone share one, where columns are called as in the files.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudbill.files.columns import _own_name, assign_columns
from cloudbill.providers import PROVIDERS
from figures import tries

MODERATE = tries(200)
RULES = [provider.column_name for provider in PROVIDERS.values()]
RESERVED = ("_table_", "_file_", "_partition", "_row_timestamp", "__root__", "_colidentifier")

# Few letters, so that names meet: by case, by symbols, and by the numbers that keep them apart.
HEADERS = (
    st.text(alphabet="aA_/: 2", max_size=6)
    | st.builds("a{}_{}".format, st.sampled_from(["", "_2", "/", "A"]), st.integers(1, 4))
    | st.text(max_size=12)
    | st.builds(lambda text, times: text * times, st.sampled_from("aA:é"), st.integers(270, 400))
    | st.sampled_from(
        ["_PARTITIONTIME", "_Table_x", "__ROOT__", "", "\ud800", "\u017f", "\u212a", "\u0130"]
    )
)
RUNS = st.lists(st.lists(HEADERS, max_size=8, unique=True), min_size=1, max_size=5)
RULE = pytest.mark.parametrize("rule", RULES, ids=list(PROVIDERS))


def apart(headers: list[str], rule: Callable[[str], str]) -> int:
    """How many columns some headers have."""
    alike = {header.lower() for header in headers if _own_name(header, rule) == header}
    return len(alike) + sum(_own_name(header, rule) != header for header in headers)


def grow(table: dict[str, str], headers: list[str], rule: Callable[[str], str]) -> dict[str, str]:
    """Gives the headers of a run their columns, and the table the columns that it lacks."""
    assigned = assign_columns(headers, table, rule)
    table.update({column: header for header, column in assigned.items()})
    return assigned


@RULE
@MODERATE
@given(runs=RUNS)
def test_any_header_gets_a_legal_column(rule: Callable[[str], str], runs: list[list[str]]) -> None:
    table: dict[str, str] = {}
    for headers in runs:
        assigned = grow(table, headers, rule)

        assert list(assigned) == headers
        for column in assigned.values():
            assert 0 < len(column) <= 300
            assert not set(column) & set('!"$()*,./;?@[\\]^`{}~\n\0')
            assert not column.lower().startswith(RESERVED)
            column.encode()


@RULE
@MODERATE
@given(runs=RUNS)
def test_no_two_headers_share_a_column(rule: Callable[[str], str], runs: list[list[str]]) -> None:
    table: dict[str, str] = {}
    for headers in runs:
        assigned = grow(table, headers, rule)

        assert len({column.lower() for column in assigned.values()}) == apart(headers, rule)
    assert len({column.lower() for column in table}) == len(table)
    assert len(set(table.values())) == len(table)


@RULE
@MODERATE
@given(runs=RUNS, data=st.data())
def test_header_keeps_its_column_whatever_appears_later(
    rule: Callable[[str], str], runs: list[list[str]], data: st.DataObject
) -> None:
    table: dict[str, str] = {}
    columns: dict[str, str] = {}
    for headers in [*runs, *data.draw(st.permutations(runs))]:
        shown = dict(data.draw(st.permutations(list(table.items()))))
        for header, column in assign_columns(headers, shown, rule).items():
            assert columns.setdefault(header, column) == column
        grow(table, headers, rule)


@RULE
@MODERATE
@given(runs=RUNS, headers=st.lists(HEADERS, unique=True, max_size=8), data=st.data())
def test_order_of_the_headers_does_not_matter(
    rule: Callable[[str], str], runs: list[list[str]], headers: list[str], data: st.DataObject
) -> None:
    table: dict[str, str] = {}
    for earlier in runs:
        grow(table, earlier, rule)
    shuffled = data.draw(st.permutations(headers))

    assert assign_columns(shuffled, table, rule) == assign_columns(headers, table, rule)


@RULE
@MODERATE
@given(
    headers=st.lists(HEADERS, unique=True, max_size=8),
    existing=st.dictionaries(HEADERS, HEADERS, max_size=8),
)
def test_any_table_whatever_its_comments_say(
    rule: Callable[[str], str], headers: list[str], existing: dict[str, str]
) -> None:
    table = {column.lower(): text for column, text in existing.items()}

    assigned = assign_columns(headers, table, rule)

    assert len({column.lower() for column in assigned.values()}) == apart(headers, rule)
