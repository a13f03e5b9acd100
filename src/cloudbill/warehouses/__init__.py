"""Where tables live: one module each, opened through `open_warehouse`, which imports its client."""

from __future__ import annotations

from typing import Any, Protocol

from cloudbill.models import LoadResult, PlannedLoad
from cloudbill.settings import SourceSettings
from cloudbill.store import Store

__all__ = ["Warehouse", "open_warehouse"]


class Warehouse(Protocol):
    """Replaces one month at a time, atomically and reconciled."""

    @property
    def parallel_loads(self) -> int:
        """How many months may be replaced at once."""

    def replace_period(self, planned: PlannedLoad, store: Store) -> LoadResult:
        """Puts a run in the place of its month.

        After the return the table holds exactly this run for the month, counted and totalled.
        After an error it holds what it held before. Doing it again changes nothing.

        Raises:
            LoadError: If the month was not replaced.
            StoreError: If a part cannot be read.
        """

    def read_state(self, pipeline_name: str) -> str | None:
        """The newest state that dlt stored for a pipeline, still encoded, or None."""

    def destination(self) -> Any:
        """The dlt destination that writes the ledger beside the tables."""

    def close(self) -> None:
        """Gives the connection back."""


def open_warehouse(settings: SourceSettings, *, read_only: bool = False) -> Warehouse:
    """Opens the warehouse of a source; with `read_only` nothing is created, not even a file.

    Raises:
        ConfigError: If the client is not installed or finds no credentials.
        LoadError: If the warehouse cannot be opened.
    """
    if settings.project_id is not None:
        from cloudbill.warehouses.bigquery import BigQueryWarehouse

        return BigQueryWarehouse.open(settings)
    from cloudbill.warehouses.duckdb import DuckDBWarehouse

    return DuckDBWarehouse.open(settings, read_only=read_only)
