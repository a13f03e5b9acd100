"""DuckDB: a month is replaced in one transaction, which deletes, inserts and compares it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb

from cloudbill.columns import added_columns
from cloudbill.errors import LoadError, ReconciliationError, SchemaError, StoppedError
from cloudbill.models import (
    BillingPeriod,
    Column,
    ColumnType,
    HeldMonth,
    LoadResult,
    PlannedLoad,
    Totals,
    utc_now,
)
from cloudbill.parts import local_parts
from cloudbill.progress import Stage, Tell
from cloudbill.reconciliation import check_footers, check_held, check_not_held, check_totals
from cloudbill.sql import DUCKDB, Fragment, duckdb_text
from cloudbill.warehouses._duckdb_cube import read_cube
from cloudbill.warehouses._duckdb_daily import sum_by_day
from cloudbill.warehouses._duckdb_errors import mapped
from cloudbill.warehouses._duckdb_lock import connect
from cloudbill.warehouses._duckdb_parts import (
    TABLE_TYPES,
    PartsRelation,
    column_type_of,
    describe_table,
)
from cloudbill.warehouses._duckdb_source import open_parts
from cloudbill.warehouses._duckdb_totals import Counted, Summed, count_parts, sum_month
from cloudbill.warehouses._duckdb_watch import QueryWatch

if TYPE_CHECKING:
    from cloudbill.cost_cube import CostCube, CubeRequest
    from cloudbill.daily_totals import DailyTotals
    from cloudbill.settings import SourceSettings
    from cloudbill.store import Store

__all__ = ["DuckDBWarehouse"]

_LISTED_MONTHS: Final = 5


class DuckDBWarehouse:
    """Tables in a schema of one DuckDB file, which this process holds until `close`."""

    parallel_loads = 1

    def __init__(self, connection: duckdb.DuckDBPyConnection, settings: SourceSettings) -> None:
        self._connection = connection
        self._settings = settings
        self._is_stopped = False

    @classmethod
    def open(cls, settings: SourceSettings, *, read_only: bool) -> DuckDBWarehouse:
        """Opens the file, or an empty warehouse in memory where it is only to be read and missing.

        Raises:
            LoadError: If another process holds the file for long, or it is no DuckDB file.
        """
        database = settings.database
        try:
            if not read_only:
                database.absolute().parent.mkdir(parents=True, exist_ok=True)
            # Set after opening: one process opens a file only with equal configurations, and
            # others in it, such as dlt, bring none.
            connection = connect(database, read_only=read_only, timeout_s=settings.lock_timeout_s)
            connection.execute("SET memory_limit = $limit", {"limit": settings.memory_limit})
            connection.execute("SET preserve_insertion_order = false")
            connection.execute("SET TimeZone = 'UTC'")
        except (duckdb.Error, OSError) as error:
            raise LoadError(f"The DuckDB file {database} cannot be opened: {error}") from error
        return cls(connection, settings)

    def replace_period(
        self, planned: PlannedLoad, store: Store, tell: Tell | None = None
    ) -> LoadResult:
        """Replaces one month in one transaction; see `Warehouse.replace_period`."""
        started_at = utc_now()
        watch = QueryWatch(self._connection, planned.manifest, tell)
        with (
            local_parts(store, planned.manifest, tell) as files,
            mapped(planned),
            self._open_parts(planned, store, files) as source,
        ):
            with watch.at(Stage.COUNTING):
                in_files = self._count_parts(source)
            expected = check_footers(planned.manifest, in_files.part_rows)
            if source is not None:
                self._check_digits(source)
            with watch.at(Stage.INSERTING, rows=expected), self._transaction():
                totals = self._replace(planned, source, expected, in_files.totals)
        return LoadResult(
            planned=planned,
            rows=expected,
            totals=totals,
            job_id=None,
            started_at=started_at,
            finished_at=utc_now(),
        )

    def _open_parts(
        self, planned: PlannedLoad, store: Store, files: Sequence[Path]
    ) -> AbstractContextManager[PartsRelation | None]:
        return open_parts(
            self._connection,
            store,
            planned.manifest,
            files,
            provider=self._settings.provider,
            existing_headers=self.headers(planned.table),
        )

    def _count_parts(self, source: PartsRelation | None) -> Counted:
        if source is None:
            return Counted(totals={})
        return count_parts(self._connection, source, self._summed(source))

    def _summed(self, source: PartsRelation) -> Summed:
        if not self._settings.totals:
            return Summed()
        return Summed.of(source.columns, self._settings.provider)

    def _replace(
        self, planned: PlannedLoad, source: PartsRelation | None, expected: int, in_files: Totals
    ) -> Totals:
        table = self._table(planned.table)
        existing = self._columns_of(planned.table)
        if source is None:
            # A run without parts is a month without rows.
            if existing:
                self._delete(planned)
            return {}
        self._require_period_column(planned, source)
        if existing:
            for column in added_columns(source.columns, existing, table=planned.table):
                statement = "ALTER TABLE {table} ADD COLUMN {column}"
                self._execute(statement, table=table, column=_definition(column))
        else:
            self._execute("CREATE SCHEMA IF NOT EXISTS {schema}", schema=self._settings.dataset)
            definitions = [_definition(column) for column in source.columns]
            self._execute("CREATE TABLE {table} ({columns})", table=table, columns=definitions)
        self._write_headers(planned, source)
        self._delete(planned)
        self._execute(
            "INSERT INTO {table} BY NAME SELECT {columns} FROM {relation}",
            source.parameters,
            table=table,
            columns=source.projection(),
            relation=source.relation,
        )
        held = self._count(planned)
        if held != expected:
            self._refuse_other_months(planned, source)
        check_held(planned, expected=expected, held=held)
        check_not_held(planned, held)
        return self._reconciled_totals(planned, source, in_files)

    def _write_headers(self, planned: PlannedLoad, source: PartsRelation) -> None:
        """Notes the original header of each column that has no comment yet; see `headers`."""
        if not source.headers:
            return
        noted = {name.lower(): header for name, header in self.headers(planned.table).items()}
        for column, header in source.headers.items():
            if not noted[column.lower()]:
                self._execute(
                    "COMMENT ON COLUMN {column} IS {header}",
                    column=(*self._table(planned.table), column),
                    header=duckdb_text(header),
                )

    def _reconciled_totals(
        self, planned: PlannedLoad, source: PartsRelation, in_files: Totals
    ) -> Totals:
        summed = self._summed(source)
        if not summed.costs:
            return {}
        month = DUCKDB.compose(
            "{table} WHERE {in_month}",
            table=self._table(planned.table),
            in_month=_in_month(planned),
        )
        in_table = sum_month(self._connection, month, _month(planned.period), summed)
        check_totals(planned, files=in_files, table=in_table)
        return in_table

    def _check_digits(self, source: PartsRelation) -> None:
        for column in source.inexact:
            row = self._execute(
                "SELECT {name} FROM {relation} WHERE CAST({name} AS {type}) <> {name} LIMIT 1",
                source.parameters,
                name=column.name,
                relation=source.relation,
                type=Fragment(TABLE_TYPES[ColumnType.DECIMAL]),
            ).fetchone()
            if row is not None:
                raise SchemaError(
                    f"{row[0]} in column '{column.name}' has more digits than "
                    f"{TABLE_TYPES[ColumnType.DECIMAL]} holds, and nothing is rounded"
                )

    def _require_period_column(self, planned: PlannedLoad, source: PartsRelation) -> None:
        for column in source.columns:
            if column.target.lower() == planned.period_column.lower():
                if column.type in {ColumnType.TIMESTAMP, ColumnType.DATE}:
                    return
                raise SchemaError(
                    f"Column '{column.name}' is a {column.type}, but the month of a row is read "
                    "from it, so it must be a timestamp or a date"
                )
        raise SchemaError(
            f"Run {planned.manifest.run_id} has no column '{planned.period_column}', which says "
            "what month a row belongs to"
        )

    def _refuse_other_months(self, planned: PlannedLoad, source: PartsRelation) -> None:
        """Says which months the rows belong to, if that is why the count is off."""
        rows = self._execute(
            "SELECT strftime({period}, '%Y-%m') AS month, count(*) FROM {relation} "
            "GROUP BY month ORDER BY month NULLS FIRST LIMIT {limit}",
            source.parameters,
            period=next(
                source.value(column.name)
                for column in source.columns
                if column.target.lower() == planned.period_column.lower()
            ),
            relation=source.relation,
            limit=Fragment(str(_LISTED_MONTHS)),
        ).fetchall()
        if [row[0] for row in rows] != [str(planned.period)]:
            months = ", ".join(f"{row[0] or 'no month'} ({row[1]} rows)" for row in rows)
            raise ReconciliationError(
                f"Run {planned.manifest.run_id} is one of {planned.period}, but by "
                f"{planned.period_column} its rows belong to {months}. The old month stands; "
                "export one month at a time"
            )

    def _delete(self, planned: PlannedLoad) -> None:
        self._execute(
            "DELETE FROM {table} WHERE {in_month}",
            _month(planned.period),
            table=self._table(planned.table),
            in_month=_in_month(planned),
        )

    def _count(self, planned: PlannedLoad) -> int:
        row = self._execute(
            "SELECT count(*) FROM {table} WHERE {in_month}",
            _month(planned.period),
            table=self._table(planned.table),
            in_month=_in_month(planned),
        ).fetchone()
        return int(row[0]) if row else 0

    def _columns_of(self, table: str) -> dict[str, ColumnType | str]:
        """The columns of a table; none where there is no such table."""
        described = describe_table(self._connection, self._settings.dataset, table)
        return {name: column_type_of(kind) for name, kind, _ in described}

    def month_versions(self, table: str) -> dict[BillingPeriod, str]:  # noqa: ARG002
        """None: this process alone holds the file."""
        return {}

    def daily_totals(self, table: str, period: BillingPeriod) -> DailyTotals:
        """What a month holds by currency and day; see `Warehouse.daily_totals`."""
        provider = self._settings.provider
        try:
            columns = self._columns_of(table)
            month = DUCKDB.compose(
                "{table} WHERE {column} >= $month_start AND {column} < $month_end",
                table=self._table(table),
                column=provider.PERIOD_COLUMN,
            )
            return sum_by_day(
                self._connection,
                month if columns else Fragment("(SELECT 1 WHERE false)"),
                _month(period) if columns else {},
                columns=[(name, name, kind) for name, kind in columns.items()],
                provider=provider,
            )
        except duckdb.Error as error:
            raise LoadError(f"{period} of {table} cannot be read: {error}") from error

    def cost_cube(self, table: str, request: CubeRequest) -> CostCube:
        """Exact sums by group; see `Warehouse.cost_cube`."""
        return read_cube(self._connection, self._settings, table, self._columns_of(table), request)

    def headers(self, table: str) -> dict[str, str]:
        """The header of a CSV that each column of a table came from, as its comment says."""
        described = describe_table(self._connection, self._settings.dataset, table)
        return {name: comment for name, _, comment in described}

    def held_months(self, table: str, period_column: str) -> dict[BillingPeriod, HeldMonth]:
        """The rows of each month, of which none has a version."""
        return {p: HeldMonth(rows=n) for p, n in self.held_rows(table, period_column).items()}

    def held_rows(self, table: str, period_column: str) -> dict[BillingPeriod, int]:
        """The rows of each month; rows of no month are left out."""
        if not self._columns_of(table):
            return {}
        rows = self._execute(
            "SELECT strftime({period}, '%Y-%m') AS month, count(*) FROM {table} "
            "WHERE {period} IS NOT NULL GROUP BY month",
            table=self._table(table),
            period=period_column,
        ).fetchall()
        return {BillingPeriod.parse(str(month)): int(count) for month, count in rows}

    def tracking_rows(self, table: str) -> list[dict[str, object]]:
        """Every row of a tracking table, by the names of its columns."""
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
        except duckdb.CatalogException:  # dlt has written nothing here yet
            return None
        except duckdb.Error as error:
            raise LoadError(
                f"The ledger in {self._settings.database} cannot be read: {error}"
            ) from error
        return str(row[0]) if row else None

    def destination(self) -> Any:
        """DuckDB through the connection that is open already."""
        import dlt

        return dlt.destinations.duckdb(self._connection, enable_dataset_name_normalization=False)

    def interrupt(self) -> None:
        """Ends the statement that runs, and lets no other month begin to be replaced."""
        self._is_stopped = True
        self._connection.interrupt()

    def close(self) -> None:
        """Gives the file back to other processes."""
        self._connection.close()

    def _table(self, name: str) -> tuple[str, ...]:
        return self._settings.dataset, name

    def _execute(
        self,
        template: str,
        parameters: Mapping[str, object] | None = None,
        **pieces: str | tuple[str, ...] | Fragment | list[Fragment],
    ) -> duckdb.DuckDBPyConnection:
        return self._connection.execute(DUCKDB.compose(template, **pieces).text, parameters or {})

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, whatever ends the block."""
        if self._is_stopped:
            raise StoppedError("The load was stopped")
        self._connection.execute("BEGIN")
        is_committed = False
        try:
            yield
            self._connection.execute("COMMIT")
            is_committed = True
        finally:
            if not is_committed:
                self._connection.execute("ROLLBACK")


def _definition(column: Column) -> Fragment:
    return DUCKDB.compose(
        "{name} {type}", name=column.target, type=Fragment(TABLE_TYPES[column.type])
    )


def _in_month(planned: PlannedLoad) -> Fragment:
    return DUCKDB.compose(
        "{column} >= $month_start AND {column} < $month_end", column=planned.period_column
    )


def _month(period: BillingPeriod) -> dict[str, object]:
    return {"month_start": period.first_day, "month_end": period.next.first_day}
