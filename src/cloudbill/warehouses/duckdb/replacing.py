"""Replaces a month in DuckDB, in one transaction, while its parts may still be downloading.

Remote Parquet parts are inserted by one statement, which waits for each part as it arrives; they
are counted after it. Other parts are all here before they are counted, and they are counted before
the transaction begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import duckdb

from cloudbill.errors import SchemaError
from cloudbill.files.columns import amounts_of, objects_of
from cloudbill.files.downloads import awaited_parts, is_here
from cloudbill.files.duckdb_types import table_type_of
from cloudbill.files.known_objects import with_known_objects
from cloudbill.files.parquet_relation import faults_named, read_parquet_parts
from cloudbill.files.relation import PartsRelation
from cloudbill.manifests import ColumnType
from cloudbill.models import LoadResult, PlannedLoad, Totals
from cloudbill.periods import utc_now
from cloudbill.planning.costs import billed_costs_of
from cloudbill.progress import ProgressListener, Stage
from cloudbill.warehouses.duckdb.awaited import SCHEME, AwaitedFiles
from cloudbill.warehouses.duckdb.dataset import Dataset
from cloudbill.warehouses.duckdb.errors import duckdb_errors
from cloudbill.warehouses.duckdb.interruption import Interruption
from cloudbill.warehouses.duckdb.month import MonthTable
from cloudbill.warehouses.duckdb.opened_parts import opened_parts
from cloudbill.warehouses.duckdb.query_progress import QueryProgress
from cloudbill.warehouses.duckdb.tally import Tally
from cloudbill.warehouses.reconciliation import (
    require_costs,
    require_footers,
    require_not_held,
    require_rows_in_table,
    require_totals,
    without_costs,
)

if TYPE_CHECKING:
    from cloudbill.settings.warehouse import WarehouseSettings
    from cloudbill.store import Store

__all__ = ["Replacement"]


class Replacement:
    """One month that is being replaced."""

    def __init__(
        self,
        dataset: Dataset,
        settings: WarehouseSettings,
        planned: PlannedLoad,
        *,
        listen: ProgressListener | None,
        interruption: Interruption,
    ) -> None:
        self._connection = connection = dataset.connection
        self._dataset = dataset
        self._settings = settings
        self._planned = planned
        self._listen = listen
        self._interruption = interruption
        self._progress = QueryProgress(connection, planned.manifest, listen)
        kinds = {name: table_type_of(kind) for name, kind in dataset.columns(planned.table).items()}
        self._amounts = amounts_of(settings.provider, planned.manifest, kinds)
        self._types: Mapping[str, ColumnType | str] = {}
        self._rows = 0
        self._rests: Totals = {}

    def run(self, store: Store) -> LoadResult:
        """Replaces the month; see `Warehouse.replace_period`."""
        started_at = utc_now()
        with duckdb_errors(self._planned, database=self._settings.database):
            is_awaited = self._planned.manifest.file_format == "parquet" and not is_here(
                store, self._planned.manifest
            )
            totals = self._replace_awaited(store) if is_awaited else self._replace_local(store)
        return LoadResult(
            planned=self._planned,
            rows=self._rows,
            totals=totals,
            rests=self._rests,
            job_id=None,
            started_at=started_at,
            finished_at=utc_now(),
        )

    def _replace_awaited(self, store: Store) -> Totals:
        """Inserts the parts while they arrive, then counts them.

        Counting first would have to wait for the last part, and only then could the INSERT begin.
        The transaction makes the other order safe: nothing is committed before both are compared.
        """
        is_stopped = self._interruption.is_asked
        with awaited_parts(store, self._planned.manifest, is_stopped=is_stopped) as parts:
            files = AwaitedFiles(store, self._planned.manifest, parts)
            with files.readable(self._connection), self._transaction() as table:
                source = read_parquet_parts(
                    self._connection,
                    files.names,
                    amounts=self._amounts,
                    objects=objects_of(self._settings.provider, self._planned.manifest),
                    addresses=self._planned.uris,
                    scheme=SCHEME,
                )
                tally = self._tally_of(source)
                rows = sum(source.part_rows or ())
                with faults_named(self._connection, source, lambda: self._types):
                    with self._progress.at(Stage.INSERTING, rows=rows, before=parts.look):
                        self._insert(table, source)
                        # DuckDB reads nothing of a part without rows, so a part that is missing or
                        # was replaced could go unnoticed.
                        files.wait_for_all()
                    with self._progress.at(Stage.CHECKING, rows=rows):
                        tally.count()
                        return self._checked(table, tally)

    def _replace_local(self, store: Store) -> Totals:
        """Counts all parts, then inserts them."""
        manifest = self._planned.manifest
        with opened_parts(
            self._connection,
            store,
            manifest,
            self._listen,
            provider=self._settings.provider,
            amounts=self._amounts,
            read_headers=lambda: self._dataset.headers(self._planned.table),
            is_stopped=self._interruption.is_asked,
        ) as source:
            if source is None:
                return self._emptied()
            tally = self._tally_of(source)
            with faults_named(self._connection, source, lambda: self._types):
                with self._progress.at(Stage.COUNTING):
                    tally.count()
                with (
                    self._progress.at(Stage.INSERTING, rows=tally.rows),
                    self._transaction() as table,
                ):
                    self._insert(table, source)
                    return self._checked(table, tally)

    def _tally_of(self, source: PartsRelation) -> Tally:
        return Tally(
            self._connection,
            self._planned,
            self._settings.provider,
            source,
            is_summed=bool(self._settings.totals),
        )

    def _emptied(self) -> Totals:
        """Empties the month: a run without parts is a month without rows."""
        require_footers(self._planned.manifest, ())
        with self._progress.at(Stage.INSERTING, rows=0), self._transaction() as table:
            if table.exists:
                table.delete()
            require_not_held(self._planned, 0)
        return {}

    def _checked(self, table: MonthTable, tally: Tally) -> Totals:
        """Compares the table with the parts, before the commit; returns the totals."""
        self._rows, in_table = tally.rows, table.count()
        if self._planned.manifest.spans or in_table != self._rows:
            tally.require_months()
        require_rows_in_table(self._planned, expected=self._rows, in_table=in_table)
        require_not_held(self._planned, in_table)
        totals: Totals = {}
        if tally.summed.costs:
            totals = dict(table.totals(tally.summed))
            require_totals(self._planned, files=tally.totals, table=totals)
            self._rests = tally.rests
        self._require_costs(table, tally, totals)
        return totals

    def _require_costs(self, table: MonthTable, tally: Tally, totals: Totals) -> None:
        """Stops a run whose rows have no costs, or whose costs have collapsed."""
        column, summed = self._settings.provider.BILLED_COLUMN, tally.summed
        costs = billed_costs_of(totals, column)
        # A month may cost nothing; one of which no row says what it costs is no bill.
        if self._rows and not any(costs.values()) and not table.has_any(column):
            raise SchemaError(without_costs(self._planned, column))
        billed = tuple(cost for cost in summed.costs if cost.lower() == column.lower())
        if billed:
            require_costs(
                self._planned,
                billed=costs,
                read_charged=lambda: table.charged(replace(summed, costs=billed)),
            )

    def _insert(self, table: MonthTable, source: PartsRelation) -> None:
        table.take(source.columns, source.headers, amounts=self._amounts)
        self._types = table.types
        table.delete()
        known = with_known_objects(self._connection, source)
        self._interruption.require_none()  # of the sample nothing can be interrupted
        table.insert(known)

    @contextmanager
    def _transaction(self) -> Iterator[MonthTable]:
        """The month; commits at the end of the block, and rolls back if anything else ends it."""
        self._interruption.require_none()
        self._connection.execute("BEGIN")
        is_committed = False
        try:
            yield MonthTable(self._dataset, self._planned)
            with self._interruption.held_off():
                self._connection.execute("COMMIT")
            is_committed = True
        finally:
            if not is_committed:
                # A statement or a commit that failed may have ended the transaction already; what
                # this would say of it must not take the place of why that failed.
                with suppress(duckdb.Error):
                    self._connection.execute("ROLLBACK")
