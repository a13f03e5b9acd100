"""DuckDB: a month is replaced in one transaction, which deletes, inserts and compares it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import duckdb

from cloudbill.costs.cube import CostCube, CubeRequest
from cloudbill.costs.cube_query import CubeQuery
from cloudbill.costs.daily_totals import DailyTotals
from cloudbill.errors import LoadError
from cloudbill.files.duckdb_types import column_type_of
from cloudbill.files.sums import read_sums, sum_by_day
from cloudbill.models import (
    BillingPeriod,
    ColumnType,
    LoadResult,
    PlannedLoad,
    TableMonth,
)
from cloudbill.progress import ProgressListener
from cloudbill.sql import DUCKDB, Fragment
from cloudbill.warehouses.duckdb.dataset import Dataset
from cloudbill.warehouses.duckdb.month import charges_of, ends_of
from cloudbill.warehouses.duckdb.opening import connect
from cloudbill.warehouses.duckdb.replacing import Replacement

if TYPE_CHECKING:
    from cloudbill.costs.sums import Charges
    from cloudbill.settings.warehouse import WarehouseSettings
    from cloudbill.store import Store

__all__ = ["DuckDBWarehouse"]


class DuckDBWarehouse:
    """Tables in a schema of one DuckDB file, which this process locks until `close`."""

    parallel_loads = 1

    def __init__(self, connection: duckdb.DuckDBPyConnection, settings: WarehouseSettings) -> None:
        self._connection = connection
        self._settings = settings
        self._dataset = Dataset.of(connection, settings.dataset)
        self._is_stopped = False

    @classmethod
    def open(cls, settings: WarehouseSettings, *, read_only: bool) -> DuckDBWarehouse:
        """Opens the file, or an empty warehouse in memory if a missing file is only to be read.

        Raises:
            ConfigError: If the dataset has a name that DuckDB keeps for itself.
            LoadError: If another process keeps the file locked, or it is not a DuckDB file.
        """
        Dataset.require_legal(settings.dataset, source=settings.source)
        database = settings.database
        try:
            if not read_only:
                database.absolute().parent.mkdir(parents=True, exist_ok=True)
            # Set after opening: a process can open a file again only with the same configuration,
            # and other code in this process, such as dlt, opens it without any.
            connection = connect(database, read_only=read_only, timeout_s=settings.lock_timeout_s)
            connection.execute("SET memory_limit = $limit", {"limit": settings.memory_limit})
            # Otherwise an INSERT must keep rows in memory to write them in the order of the files.
            connection.execute("SET preserve_insertion_order = false")
            connection.execute("SET TimeZone = 'UTC'")
        except (duckdb.Error, OSError) as error:
            raise LoadError(f"The DuckDB file {database} cannot be opened: {error}") from error
        return cls(connection, settings)

    def replace_period(
        self, planned: PlannedLoad, store: Store, listen: ProgressListener | None = None
    ) -> LoadResult:
        """Replaces one month in one transaction; see `Warehouse.replace_period`."""
        replacement = Replacement(
            self._dataset,
            self._settings,
            planned,
            listen=listen,
            is_stopped=lambda: self._is_stopped,
        )
        return replacement.run(store)

    def _columns_of(self, table: str) -> dict[str, ColumnType | str]:
        """The columns of a table; none if there is no such table."""
        described = self._dataset.describe(table)
        return {name: column_type_of(kind) for name, kind, _ in described}

    def daily_totals(self, table: str, period: BillingPeriod) -> DailyTotals:
        """The totals of a month by currency and day; see `Warehouse.daily_totals`."""
        provider = self._settings.provider
        try:
            charges = self._charges(table)
            if charges is None:
                return DailyTotals()
            in_month = DUCKDB.in_month(provider.PERIOD_COLUMN)
            return sum_by_day(
                self._connection, charges, ends_of(period), provider=provider, where=in_month
            )
        except duckdb.Error as error:
            raise LoadError(f"{period} of {table} cannot be read: {error}") from error

    def cost_cube(self, table: str, request: CubeRequest) -> CostCube:
        """Exact sums by group; see `Warehouse.cost_cube`."""
        charges = self._charges(table)
        if charges is None:
            return CostCube()
        cube = CubeQuery.of(charges, self._settings.provider, request)
        since = {"since": request.since.first_day} if request.since else {}
        try:
            return cube.read(read_sums(self._connection, cube.query, since))
        except duckdb.Error as error:
            raise LoadError(f"{table} cannot be summed: {error}") from error

    def _charges(self, table: str) -> Charges | None:
        """The rows of a table, or None if there is no such table."""
        columns = self._columns_of(table)
        return charges_of(self._table(table), columns) if columns else None

    def headers(self, table: str) -> dict[str, str]:
        """The CSV header that each column of a table came from, from its comment."""
        described = self._dataset.describe(table)
        return {name: comment for name, _, comment in described}

    def table_months(self, table: str, period_column: str) -> dict[BillingPeriod, TableMonth]:
        """The rows of each month; it has no mark, because this process has locked the file."""
        if not self._columns_of(table):
            return {}
        rows = self._execute(
            "SELECT strftime({period}, '%Y-%m') AS month, count(*) FROM {table} "
            "WHERE {period} IS NOT NULL GROUP BY month",
            table=self._table(table),
            period=period_column,
        ).fetchall()
        return {
            BillingPeriod.parse(str(month)): TableMonth(rows=int(count)) for month, count in rows
        }

    def tracking_rows(self, table: str) -> list[dict[str, object]]:
        """Every row of a tracking table, by column name."""
        if not self._columns_of(table):
            return []
        cursor = self._execute("SELECT * FROM {table} ORDER BY loaded_at", table=self._table(table))
        names = [str(column[0]) for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def read_state(self, pipeline_name: str) -> str | None:
        """The newest state of a pipeline whose load package was completed."""
        try:
            row = self._execute(
                "SELECT s.state FROM {states} AS s JOIN {loads} AS l ON l.load_id = s._dlt_load_id "
                "WHERE s.pipeline_name = $pipeline AND l.status = 0 "
                "ORDER BY l.load_id DESC LIMIT 1",
                {"pipeline": pipeline_name},
                states=self._table("_dlt_pipeline_state"),
                loads=self._table("_dlt_loads"),
            ).fetchone()
        except duckdb.CatalogException:  # dlt has not written anything yet
            return None
        except duckdb.Error as error:
            raise LoadError(
                f"The ledger in {self._settings.database} cannot be read: {error}"
            ) from error
        return str(row[0]) if row else None

    def destination(self) -> Any:
        """DuckDB, through the connection that is already open."""
        from cloudbill.warehouses.duckdb.dlt import dlt_destination

        return dlt_destination(self._connection, self._dataset.catalog)

    def interrupt(self) -> None:
        """Ends the running statement, and lets no more months begin."""
        self._is_stopped = True
        self._connection.interrupt()

    def close(self) -> None:
        """Closes the file, so other processes can open it."""
        self._connection.close()

    def _table(self, name: str) -> tuple[str, ...]:
        return self._dataset.table(name)

    def _execute(
        self,
        template: str,
        parameters: Mapping[str, object] | None = None,
        **pieces: str | tuple[str, ...] | Fragment | list[Fragment],
    ) -> duckdb.DuckDBPyConnection:
        return self._connection.execute(DUCKDB.compose(template, **pieces).text, parameters or {})
