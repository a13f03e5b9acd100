"""Replaces a month by what was collected in a staging table: by a copy job, or by a transaction.

A copy is free. It overwrites the row access policies and the policy tags of the table, so where the
table has any, one transaction deletes the month and inserts the new one, which bills the bytes that
it reads. A reader sees the month before or the month after, either way ("Multi-statement
transactions").
"""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from google.api_core import exceptions as api
from google.cloud import bigquery

from cloudbill.models import PlannedLoad
from cloudbill.progress import Stage
from cloudbill.sql import BIGQUERY
from cloudbill.warehouses.bigquery.client import bigquery_errors
from cloudbill.warehouses.bigquery.column_tags import untagged
from cloudbill.warehouses.bigquery.job_progress import JobProgress, WhileJobRuns
from cloudbill.warehouses.bigquery.jobs import wait_for
from cloudbill.warehouses.bigquery.month_jobs import Loaded, MonthJobs
from cloudbill.warehouses.bigquery.parameters import charges_of, deletion_of, month_of, rows_of
from cloudbill.warehouses.bigquery.staging import Staging
from cloudbill.warehouses.bigquery.tables import path_of

if TYPE_CHECKING:
    from cloudbill.settings.warehouse import WarehouseSettings
    from cloudbill.store import Store
    from cloudbill.warehouses.bigquery.client import PersistentClient
    from cloudbill.warehouses.bigquery.dataset import Dataset
    from cloudbill.warehouses.bigquery.incoming import Incoming

__all__ = ["StagedLoads"]

_log = logging.getLogger(__name__)

_BY_TRANSACTION: Final = "transaction"
# The job counts what it has written before it commits: a policy that hides rows of the month from
# the account would make it keep some of the old ones.
_REPLACE: Final = (
    "BEGIN TRANSACTION; "
    "DELETE FROM {rows} WHERE {where}; "
    "INSERT INTO {table} ({columns}) SELECT {columns} FROM {staging} WHERE {where}; "
    "SELECT IF(COUNT(*) = @rows, COUNT(*), ERROR('a row access policy hides rows from this "
    "account')) FROM {rows} WHERE {where}; "
    "COMMIT TRANSACTION;"
)
_TABLES: Final = 3
"""Those that the transaction reads: the table of bills is read by two of its statements."""


class _NoRows(Exception):  # noqa: N818
    """The parts of a run have no rows, so its month is emptied instead of copied."""


class StagedLoads:
    """Replaces months of one dataset by way of staging tables."""

    def __init__(
        self,
        client: PersistentClient,
        settings: WarehouseSettings,
        dataset: Dataset,
        jobs: MonthJobs,
    ) -> None:
        self._client = client
        self._settings = settings
        self._dataset = dataset
        self._jobs = jobs
        # "Conflicting transactions are cancelled", and all months are in one table.
        self._changing = threading.Lock()

    def load(
        self,
        planned: PlannedLoad,
        store: Store,
        incoming: Incoming,
        partition: str,
        progress: JobProgress,
        *,
        is_protected: bool,
    ) -> Loaded | None:
        """Collects the month in a staging table, and replaces the month by one job.

        None is returned for a run without rows, whose month is still as it was.

        All of it happens inside `submit`, so nothing is staged if the job already exists.
        """
        # Another month may have changed the table since it was read.
        table, incoming = self._dataset.extend_table(planned, incoming)
        # To set a tag is a right of its own, which nothing but the staging table would need.
        table.schema = untagged(table.schema)
        staged: list[Loaded] = []
        stage = Stage.INSERTING if is_protected else Stage.COPYING

        def submit(job_id: str) -> Any:
            self._jobs.refuse_known(job_id)
            staging = Staging(
                self._client, self._settings, self._dataset, progress, self._jobs.stopped
            )
            with staging.filled(planned, store, incoming, table, partition) as (source, rows):
                if rows == 0:
                    raise _NoRows
                staged[:] = [Loaded(rows=rows, rests=staging.rests)]
                # The staging table is removed when this block ends, so the job must be done.
                shown = progress.at(stage, rows=rows)
                if is_protected:
                    return self._insert(planned, source, rows, job_id, shown)
                return self._copy(planned, source, partition, job_id, shown)

        way = _BY_TRANSACTION if is_protected else ""
        try:
            job = self._jobs.run(planned, partition, submit, progress.at(stage), way=way)
        except _NoRows:
            return None
        rows = None if incoming.has_several_months else incoming.rows
        return replace(staged[0] if staged else Loaded(rows=rows), job_id=str(job.job_id))

    def _copy(
        self,
        planned: PlannedLoad,
        source: str,
        partition: str,
        job_id: str,
        while_job_runs: WhileJobRuns,
    ) -> bigquery.CopyJob:
        """Copies the staged partition over the one of the table."""
        config = bigquery.CopyJobConfig(
            write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE,
            create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
            labels=self._dataset.labels(planned),
        )
        with self._dataset.same_columns(planned.table, source.partition("$")[0]):
            self._jobs.require_unwritten(planned, job_id)  # staging may have taken hours
            try:
                job = self._client.copy_table(
                    source,
                    f"{self._dataset.reference(planned.table)}${partition}",
                    job_id=job_id,
                    location=self._dataset.location,
                    job_config=config,
                )
            except api.Conflict:
                # There was no such job a moment ago, so this load inserted it just now, and only
                # the answer was lost.
                job = self._jobs.find(job_id)
            wait_for(job, f"Copying {planned.period} into {planned.table}", while_job_runs)
        return job

    def _insert(
        self,
        planned: PlannedLoad,
        source: str,
        rows: int,
        job_id: str,
        while_job_runs: WhileJobRuns | None,
    ) -> Any:
        """Deletes the month and inserts the staged rows, by one transaction."""
        what = f"Loading {planned.period} into {planned.table}"
        with bigquery_errors(what):
            staging = self._client.get_table(source.partition("$")[0])
        table = bigquery.Table(self._dataset.reference(planned.table))
        statement = BIGQUERY.compose(
            _REPLACE,
            table=path_of(table),
            rows=rows_of(table),
            staging=rows_of(staging),
            columns=[BIGQUERY.compose("{name}", name=str(one.name)) for one in staging.schema],
            where=BIGQUERY.in_month(planned.period_column),
        )
        config = self._dataset.query_config(
            [
                *month_of(planned.period, charges_of(staging), planned.period_column),
                bigquery.ScalarQueryParameter("rows", "INT64", rows),
            ],
            tables=_TABLES,
            labels=self._dataset.labels(planned),
        )
        with self._changing:
            self._jobs.require_unwritten(planned, job_id)  # as in `_copy`
            try:
                job = self._client.query(
                    statement.text,
                    job_config=config,
                    job_id=job_id,
                    location=self._dataset.location,
                )
            except api.Conflict:
                job = self._jobs.find(job_id)  # as in `_copy`
            wait_for(job, what, while_job_runs)
        if job.total_bytes_billed is not None:
            _log.info("job %s bills %d bytes", job_id, job.total_bytes_billed)
        return job

    def empty(self, planned: PlannedLoad, table: bigquery.Table) -> None:
        """Empties a month of a table whose policies and tags stay."""
        statement, month = deletion_of(table, planned.period, planned.period_column)
        config = self._dataset.query_config(month, labels=self._dataset.labels(planned))
        # To delete the same rows again changes nothing, so the statement may be sent again.
        with self._changing, bigquery_errors(f"Emptying {planned.period} of {planned.table}"):
            self._client.rows(statement.text, job_config=config, location=self._dataset.location)
