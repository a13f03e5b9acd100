"""The job that replaces a month: under its derived id, and only if nobody else wrote the month."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from google.api_core import exceptions as api

from cloudbill.errors import OvertakenError, StoppedError, TransientLoadError
from cloudbill.models import PlannedLoad, Totals
from cloudbill.warehouses.bigquery.client import PersistentClient
from cloudbill.warehouses.bigquery.jobs import job_identity, run_job

if TYPE_CHECKING:
    from cloudbill.warehouses.bigquery.dataset import Dataset
    from cloudbill.warehouses.bigquery.job_progress import WhileJobRuns

__all__ = ["Loaded", "MonthJobs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What became of a month: its rows, if known, and the id of the job that replaced it."""

    rows: int | None
    job_id: str | None = None
    rests: Totals = field(default_factory=dict)


class MonthJobs:
    """Runs the jobs that replace months of one dataset."""

    def __init__(self, client: PersistentClient, dataset: Dataset) -> None:
        self._client = client
        self._dataset = dataset
        self.stopped = threading.Event()
        """Set once no more jobs may begin."""

    def stop(self) -> None:
        """Lets no more jobs begin."""
        self.stopped.set()

    def run(
        self,
        planned: PlannedLoad,
        partition: str,
        submit: Callable[[str], Any],
        while_job_runs: WhileJobRuns,
        *,
        way: str = "",
    ) -> Any:
        """Runs the job that replaces the month, unless another process wrote the month meanwhile.

        The write mark is compared before the job and after it; what `submit` does for long before
        it starts the job, it ends with the same comparison. Two processes can still both submit
        in the short time between; then only the last writer finds its own job as the last write.
        A job that was started in another `way` is another job.

        Raises:
            StoppedError: If the load was stopped.
            OvertakenError: If another process wrote the month since it was planned.
            LoadError: If the job failed, or if another process wrote the month at the same time.
        """
        destination = f"{self._dataset.reference(planned.table)}${partition}"
        what = f"Loading {planned.period} into {planned.table}"

        def submit_if_unchanged(job_id: str) -> Any:
            self.require_unwritten(planned, job_id)
            return submit(job_id)

        job = run_job(
            job_identity(planned, destination, way=way),
            submit=submit_if_unchanged,
            find=self.find,
            is_current=lambda job: self._dataset.is_current(planned, job),
            what=what,
            patience=self._client.patience,
            while_job_runs=while_job_runs,
        ).job
        # Both processes may have compared the mark before either of them wrote. BigQuery runs one
        # job after the other, and only the second one is in the table.
        if not self._dataset.is_current(planned, job):
            self._dataset.refuse_deleted(planned)
            raise _written_at_once(what)
        return job

    def empty(self, planned: PlannedLoad, empty: Callable[[], None]) -> None:
        """Has `empty` take all rows out of the month, unless another process wrote it meanwhile.

        To empty it twice changes nothing, so it needs no id. The write mark is compared before and
        after, as in `run`; a month without rows has none. The list of partitions may be late and
        still have the old one, so whoever counts the month afterwards has the last word.

        Raises:
            StoppedError: If the load was stopped.
            OvertakenError: If another process wrote the month since it was planned.
            TransientLoadError: If another process wrote the month at the same time.
        """
        self.require_unwritten(planned)
        empty()
        if self._dataset.write_mark(planned) not in {None, planned.write_mark}:
            raise _written_at_once(f"Emptying {planned.period} of {planned.table}")

    def require_unwritten(self, planned: PlannedLoad, job_id: str | None = None) -> None:
        """Refuses to change a month that was written since it was planned.

        The writer may have been the job of this id, in a process that was killed, or in one that
        loads the same at the same time.

        Raises:
            StoppedError: If the load was stopped.
            OvertakenError: If another process wrote the month.
            google.api_core.exceptions.Conflict: If the job of this id did.
        """
        if self.stopped.is_set():
            raise StoppedError("The load was stopped")
        if self._dataset.write_mark(planned) == planned.write_mark:
            return
        if job_id is not None:
            self.refuse_known(job_id)
        self._dataset.refuse_deleted(planned)
        raise OvertakenError(
            f"another process wrote {planned.period} since it was planned"
            f"{'' if planned.write_mark else ', or BigQuery listed it late'}; the next run plans "
            "it again"
        )

    def find(self, job_id: str) -> Any:
        """The job of an id."""
        return self._client.get_job(job_id, location=self._dataset.location)

    def refuse_known(self, job_id: str) -> None:
        """Raises what an insert of an existing id would raise, before anything is staged."""
        try:
            self.find(job_id)
        except api.NotFound:
            return
        raise api.Conflict(f"Already Exists: Job {job_id}")


def _written_at_once(what: str) -> TransientLoadError:
    return TransientLoadError(
        f"{what}: another process wrote the month at the same time, so this load is not recorded. "
        "Run again; the newest run wins"
    )
