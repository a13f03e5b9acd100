"""How BigQuery says what sums a table into a cost cube."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cloudbill.cost_query import CubeWords
from cloudbill.models import ColumnType
from cloudbill.sql import BIGQUERY
from cloudbill.warehouses._bigquery_tables import column_types

if TYPE_CHECKING:
    from collections.abc import Sequence

    from google.cloud import bigquery

__all__ = ["WORDS", "exact_types"]

WORDS: Final = CubeWords(
    dialect=BIGQUERY,
    parameter="@",
    text="CAST({name} AS STRING)",
    months={
        # The zone is stated: a project may have another one as its default.
        ColumnType.TIMESTAMP: "FORMAT_DATE('%Y-%m', DATE({name}, 'UTC'))",
        ColumnType.DATE: "FORMAT_DATE('%Y-%m', {name})",
    },
    days={
        ColumnType.TIMESTAMP: "CAST(DATE({name}, 'UTC') AS STRING)",
        ColumnType.DATE: "CAST({name} AS STRING)",
    },
)

_NUMERIC: Final = frozenset({"NUMERIC", "DECIMAL"})


def exact_types(schema: Sequence[bigquery.SchemaField]) -> dict[str, ColumnType | str]:
    """What the columns hold; NUMERIC is exact as well, though cloudbill makes no such column."""
    return {
        name: ColumnType.DECIMAL if kind in _NUMERIC else kind
        for name, kind in column_types(schema).items()
    }
