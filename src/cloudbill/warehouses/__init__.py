"""Where tables live: one module each, opened through `open_warehouse`, which imports its client.

Pure: reconciliation.
May import: costs, disk, settings, store, warehouses/bigquery, warehouses/duckdb.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from cloudbill.errors import ConfigError
from cloudbill.models import BillingPeriod, LoadResult, PlannedLoad, TableMonth
from cloudbill.progress import ProgressListener
from cloudbill.settings.warehouse import WarehouseSettings
from cloudbill.store import Store

if TYPE_CHECKING:
    from cloudbill.costs.cube import CostCube, CubeRequest
    from cloudbill.costs.daily_totals import DailyTotals

__all__ = ["Warehouse", "open_warehouse"]


class Warehouse(Protocol):
    """Replaces one month at a time, atomically and reconciled."""

    @property
    def parallel_loads(self) -> int:
        """How many months may be replaced at once."""

    def replace_period(
        self, planned: PlannedLoad, store: Store, listen: ProgressListener | None = None
    ) -> LoadResult:
        """Puts a run in the place of its month; `listen` is told how far that is, if given.

        After the return the table holds exactly this run for the month, counted and totalled.
        After an error it holds what it held before. Doing it again changes nothing.

        Raises:
            LoadError: If the month was not replaced.
            StoreError: If a part cannot be read.
        """

    def daily_totals(self, table: str, period: BillingPeriod) -> DailyTotals:
        """The rows and exact cost totals that a table holds for a month; changes nothing.

        A table that is not there holds nothing.

        Raises:
            LoadError: If the table cannot be read.
        """

    def cost_cube(self, table: str, request: CubeRequest) -> CostCube:
        """The exact sums that a table holds, grouped as requested; changes nothing.

        One query, which reads no more columns than it needs. A table that is not there has no
        groups.

        Raises:
            LoadError: If the table cannot be read.
        """

    def headers(self, table: str) -> Mapping[str, str]:
        """The header of a CSV that each column of a table came from, empty where none is known."""

    def table_months(self, table: str, period_column: str) -> Mapping[BillingPeriod, TableMonth]:
        """The rows that a table holds of each month, and the month's write mark, by one query.

        A plan carries the mark, so that a load notices when another process was faster. There is no
        month where there is no such table.
        """

    def tracking_rows(self, table: str) -> Sequence[Mapping[str, object]]:
        """Every row of a tracking table, oldest load first; none where there is no such table."""

    def read_state(self, pipeline_name: str) -> str | None:
        """The newest state that dlt stored for a pipeline, still encoded, or None."""

    def destination(self) -> Any:
        """The dlt destination that writes the ledger beside the tables."""

    def interrupt(self) -> None:
        """Ends what runs in this process, so that the months it is at keep what they held."""

    def close(self) -> None:
        """Gives the connection back."""


def open_warehouse(settings: WarehouseSettings, *, read_only: bool = False) -> Warehouse:
    """Opens the warehouse of a source; with `read_only` nothing is created, not even a file.

    Raises:
        ConfigError: If the client is not installed or finds no credentials.
        LoadError: If the warehouse cannot be opened.
    """
    if settings.project_id is not None:
        try:
            from cloudbill.warehouses.bigquery.warehouse import BigQueryWarehouse
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"BigQuery needs its client ({error.name} is missing); install it: "
                "pip install 'cloudbill[bigquery]'"
            ) from error
        return BigQueryWarehouse.open(settings)
    from cloudbill.warehouses.duckdb.warehouse import DuckDBWarehouse

    return DuckDBWarehouse.open(settings, read_only=read_only)
