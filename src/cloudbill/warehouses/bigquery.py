"""BigQuery: a month is replaced by one load job that truncates the partition of the month.

The job reads `gs://` itself, so only footers travel through this process. It is atomic: a reader
sees the month before or the month after (BigQuery REST, JobConfigurationLoad.writeDisposition).
The partition is never deleted first; that would leave a hole, and lose the month if the load fails.
"""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from google.api_core import exceptions as api
from google.cloud import bigquery

from cloudbill.amounts import to_amount
from cloudbill.columns import added_columns, merge_parts
from cloudbill.errors import ConfigError, LoadError
from cloudbill.models import BillingPeriod, Column, LoadResult, PlannedLoad, Totals, utc_now
from cloudbill.parquet import Footer, read_footers
from cloudbill.reconciliation import check_footers, check_held
from cloudbill.sql import BIGQUERY, Fragment
from cloudbill.warehouses._bigquery_client import mapped, open_client
from cloudbill.warehouses._bigquery_jobs import job_identity, run_job
from cloudbill.warehouses._bigquery_tables import (
    column_types,
    fields_of,
    in_month,
    new_table,
    partition_granularity,
    partition_of,
    require_month,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudbill.settings import SourceSettings
    from cloudbill.store import Store

__all__ = ["BigQueryWarehouse"]

_DATASET_NAME: Final = re.compile(r"\w{1,1024}", re.ASCII)
_LABEL_CHARACTERS: Final = re.compile(r"[^a-z0-9_-]")


class BigQueryWarehouse:
    """Tables in one dataset of a Google Cloud project."""

    def __init__(self, client: bigquery.Client, settings: SourceSettings) -> None:
        self._client = client
        self._settings = settings
        self._location = settings.location
        self._preparing = threading.Lock()
        self._has_dataset = False

    @classmethod
    def open(cls, settings: SourceSettings) -> BigQueryWarehouse:
        """Opens the project; nothing is created before the first load.

        Raises:
            ConfigError: If there are no credentials, or the dataset has no legal name.
        """
        if not _DATASET_NAME.fullmatch(settings.dataset):
            raise ConfigError(
                f"'{settings.dataset}' cannot be a BigQuery dataset; use letters, digits and _"
            )
        return cls(open_client(settings), settings)

    @property
    def parallel_loads(self) -> int:
        """How many load jobs run at once."""
        return self._settings.parallel_loads

    def replace_period(self, planned: PlannedLoad, store: Store) -> LoadResult:
        """Replaces one month by one load job; see `Warehouse.replace_period`."""
        started_at = utc_now()
        parts = planned.manifest.parts
        footers = read_footers(store, parts, period_column=planned.period_column)
        expected = check_footers(planned.manifest, [footer.rows for footer in footers])
        require_month(planned, footers)
        if footers:
            job_id: str | None = self._load(planned, footers, expected)
        else:
            self._empty(planned)
            job_id = None
        held, totals = self._held(planned)
        check_held(planned, expected=expected, held=held)
        return LoadResult(
            planned=planned,
            rows=expected,
            totals=totals,
            job_id=job_id,
            started_at=started_at,
            finished_at=utc_now(),
        )

    def _load(self, planned: PlannedLoad, footers: Sequence[Footer], expected: int) -> str:
        columns = merge_parts([(footer.address, footer.columns) for footer in footers])
        table = self._prepare_table(planned, columns)
        added = added_columns(columns, column_types(table.schema), table=planned.table)
        partition = self._partition(planned, table, footers)
        destination = f"{self._reference(planned.table)}${partition}"
        config = bigquery.LoadJobConfig(
            source_format=bigquery.SourceFormat.PARQUET,
            # The schema is stated, or the alphabetically last file would decide it.
            schema=[*table.schema, *fields_of(added)],
            write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE,
            create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
            schema_update_options=[bigquery.SchemaUpdateOption.ALLOW_FIELD_ADDITION],
            decimal_target_types=[bigquery.DecimalTargetType.BIGNUMERIC],
            labels={"source": _label(self._settings.source), "period": str(planned.period)},
        )
        finished = run_job(
            job_identity(planned, destination),
            submit=lambda job_id: self._client.load_table_from_uri(
                list(planned.uris),
                destination,
                job_id=job_id,
                location=self._location,
                job_config=config,
            ),
            find=lambda job_id: self._client.get_job(job_id, location=self._location),
            is_current=lambda job: self._is_current(planned.table, partition, job),
            what=f"Loading {planned.period} into {planned.table}",
        )
        job = finished.job
        if job.output_rows != expected:
            raise LoadError(
                f"Job {job.job_id} loaded {job.output_rows} rows of {planned.period}, but the "
                f"footers of its parts have {expected}: a part was replaced while it was read. "
                "Run again"
            )
        return str(job.job_id)

    def _prepare_table(self, planned: PlannedLoad, columns: Sequence[Column]) -> bigquery.Table:
        """The table, created if it is missing; one thread at a time."""
        provider = self._settings.provider
        reference = self._reference(planned.table)
        with self._preparing, mapped(f"Preparing {planned.table}"):
            self._prepare_dataset()
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

    def _prepare_dataset(self) -> None:
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
        self._location = dataset.location or self._location
        self._has_dataset = True

    def _partition(
        self, planned: PlannedLoad, table: bigquery.Table, footers: Sequence[Footer]
    ) -> str:
        provider = self._settings.provider
        granularity = partition_granularity(
            table,
            period_column=planned.period_column,
            cluster_column=provider.CLUSTER_COLUMN,
        )
        partition = partition_of(planned, granularity, footers)
        if granularity == bigquery.TimePartitioningType.DAY:
            others = sorted(set(self._days_held(planned)) - {partition})
            if others:
                raise LoadError(
                    f"Table {planned.table} is partitioned by DAY and holds {planned.period} in "
                    f"the partitions {', '.join(others)}, but the run goes to {partition}: the "
                    "month would count twice. Partition the table by MONTH"
                )
        return partition

    def _days_held(self, planned: PlannedLoad) -> list[str]:
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

    def _empty(self, planned: PlannedLoad) -> None:
        """Makes a month without rows: a run without parts is one."""
        with mapped(f"Emptying {planned.period} of {planned.table}"):
            try:
                table = self._client.get_table(self._reference(planned.table))
            except api.NotFound:
                return
            self._prepare_dataset()
            granularity = partition_granularity(
                table,
                period_column=planned.period_column,
                cluster_column=self._settings.provider.CLUSTER_COLUMN,
            )
            partitions = [planned.period.partition_id]
            if granularity == bigquery.TimePartitioningType.DAY:
                partitions = self._days_held(planned)
            for partition in partitions:
                reference = f"{self._reference(planned.table)}${partition}"
                self._client.delete_table(reference, not_found_ok=True)

    def _is_current(self, table: str, partition: str, job: Any) -> bool:
        """Whether a partition was not written after a job that had succeeded earlier."""
        rows = self._query(
            "SELECT last_modified_time FROM {dataset}.INFORMATION_SCHEMA.PARTITIONS "
            "WHERE table_name = @table AND partition_id = @partition",
            bigquery.ScalarQueryParameter("table", "STRING", table),
            bigquery.ScalarQueryParameter("partition", "STRING", partition),
            what=f"Reading the partitions of {table}",
            dataset=self._path(),
        )
        if not rows:
            return bool(job.output_rows == 0)
        modified_at: datetime = rows[0][0]
        return job.ended is not None and modified_at.astimezone(UTC) <= job.ended

    def _held(self, planned: PlannedLoad) -> tuple[int, Totals]:
        """The rows and totals that the table holds for a month."""
        provider, schema = self._settings.provider, {}
        with mapped(f"Reading {planned.table}"):
            try:
                table = self._client.get_table(self._reference(planned.table))
            except api.NotFound:
                return 0, {}
            schema = {str(field.name).lower(): str(field.name) for field in table.schema}
        costs = [schema[cost.lower()] for cost in provider.COST_COLUMNS if cost.lower() in schema]
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

    def read_state(self, pipeline_name: str) -> str | None:
        """The newest state of a pipeline whose load package was completed."""
        with mapped("Reading the ledger"):
            reference = f"{self._settings.project_id}.{self._settings.dataset}"
            try:
                self._location = self._client.get_dataset(reference).location or self._location
                self._has_dataset = True
                self._client.get_table(f"{reference}._dlt_pipeline_state")
            except api.NotFound:  # dlt has written nothing here yet
                return None
        rows = self._query(
            "SELECT s.state FROM {states} AS s JOIN {loads} AS l ON l.load_id = s._dlt_load_id "
            "WHERE s.pipeline_name = @pipeline AND l.status = 0 ORDER BY l.load_id DESC LIMIT 1",
            bigquery.ScalarQueryParameter("pipeline", "STRING", pipeline_name),
            what="Reading the ledger",
            states=self._path("_dlt_pipeline_state"),
            loads=self._path("_dlt_loads"),
        )
        return str(rows[0][0]) if rows else None

    def destination(self) -> Any:
        """dlt's BigQuery destination beside the tables."""
        from cloudbill.warehouses._bigquery_dlt import dlt_destination

        return dlt_destination(self._settings, self._location)

    def close(self) -> None:
        """Gives the connections back."""
        self._client.close()

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
        with mapped(what):
            job = self._client.query(
                BIGQUERY.compose(template, **pieces).text,
                job_config=config,
                location=self._location,
            )
            return list(job.result())

    def _month(self, period: BillingPeriod) -> tuple[bigquery.ScalarQueryParameter, ...]:
        ends = (period.first_day, period.next.first_day)
        start, end = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in ends)
        return (
            bigquery.ScalarQueryParameter("month_start", "TIMESTAMP", start),
            bigquery.ScalarQueryParameter("month_end", "TIMESTAMP", end),
        )

    def _reference(self, table: str) -> str:
        return f"{self._settings.project_id}.{self._settings.dataset}.{table}"

    def _path(self, *names: str) -> tuple[str, ...]:
        return (str(self._settings.project_id), self._settings.dataset, *names)


def _label(text: str) -> str:
    # "Requirements for labels": lower case, digits, _ and -, at most 63 characters.
    return _LABEL_CHARACTERS.sub("-", text.lower())[:63]
