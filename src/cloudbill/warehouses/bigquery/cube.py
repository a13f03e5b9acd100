"""How BigQuery says what sums a table into a cost cube."""

from __future__ import annotations

from typing import Final

from cloudbill.costs.cube_query import CubeWords
from cloudbill.models import ColumnType
from cloudbill.sql import BIGQUERY

__all__ = ["WORDS"]

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
