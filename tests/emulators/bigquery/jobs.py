"""Jobs: one per id, run on a thread of their own, kept with what they were asked and became."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import duckdb
from bqemulator.catalog.etag import generate_etag
from bqemulator.catalog.models import JobMeta, JobType
from bqemulator.domain.errors import AlreadyExistsError, DomainError, ValidationError

from emulators.bigquery.access import Access
from emulators.bigquery.errors import JobError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from bqemulator.api.dependencies import AppContext

    from emulators.bigquery.catalog import Catalog
    from emulators.bigquery.engine import Engine

Fault = Callable[[str, dict[str, Any]], None]
Statistics = dict[str, str]

_JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,1024}")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    """What the work of one job may touch."""

    connection: duckdb.DuckDBPyConnection
    catalog: Catalog
    gcs_root: Path
    now: Callable[[], datetime]
    fault: Callable[[str], None]
    access: Access

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of what is done within, or nothing of it."""
        self.connection.execute("BEGIN TRANSACTION")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def count(self, sql: str) -> int:
        """The rows of a table or of a query in parentheses."""
        row = self.connection.execute(f"SELECT count(*) FROM {sql}").fetchone()
        return int(row[0]) if row else 0

    def holds(self, sql: str) -> bool:
        """Whether the query gives a row."""
        return self.connection.execute(f"{sql} LIMIT 1").fetchone() is not None


Work = Callable[[JobRun], Statistics]


@dataclass(slots=True, kw_only=True)
class JobRunner:
    """Runs load and copy jobs as the service does, and keeps their ids unique."""

    context: AppContext
    engine: Engine
    catalog: Catalog
    gcs_root: Path
    access: Access = field(default_factory=Access)
    faults: list[Fault] = field(default_factory=list)
    answer_after_s: float = 60.0
    is_sandbox: bool = False
    row_weight: int = 1
    knows_columns_of_views: bool = False
    _claimed: set[tuple[str, str]] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def claim(self, project: str, job_id: str | None) -> str:
        """Take the id for a new job; an id is taken once, even by a job that fails.

        "At most one will succeed", the others are told 409 ``duplicate``.
        https://cloud.google.com/bigquery/docs/running-jobs#generate-jobid
        """
        taken = job_id or f"job_{uuid4().hex}"
        if not _JOB_ID.fullmatch(taken):
            raise ValidationError(f"Invalid job ID: {taken!r}")
        self.refuse_known(project, taken)
        self._claimed.add((project, taken))
        return taken

    def refuse_known(self, project: str, job_id: str | None) -> None:
        """Answer 409 for the id of a job that exists."""
        if job_id and ((project, job_id) in self._claimed or self.catalog.get_job(project, job_id)):
            raise AlreadyExistsError(f"Already Exists: Job {project}:US.{job_id}")

    async def run(
        self, kind: JobType, project: str, job_id: str, config: dict[str, Any], work: Work
    ) -> JobMeta:
        """Run the job, and answer with it: done, or still running after ``answer_after_s``."""
        now = self.context.clock.now()
        job = JobMeta(
            project_id=project,
            job_id=job_id,
            job_type=kind,
            state="RUNNING",
            configuration=config,
            creation_time=now,
            start_time=now,
            etag=generate_etag(project, job_id, str(now)),
        )
        self.catalog.upsert_job(job)
        task = asyncio.create_task(self._finish(job, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        done, _ = await asyncio.wait({task}, timeout=self.answer_after_s)
        for ended in done:
            ended.result()
        return self.catalog.get_job(project, job_id) or job

    async def _finish(self, job: JobMeta, work: Work) -> None:
        end: dict[str, Any] = {"error_result": {"reason": "internalError", "message": "it broke"}}
        try:
            async with self.engine.write_lock():
                end = await asyncio.to_thread(self._work, job, work)
        finally:
            # Whatever became of it: who asks for a job must not wait for ever.
            now = self.context.clock.now()
            done = {**end, "state": "DONE", "end_time": now}
            self.catalog.upsert_job(job.model_copy(update=done))

    def _work(self, job: JobMeta, work: Work) -> dict[str, Any]:
        """Do the work on a connection of its own: others see all of it at once or nothing."""
        kind = job.job_type.lower()
        connection = self.engine.new_connection()
        try:
            return {"statistics": {kind: work(self._job_run(job, connection))}}
        except JobError as error:
            return {"error_result": error.to_rest()}
        except DomainError as error:
            return {"error_result": {"reason": error.bq_reason, "message": error.message}}
        except duckdb.Error as error:
            return {"error_result": {"reason": "internalError", "message": str(error)}}
        finally:
            connection.close()

    def _job_run(self, job: JobMeta, connection: duckdb.DuckDBPyConnection) -> JobRun:
        described = describe(job)

        def fault(stage: str) -> None:
            for hook in tuple(self.faults):
                hook(stage, described)

        return JobRun(
            connection=connection,
            catalog=self.catalog,
            gcs_root=self.gcs_root,
            now=self.context.clock.now,
            fault=fault,
            access=self.access,
        )

    def clear(self) -> None:
        """Forget the ids and the faults, and deny nothing."""
        self.access.clear()
        self._claimed.clear()
        self.faults.clear()


def describe(job: JobMeta) -> dict[str, Any]:
    """The job as tests ask about it."""
    return {
        "project": job.project_id,
        "job_id": job.job_id,
        "kind": job.job_type.lower(),
        "state": job.state,
        "labels": job.configuration.get("labels") or {},
        "configuration": job.configuration,
        "statistics": job.statistics,
        "error": job.error_result,
        "created_at": job.creation_time,
        "started_at": job.start_time,
        "ended_at": job.end_time,
    }
