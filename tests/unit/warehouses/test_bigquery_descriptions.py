"""The description of a column keeps its header as far as BigQuery takes it."""

from __future__ import annotations

from google.cloud import bigquery as bq

from cloudbill.files.columns import assign_columns
from cloudbill.manifests import Column, ColumnType
from cloudbill.warehouses.bigquery.column_headers import headers_of
from cloudbill.warehouses.bigquery.tables import extended, fields_of

LONGEST = 1024


def test_a_description_ends_where_bigquery_would_refuse_it() -> None:
    column = Column(name="tag/" + "x" * 2000, target="tag_x", type=ColumnType.STRING)
    (field,) = fields_of([column])
    assert field.description == column.name[:LONGEST]
    (described,) = extended([bq.SchemaField("tag_x", "STRING")], [column], [], required=frozenset())
    assert described.description == column.name[:LONGEST]


def test_a_header_that_was_cut_off_keeps_its_column() -> None:
    headers = ["tag/" + "x" * 1500 + end for end in ("one", "two")]
    first = assign_columns(headers, {}, str)
    assert len({*first.values()}) == 2
    fields = fields_of(
        Column(name=header, target=target, type=ColumnType.STRING)
        for header, target in first.items()
    )
    assert assign_columns(reversed(headers), headers_of(fields), str) == first
