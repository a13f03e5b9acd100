"""Sums a DuckDB table into a cost cube, by one query."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import duckdb

from cloudbill.costs.cube import CostCube, CubeRequest
from cloudbill.costs.cube_query import CubeQuery, CubeWords
from cloudbill.errors import LoadError
from cloudbill.models import ColumnType
from cloudbill.sql import DUCKDB

if TYPE_CHECKING:
    from cloudbill.providers import Provider
    from cloudbill.warehouses.duckdb.dataset import Dataset

__all__ = ["read_cube"]

_WORDS: Final = CubeWords(
    dialect=DUCKDB,
    parameter="$",
    text="CAST({name} AS VARCHAR)",
    months={
        ColumnType.TIMESTAMP: "strftime({name}, '%Y-%m')",
        ColumnType.DATE: "strftime({name}, '%Y-%m')",
    },
    days={
        # As text: Python's dates end at the year 9999, and DuckDB's do not.
        ColumnType.TIMESTAMP: "CAST(CAST({name} AS DATE) AS VARCHAR)",
        ColumnType.DATE: "CAST({name} AS VARCHAR)",
    },
)


def read_cube(
    dataset: Dataset,
    provider: Provider,
    table: str,
    kinds: Mapping[str, ColumnType | str],
    request: CubeRequest,
) -> CostCube:
    """The groups and exact sums of a table that has these columns; none where it has none.

    Raises:
        LoadError: If the table cannot be read, or a sum has more than 38 digits.
    """
    if not kinds:
        return CostCube()
    query = CubeQuery.of(kinds, provider, request, _WORDS)
    parameters: dict[str, object] = dict(query.parameters)
    if request.since is not None:
        parameters["since"] = request.since.first_day
    statement = query.statement(
        DUCKDB,
        table=dataset.table(table),
        period=provider.PERIOD_COLUMN,
        since=None if request.since is None else "$since",
    )
    try:
        return query.read(dataset.connection.execute(statement.text, parameters).fetchall())
    except duckdb.Error as error:
        raise LoadError(f"{table} cannot be summed: {error}") from error
