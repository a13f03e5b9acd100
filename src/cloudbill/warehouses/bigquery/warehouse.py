"""BigQuery: a month is replaced by one load job that truncates the partition of the month.

The job reads `gs://` itself, so only footers pass through this process. It is atomic: a reader sees
the month before or the month after (BigQuery REST, JobConfigurationLoad.writeDisposition). The
partition is never deleted first, because the month would be lost if the load failed.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from google.api_core import exceptions as api
from google.cloud import bigquery

from cloudbill.errors import (
    ConfigError,
    LoadError,
    OvertakenError,
    StoppedError,
    TransientLoadError,
)
from cloudbill.files.empty_parts import without_empty_parts
from cloudbill.models import LoadResult, PlannedLoad, TableRows, Totals
from cloudbill.periods import BillingPeriod, utc_now
from cloudbill.progress import ProgressListener, Stage
from cloudbill.settings.names import read_dataset, read_project
from cloudbill.warehouses.bigquery.client import PersistentClient, open_client
from cloudbill.warehouses.bigquery.counting import count_month
from cloudbill.warehouses.bigquery.dataset import Dataset
from cloudbill.warehouses.bigquery.expirations import keep_tables, require_kept
from cloudbill.warehouses.bigquery.incoming import Incoming, look_at
from cloudbill.warehouses.bigquery.job_progress import JobProgress, WhileJobRuns
from cloudbill.warehouses.bigquery.jobs import job_identity, run_job, wait_for
from cloudbill.warehouses.bigquery.partitions import empty_month, partition_to_fill
from cloudbill.warehouses.bigquery.schema_changes import add_columns
from cloudbill.warehouses.bigquery.staging import Staging
from cloudbill.warehouses.bigquery.tables import (
    fit_table,
    headers_of,
    required_columns,
)
from cloudbill.warehouses.reconciliation import require_footers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from cloudbill.costs.cube import CostCube, CubeRequest
    from cloudbill.costs.daily_totals import DailyTotals
    from cloudbill.costs.month_totals import MonthTotals
    from cloudbill.settings.warehouse import WarehouseSettings
    from cloudbill.store import Store
    from cloudbill.warehouses.ledger_rows import LedgerRows

__all__ = ["BigQueryWarehouse"]

# "Table naming"; a space would not do in the name of the tracking table.
_TABLE_NAME: Final = re.compile(r"[\w-]{1,1000}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    """What became of a month: its rows, if known, and the id of the job that replaced it."""

    rows: int | None
    job_id: str | None = None
    rests: Totals = field(default_factory=dict)


class _NoRows(Exception):  # noqa: N818
    """The parts of a run have no rows, so its month is emptied instead of copied."""


class BigQueryWarehouse:
    """Tables in one dataset of a Google Cloud project."""

    def __init__(self, client: PersistentClient, settings: WarehouseSettings) -> None:
        self._client = client
        self._settings = settings
        self._stopped = threading.Event()
        self._dataset = Dataset(client, settings)

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
            self._empty(planned)
            loaded = _Loaded(rows=require_footers(planned.manifest, []))
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

    def _load(self, planned: PlannedLoad, store: Store, progress: JobProgress) -> _Loaded:
        """Loads a run that has parts."""
        provider = self._settings.provider
        table = self._dataset.find_table(planned.table)
        existing = headers_of(table.schema) if table else {}
        incoming = look_at(store, planned, provider, existing)
        table = self._dataset.prepare_table(planned, incoming)
        if incoming.footers and incoming.rows == 0:
            self._empty(planned)
            return _Loaded(rows=0)
        try:
            return self._load_into(table, planned, store, incoming, progress)
        except LoadError as error:
            if isinstance(error, TransientLoadError) or not required_columns(table.schema):
                raise
            # A load of another month may have made a column NULLABLE after the table was read, and
            # a job that states it REQUIRED is refused then.
            now = self._dataset.prepare_table(planned, incoming)
            if required_columns(now.schema) == required_columns(table.schema):
                raise
        return self._load_into(now, planned, store, incoming, progress)

    def _load_into(
        self,
        table: bigquery.Table,
        planned: PlannedLoad,
        store: Store,
        incoming: Incoming,
        progress: JobProgress,
    ) -> _Loaded:
        """Loads a run into a table, which is as it was read a moment ago."""
        provider = self._settings.provider
        fit = fit_table(table, incoming.columns, planned, provider)
        if incoming.footers and (fit.converted or not incoming.fits_modes(table.schema)):
            incoming = incoming.rewritten()
        partition = partition_to_fill(
            self._dataset, planned, table, incoming.footers, provider=provider
        )
        require_kept(planned, table, partition, now=utc_now())
        if incoming.is_one_job:
            return self._load_native(planned, incoming, table, partition, progress)
        return self._load_staged(planned, store, incoming, partition, progress)

    def _load_native(
        self,
        planned: PlannedLoad,
        incoming: Incoming,
        table: bigquery.Table,
        partition: str,
        progress: JobProgress,
    ) -> _Loaded:
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

        job = self._run(planned, partition, submit, progress.at(Stage.LOADING))
        if incoming.rows is not None and job.output_rows != incoming.rows:
            raise LoadError(
                f"Job {job.job_id} loaded {job.output_rows} rows of {planned.period}, but the "
                f"footers of its parts had {incoming.rows}: a part was replaced between the two. "
                "The month is not recorded, and the next run replaces it",
                is_of_run=False,
            )
        return _Loaded(rows=int(job.output_rows), job_id=str(job.job_id))

    def _load_staged(
        self,
        planned: PlannedLoad,
        store: Store,
        incoming: Incoming,
        partition: str,
        progress: JobProgress,
    ) -> _Loaded:
        """Collects the month in a staging table, and replaces the month by one copy job.

        All of it happens inside `submit`, so nothing is staged if the copy job already exists.
        """
        table = self._dataset.extend_table(planned, incoming)
        if not incoming.fits_modes(table.schema):  # another month relaxed it since it was read
            incoming = incoming.rewritten()
            table = self._dataset.extend_table(planned, incoming)
        destination = f"{self._dataset.reference(planned.table)}${partition}"
        config = bigquery.CopyJobConfig(
            write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE,
            create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
            labels=self._dataset.labels(planned),
        )
        staged: list[_Loaded] = []

        def submit(job_id: str) -> bigquery.CopyJob:
            self._refuse_known(job_id)
            staging = Staging(self._client, self._settings, self._dataset, progress, self._stopped)
            with staging.filled(planned, store, incoming, table, partition) as (source, rows):
                if rows == 0:
                    raise _NoRows
                staged[:] = [_Loaded(rows=rows, rests=staging.rests)]
                with self._dataset.same_columns(planned.table, source.partition("$")[0]):
                    try:
                        job = self._client.copy_table(
                            source,
                            destination,
                            job_id=job_id,
                            location=self._dataset.location,
                            job_config=config,
                        )
                    except api.Conflict:
                        # `_refuse_known` found no such job, so this load inserted it just now, and
                        # only the answer was lost.
                        job = self._find_job(job_id)
                    # The staging table is removed when this block ends, so the copy must be done.
                    wait_for(
                        job,
                        f"Copying {planned.period} into {planned.table}",
                        progress.at(Stage.COPYING, rows=rows),
                    )
                return job

        try:
            job = self._run(planned, partition, submit, progress.at(Stage.COPYING))
        except _NoRows:
            # BigQuery has no partition without rows, so there is nothing to copy.
            self._empty(planned)
            return _Loaded(rows=0)
        rows = None if incoming.has_several_months else incoming.rows
        return replace(staged[0] if staged else _Loaded(rows=rows), job_id=str(job.job_id))

    def _run(
        self,
        planned: PlannedLoad,
        partition: str,
        submit: Callable[[str], Any],
        while_job_runs: WhileJobRuns,
    ) -> Any:
        """Runs the job that replaces the month, unless another process wrote the month meanwhile.

        The write mark is compared before the job and after it. Two processes can still both submit
        in the short time between; then only the last writer finds its own job as the last write.
        """
        destination = f"{self._dataset.reference(planned.table)}${partition}"
        what = f"Loading {planned.period} into {planned.table}"

        def submit_if_unchanged(job_id: str) -> Any:
            if self._stopped.is_set():
                raise StoppedError("The load was stopped")
            if self._dataset.write_mark(planned) != planned.write_mark:
                # The writer may have been this same load, in a process that was killed.
                self._refuse_known(job_id)
                self._dataset.refuse_deleted(planned)
                raise OvertakenError(
                    f"another process wrote {planned.period} since it was planned"
                    f"{'' if planned.write_mark else ', or BigQuery listed it late'}; the next "
                    "run plans it again"
                )
            return submit(job_id)

        job = run_job(
            job_identity(planned, destination),
            submit=submit_if_unchanged,
            find=self._find_job,
            is_current=lambda job: self._dataset.is_current(planned, job),
            what=what,
            patience=self._client.patience,
            while_job_runs=while_job_runs,
        ).job
        # Both processes may have compared the mark before either of them wrote. BigQuery runs one
        # job after the other, and only the second one is in the table.
        if not self._dataset.is_current(planned, job):
            self._dataset.refuse_deleted(planned)
            raise TransientLoadError(
                f"{what}: another process wrote the month at the same time, so this load is not "
                "recorded. Run again; the newest run wins"
            )
        return job

    def _find_job(self, job_id: str) -> Any:
        return self._client.get_job(job_id, location=self._dataset.location)

    def _refuse_known(self, job_id: str) -> None:
        """Raises what an insert of an existing id would raise, before anything is staged."""
        try:
            self._find_job(job_id)
        except api.NotFound:
            return
        raise api.Conflict(f"Already Exists: Job {job_id}")

    def _empty(self, planned: PlannedLoad) -> None:
        empty_month(self._client, self._dataset, planned, provider=self._settings.provider)

    def daily_totals(self, table: str, period: BillingPeriod) -> DailyTotals:
        """The totals of a month by currency and day; see `Warehouse.daily_totals`."""
        return self._dataset.daily_totals(table, period)

    def month_totals(self, table: str, periods: Collection[BillingPeriod]) -> MonthTotals:
        """The exact cost totals of some months; see `Warehouse.month_totals`."""
        return self._dataset.month_totals(table, periods)

    @property
    def is_as_left(self) -> bool:
        """False: each partition says when it was written."""
        return False

    def leave(self) -> None:
        """Nothing to note."""

    def cost_cube(self, table: str, request: CubeRequest) -> CostCube:
        """Exact sums by group; see `Warehouse.cost_cube`."""
        return self._dataset.cost_cube(table, request)

    def headers(self, table: str) -> Mapping[str, str]:
        """The CSV header that each column of a table came from."""
        found = self._dataset.find_table(table)
        return headers_of(found.schema) if found else {}

    def table_months(self, table: str, period_column: str) -> TableRows:  # noqa: ARG002
        """The rows of each month, and when it was written last; see `Warehouse.table_months`."""
        return self._dataset.table_months(table)

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

    def interrupt(self) -> None:
        """Lets no more jobs begin; running jobs finish in BigQuery, and the next run finds them."""
        self._stopped.set()

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()
