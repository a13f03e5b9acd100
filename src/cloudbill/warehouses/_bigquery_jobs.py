"""BigQuery jobs whose ids are derived from what they do, so that no job runs twice.

`jobs.insert` is idempotent for a job id: a second insert answers 409, and the job is taken up
instead. A job that failed has burnt its id, so the next attempt takes the next suffix.
Sources: BigQuery, "Running jobs programmatically" (job ids); "Error messages" (reasons).
"""

from __future__ import annotations

import hashlib
import logging
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from google.api_core import exceptions as api

from cloudbill.errors import (
    LoadError,
    PartMissingError,
    ReconciliationError,
    SchemaError,
    TransientLoadError,
)
from cloudbill.models import PlannedLoad
from cloudbill.warehouses._bigquery_client import mapped

__all__ = ["FinishedJob", "job_identity", "run_job", "wait_for"]

_log = logging.getLogger(__name__)

_MAX_FRESH_FAILURES: Final = 4
_MAX_ATTEMPTS: Final = 1_000
_FIRST_PAUSE_S: Final = 2.0
_LONGEST_PAUSE_S: Final = 60.0
_JOB_TIMEOUT_S: Final = 6 * 3600.0  # "Quotas and limits": a load job runs at most six hours
# Reasons of a failed job after which the same load, under a new id, may succeed.
_RETRYABLE: Final = frozenset(
    {
        "backendError",
        "internalError",
        "jobBackendError",
        "jobInternalError",
        "jobRateLimitExceeded",
        "rateLimitExceeded",
        "tableUnavailable",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedJob:
    """A job that succeeded; `is_resumed` says that an earlier process had started it."""

    job: Any
    is_resumed: bool


def job_identity(planned: PlannedLoad, destination: str) -> str:
    """What all job ids of a load begin with: the same for the same load, for no other.

    What the month held before is part of it, or a month that went from one run to a second and
    back would be taken for loaded because the first run's job succeeded once. A forced load gets
    an id that nothing else has.
    """
    manifest, replaces = planned.manifest, planned.replaces
    parts = [
        destination,
        str(planned.period),
        manifest.run_id,
        manifest.submitted_at.isoformat(),
        *planned.uris,
        *([replaces.run_id, str(replaces.loaded_at)] if replaces else []),
        *([uuid.uuid4().hex] if planned.is_forced else []),
    ]
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    return f"cloudbill_{planned.period.partition_id}_{digest[:32]}"


def run_job(
    identity: str,
    *,
    submit: Callable[[str], Any],
    find: Callable[[str], Any],
    is_current: Callable[[Any], bool],
    what: str,
) -> FinishedJob:
    """Submits a job under the first id that is free, or takes up the one that holds it.

    `submit` starts a job under an id, `find` gets the job of an id, `is_current` says of a job
    that had succeeded before whether the table still holds what it wrote.

    Raises:
        TransientLoadError: If it kept failing for reasons that may pass.
        LoadError: If the job failed.
    """
    fresh_failures = 0
    for attempt in range(_MAX_ATTEMPTS):
        job_id = f"{identity}_{attempt}"
        job, is_resumed = _submit(job_id, submit, find, what)
        was_done = is_resumed and job.state == "DONE"
        wait_for(job, what)
        if job.error_result is None:
            if was_done and not is_current(job):
                _log.info("job %s succeeded once, but the month was written since", job_id)
                continue
            return FinishedJob(job=job, is_resumed=is_resumed)
        if was_done:
            continue  # An earlier process met this failure; what caused it may be mended.
        error = _error_of(job, what)
        fresh_failures += 1
        if not isinstance(error, TransientLoadError) or fresh_failures >= _MAX_FRESH_FAILURES:
            raise error
        pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**fresh_failures) * random.uniform(0.5, 1)  # noqa: S311
        _log.warning("%s; trying again in %.1f s", error, pause_s)
        time.sleep(pause_s)
    raise LoadError(f"{what} failed {_MAX_ATTEMPTS} times; see the jobs {identity}_* in BigQuery")


def _submit(
    job_id: str, submit: Callable[[str], Any], find: Callable[[str], Any], what: str
) -> tuple[Any, bool]:
    with mapped(what):
        try:
            return submit(job_id), False
        except api.Conflict:
            _log.info("job %s exists; taking it up", job_id)
            return find(job_id), True


def wait_for(job: Any, what: str) -> None:
    """Waits until a job is done, whether it succeeded or not."""
    with mapped(what):
        try:
            job.result(timeout=_JOB_TIMEOUT_S)
        except api.GoogleAPICallError:
            # Either the job ended in an error, which it holds, or asking for it failed.
            if job.state != "DONE" or job.error_result is None:
                raise


def _error_of(job: Any, what: str) -> LoadError | PartMissingError:
    reason = str(job.error_result.get("reason", ""))
    message = str(job.error_result.get("message", ""))
    text = f"{what} failed, the old month stands (job {job.job_id}, {reason}): {message}"
    if reason in _RETRYABLE:
        return TransientLoadError(f"{text}. Run again")
    if reason == "notFound" and "gs://" in message:
        return PartMissingError(f"{text}. Was the part replaced meanwhile? Run again")
    if "Provided Schema does not match" in message:
        return SchemaError(text)
    if "belong to different partitions" in message:
        return ReconciliationError(
            f"{text}. The run has rows of another month; export one at a time"
        )
    return LoadError(text)
