"""Whatever object a file has, as a map or as text, it is one text: sorted, and without a space."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st

from cloudbill.files.json_text import map_value, object_value
from cloudbill.sql import Fragment
from figures import tries

MANY = tries(60, suppress=[HealthCheck.function_scoped_fixture])
CHARACTERS = st.characters(exclude_categories=["Cs"])
TEXTS = st.text(CHARACTERS, max_size=8) | st.sampled_from(
    ["a", "A", "a b", "a!", '"', "\\", "~1/", "$.a", ":", ",", "{", "}"]
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
MAPS = st.dictionaries(TEXTS, TEXTS | st.none(), max_size=6)
NUMBERED = st.dictionaries(TEXTS, NUMBERS | st.none(), max_size=6)


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def of_map(database: duckdb.DuckDBPyConnection, pairs: Mapping[str, Any], kind: str) -> str:
    value = map_value("cell", f"MAP(VARCHAR, {kind})")
    entries = "list_zip($keys::VARCHAR[], $values::" + kind + "[])"
    row = database.execute(
        f"SELECT {value} FROM (SELECT map_from_entries({entries}) AS cell)",  # noqa: S608
        {"keys": list(pairs), "values": list(pairs.values())},
    ).fetchone()
    assert row is not None
    return str(row[0])


def of_text(database: duckdb.DuckDBPyConnection, text: str) -> str:
    value = object_value(Fragment("cell"), "Tags")
    row = database.execute(f"SELECT {value} FROM (SELECT $text AS cell)", {"text": text}).fetchone()  # noqa: S608
    assert row is not None
    return str(row[0])


@given(pairs=MAPS)
@example(pairs={"a": "x", "A": "y", "a b": '"', "\U0001f600": "\x7f", "": None})
@MANY
def test_a_map_of_texts_is_the_object_that_python_writes(
    database: duckdb.DuckDBPyConnection, pairs: dict[str, str | None]
) -> None:
    text = of_map(database, pairs, "VARCHAR")
    found = json.loads(text)
    assert (found, list(found)) == (pairs, sorted(pairs))
    written = json.dumps(pairs, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert text.lower() == written.lower()  # the digits of control characters may be capitals


@given(pairs=MAPS | NUMBERED, spaced=st.booleans(), escaped=st.booleans())
@example(pairs={"b": 5.0, "a": "5.0"}, spaced=True, escaped=True)
@example(pairs={"b": -0.0, "a": 1e300, "c": 1e-7}, spaced=False, escaped=True)
@example(pairs={"a": 1e2, "b": 1.1e16}, spaced=False, escaped=False)
@example(
    pairs={"a b": ":", "a!": ",", "a": "", ":": "x", ",": ":", "": "{}", ":a": "]"},
    spaced=False,
    escaped=False,
)
@MANY
def test_a_text_is_spelt_as_the_map_with_the_same_pairs(
    database: duckdb.DuckDBPyConnection, pairs: dict[str, Any], *, spaced: bool, escaped: bool
) -> None:
    text = json.dumps(
        pairs,
        separators=(", ", ": ") if spaced else (",", ":"),
        ensure_ascii=escaped,
    )
    found = of_text(database, text)
    assert json.loads(found) == pairs
    kinds = {type(value) for value in pairs.values()} - {type(None)}
    if len(kinds) <= 1:
        kind = "DOUBLE" if kinds == {float} else "VARCHAR"
        assert found == of_map(database, pairs, kind)


@given(pairs=NUMBERED)
@MANY
def test_numbers_are_the_doubles_that_they_were(
    database: duckdb.DuckDBPyConnection, pairs: dict[str, float | None]
) -> None:
    found = json.loads(of_map(database, pairs, "DOUBLE"))
    assert found == pairs
    assert all(
        math.copysign(1, found[key] or 1) == math.copysign(1, pairs[key] or 1) for key in pairs
    )


INSIDE = st.recursive(
    TEXTS | st.none() | st.booleans() | st.integers(-(2**53), 2**53),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(pairs=st.dictionaries(TEXTS, INSIDE, max_size=4))
@example(pairs={"b": {"z": [{"y": 1, "x": {}}], "a": "{"}, "a": "["})
@MANY
def test_objects_inside_of_objects_are_sorted_as_well(
    database: duckdb.DuckDBPyConnection, pairs: dict[str, Any]
) -> None:
    written = json.dumps(pairs, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    found = of_text(database, json.dumps(pairs))
    assert found.lower() == written.lower()  # the digits of control characters may be capitals
    assert of_text(database, found) == found


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("MAP {'a': MAP {'z': 1, 'b': 2}}", '{"a":{"b":2,"z":1}}'),
        ("MAP {'b': {'z': 'x', 'a': 2}, 'a': NULL}", '{"a":null,"b":{"a":2,"z":"x"}}'),
        ("MAP {'b': [3, 1], 'a': []}", '{"a":[],"b":[3,1]}'),
    ],
)
def test_maps_inside_of_maps_are_sorted_as_well(
    database: duckdb.DuckDBPyConnection, value: str, text: str
) -> None:
    (kind,) = database.execute(f"SELECT typeof({value})").fetchone() or ("",)
    statement = f"SELECT {map_value('cell', kind)} FROM (SELECT {value} AS cell)"  # noqa: S608
    assert database.execute(statement).fetchone() == (text,)


@pytest.mark.parametrize(
    "text",
    [
        "nul",
        "[1]",
        '"x"',
        "{",
        '{"a":}',
        "5",
        '{"a":"\\ud83d"}',
        '{"a":1,}',
        '{"a":[1, ],"b":","}',
        '{"a":"x",\t}',
    ],
)
def test_what_is_no_object_is_refused_with_the_name_of_its_column(
    database: duckdb.DuckDBPyConnection, text: str
) -> None:
    with pytest.raises(
        duckdb.InvalidInputException, match=r"not a JSON object: .* in column 'Tags'"
    ):
        of_text(database, text)


@pytest.mark.parametrize(
    "inner",
    [
        '{"a":1234567890123456789012,"b":1234567890123456789013,"c":20000000000000000001}',
        "[1234567890123456789012,1234567890123456789012,20000000000000000001]",
        '{"b":1,"b":2,"c":20000000000000000001,"d":20000000000000000001,"e":20000000000000000001}',
    ],
)
def test_numbers_beyond_doubles_and_keys_that_stand_twice_stay_as_they_are_inside(
    database: duckdb.DuckDBPyConnection, inner: str
) -> None:
    """What is lost of one may be as long as what another would get."""
    assert of_text(database, f'{{"x":{inner}}}') == f'{{"x":{inner}}}'


def test_a_comma_before_a_bracket_may_be_in_a_text(database: duckdb.DuckDBPyConnection) -> None:
    text = '{"a":"x,}\\",]","b":{"c":",}"}}'
    assert of_text(database, text) == text
