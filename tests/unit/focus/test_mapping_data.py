"""The mapping data is whole: every column of FOCUS has a rule or a reason, in SQL of both kinds."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from cloudbill.focus.columns import Version, columns_of
from cloudbill.focus.mapping import Entry, ProviderMapping, lookup_of, mapping_of
from cloudbill.focus.rendering import names_in
from cloudbill.manifests import ColumnType
from cloudbill.providers import PROVIDERS
from cloudbill.providers.cur_columns import documented_type
from cloudbill.warehouses.view_dialects import Kind
from focus_tables import SHAPES, provider_of

V1_2 = {column.name: column.kind for column in columns_of(Version.V1_2)}
V1_4 = {column.name: column.kind for column in columns_of(Version.V1_4)}
PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
FORMS = re.compile(
    r"\w+!"
    r"|(?P<column>\w+)(:(raw|money|time|json|unparsed))?"
    r"|(?P<object>\w+)\.\w+(:raw)?"
    r"|(part|head):[1-9]:(?P<text>\w+)"
    r"|lookup:\w+:\w+:(?P<key>\w+)"
    r"|objects:\w+"
)
KEYWORDS = {"AND", "ELSE", "IN", "NOT", "OR", "THEN", "WHEN"}
FUNCTIONS = {"COALESCE", "LOWER", "NULLIF", "UPPER", "starts_with"}
"""Those that DuckDB and BigQuery write alike."""
UNSEEN = {
    "capacity_reservation_capacity_reservation_arn",
    "capacity_reservation_capacity_reservation_status",
}
"""Columns that AWS documents and no export here has."""
MAPPINGS = [mapping_of(name) for name in PROVIDERS]


def entries(mapping: ProviderMapping) -> Iterator[tuple[str, Entry]]:
    """Every entry of a mapping, also those of what is split and left over."""
    yield from mapping.columns.items()
    for split in mapping.splits:
        yield from split.columns.items()
    if mapping.left_over:
        yield from mapping.left_over.columns.items()


def expressions(mapping: ProviderMapping) -> Iterator[str]:
    """Every expression of a mapping."""
    yield from (entry.value for _, entry in entries(mapping) if entry.value)
    yield from filter(None, (mapping.drop, *(split.where for split in mapping.splits)))
    if mapping.left_over:
        yield from (mapping.left_over.rows, mapping.left_over.amount)


def test_focus_has_these_columns() -> None:
    assert (len(V1_2), len(V1_4)) == (57, 65)
    assert V1_2.keys() - V1_4.keys() == {"ProviderName", "PublisherName"}
    for names in (V1_2, V1_4):
        money = [name for name, kind in names.items() if name.endswith(("Cost", "Price"))]
        assert {names[name] for name in money} == {Kind.MONEY}
        assert all(names[name] is Kind.MONEY for name in names if name.endswith("Quantity"))
        assert {names["Tags"], names["SkuPriceDetails"]} == {Kind.JSON}


@pytest.mark.parametrize("mapping", MAPPINGS, ids=[*PROVIDERS])
class TestMapping:
    def test_every_column_has_a_rule_or_a_reason(self, mapping: ProviderMapping) -> None:
        delivered = V1_2.keys() if mapping.delivers_focus else set()
        assert mapping.columns.keys() | delivered >= V1_2.keys() | V1_4.keys()
        own = mapping.columns.keys() - V1_2.keys() - V1_4.keys()
        assert own == {*mapping.own_columns}
        for name, entry in entries(mapping):
            assert (entry.value is None) != (entry.null is None), name
            said = entry.null or entry.rule
            assert said.endswith("."), name
            assert said[0].isupper() or said[0] == "`", name
            assert entry.null or entry.source, name
        for split in mapping.splits:
            assert split.rule
            assert split.source

    def test_what_is_split_and_left_over_has_columns_of_the_view(
        self, mapping: ProviderMapping
    ) -> None:
        groups = [split.columns for split in mapping.splits]
        if mapping.left_over:
            groups.append(mapping.left_over.columns)
        for columns in groups:
            assert columns.keys() <= mapping.columns.keys()

    def test_placeholders_are_those_that_are_known(self, mapping: ProviderMapping) -> None:
        name = next(one for one in PROVIDERS if mapping_of(one) is mapping)
        known = {
            column.lower()
            for shape, kinds in SHAPES.items()
            if provider_of(shape) == name
            for column in kinds
        }
        if mapping.delivers_focus:
            known |= {column.lower() for column in V1_2.keys() | V1_4.keys()}
        for expression in expressions(mapping):
            for what in PLACEHOLDER.findall(expression):
                found = FORMS.fullmatch(what)
                assert found, what
                column = next(filter(None, found.groupdict().values()), None)
                if column is None:
                    continue
                is_known = column.lower() in known | UNSEEN
                is_documented = documented_type(column) is not ColumnType.STRING
                assert is_known or is_documented, column
                if found["object"]:
                    assert documented_type(column) is ColumnType.JSON
            for what in PLACEHOLDER.findall(expression):
                if what.startswith("lookup:"):
                    _, lookup, value, _ = what.split(":")
                    assert value in lookup_of(lookup).values
                if what.startswith("objects:"):
                    assert what.partition(":")[2] in mapping.objects

    def test_expressions_are_sql_of_both_warehouses(self, mapping: ProviderMapping) -> None:
        for expression in expressions(mapping):
            texts = re.findall(r"'[^']*'", expression)
            assert not any(set("\\{}") & set(text) for text in texts), expression
            bare = re.sub(r"'[^']*'", "''", PLACEHOLDER.sub("x", expression))
            assert not set('"`\\{}$@') & set(bare), expression
            called = set(re.findall(r"([A-Za-z_]\w*)\s*\(", bare))
            assert called <= FUNCTIONS | KEYWORDS, expression
            assert "CAST" not in bare.upper()
            assert bare.count("(") == bare.count(")")
            words = re.findall(r"\w+", bare)
            assert words.count("CASE") == words.count("END")

    def test_columns_that_are_made_of_others_do_not_go_in_circles(
        self, mapping: ProviderMapping
    ) -> None:
        def depth(name: str, above: tuple[str, ...] = ()) -> int:
            assert name not in above, " -> ".join((*above, name))
            below = names_in(mapping.columns[name].value or "")
            return 1 + max((depth(one, (*above, name)) for one in below), default=0)

        # What others are made of is computed in one query inside.
        assert max(map(depth, mapping.columns)) <= 3


def test_a_lookup_can_be_written_as_one_text() -> None:
    services = lookup_of("services")
    assert len({*services.keys}) == len(services.keys) > 200
    for column in ("ServiceCategory", "ServiceSubcategory"):
        for text in (*services.keys, *services.values[column]):
            assert text
            assert text == text.strip()
            assert not {"|", "=", "'", '"'} & {*text}


def test_a_service_has_a_subcategory_of_its_category() -> None:
    services = lookup_of("services").values
    pairs = {*zip(services["ServiceCategory"], services["ServiceSubcategory"], strict=True)}
    of_subcategory: dict[str, set[str]] = {}
    for category, subcategory in pairs:
        of_subcategory.setdefault(subcategory, set()).add(category)
        other = re.fullmatch(r"Other \((.*)\)", subcategory)
        assert other is None or other[1] == category
    assert {one for one, categories in of_subcategory.items() if len(categories) > 1} == set()
