"""DuckDB: a month is replaced in one transaction, which deletes, inserts and compares it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb

from cloudbill.costs.cube import CostCube, CubeRequest
from cloudbill.costs.cube_query import CubeQuery
from cloudbill.costs.daily_totals import DailyTotals
from cloudbill.costs.month_totals import MonthQuery, MonthTotals, spans_of
from cloudbill.disk.room import MOUNTED_READ_ONLY, full_disk_of, is_read_only
from cloudbill.errors import ConfigError, LoadError
from cloudbill.files.damage import reason_of
from cloudbill.files.duckdb_types import column_type_of, table_type_of
from cloudbill.files.empty_parts import without_empty_parts
from cloudbill.files.sums import read_sums, sum_by_day
from cloudbill.manifests import ColumnType
from cloudbill.models import LoadResult, PlannedLoad, TableMonth, TableRows
from cloudbill.periods import BillingPeriod
from cloudbill.progress import ProgressListener
from cloudbill.sql import DUCKDB, Fragment
from cloudbill.warehouses.duckdb.asking import DuckDBQuestions
from cloudbill.warehouses.duckdb.copying import copy_rows
from cloudbill.warehouses.duckdb.dataset import Dataset
from cloudbill.warehouses.duckdb.errors import table_errors, without_period
from cloudbill.warehouses.duckdb.interruption import Interruption
from cloudbill.warehouses.duckdb.left_file import LeftFile, mark_of
from cloudbill.warehouses.duckdb.month import charges_of, ends_of
from cloudbill.warehouses.duckdb.opening import connect
from cloudbill.warehouses.duckdb.replacing import Replacement
from cloudbill.warehouses.duckdb.views import DuckDBViews
from cloudbill.warehouses.ledger_rows import (
    STATE_TABLE,
    LedgerRows,
    StoredState,
    stored_state,
)

if TYPE_CHECKING:
    from cloudbill.costs.sums import Charges
    from cloudbill.settings.warehouse import WarehouseSettings
    from cloudbill.store import Store
    from cloudbill.warehouses.asking import RowsToCopy, ScanListener

__all__ = ["DuckDBWarehouse"]

_UNKNOWN_VERSION: Final = "is not a known DuckDB version"


class DuckDBWarehouse:
    """Tables in a schema of one DuckDB file, which this process locks until `close`."""

    parallel_loads = 1

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        settings: WarehouseSettings,
        *,
        is_as_left: bool = False,
    ) -> None:
        self.is_as_left = is_as_left
        self._connection = connection
        self._settings = settings
        self._dataset = Dataset.of(connection, settings.dataset)
        self._interruption = Interruption(connection)
        self.views = DuckDBViews(self._dataset)

    @classmethod
    def open(cls, settings: WarehouseSettings, *, read_only: bool) -> DuckDBWarehouse:
        """Opens the file, or an empty warehouse in memory if a missing file is only to be read.

        Raises:
            ConfigError: If the dataset has a name that DuckDB keeps for itself.
            LoadError: If another process keeps the file locked, or it is not a DuckDB file.
        """
        Dataset.require_legal(settings.dataset, source=settings.source)
        database = settings.database
        # Before and after, for opening it waits for other processes, and takes up their logs.
        before = mark_of(database)
        try:
            if not read_only:
                database.absolute().parent.mkdir(parents=True, exist_ok=True)
            connection = _connect(settings, read_only=read_only)
        except (duckdb.Error, OSError) as error:
            raise _unopened(error, settings) from error
        try:
            _prepare(connection, settings)
        except (duckdb.Error, ConfigError) as error:
            # What stays open keeps its limit, and gives it to whoever opens the file next.
            connection.close()
            if isinstance(error, ConfigError):
                raise
            raise _unopened(error, settings) from error
        noted = LeftFile.of(settings).mark()
        is_as_left = noted is not None and noted == before == mark_of(database)
        return cls(connection, settings, is_as_left=is_as_left)

    def replace_period(
        self, planned: PlannedLoad, store: Store, listen: ProgressListener | None = None
    ) -> LoadResult:
        """Replaces one month in one transaction; see `Warehouse.replace_period`."""
        replacement = Replacement(
            self._dataset,
            self._settings,
            without_empty_parts(planned, store),
            listen=listen,
            interruption=self._interruption,
        )
        return replacement.run(store)

    def _columns_of(self, table: str) -> dict[str, ColumnType | str]:
        """The columns of a table; none if there is no such table."""
        columns = self._dataset.columns(table)
        return {name: column_type_of(kind) for name, kind in columns.items()}

    def daily_totals(self, table: str, period: BillingPeriod) -> DailyTotals:
        """The totals of a month by currency and day; see `Warehouse.daily_totals`."""
        provider = self._settings.provider
        with table_errors(f"{period} of {table}", self._settings):
            charges = self._charges(table)
            if charges is None:
                return DailyTotals()
            in_month = DUCKDB.in_month(provider.PERIOD_COLUMN)
            return sum_by_day(
                self._connection, charges, ends_of(period), provider=provider, where=in_month
            )

    def month_totals(self, table: str, periods: Collection[BillingPeriod]) -> MonthTotals:
        """The exact cost totals of some months; see `Warehouse.month_totals`."""
        provider = self._settings.provider
        kinds = {name: table_type_of(kind) for name, kind in self._dataset.columns(table).items()}
        if not kinds:
            return MonthTotals()
        charges = charges_of(self._table(table), kinds)
        where = DUCKDB.in_spans(provider.PERIOD_COLUMN, spans_of(periods))
        monthly = MonthQuery.of(charges, provider, where)
        with table_errors(f"The costs in {table}", self._settings):
            return monthly.read(read_sums(self._connection, monthly.query, {}))

    @property
    def storage_version(self) -> str:
        """The oldest DuckDB that can read the file, such as `v1.4.0`."""
        row = self._execute(
            "SELECT tags['storage_version'] FROM duckdb_databases() "
            "WHERE database_name = current_database()"
        ).fetchone()
        return str(row[0] if row else "").rstrip("+")

    def require_ledger_writable(self) -> None:
        """Nothing to try: who writes the table can write the ledger."""

    def leave(self) -> None:
        """Notes how the file is now; the same process writes nothing after it."""
        left, mark = LeftFile.of(self._settings), mark_of(self._settings.database)
        if mark is None:
            # What was committed is still to be merged into the file, which changes it once more.
            with suppress(duckdb.Error):
                self._connection.execute("CHECKPOINT")
            mark = mark_of(self._settings.database)
        if mark is not None and not (self.is_as_left and left.mark() == mark):
            left.write(mark)

    def cost_cube(self, table: str, request: CubeRequest) -> CostCube:
        """Exact sums by group; see `Warehouse.cost_cube`."""
        with table_errors(table, self._settings):
            charges = self._charges(table)
            if charges is None:
                return CostCube()
            cube = CubeQuery.of(charges, self._settings.provider, request)
            since = {"since": request.since.first_day} if request.since else {}
            return cube.read(read_sums(self._connection, cube.query, since))

    def _charges(self, table: str) -> Charges | None:
        """The rows of a table, or None if there is no such table."""
        columns = self._columns_of(table)
        return charges_of(self._table(table), columns) if columns else None

    def headers(self, table: str) -> dict[str, str]:
        """The CSV header that each column of a table came from, from its comment."""
        return self._dataset.headers(table)

    def table_months(self, table: str, period_column: str) -> TableRows:
        """The rows of each month; no month has a mark, for this process alone holds the file."""
        columns = self._columns_of(table)
        if not columns:
            return TableRows()
        if period_column.lower() not in {name.lower() for name in columns}:
            raise without_period(DUCKDB.compose("{table}", table=self._table(table)), period_column)
        try:
            rows = self._execute(
                "SELECT CASE WHEN {of_no_month} THEN NULL "
                "ELSE year({period}) * 100 + month({period}) END, count(*) "
                "FROM {table} GROUP BY 1",
                table=self._table(table),
                period=period_column,
                of_no_month=DUCKDB.of_no_month(period_column),
            ).fetchall()
        except duckdb.Error as error:
            raise LoadError(
                f"The rows of {table} cannot be counted by the month of {period_column}: "
                f"{reason_of(error)}. Did something else change the table? The column must hold "
                "times: give it the type TIMESTAMP again"
            ) from error
        return TableRows(
            months={
                BillingPeriod(year=month // 100, month=month % 100): TableMonth(rows=count)
                for month, count in rows
                if month is not None
            },
            of_no_month=sum(count for month, count in rows if month is None),
        )

    def doubt_of(self, table: str, columns: Collection[str]) -> str | None:  # noqa: ARG002
        """None: whoever reads the file sees all of it."""
        return None

    def table_columns(self, table: str) -> frozenset[str]:
        """The names of a table's columns; see `Warehouse.table_columns`."""
        return frozenset(self._columns_of(table))

    def add_columns(self, table: str, columns: Mapping[str, str]) -> None:
        """Adds columns to a table; see `Warehouse.add_columns`."""
        try:
            for name, kind in columns.items():
                self._execute(
                    "ALTER TABLE {table} ADD COLUMN {name} {kind}",
                    table=self._table(table),
                    name=name,
                    kind=Fragment(kind),
                )
        except duckdb.Error as error:
            raise LoadError(f"{table} has lost columns, and gets none: {error}") from error

    def keep_tables(self, tables: Collection[str]) -> None:
        """Nothing: DuckDB deletes no table by itself."""

    def read_ledger(
        self, pipeline_name: str, tracking_tables: Sequence[str], *, newest_only: bool
    ) -> LedgerRows:
        """The states of a pipeline and its tracking rows; see `Warehouse.read_ledger`."""
        try:
            # Here names that differ in their case alone are one table.
            names = {table.lower(): table for table in reversed(tracking_tables)}
            tracked = [row for table in names.values() for row in self._tracking_rows(table)]
            states = self._states(pipeline_name, newest_only=newest_only)
        except duckdb.Error as error:
            raise LoadError(
                f"The ledger in {self._settings.database} cannot be read: {error}"
            ) from error
        return LedgerRows(states=tuple(states), tracked=tuple(tracked))

    def _tracking_rows(self, table: str) -> list[dict[str, object]]:
        if not self._columns_of(table):
            return []
        cursor = self._execute("SELECT * FROM {table}", table=self._table(table))
        names = [str(column[0]) for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _states(self, pipeline_name: str, *, newest_only: bool) -> list[StoredState]:
        there = self._columns_of(STATE_TABLE)
        if not there:
            return []

        def column(name: str) -> Fragment:
            return DUCKDB.compose("{name}", name=name) if name in there else Fragment("NULL")

        rows = self._execute(
            "WITH states AS (SELECT {load_id} AS load_id, {version} AS version, {state} AS state "
            "FROM {table} WHERE coalesce({pipeline}, $pipeline) = $pipeline) "
            "SELECT load_id, version, "
            "CASE WHEN NOT $newest_only OR row_number() OVER ({order}) = 1 THEN state END "
            "FROM states {order}",
            {"pipeline": pipeline_name, "newest_only": newest_only},
            load_id=column("_dlt_load_id"),
            version=column("version"),
            state=column("state"),
            pipeline=column("pipeline_name"),
            table=self._table(STATE_TABLE),
            order=Fragment("ORDER BY version DESC NULLS LAST, load_id DESC NULLS LAST"),
        ).fetchall()
        return [stored_state(*row) for row in rows]

    def destination(self) -> Any:
        """DuckDB, through the connection that is already open."""
        from cloudbill.warehouses.duckdb.dlt import dlt_destination

        return dlt_destination(self._connection, self._dataset.catalog)

    def copy_rows(self, rows: RowsToCopy, file: Path, tell: ScanListener) -> None:  # noqa: ARG002
        """Writes some rows into a Parquet file; see `Warehouse.copy_rows`."""
        copy_rows(self._dataset, rows, file, self._settings)

    def questions(self) -> DuckDBQuestions:
        """What answers the SQL of a user; see `Warehouse.questions`."""
        return DuckDBQuestions(self._dataset, self._settings)

    def interrupt(self) -> None:
        """Ends the running statement, unless it commits, and lets no more months begin."""
        self._interruption.ask()

    def close(self) -> None:
        """Closes the file, so other processes can open it."""
        # What is committed stays in the log of the file, should there be no room to merge it now.
        with suppress(duckdb.Error):
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


def _connect(settings: WarehouseSettings, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    try:
        return _opened(settings, read_only=read_only)
    except duckdb.ConnectionException:
        if not read_only:
            raise
        # This process has the file open for writing already, so nobody else has to wait for it.
        return _opened(settings, read_only=False)


def _opened(settings: WarehouseSettings, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    return connect(
        settings.database,
        read_only=read_only,
        timeout_s=settings.lock_timeout_s,
        storage_version=settings.storage_version,
    )


def _unopened(error: Exception, settings: WarehouseSettings) -> ConfigError | LoadError:
    database = settings.database
    remedy = "set 'database' to a file on another disk, and run again"
    full = full_disk_of(error, database, remedy=remedy)
    what = f"The DuckDB file {database} cannot be opened"
    if full is not None:
        return LoadError(f"{what}: {full}")
    if is_read_only(database, error):
        fault = LoadError if isinstance(error, duckdb.Error) else ConfigError
        return fault(f"{what} to be written, for its disk is read-only: {MOUNTED_READ_ONLY}")
    if isinstance(error, OSError):
        reason = f"{error.filename}: {error.strerror}" if error.strerror else str(error)
        return ConfigError(
            f"{what}: {reason}. Set 'database' of [sources.{settings.source}] to a file in a "
            "folder that this user may write"
        )
    return _unknown_version(error, settings) or LoadError(f"{what}: {error}")


def _prepare(connection: duckdb.DuckDBPyConnection, settings: WarehouseSettings) -> None:
    """Sets what this process needs; after opening, for other code opens the file without any."""
    try:
        connection.execute("SET memory_limit = $limit", {"limit": settings.memory_limit})
        # Changes nothing of a file that is there, but a mistake shows before one is to be made.
        connection.execute(
            "SET storage_compatibility_version = $version", {"version": settings.storage_version}
        )
        # Otherwise an INSERT must keep rows in memory to write them in the order of the files.
        connection.execute("SET preserve_insertion_order = false")
        connection.execute("SET TimeZone = 'UTC'")
        # Names that are similar to one that is not there take 10 ms to find.
        connection.execute("SET catalog_error_max_schemas = 0")
        connection.execute("SELECT current_database()").fetchall()
    except duckdb.OutOfMemoryException as error:
        raise ConfigError(
            f"'memory_limit' of [sources.{settings.source}] is {settings.memory_limit}, which is "
            "too little for DuckDB to open its file; give it 1GB"
        ) from error
    except (duckdb.ParserException, duckdb.InvalidInputException) as error:
        raise _unknown_version(error, settings) or ConfigError(
            f"'memory_limit' of [sources.{settings.source}] is {settings.memory_limit}, which "
            f"DuckDB does not take: {reason_of(error)}"
        ) from error


def _unknown_version(error: Exception, settings: WarehouseSettings) -> ConfigError | None:
    """What is wrong with 'storage_version', if DuckDB says that there is no such version."""
    if _UNKNOWN_VERSION not in str(error):
        return None
    return ConfigError(
        f"'storage_version' of [sources.{settings.source}] is {settings.storage_version}, which "
        f"DuckDB {duckdb.__version__} does not know; name a version of DuckDB such as v1.4.0"
    )
