"""One BigQuery dataset: its tables, and what they hold."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from google.api_core import exceptions as api
from google.cloud import bigquery

from cloudbill.costs.amounts import to_amount
from cloudbill.costs.cube import CostCube, CubeRequest
from cloudbill.costs.cube_query import CubeQuery
from cloudbill.costs.daily_totals import DailyTotals
from cloudbill.files.columns import added_columns
from cloudbill.models import BillingPeriod, Column, ColumnType, PlannedLoad, TableMonth, Totals
from cloudbill.sql import BIGQUERY, Fragment
from cloudbill.warehouses.bigquery.client import PersistentClient, bigquery_errors
from cloudbill.warehouses.bigquery.cube import WORDS
from cloudbill.warehouses.bigquery.daily_totals import DailyQuery
from cloudbill.warehouses.bigquery.ledger_query import LedgerQuery
from cloudbill.warehouses.bigquery.tables import (
    column_types,
    exact_types,
    extended,
    in_month,
    new_table,
)
from cloudbill.warehouses.ledger_rows import STATE_TABLE, LedgerRows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudbill.settings.warehouse import WarehouseSettings
    from cloudbill.warehouses.bigquery.incoming import Incoming

__all__ = ["Dataset"]

_NUMBERS: Final = frozenset({ColumnType.DECIMAL, ColumnType.INTEGER, ColumnType.FLOAT})
_LABEL_CHARACTERS: Final = re.compile(r"[^a-z0-9_-]")


class Dataset:
    """Makes and reads tables; `location` is where jobs run, once it is known."""

    def __init__(self, client: PersistentClient, settings: WarehouseSettings) -> None:
        self._client = client
        self._settings = settings
        self.location = settings.location
        self._preparing = threading.Lock()
        self._has_dataset = False

    def find_table(self, name: str) -> bigquery.Table | None:
        """A table as it is now, or None where there is none."""
        with bigquery_errors(f"Reading {name}"):
            try:
                return self._client.get_table(self.reference(name))
            except api.NotFound:
                return None

    def prepare_table(self, planned: PlannedLoad, columns: Sequence[Column]) -> bigquery.Table:
        """The table, created if it is missing; one thread at a time."""
        provider = self._settings.provider
        reference = self.reference(planned.table)
        with self._preparing, bigquery_errors(f"Preparing {planned.table}"):
            self.prepare_dataset()
            try:
                return self._client.get_table(reference)
            except api.NotFound:
                table = new_table(
                    reference,
                    columns,
                    period_column=planned.period_column,
                    cluster_column=provider.CLUSTER_COLUMN,
                )
                return self._client.create_table(table, exists_ok=True)

    def extend_table(self, planned: PlannedLoad, incoming: Incoming) -> bigquery.Table:
        """The table with all columns of the run; one thread at a time, for all change one schema.

        New columns are empty, so a load that fails after this leaves the month as it was.
        """
        with self._preparing, bigquery_errors(f"Adding columns to {planned.table}"):
            table = self._client.get_table(self.reference(planned.table))
            added = added_columns(incoming.columns, column_types(table.schema), table=planned.table)
            schema = extended(table.schema, incoming.columns, added)
            if schema != list(table.schema):
                table.schema = schema
                table = self._client.update_table(table, ["schema"])
            return table

    @contextmanager
    def same_columns(self, table: str, staging: str) -> Iterator[None]:
        """Gives a staging table the columns that the table has by now, and keeps them so meanwhile.

        Another month of this process may have added columns since the staging table was made, and
        a copy asks for the same ones on both sides.
        """
        with self._preparing:
            with bigquery_errors(f"Adding columns to {staging}"):
                wanted = self._client.get_table(self.reference(table)).schema
                beside = self._client.get_table(staging)
                if list(beside.schema) != list(wanted):
                    beside.schema = wanted
                    self._client.update_table(beside, ["schema"])
            yield

    def prepare_dataset(self) -> None:
        """Jobs run where the dataset is, so its location is learnt before the first of them."""
        if self._has_dataset:
            return
        reference = f"{self._settings.project_id}.{self._settings.dataset}"
        try:
            dataset = self._client.get_dataset(reference)
        except api.NotFound:
            wanted = bigquery.Dataset(reference)
            if self._settings.location is not None:
                wanted.location = self._settings.location
            dataset = self._client.create_dataset(wanted, exists_ok=True)
        self.location = dataset.location or self.location
        self._has_dataset = True

    def held(self, planned: PlannedLoad) -> tuple[int, Totals]:
        """The rows and totals that the table holds for a month."""
        provider, schema = self._settings.provider, {}
        with bigquery_errors(f"Reading {planned.table}"):
            try:
                table = self._client.get_table(self.reference(planned.table))
            except api.NotFound:
                return 0, {}
            schema = {str(field.name).lower(): str(field.name) for field in table.schema}
            types = exact_types(table.schema)
            numbers = {name.lower() for name, kind in types.items() if kind in _NUMBERS}
        costs = [schema[cost.lower()] for cost in provider.COST_COLUMNS if cost.lower() in numbers]
        costs = costs if self._settings.totals else []
        currency = schema.get(provider.CURRENCY_COLUMN.lower()) if costs else None
        key = BIGQUERY.compose("IFNULL({name}, '')", name=currency) if currency else Fragment("''")
        sums = [BIGQUERY.compose("IFNULL(SUM({name}), 0)", name=cost) for cost in costs]
        rows = self._query(
            "SELECT {columns} FROM {table} WHERE {in_month} GROUP BY 1",
            *self._month(planned.period),
            what=f"Counting {planned.period} of {planned.table}",
            columns=[BIGQUERY.compose("{key} AS currency", key=key), Fragment("COUNT(*)"), *sums],
            table=self._path(planned.table),
            in_month=in_month(planned),
        )
        held = sum(int(row[1]) for row in rows)
        if not costs:
            return held, {}
        return held, {
            str(row[0]): {
                cost: to_amount(Decimal(value))
                for cost, value in zip(costs, row.values()[2:], strict=True)
            }
            for row in rows
        }

    def daily_totals(self, name: str, period: BillingPeriod) -> DailyTotals:
        """The rows and exact cost totals of a month, by one query over its cost columns."""
        table = self.find_table(name)
        if table is None:
            return DailyTotals()
        query = DailyQuery.of(table.schema, self._settings.provider)
        rows = self._query(
            "SELECT {columns} FROM {table} "
            "WHERE {period_column} >= @month_start AND {period_column} < @month_end GROUP BY 1, 2",
            *self._month(period),
            what=f"Summing {period} of {name}",
            columns=query.columns,
            table=self._path(name),
            period_column=self._settings.provider.PERIOD_COLUMN,
        )
        return query.read([row.values() for row in rows])

    def cost_cube(self, name: str, request: CubeRequest) -> CostCube:
        """Exact sums by group, by one query over the columns that it needs."""
        table = self.find_table(name)
        if table is None:
            return CostCube()
        query = CubeQuery.of(exact_types(table.schema), self._settings.provider, request, WORDS)
        parameters = [
            bigquery.ScalarQueryParameter(key, "STRING", value)
            for key, value in query.parameters.items()
        ]
        if request.since is not None:
            parameters.append(
                bigquery.ScalarQueryParameter("since", "TIMESTAMP", _midnight(request.since))
            )
        statement = query.statement(
            BIGQUERY,
            table=self._path(name),
            period=self._settings.provider.PERIOD_COLUMN,
            since=None if request.since is None else "@since",
        )
        rows = self._query("{statement}", *parameters, what=f"Summing {name}", statement=statement)
        return query.read([row.values() for row in rows])

    def days_held(self, planned: PlannedLoad) -> list[str]:
        """The ids of the DAY partitions that hold rows of the month."""
        rows = self._query(
            "SELECT DISTINCT FORMAT_TIMESTAMP('%Y%m%d', TIMESTAMP({period_column})) AS day "
            "FROM {table} WHERE {in_month}",
            *self._month(planned.period),
            what=f"Reading {planned.table}",
            table=self._path(planned.table),
            period_column=planned.period_column,
            in_month=in_month(planned),
        )
        return [str(row[0]) for row in rows]

    def table_months(self, table: str) -> dict[BillingPeriod, TableMonth]:
        """The rows of each month, and when it was written last by BigQuery's own clock.

        The metadata of the partitions tells both, for free.
        """
        held: dict[BillingPeriod, TableMonth] = {}
        for period, modified_at, rows in self._partitions(table):
            written = modified_at.astimezone(UTC).isoformat()
            earlier = held.get(period) or TableMonth(rows=0, write_mark=written)
            held[period] = TableMonth(
                rows=earlier.rows + rows, write_mark=max(earlier.write_mark or written, written)
            )
        return held

    def write_mark(self, planned: PlannedLoad) -> str | None:
        """When a month was written last, by BigQuery's own clock; None where it has no rows."""
        month = self.table_months(planned.table).get(planned.period)
        return None if month is None else month.write_mark

    def _partitions(self, table: str) -> list[tuple[BillingPeriod, datetime, int]]:
        """The partitions of a table that belong to a month: when written, and how many rows."""
        if self.find_table(table) is None:
            return []
        rows = self._query(
            "SELECT partition_id, last_modified_time, total_rows "
            "FROM {dataset}.INFORMATION_SCHEMA.PARTITIONS WHERE table_name = @table",
            bigquery.ScalarQueryParameter("table", "STRING", table),
            what=f"Reading the partitions of {table}",
            dataset=self._path(),
        )
        return [
            # In a table by DAY a month has several; `__NULL__` and the like belong to none.
            (BillingPeriod(year=int(row[0][:4]), month=int(row[0][4:6])), row[1], int(row[2] or 0))
            for row in rows
            if row[0] is not None and str(row[0]).isdecimal() and row[1] is not None
        ]

    def is_current(self, planned: PlannedLoad, job: Any) -> bool:
        """Whether a month was not written after a job that had succeeded."""
        mark = self.write_mark(planned)
        if mark is None:
            return getattr(job, "output_rows", None) == 0
        return job.ended is not None and datetime.fromisoformat(mark) <= job.ended

    def read_ledger(
        self, pipeline_name: str, tracking_tables: Sequence[str], *, newest_only: bool
    ) -> LedgerRows:
        """The states of a pipeline and the rows of its tracking tables, by one query."""
        query = LedgerQuery.of(
            {name: self._find_columns(name) for name in (STATE_TABLE, *tracking_tables)},
            self._path(),
            newest_only=newest_only,
        )
        if query.statement is None:
            return LedgerRows()
        rows = self._query(
            "{statement}",
            bigquery.ScalarQueryParameter("pipeline", "STRING", pipeline_name),
            what="Reading the ledger",
            statement=query.statement,
        )
        return query.read([row.values() for row in rows])

    def _find_columns(self, name: str) -> frozenset[str]:
        """The columns of a table; the first of a run also says where the dataset is."""
        with bigquery_errors("Reading the ledger"):
            try:
                if not self._has_dataset:
                    reference = f"{self._settings.project_id}.{self._settings.dataset}"
                    self.location = self._client.get_dataset(reference).location or self.location
                    self._has_dataset = True
                table = self._client.get_table(self.reference(name))
            except api.NotFound:  # nothing was written here yet
                return frozenset()
        return frozenset(str(field.name) for field in table.schema)

    def labels(self, planned: PlannedLoad) -> dict[str, str]:
        """What a job says of itself in the job lists and on the bill."""
        return {"source": _label(self._settings.source), "period": str(planned.period)}

    def reference(self, table: str) -> str:
        """A table of the dataset, as the API names it."""
        return f"{self._settings.project_id}.{self._settings.dataset}.{table}"

    def _query(
        self,
        template: str,
        *parameters: bigquery.ScalarQueryParameter,
        what: str,
        **pieces: str | tuple[str, ...] | Fragment | list[Fragment],
    ) -> list[bigquery.Row]:
        config = bigquery.QueryJobConfig(
            query_parameters=list(parameters),
            labels={"source": _label(self._settings.source)},
        )
        with bigquery_errors(what):
            return self._client.rows(
                BIGQUERY.compose(template, **pieces).text,
                job_config=config,
                location=self.location,
            )

    def _path(self, *names: str) -> tuple[str, ...]:
        return (str(self._settings.project_id), self._settings.dataset, *names)

    @staticmethod
    def _month(period: BillingPeriod) -> tuple[bigquery.ScalarQueryParameter, ...]:
        start, end = _midnight(period), _midnight(period.next)
        return (
            bigquery.ScalarQueryParameter("month_start", "TIMESTAMP", start),
            bigquery.ScalarQueryParameter("month_end", "TIMESTAMP", end),
        )


def _midnight(period: BillingPeriod) -> datetime:
    return datetime(period.year, period.month, 1, tzinfo=UTC)


def _label(text: str) -> str:
    # "Requirements for labels": lower case, digits, _ and -, at most 63 characters.
    return _LABEL_CHARACTERS.sub("-", text.lower())[:63]
