"""The meaning of BigQuery's errors: which pass, and what to do about the others.

Sources: BigQuery, "Error messages" (reasons), "Troubleshoot quota and limit errors", "BigQuery IAM
roles and permissions", "Location considerations" (batch loading); texts as recorded in public
reports.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import requests
from google.api_core import exceptions as api
from google.auth import exceptions as auth

from cloudbill.errors import (
    LoadError,
    PartMissingError,
    ReconciliationError,
    SchemaError,
    TransientLoadError,
)
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

_PASSING_REASONS: Final = frozenset({*PASSING_JOB_REASONS, "badGateway"})
_RATE_REASONS: Final = frozenset(
    {"jobRateLimitExceeded", "rateLimitExceeded", "userRateLimitExceeded"}
)
_RATE_TEXTS: Final = ("exceeded rate limit", "rate limit exceeded", "ratelimitexceeded")
_LASTING_REASONS: Final = frozenset({"quotaExceeded", "billingNotEnabled", "notImplemented"})
_NOT_OF_RUN: Final = frozenset({"stopped", "billingNotEnabled"})
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
    ("storage.", "roles/storage.objectViewer on the bucket"),
    ("bigquery.jobs.", "roles/bigquery.jobUser on the project"),
    ("bigquery.datasets.create", "roles/bigquery.user on the project, or a dataset that exists"),
    ("bigquery.", "roles/bigquery.dataEditor on the dataset"),
)
_ALL_ROLES: Final = (
    "roles/bigquery.jobUser on the project, roles/bigquery.dataEditor on the dataset, and "
    "roles/storage.objectViewer on the bucket"
)
_LOCATIONS: Final = re.compile(
    r"different locations: source: (?P<source>[\w-]+), destination: (?P<destination>[\w-]+)"
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
    if _is_limited(error):
        return True
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
        message = str(error.message or error)
        known = _known(f"{what} failed", reason_of(error), message)
        if known is not None:
            raise known from error
        if _is_limited(error):
            raise TransientLoadError(
                f"{what} failed for now: BigQuery limits the rate of requests ({message}). Run "
                "again later, or set 'parallel_loads' to less; no role is missing"
            ) from error
        if isinstance(error, api.Forbidden):
            raise LoadError(
                f"{what} is not allowed: {message}. {_missing_role(message)}", is_of_run=False
            ) from error
        if isinstance(error, api.NotFound):
            hint = "Check 'project_id', 'dataset' and 'location'"
            raise LoadError(f"{what}: {message}. {hint}", is_of_run=False) from error
        if may_pass(error):
            raise TransientLoadError(f"{what} failed for now: {error}. Run again") from error
        raise LoadError(f"{what} failed: {error}") from error
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
    if reason in PASSING_JOB_REASONS:
        return TransientLoadError(f"{text}. Run again")
    if reason == "notFound" and "gs://" in message:
        return PartMissingError(f"{text}. Was the part replaced meanwhile? Run again")
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
    known = _known(what, reason, message)
    return known or LoadError(f"{text}{again}", is_of_run=reason not in _NOT_OF_RUN)


def _is_limited(error: BaseException) -> bool:
    """Whether BigQuery was asked too often, which it says with 403 as well as with 429."""
    if not isinstance(error, api.Forbidden | api.TooManyRequests):
        return False
    plain = str(error).lower()
    is_rate = reason_of(error) in _RATE_REASONS or any(text in plain for text in _RATE_TEXTS)
    return is_rate and reason_of(error) not in _LASTING_REASONS


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
    if reason == "quotaExceeded" or "Quota exceeded" in message:
        return LoadError(
            f"{what}: {message}. Daily quotas come back over 24 hours: run again later today or "
            "tomorrow, what is loaded stays loaded; or ask for more under 'IAM & Admin', 'Quotas'",
            is_of_run=False,
        )
    return None


def _missing_role(message: str) -> str:
    permission = _PERMISSION.search(message)
    if permission is None:
        hint = _ROLES[0][1] if "gs://" in message else _ALL_ROLES
        return f"The account needs {hint}"
    role = next(role for start, role in _ROLES if permission[0].startswith(start))
    return f"{permission[0]} is part of {role}"


def reason_of(error: BaseException) -> str:
    """The reason that BigQuery gives for an error, or nothing."""
    errors = getattr(error, "errors", None) or ()
    first = errors[0] if isinstance(errors, list | tuple) and errors else {}
    return str(first.get("reason", "")) if isinstance(first, dict) else ""
