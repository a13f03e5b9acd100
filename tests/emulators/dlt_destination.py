"""dlt's own BigQuery destination, on the emulator that ``BIGQUERY_EMULATOR_HOST`` names."""

from __future__ import annotations

from typing import Any

import dlt
from dlt.common.configuration import configspec
from dlt.common.configuration.specs import GcpServiceAccountCredentials
from google.auth.credentials import AnonymousCredentials


@configspec
class EmulatorCredentials(GcpServiceAccountCredentials):
    """Credentials of nobody."""

    def to_native_credentials(self) -> Any:
        """What the client signs its requests with: nothing."""
        return AnonymousCredentials()


def bigquery_destination(project: str) -> Any:
    """A destination for ``dlt.pipeline``."""
    credentials = EmulatorCredentials()
    credentials.project_id = project
    credentials.private_key = "none"
    credentials.client_email = "nobody@example.com"
    credentials.resolve()  # otherwise dlt rebuilds them as the base class
    return dlt.destinations.bigquery(credentials=credentials, project_id=project, location="US")
