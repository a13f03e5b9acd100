"""Opens BigQuery, and maps what its client raises, once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import requests
from google.api_core import exceptions as api
from google.auth import exceptions as auth
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from cloudbill.errors import ConfigError, LoadError, TransientLoadError

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings

__all__ = ["EMULATOR_VARIABLE", "mapped", "open_client"]

EMULATOR_VARIABLE: Final = "BIGQUERY_EMULATOR_HOST"

_TRANSIENT: Final = (
    api.ServerError,
    api.TooManyRequests,
    api.RetryError,
    auth.TransportError,
    requests.ConnectionError,
    requests.Timeout,
)


def open_client(settings: SourceSettings) -> bigquery.Client:
    """A client with the credentials that dlt would use, or an emulator's.

    Raises:
        ConfigError: If there are no credentials.
    """
    emulator = os.environ.get(EMULATOR_VARIABLE)
    if emulator:
        return bigquery.Client(
            project=settings.project_id,
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": emulator},
            location=settings.location,
        )
    from dlt.common.configuration import resolve_configuration
    from dlt.common.configuration.exceptions import ConfigurationException
    from dlt.common.configuration.specs import GcpServiceAccountCredentials

    try:
        credentials = resolve_configuration(
            GcpServiceAccountCredentials(),
            sections=("destination", "bigquery"),
            accept_partial=False,
        ).to_native_credentials()
    except (ConfigurationException, auth.GoogleAuthError) as error:
        raise ConfigError(
            f"No credentials for BigQuery: {error}. Run 'gcloud auth application-default login', "
            "set GOOGLE_APPLICATION_CREDENTIALS, or put [destination.bigquery.credentials] into "
            ".dlt/secrets.toml"
        ) from error
    return bigquery.Client(
        project=settings.project_id, credentials=credentials, location=settings.location
    )


@contextmanager
def mapped(what: str) -> Iterator[None]:
    """Maps what the client raises to `LoadError`; `what` says what was being done.

    Raises:
        TransientLoadError: If the same call may succeed later.
        LoadError: If it will not.
    """
    try:
        yield
    except api.Forbidden as error:
        raise LoadError(f"{what} is not allowed: {error.message}. {_ROLES}") from error
    except api.NotFound as error:
        raise LoadError(
            f"{what}: {error.message}. Check 'project_id', 'dataset' and 'location'"
        ) from error
    except _TRANSIENT as error:
        raise TransientLoadError(f"{what} failed for now: {error}. Run again") from error
    except (api.GoogleAPICallError, auth.GoogleAuthError, requests.RequestException) as error:
        raise LoadError(f"{what} failed: {error}") from error


_ROLES: Final = (
    "The account needs roles/bigquery.jobUser on the project, roles/bigquery.dataEditor on the "
    "dataset, and roles/storage.objectViewer on the bucket"
)
