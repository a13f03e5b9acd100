"""What the comments of views remember, and what tells that a view must be made again."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudbill.focus.columns import Version, columns_of
from cloudbill.focus.views import VIEWS, Memory, fingerprint_of, view_columns, views_of
from cloudbill.manifests import ColumnType
from cloudbill.warehouses.view_dialects import BIGQUERY_FOCUS, DUCKDB_FOCUS, FocusDialect
from figures import tries
from focus_tables import source_of

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
MEMORIES = st.builds(
    Memory,
    fingerprint=TEXTS,
    excluded=st.frozensets(TEXTS, max_size=3),
    sources=st.lists(
        st.tuples(TEXTS, st.lists(TEXTS, max_size=3).map(tuple)),
        max_size=3,
        unique_by=lambda x: x[0],
    ).map(tuple),
)
DAY = date(2025, 10, 1)


@tries(100)
@given(MEMORIES)
def test_a_comment_says_what_was_remembered(memory: Memory) -> None:
    assert Memory.of(memory.comment) == memory


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "My own view",
        "cloudbill",
        "cloudbill is great",
        "cloudbill []",
        'cloudbill {"view": "1"}',
        'cloudbill {"view": "1", "excluded": 1}',
        'cloudbill {"view": "1", "excluded": [], "sources": 1}',
        f"{Memory(fingerprint='1').comment}\nand my own words",
    ],
)
def test_the_comment_of_somebody_else_remembers_nothing(comment: str) -> None:
    assert Memory.of(comment) is None


def test_whatever_changes_a_query_changes_the_fingerprint() -> None:
    source = source_of("aws both", DUCKDB_FOCUS, ("bills", "billing", "bill"))
    table = source.table
    others = [
        replace(source, name="another"),
        replace(source, path=("bills", "billing", "other")),
        replace(source, left_out=((DAY, date(2025, 11, 1)),)),
        replace(source, versions=((DAY, date(2025, 11, 1), "1.0"),)),
        replace(source, left_over=("bills", "billing", "rests")),
        replace(source, table=replace(table, headers={})),
        replace(source, table=replace(table, kinds={**table.kinds, "new": ColumnType.STRING})),
        replace(
            source,
            table=replace(table, kinds={**table.kinds, "pricing_unit": ColumnType.INTEGER}),
        ),
    ]
    marks = {fingerprint_of([one], ("bills", "billing")) for one in (source, *others)}
    assert len(marks) == 1 + len(others)
    again = source_of("aws both", DUCKDB_FOCUS, ("bills", "billing", "bill"))
    assert fingerprint_of([again], ("bills", "billing")) in marks
    assert fingerprint_of([source, others[0]], ("bills", "billing")) not in marks
    assert fingerprint_of([source], ("bills", "elsewhere")) not in marks


@pytest.mark.parametrize("dialect", [DUCKDB_FOCUS, BIGQUERY_FOCUS], ids=["duckdb", "bigquery"])
def test_a_view_has_the_columns_of_focus_then_ours(dialect: FocusDialect) -> None:
    shapes = ("azure 1.2", "aws both", "aws_focus 1.2")
    sources = [source_of(shape, dialect, (shape,)) for shape in shapes]
    views = views_of(sources, dialect, ("finops",))
    assert tuple(view.name for view in views) == VIEWS
    for view, version in zip(views, (Version.V1_2, Version.V1_4), strict=False):
        names = [column.name for column in view.columns]
        assert view.columns == view_columns(sources, version)
        focus = [column.name for column in columns_of(version)]
        assert names[: len(focus)] == focus
        assert names[len(focus) : len(focus) + 3] == [
            "x_Source",
            "x_BillingMonth",
            "x_FocusVersion",
        ]
        assert all(name.startswith("x_") for name in names[len(focus) :])
        assert len({name.lower() for name in names}) == len(names)


def test_columns_beyond_focus_that_two_providers_have_are_in_the_view_once() -> None:
    azure = source_of("azure 1.2", DUCKDB_FOCUS, ("azure",))
    aws = source_of("aws_focus 1.2", DUCKDB_FOCUS, ("aws",))
    kinds = {**aws.table.kinds, "x_skumetercategory": ColumnType.STRING}
    also = replace(aws, table=replace(aws.table, kinds=kinds))
    alone, together = (
        {column.name for column in view_columns([azure, one], Version.V1_2)} for one in (aws, also)
    )
    assert together - alone == {"x_SkuMeterCategory"}
