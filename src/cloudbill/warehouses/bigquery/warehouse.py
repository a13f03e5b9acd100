"""BigQuery: a month is replaced by one load job that truncates the partition of the month.

A table with row access policies or policy tags would lose them by that, so its months are replaced
by a transaction (`staged_loads.py`).

The job reads `gs://` itself, so only footers pass through this process. It is atomic: a reader sees
the month before or the month after (BigQuery REST, JobConfigurationLoad.writeDisposition). The
partition is never deleted first, because the month would be lost if the load failed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from google.cloud import bigquery

from cloudbill.errors import (
    BytesLimitError,
    ConfigError,
    LoadError,
    OvertakenError,
    ReconciliationError,
    TransientLoadError,
)
from cloudbill.files.empty_parts import without_empty_parts
from cloudbill.models import LoadResult, PlannedLoad, TableRows
from cloudbill.periods import BillingPeriod, utc_now
from cloudbill.progress import ProgressListener, Stage
from cloudbill.settings.names import read_dataset, read_project
from cloudbill.text.counts import counted
from cloudbill.warehouses.bigquery.asking import BigQueryQuestions
from cloudbill.warehouses.bigquery.client import PersistentClient, open_client
from cloudbill.warehouses.bigquery.column_headers import has_headers, headers_of
from cloudbill.warehouses.bigquery.copying import copy_rows
from cloudbill.warehouses.bigquery.counting import count_month
from cloudbill.warehouses.bigquery.dataset import Dataset
from cloudbill.warehouses.bigquery.expirations import keep_tables, require_kept
from cloudbill.warehouses.bigquery.incoming import Incoming, fitted, is_changed, look_at
from cloudbill.warehouses.bigquery.job_progress import JobProgress
from cloudbill.warehouses.bigquery.month_jobs import Loaded, MonthJobs
from cloudbill.warehouses.bigquery.partitions import empty_month, partition_to_fill
from cloudbill.warehouses.bigquery.protection import Protections
from cloudbill.warehouses.bigquery.schema_changes import add_columns
from cloudbill.warehouses.bigquery.staged_loads import StagedLoads
from cloudbill.warehouses.bigquery.tables import require_table
from cloudbill.warehouses.bigquery.views import BigQueryViews
from cloudbill.warehouses.bigquery.visibility import Visibility
from cloudbill.warehouses.reconciliation import require_footers, require_not_held

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from cloudbill.costs.cube import CostCube, CubeRequest
    from cloudbill.costs.daily_totals import DailyTotals
    from cloudbill.costs.month_totals import MonthTotals
    from cloudbill.settings.warehouse import WarehouseSettings
    from cloudbill.store import Store
    from cloudbill.warehouses.asking import RowsToCopy, ScanListener
    from cloudbill.warehouses.ledger_rows import LedgerRows

__all__ = ["BigQueryWarehouse"]

# "Table naming"; a space would not do in the name of the tracking table.
_TABLE_NAME: Final = re.compile(r"[\w-]{1,1000}")
_TIMES: Final = 3
# Errors that columns are no reason for.
_NOT_OF_COLUMNS: Final = (
    BytesLimitError,
    OvertakenError,
    ReconciliationError,
    TransientLoadError,
)


class BigQueryWarehouse:
    """Tables in one dataset of a Google Cloud project."""

    def __init__(self, client: PersistentClient, settings: WarehouseSettings) -> None:
        self._client = client
        self._settings = settings
        self._dataset = Dataset(client, settings)
        self.views = BigQueryViews(client, self._dataset)
        self._jobs = MonthJobs(client, self._dataset)
        self._staged = StagedLoads(client, settings, self._dataset, self._jobs)
        column = settings.provider.PERIOD_COLUMN
        self._protections = Protections(client, self._dataset, column)
        self._visibility = Visibility(self._dataset, self._protections)

    @classmethod
    def open(cls, settings: WarehouseSettings) -> BigQueryWarehouse:
        """Opens the project; nothing is created before the first load.

        Raises:
            ConfigError: If there are no credentials, or a name is not legal.
        """
        read_project(str(settings.project_id))
        read_dataset(settings.dataset)
        if not _TABLE_NAME.fullmatch(settings.table_name):
            raise ConfigError(
                f"'{settings.table_name}' cannot be a BigQuery table; use letters, digits, _ and -"
            )
        return cls(open_client(settings), settings)

    @property
    def parallel_loads(self) -> int:
        """How many load jobs run at once."""
        return self._settings.parallel_loads

    def replace_period(
        self, planned: PlannedLoad, store: Store, listen: ProgressListener | None = None
    ) -> LoadResult:
        """Replaces one month; see `Warehouse.replace_period`."""
        started_at = utc_now()
        planned = without_empty_parts(planned, store)
        progress = JobProgress(planned.manifest, listen)
        if planned.manifest.parts:
            loaded = self._load(planned, store, progress)
        else:
            require_not_held(planned, 0)
            self._empty(planned)
            loaded = Loaded(rows=require_footers(planned.manifest, []))
        progress.say(Stage.CHECKING)
        month = count_month(self._dataset, planned, self._settings, expected=loaded.rows)
        return LoadResult(
            planned=planned,
            rows=month.rows,
            totals=month.totals,
            untotalled=month.untotalled,
            rests=loaded.rests,
            job_id=loaded.job_id,
            started_at=started_at,
            finished_at=utc_now(),
            alarm=month.alarm,
        )

    def _load(self, planned: PlannedLoad, store: Store, progress: JobProgress) -> Loaded:
        """Loads a run that has parts.

        A load of another month, here or in another process, may add or relax columns once the table
        was read, and a job that states them otherwise is refused then. That is no fault of the run.
        """
        provider = self._settings.provider
        table = self._dataset.find_table(planned.table)
        incoming = look_at(store, planned, provider, table.schema if table else ())
        table = self._dataset.prepare_table(planned, incoming)
        if incoming.footers and incoming.rows == 0:
            self._empty(planned)
            return Loaded(rows=0)
        for _ in range(_TIMES):
            try:
                return self._load_into(table, planned, store, incoming, progress)
            except LoadError as error:
                if isinstance(error, _NOT_OF_COLUMNS):
                    raise
                now = self._dataset.prepare_table(planned, incoming)
                if not is_changed(incoming, planned, provider, before=table, now=now):
                    raise
                table = now
        raise TransientLoadError(
            f"The columns of {planned.table} changed {_TIMES} times while {planned.period} was "
            "loaded. Run again"
        )

    def _load_into(
        self,
        table: bigquery.Table,
        planned: PlannedLoad,
        store: Store,
        incoming: Incoming,
        progress: JobProgress,
    ) -> Loaded:
        """Loads a run into a table, which is as it was read a moment ago."""
        provider = self._settings.provider
        require_table(table)
        incoming = fitted(incoming, table, planned, provider)
        if not has_headers(table.schema, incoming.columns):
            table, incoming = self._dataset.extend_table(planned, incoming)
        partition = partition_to_fill(
            self._dataset, planned, table, incoming.footers, provider=provider
        )
        require_kept(planned, table, partition, now=utc_now())
        protection = self._protections.of(table, planned.period)
        protection.require_replaceable()
        if incoming.is_one_job and not protection:
            return self._load_native(planned, incoming, table, partition, progress)
        loaded = self._staged.load(
            planned, store, incoming, partition, progress, is_protected=bool(protection)
        )
        if loaded is not None:
            return loaded
        # BigQuery has no partition without rows, so there is nothing to copy.
        self._empty(planned)
        return Loaded(rows=0)

    def _load_native(
        self,
        planned: PlannedLoad,
        incoming: Incoming,
        table: bigquery.Table,
        partition: str,
        progress: JobProgress,
    ) -> Loaded:
        """Replaces the month by one load job that reads the store and truncates the partition."""
        destination = f"{self._dataset.reference(planned.table)}${partition}"
        config = bigquery.LoadJobConfig(
            write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE,
            create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
            labels=self._dataset.labels(planned),
            **incoming.native_options(table.schema),
        )

        def submit(job_id: str) -> bigquery.LoadJob:
            return self._client.load_table_from_uri(
                list(planned.uris),
                destination,
                job_id=job_id,
                location=self._dataset.location,
                job_config=config,
            )

        job = self._jobs.run(planned, partition, submit, progress.at(Stage.LOADING))
        if incoming.rows is not None and job.output_rows != incoming.rows:
            raise LoadError(
                f"Job {job.job_id} loaded {counted(job.output_rows, 'row')} of {planned.period}, "
                f"but the footers of its parts had {incoming.rows}: a part was replaced between "
                "the two. The month is not recorded, and the next run replaces it",
                is_of_run=False,
            )
        return Loaded(rows=int(job.output_rows), job_id=str(job.job_id))

    def _empty(self, planned: PlannedLoad) -> None:
        """Empties the month, for a run without rows."""
        table = self._dataset.find_table(planned.table)
        if table is None:
            return
        protection = self._protections.of(table, planned.period)
        protection.require_replaceable()

        def empty() -> None:
            if protection:
                self._staged.empty(planned, table)
            else:
                empty_month(
                    self._client, self._dataset, planned, table, provider=self._settings.provider
                )

        self._jobs.empty(planned, empty)

    def daily_totals(self, table: str, period: BillingPeriod) -> DailyTotals:
        """The totals of a month by currency and day; see `Warehouse.daily_totals`."""
        totals = self._dataset.daily_totals(table, period)
        self._visibility.require(table, {period: totals.rows})
        return totals

    def month_totals(self, table: str, periods: Collection[BillingPeriod]) -> MonthTotals:
        """The exact cost totals of some months; see `Warehouse.month_totals`."""
        totals = self._dataset.month_totals(table, periods)
        self._visibility.require(table, {one: totals.rows.get(one, 0) for one in periods})
        return totals

    @property
    def is_as_left(self) -> bool:
        """False: each partition says when it was written."""
        return False

    def leave(self) -> None:
        """Nothing to note."""

    def cost_cube(self, table: str, request: CubeRequest) -> CostCube:
        """Exact sums by group; see `Warehouse.cost_cube`."""
        cube = self._dataset.cost_cube(table, request)
        if request.since is None:
            self._visibility.require_every(table, cube.rows_by_month)
        return cube

    def doubt_of(self, table: str, columns: Collection[str]) -> str | None:
        """Why this account may be shown other values; see `Warehouse.doubt_of`."""
        return self._visibility.doubt(table, columns)

    def headers(self, table: str) -> Mapping[str, str]:
        """The CSV header that each column of a table came from."""
        found = self._dataset.find_table(table)
        return headers_of(found.schema) if found else {}

    def table_months(self, table: str, period_column: str) -> TableRows:  # noqa: ARG002
        """The rows of each month, and when it was written last; see `Warehouse.table_months`."""
        found = self._dataset.table_months(table)
        self._visibility.note(table, found)
        return found

    def table_columns(self, table: str) -> frozenset[str]:
        """The names of a table's columns; see `Warehouse.table_columns`."""
        found = self._dataset.find_table(table)
        return frozenset(str(field.name) for field in found.schema) if found else frozenset()

    def add_columns(self, table: str, columns: Mapping[str, str]) -> None:
        """Adds columns to a table; see `Warehouse.add_columns`."""
        add_columns(self._client, self._dataset.reference(table), columns)

    def keep_tables(self, tables: Collection[str]) -> None:
        """Keeps tables of the ledger from expiring; see `Warehouse.keep_tables`."""
        if self._dataset.is_expiring:
            keep_tables(self._client, map(self._dataset.find_table, tables))

    def read_ledger(
        self, pipeline_name: str, tracking_tables: Sequence[str], *, newest_only: bool
    ) -> LedgerRows:
        """The states of a pipeline and its tracking rows; see `Warehouse.read_ledger`."""
        return self._dataset.read_ledger(pipeline_name, tracking_tables, newest_only=newest_only)

    def require_ledger_writable(self) -> None:
        """Tries the statement that a project without billing refuses."""
        self._dataset.require_inserts()

    def destination(self) -> Any:
        """dlt's BigQuery destination, next to the tables."""
        from cloudbill.warehouses.bigquery.dlt import dlt_destination

        return dlt_destination(self._settings, self._dataset.location)

    def copy_rows(self, rows: RowsToCopy, file: Path, tell: ScanListener) -> None:
        """Writes some rows into a Parquet file; see `Warehouse.copy_rows`."""
        copy_rows(self._client, self._dataset, rows, file, tell)

    def questions(self) -> BigQueryQuestions:
        """What answers the SQL of a user; see `Warehouse.questions`."""
        return BigQueryQuestions(self._client, self._dataset)

    def interrupt(self) -> None:
        """Lets no more jobs begin; running jobs finish in BigQuery, and the next run finds them."""
        self._jobs.stop()

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()
