"""One BigQuery dataset: its tables, and what they hold."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from google.api_core import exceptions as api
from google.cloud import bigquery

from cloudbill.costs.cube import CostCube, CubeRequest
from cloudbill.costs.cube_query import CubeQuery
from cloudbill.costs.daily_totals import DailyQuery, DailyTotals
from cloudbill.costs.month_totals import MonthQuery, MonthTotals, spans_of
from cloudbill.costs.sums import NOTHING, Charges, GroupSums, SumQuery, billed_costs, by_currency
from cloudbill.errors import BytesLimitError
from cloudbill.models import PlannedLoad, TableRows, Totals
from cloudbill.periods import BillingPeriod
from cloudbill.planning.costs import billed_costs_of
from cloudbill.settings.values import LEAST_BYTES
from cloudbill.sql import BIGQUERY, Fragment
from cloudbill.warehouses.bigquery.client import PersistentClient, bigquery_errors
from cloudbill.warehouses.bigquery.expirations import expiration_ms, keep_table, refuse_deleted
from cloudbill.warehouses.bigquery.ledger_query import LedgerQuery
from cloudbill.warehouses.bigquery.parameters import charges_of, first_day, month_of
from cloudbill.warehouses.bigquery.partition_ids import Partition
from cloudbill.warehouses.bigquery.partition_lists import PartitionLists, rows_of_months
from cloudbill.warehouses.bigquery.schema_changes import change_schema, extend_table
from cloudbill.warehouses.bigquery.tables import label_of, new_table
from cloudbill.warehouses.ledger_rows import STATE_TABLE, VERSION_TABLE, LedgerRows

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from cloudbill.settings.warehouse import WarehouseSettings
    from cloudbill.warehouses.bigquery.incoming import Incoming

__all__ = ["Dataset"]

_log = logging.getLogger(__name__)


class Dataset:
    """Creates and reads tables; `location` is where jobs run, once it is known."""

    def __init__(self, client: PersistentClient, settings: WarehouseSettings) -> None:
        self._client = client
        self._settings = settings
        self.location = settings.location
        self._preparing = threading.Lock()
        self._has_dataset = False
        self._partitions = PartitionLists(self.find_table, self._ask_partitions)
        self.is_expiring = False
        """Whether a new table expires by default, once that is known."""

    def find_table(self, name: str) -> bigquery.Table | None:
        """A table as it is now, or None if there is none."""
        with bigquery_errors(f"Reading {name}"):
            try:
                return self._client.get_table(self.reference(name))
            except api.NotFound:
                return None

    def prepare_table(self, planned: PlannedLoad, incoming: Incoming) -> bigquery.Table:
        """The table, created if it is missing.

        One thread at a time, because several months may find it missing at once.
        """
        provider = self._settings.provider
        reference = self.reference(planned.table)
        with self._preparing, bigquery_errors(f"Preparing {planned.table}"):
            self.prepare_dataset()
            try:
                return self._client.get_table(reference)
            except api.NotFound:
                table = new_table(
                    reference,
                    incoming.columns,
                    period_column=planned.period_column,
                    cluster_column=provider.CLUSTER_COLUMN,
                    required=incoming.required_in_new_table,
                    expiration_ms=expiration_ms(self._settings.partition_expiration_days),
                )
                made = self._client.create_table(table, exists_ok=True)
                return keep_table(self._client, made, days=self._settings.partition_expiration_days)

    def extend_table(
        self, planned: PlannedLoad, incoming: Incoming
    ) -> tuple[bigquery.Table, Incoming]:
        """The table with all columns and headers of a run, and the run as it is loaded into it.

        One thread at a time, because an update sends the whole schema, and all months change the
        same one. New columns are empty, so if the load fails after this, the month stays as it was.
        """
        reference, provider = self.reference(planned.table), self._settings.provider
        with self._preparing, bigquery_errors(f"Adding columns to {planned.table}"):
            return extend_table(self._client, reference, planned, incoming, provider)

    @contextmanager
    def same_columns(self, table: str, staging: str) -> Iterator[None]:
        """Gives a staging table the columns that the table has now, and keeps them equal.

        A copy needs the same columns on both sides, and another month of this process may have
        added columns since the staging table was created. No month can add any during the block.
        """
        with self._preparing:
            with bigquery_errors(f"Adding columns to {staging}"):
                wanted = self._client.get_table(self.reference(table)).schema
                change_schema(self._client, staging, lambda _: wanted)
            yield

    def prepare_dataset(self) -> None:
        """Finds or creates the dataset, because jobs must run in its location."""
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
        self._note(dataset)

    def _note(self, dataset: bigquery.Dataset) -> None:
        self.location = dataset.location or self.location
        self.is_expiring = dataset.default_table_expiration_ms is not None
        self._has_dataset = True

    def rows_and_totals(
        self, planned: PlannedLoad, *, with_totals: bool = True
    ) -> tuple[int, Totals]:
        """The rows and totals of a month in the table."""
        charges = self._charges(planned.table)
        if charges is None:
            return 0, {}
        query = self._query_of_month(charges, with_totals=with_totals)
        what = f"Counting {planned.period} of {planned.table}"
        month = month_of(planned.period, charges, planned.period_column)
        sums = self._read_sums(query, *month, what=what)
        return sum(group.rows for group in sums), by_currency(sums) if query.columns else {}

    def sums_of_month(
        self, table: bigquery.Table, period: BillingPeriod
    ) -> tuple[Fragment, list[bigquery.ScalarQueryParameter]]:
        """The statement by which a load sums a month, and its parameters."""
        charges = charges_of(table)
        statement = self._query_of_month(charges).statement(BIGQUERY)
        return statement, list(month_of(period, charges, self._settings.provider.PERIOD_COLUMN))

    def _query_of_month(self, charges: Charges, *, with_totals: bool = True) -> SumQuery:
        provider = self._settings.provider
        is_summed = self._settings.totals and with_totals
        costs = billed_costs(charges.kinds, provider) if is_summed else ()
        return SumQuery(
            relation=charges.relation,
            where=BIGQUERY.in_month(provider.PERIOD_COLUMN),
            currency=charges.text(provider.CURRENCY_COLUMN) if costs else NOTHING,
            columns={cost: charges.value(cost) for cost in costs},
        )

    def billed(
        self, name: str, planned: PlannedLoad, *, without_credits: bool = False
    ) -> dict[str, Decimal] | None:
        """What a month bills by currency in a table; None where that cannot be summed.

        Where the key for bytes keeps it from being summed, the log says so.
        """
        charges = self._charges(name)
        provider = self._settings.provider
        column = provider.BILLED_COLUMN
        if charges is None or charges.spelt(column) not in billed_costs(charges.kinds, provider):
            return None
        query = SumQuery(
            relation=charges.relation,
            where=BIGQUERY.in_month(planned.period_column),
            currency=charges.text(provider.CURRENCY_COLUMN),
            columns={
                column: charges.positive(column) if without_credits else charges.value(column)
            },
        )
        what = f"Summing {planned.period} of {name}"
        month = month_of(planned.period, charges, planned.period_column)
        try:
            sums = self._read_sums(query, *month, what=what)
        except BytesLimitError as error:
            _log.warning("The costs of %s are not compared: %s", planned.period, error)
            return None
        return billed_costs_of(by_currency(sums), column)

    def rows_by_day(
        self, name: str, planned: PlannedLoad, *, of_month_alone: bool = False
    ) -> dict[str, int]:
        """The rows of a table by the day of the period column, empty where a row has none."""
        charges = self._charges(name)
        if charges is None:
            return {}
        column = planned.period_column
        query = SumQuery(
            relation=charges.relation,
            groups=(charges.day(column),),
            columns={},
            where=BIGQUERY.in_month(column) if of_month_alone else None,
        )
        month = month_of(planned.period, charges, column) if of_month_alone else ()
        sums = self._read_sums(query, *month, what=f"Counting {name}")
        return {group.groups[0]: group.rows for group in sums}

    def daily_totals(self, name: str, period: BillingPeriod) -> DailyTotals:
        """The rows and exact cost totals of a month, by one query over its cost columns."""
        charges = self._charges(name)
        if charges is None:
            return DailyTotals()
        provider = self._settings.provider
        daily = DailyQuery.of(charges, provider, BIGQUERY.in_month(provider.PERIOD_COLUMN))
        what = f"Summing {period} of {name}"
        month = month_of(period, charges, provider.PERIOD_COLUMN)
        return daily.read(self._read_sums(daily.query, *month, what=what))

    def month_totals(self, name: str, periods: Collection[BillingPeriod]) -> MonthTotals:
        """The cost totals of some months, by one query that scans their partitions alone."""
        charges = self._charges(name)
        if charges is None:
            return MonthTotals()
        provider = self._settings.provider
        where = charges.in_spans(provider.PERIOD_COLUMN, spans_of(periods))
        monthly = MonthQuery.of(charges, provider, where)
        return monthly.read(self._read_sums(monthly.query, what=f"Summing months of {name}"))

    def cost_cube(self, name: str, request: CubeRequest) -> CostCube:
        """Exact sums by group, by one query over the columns that it needs."""
        charges = self._charges(name)
        if charges is None:
            return CostCube()
        provider = self._settings.provider
        cube = CubeQuery.of(charges, provider, request)
        column = provider.PERIOD_COLUMN
        since = [first_day("since", request.since, charges, column)] if request.since else []
        return cube.read(self._read_sums(cube.query, *since, what=f"Summing {name}"))

    def _charges(self, name: str) -> Charges | None:
        """The rows of a table, or None where there is none."""
        table = self.find_table(name)
        return None if table is None else charges_of(table)

    def _read_sums(
        self, query: SumQuery, *parameters: bigquery.ScalarQueryParameter, what: str
    ) -> tuple[GroupSums, ...]:
        """The answer to a query; `parameters` are those of its condition."""
        texts = [
            bigquery.ScalarQueryParameter(name, "STRING", text)
            for name, text in query.parameters.items()
        ]
        statement = query.statement(BIGQUERY)
        rows = self.query("{statement}", *parameters, *texts, what=what, statement=statement)
        return query.read([row.values() for row in rows])

    def table_months(self, table: str) -> TableRows:
        """The rows of each month, and when it was written last by BigQuery's own clock.

        The metadata of the partitions tells both, and the rows of no month as well.
        """
        return rows_of_months(self._partitions.of(table))

    def write_mark(self, planned: PlannedLoad) -> str | None:
        """When a month was written last, by BigQuery's own clock; None where it has no rows."""
        month = self.table_months(planned.table).months.get(planned.period)
        return None if month is None else month.write_mark

    def refuse_deleted(self, planned: PlannedLoad) -> None:
        """Raises if a month is gone because BigQuery deleted it; see `refuse_deleted`."""
        if self.write_mark(planned) is None:
            refuse_deleted(self.find_table(planned.table), planned)

    def _ask_partitions(self, table: str) -> Iterator[Partition]:
        rows = self.query(
            "SELECT partition_id, last_modified_time, total_rows "
            "FROM {dataset}.INFORMATION_SCHEMA.PARTITIONS WHERE table_name = @table",
            bigquery.ScalarQueryParameter("table", "STRING", table),
            what=f"Reading the partitions of {table}",
            dataset=self.path(),
        )
        for row in rows:
            if row[1] is not None and Partition.is_told(str(row[0])):
                written_at = row[1].astimezone(UTC)
                yield Partition.of(str(row[0]), written_at=written_at, rows=row[2] or 0)

    def is_current(self, planned: PlannedLoad, job: Any) -> bool:
        """Whether the month was not written again after a job that succeeded.

        The mark and the end of the job are from the same clock, BigQuery's, so the clock of this
        machine does not matter. A month without rows has no partition and therefore no mark;
        nor is it documented that a partition is listed at once, in a view that is a preview
        ("PARTITIONS view"). Then the rows that the job wrote are compared with those of the table.
        """
        mark = self.write_mark(planned)
        if mark is None:
            rows, _ = self.rows_and_totals(planned, with_totals=False)
            written = getattr(job, "output_rows", None)  # a copy job does not say
            return rows > 0 if written is None else rows == int(written)
        return job.ended is not None and datetime.fromisoformat(mark) <= job.ended

    def read_ledger(
        self, pipeline_name: str, tracking_tables: Sequence[str], *, newest_only: bool
    ) -> LedgerRows:
        """The states of a pipeline and the rows of its tracking tables, by one query."""
        query = LedgerQuery.of(
            {name: self._find_columns(name) for name in (STATE_TABLE, *tracking_tables)},
            self.path(),
            newest_only=newest_only,
        )
        if query.statement is None:
            return LedgerRows()
        rows = self.query(
            "{statement}",
            bigquery.ScalarQueryParameter("pipeline", "STRING", pipeline_name),
            what="Reading the ledger",
            tables=1 + len(tracking_tables),
            statement=query.statement,
        )
        return query.read([row.values() for row in rows])

    def require_inserts(self) -> bool:
        """Inserts no row into a table of dlt, which writes the ledger by INSERT; False without one.

        A project without billing takes load jobs, and no such statement ("BigQuery sandbox").
        """
        if not self._find_columns(VERSION_TABLE):
            return False
        template = "INSERT INTO {table} SELECT * FROM {table} WHERE FALSE"
        self.query(template, what="Writing the ledger", table=self.path(VERSION_TABLE))
        return True

    def _find_columns(self, name: str) -> frozenset[str]:
        """The columns of a table; the first of a run also says where the dataset is."""
        with bigquery_errors("Reading the ledger"):
            try:
                if not self._has_dataset:
                    reference = f"{self._settings.project_id}.{self._settings.dataset}"
                    self._note(self._client.get_dataset(reference))
                table = self._client.get_table(self.reference(name))
            except api.NotFound:  # nothing was written here yet
                return frozenset()
        return frozenset(str(field.name) for field in table.schema)

    def labels(self, planned: PlannedLoad) -> dict[str, str]:
        """The labels of a job, for the list of jobs and for the bill."""
        return {"source": label_of(self._settings.source), "period": str(planned.period)}

    def reference(self, table: str) -> str:
        """The name of a table for the API."""
        return f"{self._settings.project_id}.{self._settings.dataset}.{table}"

    def query(
        self,
        template: str,
        *parameters: bigquery.ScalarQueryParameter,
        what: str,
        tables: int = 1,
        **pieces: str | tuple[str, ...] | Fragment | list[Fragment],
    ) -> list[bigquery.Row]:
        """The rows that a statement answers with; the pieces fill its template."""
        with bigquery_errors(what):
            return self._client.rows(
                BIGQUERY.compose(template, **pieces).text,
                job_config=self.query_config(parameters, tables=tables),
                location=self.location,
            )

    def query_config(
        self,
        parameters: Iterable[bigquery.ScalarQueryParameter],
        *,
        tables: int = 1,
        **options: Any,
    ) -> bigquery.QueryJobConfig:
        """The options of a query of ours over some tables, with the limit of what it may bill."""
        options.setdefault("labels", {"source": label_of(self._settings.source)})
        limit = self._settings.maximum_bytes_billed
        if limit is not None:
            # BigQuery bills the least amount of each table, not of each query.
            options.setdefault("maximum_bytes_billed", max(limit, tables * LEAST_BYTES))
        return bigquery.QueryJobConfig(query_parameters=list(parameters), **options)

    def path(self, *names: str) -> tuple[str, ...]:
        """The full name of the dataset, or of a table in it."""
        return (str(self._settings.project_id), self._settings.dataset, *names)
