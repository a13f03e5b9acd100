"""Where tables are: a package for each warehouse; `open_warehouse` imports its client.

Pure: reconciliation.
May import: costs, settings, store, warehouses/bigquery, warehouses/duckdb.
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
        """Replaces the month of a run by the run; `listen` receives the progress, if given.

        After it returns, the table holds exactly this run for the month, counted and totalled.
        After an error the table is as it was before. Calling it again changes nothing.

        Raises:
            LoadError: If the month was not replaced.
            StoreError: If a part cannot be read.
        """

    def daily_totals(self, table: str, period: BillingPeriod) -> DailyTotals:
        """The rows and exact cost totals of a month in a table; changes nothing.

        A table that does not exist has no rows.

        Raises:
            LoadError: If the table cannot be read.
        """

    def cost_cube(self, table: str, request: CubeRequest) -> CostCube:
        """The exact sums of a table, grouped as requested; changes nothing.

        One query, which reads only the columns that it needs. A table that does not exist has no
        groups.

        Raises:
            LoadError: If the table cannot be read.
        """

    def headers(self, table: str) -> Mapping[str, str]:
        """The CSV header that each column of a table came from, empty if unknown."""

    def table_months(self, table: str, period_column: str) -> Mapping[BillingPeriod, TableMonth]:
        """The rows of each month in a table, and the month's write mark, by one query.

        A plan keeps the mark, so that a load notices if another process was faster. Empty if there
        is no such table.
        """

    def tracking_rows(self, table: str) -> Sequence[Mapping[str, object]]:
        """Every row of a tracking table, oldest load first; none if there is no such table."""

    def read_state(self, pipeline_name: str) -> str | None:
        """The newest state that dlt stored for a pipeline, encoded, or None."""

    def destination(self) -> Any:
        """The dlt destination that writes the ledger next to the tables."""

    def interrupt(self) -> None:
        """Ends the loads of this process, so that the months in progress stay as they were."""

    def close(self) -> None:
        """Closes the connection."""


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
