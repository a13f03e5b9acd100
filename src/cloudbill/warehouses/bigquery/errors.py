"""The meaning of BigQuery's errors: which pass, and what to do about the others.

Sources: BigQuery, "Error messages" (reasons), "Troubleshoot quota and limit errors", "BigQuery IAM
roles and permissions", "Location considerations" (batch loading); texts as recorded in public
reports.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import requests
from google.api_core import exceptions as api
from google.auth import exceptions as auth

from cloudbill.errors import (
    BytesLimitError,
    LoadError,
    PartMissingError,
    ReconciliationError,
    SchemaError,
    TransientLoadError,
)
from cloudbill.files.columns import RENAME
from cloudbill.files.damage import AGAIN

__all__ = ["PASSING_JOB_REASONS", "bigquery_errors", "job_error", "may_pass", "reason_of"]

PASSING_JOB_REASONS: Final = frozenset(
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
"""Reasons of a failed job that pass: the same job may succeed under a new id."""

_PASSING_REASONS: Final = frozenset({*PASSING_JOB_REASONS, "badGateway", "userRateLimitExceeded"})
_BYTES_LIMIT: Final = "bytesBilledLimitExceeded"
# A limit of bytes comes as 500, as users of the service recorded, and lasts all the same.
_LASTING_REASONS: Final = frozenset(
    {"quotaExceeded", "billingNotEnabled", "notImplemented", _BYTES_LIMIT}
)
_OF_THE_DATA: Final = frozenset({"invalid", "invalidQuery", "notFound"})
# Whatever else ends a job, known or not, says nothing against what it loads. A call that is no
# query is refused as invalid for what it asks of a table.
_OF_RUN: Final = frozenset({"invalid", "invalidQuery"})
_OF_QUERY: Final = "invalidQuery"
_BROKEN_CONNECTIONS: Final = (
    api.RetryError,
    auth.TransportError,
    ConnectionError,
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
)
_PASSING_CALLS: Final = (api.ServerError, api.TooManyRequests)

_PERMISSION: Final = re.compile(r"\b(?:bigquery|storage)\.[a-zA-Z]+\.[a-zA-Z]+\b")
_ROLES: Final = (
    (
        "storage.buckets.",
        "roles/storage.legacyBucketReader on the bucket; roles/storage.objectViewer lacks it",
    ),
    ("storage.", "roles/storage.objectViewer on the bucket"),
    ("bigquery.rowAccessPolicies.", "roles/bigquery.dataOwner on the dataset"),
    ("bigquery.jobs.", "roles/bigquery.jobUser on the project"),
    ("bigquery.datasets.create", "roles/bigquery.user on the project, or a dataset that exists"),
    ("bigquery.", "roles/bigquery.dataEditor on the dataset"),
)
_OF_THE_BUCKET: Final = (
    "roles/storage.objectViewer on the bucket, and roles/storage.legacyBucketReader, which has "
    "storage.buckets.get"
)
_ALL_ROLES: Final = (
    "roles/bigquery.jobUser on the project, roles/bigquery.dataEditor on the dataset, "
    f"{_OF_THE_BUCKET}"
)
_ELSEWHERE: Final = re.compile(r"cannot read in location: (?P<job>[\w-]+)", re.IGNORECASE)
_LOCATIONS: Final = re.compile(
    r"different locations: source: (?P<source>[\w-]+), destination: (?P<destination>[\w-]+)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Meaning:
    """What a refusal means that is the fault of no run, whichever call or job it ended.

    `text` is a regular expression for messages whose reason says less than they do.
    """

    text: str
    reasons: frozenset[str] = frozenset()
    error: type[LoadError] = LoadError
    remedy: str
    is_of_statements: bool = False
    """Whether it ends a statement, so that its reason is one of those of data."""


_BILLING: Final = (
    "Link a billing account to the project (Google Cloud console, 'Billing'), and run again; no "
    "role is missing"
)
# Their reasons are those of all disabled billing, or of a quota that comes back in a day.
_FREE_TIER: Final = (
    _Meaning(
        text="not allowed in the free tier",
        remedy="A project without a billing account takes load jobs and refuses the INSERT that "
        f"writes the ledger, so no month can be recorded. {_BILLING}; or load into DuckDB: leave "
        "'project_id' out",
    ),
    _Meaning(
        text="free query bytes scanned",
        remedy=f"The free queries of this month are used up. {_BILLING}",
    ),
)
# The first that fits counts. BigQuery gives most of them as 403, which is not only missing roles.
_MEANINGS: Final = (
    *_FREE_TIER,
    _Meaning(
        text=r"billing has not been enabled|billing account .* is (?:disabled|closed)",
        reasons=frozenset({"billingNotEnabled"}),
        remedy=_BILLING,
    ),
    _Meaning(
        text="vpc service controls|prohibited by organization's policy",
        reasons=frozenset({"policyViolation", "vpcServiceControls"}),
        remedy="A service perimeter keeps the request out; no role is missing. Run it from inside "
        "the perimeter, or have its administrators let the account in: they find the request by "
        "the identifier in the message",
    ),
    _Meaning(
        # Of data policies no refusal is recorded; the permissions are those of "BigQuery Data
        # Policy roles and permissions".
        text=r"policy tag|fine-grained reader|bigquery\.tables\.setCategory|data polic(?:y|ies)\b|"
        r"bigquery\.dataPolicies\.",
        remedy="Columns of the table have policy tags or data policies. To sum them, the account "
        "needs roles/datacatalog.categoryFineGrainedReader on the tags, or "
        "roles/bigquerydatapolicy.rawDataReader for data policies; to set them, "
        "roles/bigquery.dataOwner on the dataset, which has bigquery.tables.setCategory, or "
        "roles/bigquerydatapolicy.admin",
    ),
    _Meaning(
        text="due to row access policies|a row access policy hides rows",
        remedy="To change a table that has row access policies, the account must see all of its "
        "rows: let an owner of the data create a policy with FILTER USING (TRUE) for it",
        is_of_statements=True,
    ),
    _Meaning(
        text="due to concurrent update",  # of a transaction, or of a statement by itself
        error=TransientLoadError,
        remedy="Another process changed the table at the same time. Run again",
        is_of_statements=True,
    ),
    _Meaning(
        # "Data manipulation language", limitations; the texts are those of public reports.
        text="would affect rows in the streaming buffer|over table .* with streaming buffer",
        remedy="Rows were streamed into this month a moment ago, and BigQuery changes none of them "
        "before it has stored them: stop what streams into the table, and run again in 90 minutes",
        is_of_statements=True,
    ),
    _Meaning(
        text=r"without a filter over column\(s\) .* for partition elimination",
        remedy="The table demands a filter on its partitions that this query does not have: ALTER "
        "TABLE … SET OPTIONS (require_partition_filter = FALSE) lifts that",
        is_of_statements=True,
    ),
    _Meaning(
        text="incompatible table (?:partitioning|clustering) specification",
        remedy="Somebody changed how the table is partitioned or clustered since it was read. Run "
        "again; `cloudbill doctor` says what it is like",
        is_of_statements=True,
    ),
    _Meaning(
        text="exceeded rate limit|rate limit exceeded|ratelimitexceeded",
        reasons=frozenset({"jobRateLimitExceeded", "rateLimitExceeded", "userRateLimitExceeded"}),
        error=TransientLoadError,
        remedy="BigQuery limits the rate of requests. Run again later, or set 'parallel_loads' to "
        "less; no role is missing",
    ),
    _Meaning(
        text="quota exceeded",
        reasons=frozenset({"quotaExceeded"}),
        remedy="Daily quotas come back over 24 hours: run again later today or tomorrow, what is "
        "loaded stays loaded; or ask for more under 'IAM & Admin', 'Quotas'",
    ),
    _Meaning(
        # The client sends the etag of what it read; BigQuery says one or the other.
        text="did not meet condition|precondition check failed|was changed [0-9]+ times meanwhile",
        reasons=frozenset({"conditionNotMet", "failedPrecondition"}),
        error=TransientLoadError,
        remedy="Another process changed the table since it was read. Run again",
    ),
)
# The client adds where the job of a query is; of a dry run there is none.
_TAIL: Final = re.compile(r"\s*Location: \S+\s+Job ID: \S+\s*$")
_NEEDED: Final = re.compile(
    r"limit for bytes billed: (?P<limit>\d+)\.?(?:\s*(?P<needed>\d+) or higher)?", re.IGNORECASE
)
# At the start, because elsewhere it may be data. As recorded: github.com, ibis-project/ibis, issue
# 8931; dbt-labs/dbt-external-tables, issue 175; z3z1ma/target-bigquery, issue 120.
_ILLEGAL_NAME: Final = re.compile(
    r'(?:[A-Z]+ https?://\S+ )?(?:Invalid field name "|Field \S.* already exists in schema)'
)
_CHANGED_TYPE: Final = "Provided Schema does not match"
_UNREADABLE: Final = "Error while reading data"


def may_pass(error: BaseException) -> bool:
    """Whether the same call may succeed later."""
    if isinstance(error, requests.exceptions.SSLError):
        return False  # requests counts it as a connection error, but its cause is the configuration
    reason = reason_of(error)
    if reason in _PASSING_REASONS or isinstance(error, _BROKEN_CONNECTIONS):
        return True
    if isinstance(error, api.Forbidden | api.TooManyRequests):
        meaning = _meaning_of(reason, str(error))
        if meaning is not None:
            return meaning.error is TransientLoadError
    return isinstance(error, _PASSING_CALLS) and reason not in _LASTING_REASONS


@contextmanager
def bigquery_errors(what: str) -> Iterator[None]:
    """Turns errors of the client into `LoadError`; `what` says what was being done.

    Raises:
        TransientLoadError: If the same call may succeed later.
        LoadError: If it will not.
    """
    try:
        yield
    except api.GoogleAPICallError as error:
        message = _TAIL.sub("", str(error.message or error))
        known = _known(f"{what} failed", reason_of(error), message)
        if known is not None:
            raise known from error
        if isinstance(error, api.Forbidden):
            raise LoadError(
                f"{what} is not allowed: {message}. {_missing_role(message)}", is_of_run=False
            ) from error
        if isinstance(error, api.NotFound):
            hint = "Check 'project_id', 'dataset' and 'location'"
            raise LoadError(f"{what}: {message}. {hint}", is_of_run=False) from error
        if may_pass(error):
            raise TransientLoadError(f"{what} failed for now: {error}. Run again") from error
        is_of_run = reason_of(error) == _OF_QUERY
        raise LoadError(f"{what} failed: {error}", is_of_run=is_of_run) from error
    except TimeoutError as error:
        # The client waits for a job by a future, which gives up without a word of its own.
        raise TransientLoadError(
            f"{what} is not done, and was waited for as long as a job may take. Look at it in "
            "BigQuery, under 'Job history'; the next run finds the job and does not start it twice"
        ) from error
    except _BROKEN_CONNECTIONS as error:
        raise TransientLoadError(
            f"{what} failed for now: {error}. It was tried again until 'retry_for_s' was over; "
            "check the network and the proxy, then run again"
        ) from error
    except (auth.GoogleAuthError, requests.RequestException) as error:
        raise LoadError(f"{what} failed: {error}", is_of_run=False) from error


def job_error(what: str, reason: str, message: str) -> LoadError | PartMissingError:
    """The error for a failed job with this reason and message."""
    text = f"{what}: {message}"
    if reason == "notFound" and "gs://" in message:
        return PartMissingError(f"{text}. Was the part replaced meanwhile? Run again")
    return _known(what, reason, message) or _of_a_job(text, reason, message)


def _of_a_job(text: str, reason: str, message: str) -> LoadError:
    if reason in PASSING_JOB_REASONS:
        return TransientLoadError(f"{text}. Run again")
    if _CHANGED_TYPE in message:
        return SchemaError(
            f"{text}. Load this export into a new 'table_name', or convert the column of the "
            "table, and run again"
        )
    if "belong to different partitions" in message:
        return ReconciliationError(
            f"{text}. The run has rows of another month; export one at a time"
        )
    if reason == "accessDenied":
        return LoadError(f"{text}. {_missing_role(message)}", is_of_run=False)
    again = f". {AGAIN}" if _UNREADABLE in message else ""
    return LoadError(f"{text}{again}", is_of_run=reason in _OF_RUN)


def _meaning_of(reason: str, message: str) -> _Meaning | None:
    """What a reason means; where it says nothing, as `accessDenied` does, what the message means.

    Messages of the free tier are the exception: their reason says less than they do. A message
    about data may quote the data, and means nothing here.
    """
    by_text = [one for one in _MEANINGS if re.search(one.text, message, re.IGNORECASE)]
    if reason in _OF_THE_DATA:
        return next((one for one in by_text if one.is_of_statements), None)
    free = [one for one in _FREE_TIER if one in by_text]
    by_reason = [one for one in _MEANINGS if reason in one.reasons]
    return next(iter([*free, *by_reason, *by_text]), None)


def _known(what: str, reason: str, message: str) -> LoadError | None:
    """The error for a failure that calls and jobs have in common, or None."""
    located = _LOCATIONS.search(message)
    if located is not None:
        return LoadError(
            f"{what}: {message}. The bucket is in {located['source']}, the dataset in "
            f"{located['destination']}, and BigQuery loads within one location: set 'dataset' to "
            f"one in {located['source']}, or 'bucket' to one in {located['destination']}",
            is_of_run=False,
        )
    if reason == _BYTES_LIMIT:
        return _beyond_limit(what, message)
    if _ILLEGAL_NAME.match(message):
        return SchemaError(f"{what}: {message}. {RENAME}")
    elsewhere = _ELSEWHERE.search(message)
    if elsewhere is not None and reason != _OF_QUERY:
        return LoadError(
            f"{what}: {message}. The job ran in {elsewhere['job']}, where the dataset is, and the "
            "bucket is elsewhere; `cloudbill doctor` says where. Use a bucket and a dataset in one "
            "location",
            is_of_run=False,
        )
    meaning = _meaning_of(reason, message)
    if meaning is None:
        return None
    return meaning.error(f"{what}: {message}. {meaning.remedy}", is_of_run=False)


def _beyond_limit(what: str, message: str) -> BytesLimitError:
    """The error for a query that did not run because of what it would bill."""
    found = _NEEDED.search(message)
    if found is None or found["needed"] is None:
        return BytesLimitError(f"{what}: {message}. Set 'maximum_bytes_billed' to more")
    needed = int(found["needed"])
    return BytesLimitError(
        f"{what}: the query would bill {needed:,} bytes, and "
        f"'maximum_bytes_billed' allows {int(found['limit']):,}. It did not run, and costs "
        f"nothing. Set 'maximum_bytes_billed' to {needed} or more, or leave it out"
    )


def _missing_role(message: str) -> str:
    permission = _PERMISSION.search(message)
    if permission is None:
        hint = _OF_THE_BUCKET if "gs://" in message else _ALL_ROLES
        return f"The account needs {hint}"
    role = next(role for start, role in _ROLES if permission[0].startswith(start))
    return f"{permission[0]} is part of {role}"


def reason_of(error: BaseException) -> str:
    """The reason that BigQuery gives for an error, or nothing."""
    errors = getattr(error, "errors", None) or ()
    first = errors[0] if isinstance(errors, list | tuple) and errors else {}
    return str(first.get("reason", "")) if isinstance(first, dict) else ""
