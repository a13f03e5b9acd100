"""BigQuery jobs whose ids are derived from what they do, so that no job runs twice.

`jobs.insert` is idempotent for a job id: a second insert answers 409, and the load then waits for
the existing job. A failed job keeps its id for ever, so the next attempt uses the next suffix.
Sources: BigQuery, "Running jobs programmatically" (job ids); "Error messages" (reasons).
"""

from __future__ import annotations

import hashlib
import logging
import random
import time
import uuid
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Final

from google.api_core import exceptions as api

from cloudbill.errors import LoadError, PartMissingError, TransientLoadError
from cloudbill.models import PlannedLoad
from cloudbill.redaction import redacted
from cloudbill.store.retrying import Patience
from cloudbill.warehouses.bigquery.client import JOB_PREFIX, bigquery_errors
from cloudbill.warehouses.bigquery.errors import job_error
from cloudbill.warehouses.bigquery.job_progress import WhileJobRuns

__all__ = [
    "FinishedJob",
    "JOB_TIMEOUT_S",
    "job_identity",
    "run_job",
    "succeeded",
    "wait_for",
]

_log = logging.getLogger(__name__)

_MAX_FRESH_FAILURES: Final = 4
_MAX_ATTEMPTS: Final = 1_000
_FIRST_PAUSE_S: Final = 2.0
_LONGEST_PAUSE_S: Final = 60.0
JOB_TIMEOUT_S: Final = 6 * 3600.0
""""Quotas and limits": a load job runs at most six hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedJob:
    """A job that succeeded; `is_resumed` says that an earlier process had started it."""

    job: Any
    is_resumed: bool


def job_identity(planned: PlannedLoad, destination: str, *, way: str = "") -> str:
    """The beginning of all job ids of a load: always the same for one load, different for others.

    It includes the run that the month held before. Otherwise, if a month went from one run to a
    second and back, the old job of the first run would be found, and the month would not be loaded.
    A forced load gets a unique id, because it must run although the same load succeeded before. So
    does a load that is done in another `way`, because it leaves another table.
    """
    manifest, replaces = planned.manifest, planned.replaces
    parts = [
        destination,
        str(planned.period),
        manifest.run_id,
        manifest.submitted_at.isoformat(),
        *planned.uris,
        # A part that was delivered again under the same name is another part.
        *(
            f"{part.stored.size} {part.stored.modified_at}"
            for part in manifest.parts
            if part.stored
        ),
        *([replaces.run_id, str(replaces.loaded_at)] if replaces else []),
        *([way] if way else []),
        *([uuid.uuid4().hex] if planned.is_forced else []),
    ]
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    return f"{JOB_PREFIX}{planned.period.partition_id}_{digest[:32]}"


def run_job(
    identity: str,
    *,
    submit: Callable[[str], Any],
    find: Callable[[str], Any],
    is_current: Callable[[Any], bool],
    what: str,
    patience: Patience | None = None,
    while_job_runs: WhileJobRuns | None = None,
) -> FinishedJob:
    """Submits a job under the first free id, or waits for the job that already has the id.

    `submit` starts a job under an id, and `find` gets the job of an id. `is_current` says whether
    the table still has what an earlier job wrote. The pauses after failures are 2 to 60 s, or
    shorter in proportion to a smaller patience.

    Raises:
        TransientLoadError: If it kept failing for passing reasons.
        LoadError: If the job failed.
    """
    # With a short patience, as in tests, the pauses become shorter in the same proportion.
    pace = min(1.0, (patience or Patience()).first_pause_s)
    fresh_failures = 0
    for attempt in range(_MAX_ATTEMPTS):
        job_id = f"{identity}_{attempt}"
        job, is_resumed = _submit(job_id, submit, find, what)
        was_done = is_resumed and job.state == "DONE"
        wait_for(job, what, while_job_runs)
        if job.error_result is None:
            # The same load succeeded before, but somebody wrote the month after it, so its result
            # is gone. The next id is free, or the same load in another process is using it.
            if was_done and not is_current(job):
                _log.info("job %s succeeded once, but the month was written since", job_id)
                continue
            return FinishedJob(job=job, is_resumed=is_resumed)
        if was_done:
            continue  # This failed in an earlier process; the cause may be fixed by now.
        error = _error_of(job, what)
        # Only failures of this process count. Those of earlier days only use up ids, and must not
        # leave this run without an attempt.
        fresh_failures += 1
        if not isinstance(error, TransientLoadError) or fresh_failures >= _MAX_FRESH_FAILURES:
            raise error
        longest_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**fresh_failures) * pace
        pause_s = longest_s * random.uniform(0.5, 1)  # noqa: S311
        _log.warning(
            "attempt %d: %s; trying again in %.1f s", fresh_failures, redacted(str(error)), pause_s
        )
        time.sleep(pause_s)
    raise LoadError(
        f"{what} failed {_MAX_ATTEMPTS} times; see the jobs {identity}_* in BigQuery",
        is_of_run=False,
    )


def _submit(
    job_id: str, submit: Callable[[str], Any], find: Callable[[str], Any], what: str
) -> tuple[Any, bool]:
    with bigquery_errors(what):
        try:
            return submit(job_id), False
        except api.Conflict:
            _log.info("job %s exists; waiting for it", job_id)
            return find(job_id), True


def wait_for(job: Any, what: str, while_job_runs: WhileJobRuns | None = None) -> None:
    """Waits until a job is done, whether it succeeded or not, and reports its state meanwhile."""
    with bigquery_errors(what), while_job_runs(job) if while_job_runs else nullcontext():
        try:
            job.result(timeout=JOB_TIMEOUT_S)
        except api.GoogleAPICallError:
            # Either the job failed, and its error is in `error_result`, or the request failed.
            if job.state != "DONE" or job.error_result is None:
                raise


def succeeded(job: Any, what: str, while_job_runs: WhileJobRuns | None = None) -> Any:
    """Waits for a job, and returns it.

    Raises:
        LoadError: If it failed.
    """
    wait_for(job, what, while_job_runs)
    if job.error_result is not None:
        raise _error_of(job, what)
    return job


def _error_of(job: Any, what: str) -> LoadError | PartMissingError:
    reason = str(job.error_result.get("reason", ""))
    message = str(job.error_result.get("message", ""))
    text = f"{what} failed, the month was not changed (job {job.job_id}, {reason})"
    return job_error(text, reason, message)
