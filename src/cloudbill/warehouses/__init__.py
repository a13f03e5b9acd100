"""Where tables are: a package for each warehouse; `open_warehouse` imports its client.

Pure: reconciliation, view_dialects.
May import: costs, disk, planning, settings, store, text, warehouses/bigquery,
warehouses/duckdb.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cloudbill.errors import ConfigError
from cloudbill.models import LoadResult, PlannedLoad, TableRows
from cloudbill.periods import BillingPeriod
from cloudbill.progress import ProgressListener
from cloudbill.settings.warehouse import WarehouseSettings
from cloudbill.store import Store
from cloudbill.warehouses.ledger_rows import LedgerRows

if TYPE_CHECKING:
    from cloudbill.costs.cube import CostCube, CubeRequest
    from cloudbill.costs.daily_totals import DailyTotals
    from cloudbill.costs.month_totals import MonthTotals
    from cloudbill.warehouses.asking import Questions, RowsToCopy, ScanListener
    from cloudbill.warehouses.viewing import Views

__all__ = ["Warehouse", "open_warehouse"]


class Warehouse(Protocol):
    """Replaces one month at a time, atomically and reconciled."""

    @property
    def parallel_loads(self) -> int:
        """How many months may be replaced at once."""

    @property
    def views(self) -> Views:
        """What the FOCUS views of the dataset need."""

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

    def month_totals(self, table: str, periods: Collection[BillingPeriod]) -> MonthTotals:
        """The exact cost totals that a table holds of some months; changes nothing.

        One query over the cost columns, which reads no other months where the table is partitioned.

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

    def doubt_of(self, table: str, columns: Collection[str]) -> str | None:
        """Why the account may be shown other values of columns than a table holds, or None.

        Asked where sums differ; the columns are compared without case.

        Raises:
            LoadError: If the table cannot be read.
        """

    def headers(self, table: str) -> Mapping[str, str]:
        """The CSV header that each column of a table came from, empty if unknown."""

    def table_months(self, table: str, period_column: str) -> TableRows:
        """The rows that a table holds of each month, and those of no month, by one query.

        Each month has its write mark, which a plan carries, so that a load notices when another
        process was faster. A table that is not there has no rows.

        Raises:
            LoadError: If the table cannot be read, or its period column holds no times.
        """

    @property
    def is_as_left(self) -> bool:
        """Whether nothing wrote the tables since `leave` was called last for this source.

        False where nobody knows; where each month says when it was written, that tells more.
        """

    def leave(self) -> None:
        """Notes that the months of the source are as they were recorded, for `is_as_left`."""

    def table_columns(self, table: str) -> frozenset[str]:
        """The names of a table's columns, as they are now; none where there is no such table."""

    def add_columns(self, table: str, columns: Mapping[str, str]) -> None:
        """Adds columns to a table, empty in the rows that it has.

        The types are in the words of the warehouse.

        Raises:
            LoadError: If the table cannot be changed.
        """

    def keep_tables(self, tables: Collection[str]) -> None:
        """Keeps tables that dlt made from being deleted by the warehouse itself."""

    def read_ledger(
        self, pipeline_name: str, tracking_tables: Sequence[str], *, newest_only: bool
    ) -> LedgerRows:
        """The states that dlt stored for a pipeline, and every row of its tracking tables.

        One query. With `newest_only`, the text of the state with the greatest version alone is
        read; of the others their load ids and versions. A table or column that is not there has
        nothing.

        Raises:
            LoadError: If the warehouse cannot be read.
        """

    def require_ledger_writable(self) -> None:
        """Tries what writes the ledger, and writes nothing.

        Raises:
            LoadError: If the warehouse takes the months and refuses the ledger.
        """

    def destination(self) -> Any:
        """The dlt destination that writes the ledger next to the tables."""

    def interrupt(self) -> None:
        """Ends the loads of this process, so that the months in progress stay as they were."""

    def copy_rows(self, rows: RowsToCopy, file: Path, tell: ScanListener) -> None:
        """Writes some rows of a table or view into a new Parquet file, as of one moment.

        Every value is exact: amounts are DECIMAL(38,18). `tell` hears what a query for them scans;
        a month of a table of BigQuery is listed, which is free.

        Raises:
            LoadError: If they cannot be read, or a value does not fit.
            OSError: If they cannot be written.
        """

    def questions(self) -> Questions:
        """What answers the SQL of a user; from then on the warehouse does nothing else.

        Raises:
            ConfigError: If nothing is loaded yet.
            LoadError: If the warehouse can be written by this process.
        """

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
            from cloudbill.disk.installation import adding_extra

            raise ConfigError(
                f"BigQuery needs its client ({error.name} is missing); install it: "
                f"{adding_extra('bigquery')}"
            ) from error
        return BigQueryWarehouse.open(settings)
    from cloudbill.warehouses.duckdb.warehouse import DuckDBWarehouse

    return DuckDBWarehouse.open(settings, read_only=read_only)
