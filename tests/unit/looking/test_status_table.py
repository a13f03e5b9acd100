"""Tables in plain text: aligned, no wider than a terminal, and without a digit less."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from cloudbill.text.table import Head, TableRow, printable, short_ids, table_lines
from figures import tries

HEADS = (Head(title="month"), Head(title="rows", is_number=True))
COST = (Head(title="billed cost", is_number=True),)
LONG = "1,204.123456789012345678 USD"


def row(rows: str, *costs: str, notes: tuple[str, ...] = ()) -> TableRow:
    """October with so many rows."""
    return TableRow(cells=("2025-10", rows), amounts=tuple((cost,) for cost in costs), notes=notes)


def test_columns_are_aligned_and_numbers_stand_to_the_right() -> None:
    assert list(
        table_lines(HEADS, COST, [row("7", "1.00 EUR"), row("1,234", "10.00 EUR")], width=80)
    ) == [
        "month     rows  billed cost",
        "2025-10      7     1.00 EUR",
        "2025-10  1,234    10.00 EUR",
    ]


def test_each_currency_has_a_line_of_its_own_and_notes_follow() -> None:
    lines = list(
        table_lines(HEADS, COST, [row("7", "1.00 EUR", "20.00 USD", notes=("held",))], width=80)
    )
    assert lines[1:] == [
        "2025-10     7     1.00 EUR",
        "                 20.00 USD",
        "    held",
    ]


def test_amounts_that_do_not_fit_beside_stand_below_whole() -> None:
    lines = list(table_lines(HEADS, COST, [row("7", LONG), row("8", "1.00 USD")], width=40))
    assert lines == [
        "month    rows",
        "2025-10     7",
        f"    {LONG}",
        "2025-10     8",
        f"    {'1.00 USD':>{len(LONG)}}",
    ]


def test_a_row_without_amounts_has_no_empty_line_below_it() -> None:
    lines = list(table_lines(HEADS, COST, [row("7", LONG), row("-")], width=40))
    assert lines[-1] == "2025-10     -"


def test_long_notes_are_wrapped_between_words_and_ids_are_not_broken() -> None:
    run_id = "0f6e1a52-77c2-4a7e-9d5b-3a1f5c0b8e11"
    note = f"waiting: run {run_id}, submitted 9 h ago, 1 of 2 parts missing"
    lines = list(table_lines(HEADS, COST, [row("7", "1.00 EUR", notes=(note,))], width=60))
    assert len(lines) == 4
    assert max(map(len, lines)) <= 60
    assert " ".join(line.strip() for line in lines[2:]) == note


def test_the_widest_text_is_broken_into_lines_before_amounts_go_below() -> None:
    heads = (Head(title="name"), Head(title="rows", is_number=True))
    rows = [
        TableRow(cells=("virtual machines west", "1,234"), amounts=(("1.00 EUR",), ("2.00 USD",)))
    ]
    assert list(table_lines(heads, COST, rows, width=36)) == [
        "name               rows  billed cost",
        "virtual machines  1,234     1.00 EUR",
        "west                        2.00 USD",
    ]


def test_a_date_is_never_broken() -> None:
    heads = (Head(title="loaded (UTC)"), Head(title="run"))
    rows = [TableRow(cells=("2026-11-29 16:56", "8f2f28e8-facb-4cd9"), amounts=(("1.00 EUR",),))]
    assert list(table_lines(heads, COST, rows, width=41)) == [
        "loaded      run               billed cost",
        "(UTC)",
        "2026-11-29  8f2f28e8-facb-4c     1.00 EUR",
        "16:56       d9",
    ]


def test_nothing_is_broken_where_the_width_is_that_of_no_terminal() -> None:
    cells = ("x" * 500, "y z" * 500)
    heads = (Head(title="a"), Head(title="b"))
    (_, line) = table_lines(heads, (), [TableRow(cells=cells)], width=sys.maxsize)
    assert line == "  ".join(cells)


@tries(100)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**9), st.lists(st.decimals(-(10**9), 10**9, places=18), max_size=3)
        ),
        min_size=1,
        max_size=5,
    ),
    st.integers(30, 80),
)
def test_every_amount_is_there_whole_and_once_whatever_the_width(
    rows: list[tuple[int, list[object]]], width: int
) -> None:
    given_rows = [row(f"{count:,}", *(f"{cost} EUR" for cost in costs)) for count, costs in rows]
    lines = list(table_lines(HEADS, COST, given_rows, width=width))
    told = [word for line in lines[1:] for word in line.split()]
    expected = [
        word
        for one in given_rows
        for word in (*one.cells, *(c for (a,) in one.amounts for c in a.split()))
    ]
    assert told == expected
    widest = max((len(a) for one in given_rows for (a,) in one.amounts), default=0)
    if widest + 4 <= width:
        assert max(map(len, lines)) <= width


@tries(100)
@given(st.sets(st.text("ab01", min_size=1, max_size=12), max_size=6))
def test_short_ids_tell_runs_apart(run_ids: set[str]) -> None:
    names = short_ids(run_ids)
    assert set(names) == run_ids
    assert len(set(names.values())) == len(run_ids)
    assert all(run_id.startswith(name) for run_id, name in names.items())


def test_short_ids_have_eight_characters_or_as_many_more_as_it_takes() -> None:
    assert short_ids(["0f6e1a52-77c2", "1f6e1a52-77c2"])["0f6e1a52-77c2"] == "0f6e1a52"
    assert set(short_ids(["0f6e1a52-1", "0f6e1a52-2"]).values()) == {"0f6e1a52-1", "0f6e1a52-2"}


def test_text_of_the_data_cannot_command_the_terminal() -> None:
    assert printable("a\x1b[2J\n") == r"a\x1b[2J\n"
