"""Placeholders become SQL for one table, whatever types its columns have."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloudbill.files.duckdb_types import TABLE_TYPES
from cloudbill.focus.mapping import Entry, Objects, lookup_of
from cloudbill.focus.rendering import BilledTable
from cloudbill.manifests import ColumnType
from cloudbill.sql import DUCKDB
from cloudbill.warehouses.view_dialects import BIGQUERY_FOCUS, DUCKDB_FOCUS
from figures import tries

Kinds = Mapping[str, ColumnType | str]
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
TYPES: Mapping[str, str] = {str(kind): type_ for kind, type_ in TABLE_TYPES.items()}
AT = datetime(2025, 10, 1, 2, 3, 4)  # noqa: DTZ001 - what DuckDB has
CELLS: dict[ColumnType, Any] = {
    ColumnType.BOOLEAN: True,
    ColumnType.BYTES: b"a",
    ColumnType.DATE: date(2025, 10, 1),
    ColumnType.DECIMAL: Decimal("1.50"),
    ColumnType.FLOAT: 0.1,
    ColumnType.INTEGER: 7,
    ColumnType.JSON: '{"a":"1"}',
    ColumnType.STRING: "1.50",
    ColumnType.TIME: time(1, 2),
    ColumnType.TIMESTAMP: AT,
}
DAY = datetime(2025, 10, 1)  # noqa: DTZ001
READ: dict[ColumnType, tuple[str | None, Decimal | None, datetime | None, str | None]] = {
    ColumnType.BOOLEAN: ("true", None, None, None),
    ColumnType.BYTES: (None, None, None, None),
    ColumnType.DATE: ("2025-10-01", None, DAY, None),
    ColumnType.DECIMAL: ("1.5", Decimal("1.5"), None, None),
    ColumnType.FLOAT: ("0.1", Decimal("0.1"), None, None),
    ColumnType.INTEGER: ("7", Decimal(7), None, None),
    ColumnType.JSON: ('{"a":"1"}', None, None, '{"a":"1"}'),
    ColumnType.STRING: ("1.50", Decimal("1.5"), None, None),
    ColumnType.TIME: ("01:02:00", None, None, None),
    ColumnType.TIMESTAMP: ("2025-10-01T02:03:04Z", None, AT, None),
}
"""Each cell as text, money, time and object."""


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty DuckDB."""
    with duckdb.connect(config={"threads": 1}) as found:
        yield found


def table(kinds: Kinds, headers: Mapping[str, str] | None = None) -> BilledTable:
    return BilledTable(dialect=DUCKDB_FOCUS, kinds=kinds, headers=headers or {})


def values(
    connection: duckdb.DuckDBPyConnection,
    known: BilledTable,
    row: Mapping[str, Any],
    *expressions: str,
    objects: Mapping[str, Objects] | None = None,
    columns: Mapping[str, Entry] | None = None,
) -> tuple[Any, ...]:
    """What expressions are for a row of a table."""
    rendered = [f"({known.render(one, columns or {}, objects or {})})" for one in expressions]
    cells = ", ".join(
        f"CAST(${at} AS {TYPES.get(kind, kind)}) AS {DUCKDB.quote_identifier(name)}"
        for at, (name, kind) in enumerate(known.kinds.items(), start=1)
    )
    found = connection.execute(
        f"SELECT {', '.join(rendered)} FROM (SELECT {cells})",  # noqa: S608
        [row[name] for name in known.kinds],
    ).fetchone()
    assert found is not None
    return found


@pytest.mark.parametrize("kind", CELLS, ids=[*CELLS])
def test_a_column_is_read_as_what_is_asked_whatever_type_it_has(
    connection: duckdb.DuckDBPyConnection, kind: ColumnType
) -> None:
    asked = ("{Cell}", "{cell:money}", "{CELL:time}", "{cell:json}")
    known = table({"cell": kind})
    assert values(connection, known, {"cell": CELLS[kind]}, *asked) == READ[kind]
    assert values(connection, known, {"cell": None}, *asked) == (None,) * 4


def test_a_column_that_is_lacking_is_nothing_of_its_type(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    forms = ("", ":raw", ":money", ":time", ":json", ":unparsed")
    asked = [f"typeof({{gone{form}}})" for form in forms] + [f"{{gone{form}}}" for form in forms]
    found = values(connection, table({"own": ColumnType.STRING}), {"own": ""}, *asked)
    kinds = ("VARCHAR", "VARCHAR", "DECIMAL(38,18)", "TIMESTAMP", "JSON", "VARCHAR")
    assert found == (*kinds, *[None] * len(forms))


def test_a_type_that_is_nobody_knows_of_is_text_or_an_amount(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    known = table({"small": "DECIMAL(9,2)", "other": "UUID"})
    row = {"small": Decimal("1.25"), "other": "8f2b1c9e-0000-4000-8000-000000000000"}
    found = values(connection, known, row, "{small:money}", "{small}", "{other}", "{other:money}")
    assert found == (Decimal("1.25"), "1.25", row["other"], None)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a":"1"}', {"a": "1"}),
        ('"a":"1", "b": 2', {"a": "1", "b": 2}),
        ("{}", None),
        ("", None),
        ("[1]", None),
        ("null", None),
        ('"a"', None),
        ("no object", None),
        ('{"a": ', None),
        ("} {", None),
    ],
)
def test_text_is_an_object_with_its_braces_or_without(
    connection: duckdb.DuckDBPyConnection, text: str, found: object
) -> None:
    known = table({"tags": ColumnType.STRING})
    read, unparsed = values(connection, known, {"tags": text}, "{tags:json}", "{tags:unparsed}")
    assert (None if read is None else json.loads(read)) == found
    # Nothing is lost.
    assert unparsed == (text if found is None and text not in {"", "{}"} else None)


@tries(100)
@given(text=TEXTS)
def test_no_text_is_more_than_a_column_can_bear(
    connection: duckdb.DuckDBPyConnection, text: str
) -> None:
    known = table({"cell": ColumnType.STRING})
    asked = ("{cell}", "{cell:raw}", "{cell:money}", "{cell:time}", "{cell:json}")
    found = values(connection, known, {"cell": text}, *asked)
    assert found[:2] == (text or None, text)


@tries(100)
@given(text=st.text(":/a", max_size=20), part=st.integers(1, 8))
def test_parts_are_what_is_between_colons(
    connection: duckdb.DuckDBPyConnection, text: str, part: int
) -> None:
    known = table({"arn": ColumnType.STRING})
    asked = (f"{{part:{part}:arn}}", f"{{head:{part}:arn}}")
    parts = [*text.split(":"), *[""] * 8]
    expected = parts[part - 1]
    assert values(connection, known, {"arn": text}, *asked) == (
        expected or None,
        expected.partition("/")[0] or None,
    )


def test_a_lookup_gives_the_value_of_its_key_and_of_nothing_else(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    services = lookup_of("services")
    known = table({"code": ColumnType.STRING})
    asked = "{lookup:services:ServiceCategory:code}"
    categories = dict(zip(services.keys, services.values["ServiceCategory"], strict=True))
    odd = ("", "Amazon", "AmazonEC2|", "|", "AmazonEC2=", "amazonec2", "Compute")
    for code in (*services.keys[::40], services.keys[-1], *odd):
        (found,) = values(connection, known, {"code": code}, asked)
        assert found == categories.get(code)


KEYS = st.text("aäZ09_ .:\"\\'", min_size=1, max_size=6)


@tries(100)
@given(
    tags=st.dictionaries(KEYS, st.none() | TEXTS, max_size=4), more=st.dictionaries(TEXTS, TEXTS)
)
def test_a_group_of_columns_is_one_object_of_all_that_is_not_empty(
    connection: duckdb.DuckDBPyConnection, tags: dict[str, str | None], more: dict[str, str]
) -> None:
    columns = {f"tag_{at}": key for at, key in enumerate(tags)}
    known = table(
        {**dict.fromkeys(columns, ColumnType.STRING), "map": ColumnType.JSON},
        {name: f"Tags/{key}" for name, key in columns.items()},
    )
    groups = {
        "tags": Objects(prefixes=(("tag_", "tags/", ""),), maps=(("map", ""), ("gone", ""))),
        "named": Objects(prefixes=(("tag_", "tags/", "x_"),), maps=()),
    }
    row = {name: tags[key] for name, key in columns.items()} | {"map": json.dumps(more)}
    found = values(connection, known, row, "{objects:tags}", "{objects:named}", objects=groups)
    read = [json.loads(one) if one else {} for one in found]
    kept = {key: text for key, text in tags.items() if text}
    assert read == [kept | more, {f"x_{key}": text for key, text in kept.items()}]


ODD = st.text('{},:[]" \\a', max_size=3)


@tries(100)
@given(members=st.dictionaries(ODD, ODD | st.booleans(), min_size=1, max_size=3))
@example(members={"a": "{", ":k": "1"})
def test_keys_of_an_object_get_their_prefix(
    connection: duckdb.DuckDBPyConnection, members: dict[str, object]
) -> None:
    known = table({"map": ColumnType.JSON})
    groups = {"all": Objects(prefixes=(), maps=(("map", "x_"),))}
    row = {"map": json.dumps(members)}
    (found,) = values(connection, known, row, "{objects:all}", objects=groups)
    assert json.loads(found) == {f"x_{key}": value for key, value in members.items()}


def test_columns_whose_headers_are_not_known_go_by_their_names(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    known = table(
        {"resource_tags_user_team": ColumnType.STRING, "resource_tags_": ColumnType.STRING}
    )
    groups = {"tags": Objects(prefixes=(("resource_tags_", "resourceTags/", ""),), maps=())}
    row = {"resource_tags_user_team": "web", "resource_tags_": "no tag"}
    assert values(connection, known, row, "{objects:tags}", objects=groups) == (
        '{"user_team":"web"}',
    )
    assert values(
        connection, table({"own": ColumnType.STRING}), {"own": ""}, "{objects:tags}", objects=groups
    ) == (None,)


def test_the_value_of_another_column_stands_in_its_place(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    columns = {
        "One": Entry(value="{cell} || '!'", null=None),
        "Two": Entry(value="{One!} || {One!}", null=None),
        "None": Entry(value=None, null="There is none."),
    }
    known = table({"cell": ColumnType.STRING})
    found = values(connection, known, {"cell": "a"}, "{Two!}", "{None!}", columns=columns)
    assert found == ("a!a!", None)
    named = known.render("{One!}", columns, {}, named={"One"})
    assert str(named) == '"cloudbill_One"'


def test_members_of_an_object_are_read_by_their_keys(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    row = {"product": '{"name":"S3","empty":""}', "text": '{"name":"no object of ours"}'}
    known = table({"product": ColumnType.JSON, "text": ColumnType.STRING})
    asked = ("{product.name}", "{PRODUCT.empty}", "{product.gone}", "{text.name}", "{gone.name}")
    assert values(connection, known, row, *asked) == ("S3", None, None, None, None)


def test_identifiers_are_quoted_in_both_warehouses() -> None:
    kinds = {'a "b" `c`': ColumnType.STRING}
    for dialect, quoted in ((DUCKDB_FOCUS, '"a ""b"" `c`"'), (BIGQUERY_FOCUS, '`a "b" \\`c\\``')):
        known = BilledTable(dialect=dialect, kinds=kinds, headers={})
        assert str(known.raw('A "B" `C`')) == quoted
