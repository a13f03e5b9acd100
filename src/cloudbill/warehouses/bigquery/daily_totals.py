"""Sums the cost columns of a BigQuery table by currency and day, by one query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cloudbill.costs.amounts import to_amount
from cloudbill.costs.daily_totals import CostColumns, DailyTotals, DayTotals, choose_costs
from cloudbill.models import ColumnType
from cloudbill.sql import BIGQUERY, Fragment
from cloudbill.warehouses.bigquery.tables import exact_types

if TYPE_CHECKING:
    from google.cloud import bigquery

    from cloudbill.providers import Provider

__all__ = ["DailyQuery"]

_DAYS: Final[Mapping[ColumnType | str, str]] = {
    # The zone is stated: a project may have another one as its default.
    ColumnType.TIMESTAMP: "CAST(DATE({name}, 'UTC') AS STRING)",
    ColumnType.DATE: "CAST({name} AS STRING)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyQuery:
    """The columns of the query, which is grouped by the first two, and how its rows are read."""

    columns: list[Fragment]
    costs: CostColumns

    @classmethod
    def of(cls, schema: Sequence[bigquery.SchemaField], provider: Provider) -> DailyQuery:
        """The query over a table of this schema."""
        kinds = exact_types(schema)
        costs = choose_costs(kinds, provider.COST_COLUMNS)
        by_key = {name.lower(): name for name in kinds}
        currency = by_key.get(provider.CURRENCY_COLUMN.lower())
        day = by_key.get(provider.CLUSTER_COLUMN.lower())
        of_day = _DAYS.get(kinds[day]) if day else None
        columns = [
            BIGQUERY.compose("IFNULL(CAST({name} AS STRING), '') AS currency", name=currency)
            if currency
            else Fragment("'' AS currency"),
            BIGQUERY.compose(f"{of_day} AS day", name=day)
            if of_day and day
            else Fragment("CAST(NULL AS STRING) AS day"),
            Fragment("COUNT(*)"),
            *(BIGQUERY.compose("IFNULL(SUM({name}), 0)", name=cost) for cost in costs.exact),
        ]
        return cls(columns=columns, costs=costs)

    def read(self, rows: Iterable[Sequence[Any]]) -> DailyTotals:
        """The totals that the rows of the result hold."""
        keys = [cost.lower() for cost in self.costs.exact]
        return DailyTotals(
            days={
                (str(row[0]), row[1]): DayTotals(
                    rows=int(row[2]),
                    amounts={
                        key: to_amount(amount) for key, amount in zip(keys, row[3:], strict=True)
                    },
                )
                for row in rows
            },
            columns=dict(zip(keys, self.costs.exact, strict=True)),
            inexact=self.costs.inexact,
        )
