"""dlt's BigQuery destination, with the credentials of the client or an emulator's."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from dlt.common.configuration import configspec
from dlt.common.configuration.specs import GcpServiceAccountCredentials
from dlt.destinations import bigquery as bigquery_destination
from dlt.destinations.impl.bigquery.sql_client import BigQuerySqlClient
from google.auth.credentials import AnonymousCredentials

from cloudbill.warehouses.bigquery.client import (
    EMULATOR_VARIABLE,
    find_credentials,
    query_defaults,
)

if TYPE_CHECKING:
    from dlt.common.destination import DestinationCapabilitiesContext
    from dlt.common.normalizers.naming import NamingConvention
    from dlt.common.schema import Schema
    from dlt.destinations.impl.bigquery.bigquery import BigQueryClient
    from dlt.destinations.impl.bigquery.configuration import BigQueryClientConfiguration
    from google.cloud.bigquery import Client

    from cloudbill.settings.warehouse import WarehouseSettings

__all__ = ["dlt_destination"]


@configspec
class EmulatorCredentials(GcpServiceAccountCredentials):
    """Credentials of nobody: an emulator asks for none."""

    def to_native_credentials(self) -> Any:
        """What the client signs its requests with: nothing."""
        return AnonymousCredentials()


def dlt_destination(settings: WarehouseSettings, location: str | None) -> Any:
    """The destination that writes the ledger into the project of the tables."""
    options: dict[str, Any] = {
        "project_id": settings.project_id,
        "enable_dataset_name_normalization": False,
    }
    if location is not None:
        options["location"] = location
    if os.environ.get(EMULATOR_VARIABLE):
        credentials = EmulatorCredentials()
        # dlt asks for these before it asks for the credentials themselves.
        credentials.project_id = str(settings.project_id)
        credentials.private_key = "none"
        credentials.client_email = "emulator@localhost"
        credentials.resolve()  # or dlt makes the base class of them
        options["credentials"] = credentials
    else:
        # Found here and not by dlt, which sees no settings where it writes the ledger.
        options["credentials"] = find_credentials()
    return _BigQueryDestination(**options)


class _BigQueryDestination(bigquery_destination):
    """dlt's own, which asks its configuration once for what it asks it twenty times in a run."""

    @property
    def destination_type(self) -> str:
        # dlt finds its settings by this name, and writes the name into the state.
        return "dlt.destinations.bigquery"

    def capabilities(
        self,
        config: BigQueryClientConfiguration | None = None,
        naming: NamingConvention | None = None,
    ) -> DestinationCapabilitiesContext:
        """What BigQuery can do, which no setting of ours changes, adjusted to a convention."""
        return super().capabilities(config or self.spec(), naming)

    def client(self, schema: Schema, initial_config: Any = None) -> BigQueryClient:
        """dlt's client, with our client of SQL."""
        made = super().client(schema, initial_config)
        plain = made.sql_client
        made.sql_client = _SqlClient(
            plain.dataset_name,
            plain.staging_dataset_name,
            plain.credentials,
            plain.capabilities,
            plain.location,
            plain.project_id,
            plain.http_timeout,
            made.config.retry_deadline,
        )
        return made


class _SqlClient(BigQuerySqlClient):
    """dlt's own, which would open a channel to the Storage API for every statement."""

    def open_connection(self) -> Client:
        """A client that reads the few rows of the ledger by the API that it asks anyway."""
        client = super().open_connection()
        opened: Any = client
        opened._ensure_bqstorage_client = lambda *_, **__: None  # noqa: SLF001
        defaults = query_defaults()
        if defaults is not None:
            client.default_query_job_config = defaults
        return client
