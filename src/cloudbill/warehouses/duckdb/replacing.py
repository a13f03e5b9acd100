"""Replaces a month in DuckDB, in one transaction, while its parts may still be downloading.

Remote Parquet parts are inserted by one statement, which waits for each part as it arrives; they
are counted after it. CSV parts come in batches: each batch is counted, then inserted, while the
next one is downloaded. A store on the local disk gives a single batch, so there everything is
counted before the transaction begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import duckdb

from cloudbill.files.downloads import Batch, arriving_parts, awaited_parts, is_here
from cloudbill.files.parquet_relation import read_parquet_parts
from cloudbill.files.relation import PartsRelation
from cloudbill.models import LoadResult, PlannedLoad, Totals
from cloudbill.periods import utc_now
from cloudbill.planning.costs import billed_costs_of
from cloudbill.progress import ProgressListener, Stage
from cloudbill.warehouses.duckdb.awaited import SCHEME, AwaitedFiles
from cloudbill.warehouses.duckdb.dataset import Dataset
from cloudbill.warehouses.duckdb.errors import duckdb_errors
from cloudbill.warehouses.duckdb.interruption import Interruption
from cloudbill.warehouses.duckdb.month import MonthTable
from cloudbill.warehouses.duckdb.part_opener import PartsOpener
from cloudbill.warehouses.duckdb.query_progress import QueryProgress
from cloudbill.warehouses.duckdb.tally import Tally
from cloudbill.warehouses.reconciliation import (
    require_costs,
    require_footers,
    require_not_held,
    require_rows_in_table,
    require_totals,
)

if TYPE_CHECKING:
    from cloudbill.settings.warehouse import WarehouseSettings
    from cloudbill.store import Store

__all__ = ["Replacement"]

_ROW_GROUP_ROWS: Final = 122_880
"""DuckDB, "Storage", row groups."""
_APART: Final = 4
"""Full row groups for each thread: DuckDB 2.0 merges at most three of them with a partial one."""


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
        self._tally = Tally(connection, planned, settings.provider, is_summed=bool(settings.totals))
        self._table: MonthTable | None = None
        self._rows_in_table = 0

    def run(self, store: Store) -> LoadResult:
        """Replaces the month; see `Warehouse.replace_period`."""
        started_at = utc_now()
        with duckdb_errors(self._planned, database=self._settings.database):
            is_awaited = self._planned.manifest.file_format == "parquet" and not is_here(
                store, self._planned.manifest
            )
            totals = self._replace_awaited(store) if is_awaited else self._replace_in_batches(store)
        return LoadResult(
            planned=self._planned,
            rows=self._tally.rows,
            totals=totals,
            job_id=None,
            started_at=started_at,
            finished_at=utc_now(),
        )

    def _least_rows(self) -> int:
        """The fewest rows that should have their own INSERT.

        Each thread of an INSERT leaves one row group that is not full. DuckDB merges such groups
        when it closes the file, and writes their rows a second time, unless enough full groups are
        between them. With this many rows there are, so several INSERTs cost no more than one.
        """
        row = self._connection.execute("SELECT current_setting('threads')").fetchone()
        return _APART * _ROW_GROUP_ROWS * int(row[0] if row else 1)

    def _opener(self, store: Store) -> PartsOpener:
        described = self._dataset.describe(self._planned.table)
        return PartsOpener(
            self._connection,
            store,
            self._planned.manifest,
            provider=self._settings.provider,
            existing_headers={name: comment for name, _, comment in described},
        )

    def _replace_awaited(self, store: Store) -> Totals:
        """Inserts the parts while they arrive, then counts them.

        Counting first would have to wait for the last part, and only then could the INSERT begin.
        The transaction makes the other order safe: nothing is committed before both are compared.
        """
        with awaited_parts(
            store, self._planned.manifest, is_stopped=self._interruption.is_asked
        ) as parts:
            files = AwaitedFiles(store, self._planned.manifest, parts)
            with files.readable(self._connection), ExitStack() as stack:
                source = read_parquet_parts(
                    self._connection, files.names, addresses=self._planned.uris, scheme=SCHEME
                )
                self._tally.describe(source)
                rows = sum(source.part_rows or ())
                with self._progress.at(Stage.INSERTING, rows=rows, before=parts.look):
                    self._insert(stack, source, rows)
                    # DuckDB reads nothing of a part without rows, so a part that is missing or
                    # was replaced could go unnoticed.
                    files.wait_for_all()
                stack.enter_context(self._progress.at(Stage.CHECKING, rows=rows))
                self._tally.add(Batch(first=0, files=(), is_last=True), source)
                return self._checked()

    def _replace_in_batches(self, store: Store) -> Totals:
        """Counts and inserts batch by batch; the transaction begins with the first insert."""
        opener = self._opener(store)
        with (
            arriving_parts(
                store,
                self._planned.manifest,
                self._listen,
                least_rows=self._least_rows(),
                is_stopped=self._interruption.is_asked,
            ) as batches,
            ExitStack() as stack,
        ):
            for batch in batches:
                with opener.opened(batch) as source:
                    if source is None:
                        return self._emptied(stack)
                    self._tally.describe(source)
                    with self._told(Stage.COUNTING, batch):
                        rows = self._tally.add(batch, source)
                    # A part without rows may lack columns that all others have, such as the period,
                    # so it waits for the others.
                    if rows or batch.is_last:
                        stack.enter_context(self._told(Stage.INSERTING, batch))
                        self._insert(stack, source, rows)
            return self._checked()

    def _told(self, stage: Stage, batch: Batch) -> AbstractContextManager[None]:
        """Reports a stage, but not while parts arrive: then the downloads take the time."""
        if not batch.is_last:
            return nullcontext()
        rows = self._tally.rows if stage is Stage.INSERTING else None
        return self._progress.at(stage, first=batch.first, rows=rows)

    def _emptied(self, stack: ExitStack) -> Totals:
        """Empties the month: a run without parts is a month without rows."""
        require_footers(self._planned.manifest, ())
        stack.enter_context(self._progress.at(Stage.INSERTING, rows=0))
        table = self._begun(stack)
        if table.exists:
            table.delete()
        return {}

    def _insert(self, stack: ExitStack, source: PartsRelation, rows: int) -> None:
        self._tally.require_period_column()
        is_first = self._table is None
        table = self._begun(stack)
        table.take(self._tally.columns, self._tally.headers)
        if is_first:
            table.delete()
        table.insert(source)
        rows_in_table = table.count()
        self._tally.note_months(source, rows=rows, of_month=rows_in_table - self._rows_in_table)
        self._rows_in_table = rows_in_table

    def _checked(self) -> Totals:
        """Compares the table with the parts, before the commit; returns the totals."""
        expected = self._tally.rows
        if self._planned.manifest.spans or self._rows_in_table != expected:
            self._tally.require_months()
        require_rows_in_table(self._planned, expected=expected, in_table=self._rows_in_table)
        require_not_held(self._planned, self._rows_in_table)
        summed, in_table = self._tally.summed, {}
        if self._table is not None and summed.costs:
            in_table = dict(self._table.totals(summed))
            require_totals(self._planned, files=self._tally.totals, table=in_table)
        self._require_costs(in_table)
        return in_table

    def _require_costs(self, in_table: Totals) -> None:
        """Stops a run whose costs have collapsed; a run without the column bills nothing."""
        column, table = self._settings.provider.BILLED_COLUMN, self._table
        summed = self._tally.summed
        billed = [cost for cost in summed.costs if cost.lower() == column.lower()]
        if not self._settings.totals or (not billed and self._tally.kind_of(column) is not None):
            return
        require_costs(
            self._planned,
            billed=billed_costs_of(in_table, column),
            read_charged=lambda: (
                table.charged(replace(summed, costs=tuple(billed))) if table and billed else {}
            ),
        )

    def _begun(self, stack: ExitStack) -> MonthTable:
        """The table, in a transaction that lasts as long as the stack."""
        if self._table is None:
            stack.enter_context(self._transaction())
            self._table = MonthTable(self._dataset, self._planned)
        return self._table

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commits at the end of the block, and rolls back if anything else ends it."""
        self._interruption.require_none()
        self._connection.execute("BEGIN")
        is_committed = False
        try:
            yield
            with self._interruption.held_off():
                self._connection.execute("COMMIT")
            is_committed = True
        finally:
            if not is_committed:
                # A statement or a commit that failed may have ended the transaction already; what
                # this would say of it must not take the place of why that failed.
                with suppress(duckdb.Error):
                    self._connection.execute("ROLLBACK")
