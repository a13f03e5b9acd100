"""A BigQuery client whose calls have deadlines and are tried again."""

from __future__ import annotations

import functools
import logging
import os
import threading
import uuid
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from google.api_core import exceptions as api
from google.auth import exceptions as auth
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from cloudbill.errors import ConfigError
from cloudbill.store.credentials import MALFORMED, bigquery_advice, malformed_value
from cloudbill.store.retrying import Patience, persist
from cloudbill.warehouses.bigquery.errors import (
    PASSING_JOB_REASONS,
    bigquery_errors,
    may_pass,
    reason_of,
)

if TYPE_CHECKING:
    from dlt.common.configuration.specs import GcpServiceAccountCredentials
    from google.cloud.bigquery.table import RowIterator

    from cloudbill.settings.warehouse import WarehouseSettings

__all__ = [
    "EMULATOR_VARIABLE",
    "JOB_PREFIX",
    "PersistentClient",
    "bigquery_errors",
    "billing_at_most",
    "find_credentials",
    "open_client",
    "query_defaults",
]

EMULATOR_VARIABLE: Final = "BIGQUERY_EMULATOR_HOST"

JOB_PREFIX: Final = "cloudbill_"
"""The prefix of derived job ids. The code that inserts such a job expects that it may exist."""

_log = logging.getLogger(__name__)

_UPLOADS: Final = 8
"""How many files are uploaded at once, whatever months they are of."""
_CHUNK_BYTES: Final = 16 * 1024 * 1024
"""How much of a file is in memory; a multiple of 256 KiB ("Resumable uploads")."""
_QUOTA_PROJECT: Final = "without a quota project"

# `_call_api` and `rows` try again, so Google's client does not.
_NOT_AGAIN: Final[Mapping[str, Any]] = {"retry": None, "job_retry": None}

# What an insert creates, by the member of the request's body that names it.
_REFERENCES: Final[Mapping[str, str]] = {
    "jobReference": "jobId",
    "tableReference": "tableId",
    "datasetReference": "datasetId",
}


class _FailedForNowError(Exception):
    """A query job failed for a passing reason, so the same query may succeed."""


class PersistentClient(bigquery.Client):
    """A client that tries calls again in one place, where Google's client does in three.

    Google's client retries calls for 10 minutes, query jobs for 40, and uploads by separate rules.
    The three multiply, none of them logs anything, and most calls have no deadline. All calls go
    through `_call_api`, which here gives each one a deadline and the configured patience.
    """

    def __init__(self, *, patience: Patience, **options: Any) -> None:
        super().__init__(**options)
        self.patience = patience
        self._uploading = threading.BoundedSemaphore(_UPLOADS)

    def rows(
        self, query: str, *, job_config: bigquery.QueryJobConfig, location: str | None
    ) -> list[bigquery.Row]:
        """The rows of a query that changes nothing; see `answer`."""
        return list(self.answer(query, job_config=job_config, location=location))

    def answer(
        self,
        query: str,
        *,
        job_config: bigquery.QueryJobConfig,
        location: str | None,
        page_size: int | None = None,
    ) -> RowIterator:
        """The rows of a query that changes nothing, page by page.

        A job that failed for now is run again.

        It is one request where BigQuery has the rows within half of what an attempt may take;
        after that BigQuery answers that the job still runs, and is asked until it does not.
        """

        def attempt() -> RowIterator:
            try:
                return self.query_and_wait(
                    query,
                    job_config=job_config,
                    location=location,
                    api_timeout=self.patience.attempt_s / 2,
                    page_size=page_size,
                    **_NOT_AGAIN,
                )
            except api.GoogleAPICallError as error:
                # It comes with no response where a call succeeded, and said that the job failed.
                if error.response is None and reason_of(error) in PASSING_JOB_REASONS:
                    raise _FailedForNowError(str(error)) from error
                raise

        try:
            return persist(
                "BigQuery query",
                attempt,
                may_pass=lambda error: isinstance(error, _FailedForNowError),
                patience=self.patience,
            )
        except _FailedForNowError as error:
            raise error.__cause__ or error from None

    def query(self, *arguments: Any, **options: Any) -> bigquery.QueryJob:
        """Starts a query; only `rows` runs a failed query again."""
        return super().query(*arguments, **{**options, "job_retry": None})

    def upload(
        self,
        file: Path,
        destination: str,
        *,
        location: str | None,
        job_config: bigquery.LoadJobConfig,
    ) -> Any:
        """Starts a load job with the content of a file; a failed upload is sent again."""
        job_id, size = uuid.uuid4().hex, file.stat().st_size
        stretch = self.patience.stretch(size)
        is_first = True

        def attempt() -> Any:
            nonlocal is_first
            was_first, is_first = is_first, False
            try:
                with self._uploading, file.open("rb") as content:
                    return self.load_table_from_file(
                        content,
                        destination,
                        size=size,
                        num_retries=0,
                        job_id=job_id,
                        location=location,
                        job_config=job_config,
                        timeout=self.patience.attempt_s * stretch,
                    )
            except api.Conflict:
                if was_first:
                    raise
                # The first attempt created the job, and only its answer was lost.
                return self.get_job(job_id, location=location)

        return persist(
            f"BigQuery upload of {file.name}",
            attempt,
            may_pass=may_pass,
            patience=self.patience,
        )

    def row_access_policies(self, table: bigquery.Table) -> list[str]:
        """The names of the row access policies of a table (`rowAccessPolicies.list`)."""
        names: list[str] = []
        page: dict[str, str] = {}
        while True:
            answer = self._call_api(
                None, method="GET", path=f"{table.path}/rowAccessPolicies", query_params=page
            )
            names += [
                str(one["rowAccessPolicyReference"]["policyId"])
                for one in answer.get("rowAccessPolicies", ())
            ]
            if not answer.get("nextPageToken"):
                return names
            page = {"pageToken": str(answer["nextPageToken"])}

    def are_rows_filtered(self, job: bigquery.QueryJob) -> bool:
        """Whether a query has read a table with row access policies, whoever they are for.

        "Use row-level security", job statistics.
        """
        path = f"/projects/{job.project}/jobs/{job.job_id}"
        query = {"location": job.location} if job.location else {}
        answer = self._call_api(None, method="GET", path=path, query_params=query)
        found = answer.get("statistics", {}).get("rowLevelSecurityStatistics", {})
        return bool(found.get("rowLevelSecurityApplied"))

    def _initiate_resumable_upload(self, *arguments: Any, **options: Any) -> Any:
        """Begins an upload that holds less of its file in memory than 100 MB, as Google's does."""
        upload, transport = super()._initiate_resumable_upload(*arguments, **options)
        upload._chunk_size = _CHUNK_BYTES  # noqa: SLF001
        return upload, transport

    def close(self) -> None:
        """Closes the connections."""
        bigquery.Client.close(self)

    def _call_api(
        self,
        retry: object,  # noqa: ARG002
        span_name: str | None = None,
        span_attributes: Mapping[str, str] | None = None,
        job_ref: Any = None,
        headers: dict[str, str] | None = None,
        **request: Any,
    ) -> Any:
        """Sends one request of any kind, with a deadline, until it gets an answer."""
        longest_s = self.patience.attempt_s
        # What callers ask for is how long BigQuery may wait, and its answer must still arrive.
        request["timeout"] = longest_s
        send = super()._call_api
        is_first = True

        def attempt() -> Any:
            nonlocal is_first
            was_first, is_first = is_first, False
            try:
                return send(None, span_name, span_attributes, job_ref, headers, **request)
            except (api.Conflict, api.PreconditionFailed):
                made = None if was_first else _made_by(request)
                if made is None:
                    raise
                # An earlier attempt succeeded, and only its answer was lost.
                return send(None, **made, timeout=longest_s)

        what = f"BigQuery {request.get('method')} {request.get('path')}"
        return persist(what, attempt, may_pass=may_pass, patience=self.patience)


def _made_by(request: Mapping[str, Any]) -> dict[str, Any] | None:
    """The request that reads what another request creates or changes."""
    body, path = request.get("data") or {}, str(request.get("path"))
    if request.get("method") == "PATCH":
        return {"method": "GET", "path": path}
    for member, name in _REFERENCES.items():
        reference = body.get(member)
        if request.get("method") == "POST" and isinstance(reference, Mapping):
            made, location = str(reference.get(name)), reference.get("location")
            if made.startswith(JOB_PREFIX) and member == "jobReference":
                return None
            return {
                "method": "GET",
                "path": f"{path}/{quote(made, safe='')}",
                "query_params": {"location": location} if location else {},
            }
    return None


_limits: Final[list[int]] = []


@contextmanager
def billing_at_most(limit_bytes: int) -> Iterator[None]:
    """While the block runs, clients are opened whose queries fail before they bill more."""
    _limits.append(limit_bytes)
    try:
        yield
    finally:
        _limits.remove(limit_bytes)


def query_defaults() -> bigquery.QueryJobConfig | None:
    """What each query of a new client states, if it states nothing else."""
    return bigquery.QueryJobConfig(maximum_bytes_billed=min(_limits)) if _limits else None


def open_client(settings: WarehouseSettings) -> PersistentClient:
    """A client with the credentials that dlt would use, or an emulator's.

    Raises:
        ConfigError: If there are no credentials.
    """
    patience = Patience(settings.retry_for_s)
    emulator = os.environ.get(EMULATOR_VARIABLE)
    if emulator:
        return PersistentClient(
            patience=patience,
            project=settings.project_id,
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": emulator},
            location=settings.location,
            default_query_job_config=query_defaults(),
        )
    try:
        with _quota_project_in_words():
            credentials = find_credentials().to_native_credentials()
    except auth.GoogleAuthError as error:
        raise _no_credentials(error) from error
    except MALFORMED as error:
        advice = "\n".join(bigquery_advice())
        raise ConfigError(
            f"The credentials for BigQuery cannot be used: {malformed_value(error)}\n{advice}"
        ) from error
    return PersistentClient(
        patience=patience,
        project=settings.project_id,
        credentials=credentials,
        location=settings.location,
        default_query_job_config=query_defaults(),
    )


def find_credentials() -> GcpServiceAccountCredentials:
    """The credentials that dlt would use for BigQuery.

    Raises:
        ConfigError: If there are none.
    """
    from dlt.common.configuration import resolve_configuration
    from dlt.common.configuration.exceptions import ConfigurationException
    from dlt.common.configuration.specs import GcpServiceAccountCredentials

    try:
        with _quota_project_in_words():
            return resolve_configuration(
                GcpServiceAccountCredentials(),
                sections=("destination", "bigquery"),
                accept_partial=False,
            )
    except (ConfigurationException, auth.GoogleAuthError) as error:
        raise _no_credentials(error) from error


def _no_credentials(error: Exception) -> ConfigError:
    # dlt lists forty places where it looked; its first line says which keys it lacks.
    first, *_ = str(error).strip().splitlines() or [type(error).__name__]
    _, *ways = bigquery_advice()
    return ConfigError("\n".join([f"No credentials for BigQuery: {first.rstrip('.')}.", *ways]))


@contextmanager
def _quota_project_in_words() -> Iterator[None]:
    """Says what Google's library warns of where a person signed in without a quota project."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for one in caught:
        if _QUOTA_PROJECT in str(one.message):
            _tell_of_quota_project()
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


@functools.cache
def _tell_of_quota_project() -> None:
    """Tells it once, for the credentials are found several times."""
    _log.warning(
        "You are signed in as yourself, without a quota project: BigQuery may answer that a quota "
        "is exceeded or an API is not enabled. Set one: 'gcloud auth application-default "
        "set-quota-project' and the id of your project"
    )
