"""The memory of loaded runs: dlt's state in the warehouse, and a tracking table for people.

Pure: entries, pins, state.
May import: costs, disk, settings, text, warehouses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from cloudbill.errors import LedgerError
from cloudbill.ledger.draft import Draft
from cloudbill.ledger.merging import Address, Merged, State, decode_state, holds_all, merge
from cloudbill.ledger.state import Remembered
from cloudbill.ledger.tables import (
    resource_name,
    source_name,
    tracking_source,
    tracking_tables,
)
from cloudbill.models import LoadRecord, LoadResult, Pin
from cloudbill.periods import BillingPeriod
from cloudbill.warehouses.ledger_rows import STATE_TABLE, LedgerRows, StoredState

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings
    from cloudbill.warehouses import Warehouse

__all__ = ["Ledger"]


class Ledger:
    """The ledger of one source, kept by a dlt pipeline in the warehouse itself.

    The warehouse has the only truth: whatever an earlier run left in dlt's working folder may speak
    of a table that is gone, so every pipeline here starts in an empty folder. `pipeline` is another
    one than the source's own where the ledger is in a pipeline of its user.
    """

    def __init__(
        self, settings: SourceSettings, warehouse: Warehouse, pipeline: str | None = None
    ) -> None:
        self._settings = settings
        self._warehouse = warehouse
        self._at = Address(
            pipeline=pipeline or settings.pipeline_name,
            source=source_name(settings.provider.SECTION),
            resource=resource_name(settings),
        )

    def read(self) -> Remembered:
        """What each month holds, and which runs were accepted.

        Raises:
            LedgerError: If the state cannot be read, or a newer cloudbill wrote it.
            LoadError: If the warehouse cannot be read.
        """
        return self.merged().remembered

    def loads(self) -> tuple[LoadRecord, ...]:
        """Every load that is remembered anywhere, oldest first, in the order of the ledger.

        Raises:
            LoadError: If the warehouse cannot be read.
        """
        try:
            return self.merged().loads
        except LedgerError:
            merged, _ = self.salvaged()
            return merged.loads

    def loaded(self) -> Mapping[BillingPeriod, LoadRecord]:
        """What each month holds; raises as `read` does."""
        return self.read().loaded

    def merged(self) -> Merged:
        """All that the warehouse has of the ledger; raises as `read` does."""
        rows = self._rows(newest_only=True)
        newest = self._salvaged(rows.states[0]) if rows.states else None
        states = [newest] if newest else []
        try:
            if not holds_all(newest, rows):
                rows = self._rows(newest_only=False)
                decoded = (decode_state(stored, self._at) for stored in _held(rows))
                states = [state for state in decoded if state is not None]
            return merge(states, rows, self._at)
        except LedgerError as error:
            settings = self._settings
            raise LedgerError(
                f"The ledger of {settings.source} in {settings.dataset}.{STATE_TABLE} cannot be "
                f"read. {error}. `cloudbill state rebuild {settings.source}` says what it would "
                "restore from the tracking table and all other states, and writes it"
            ) from error

    def salvaged(self) -> tuple[Merged, tuple[str, ...]]:
        """All that can be read of the ledger, and why the rest of it cannot.

        Raises:
            LoadError: If the warehouse cannot be read.
        """
        rows = self._rows(newest_only=False)
        states: list[State] = []
        problems: list[str] = []
        for stored in _held(rows):
            try:
                state = decode_state(stored, self._at)
                if state is not None:
                    merge([state], LedgerRows(), self._at)
                    states.append(state)
            except LedgerError as error:
                problems.append(str(error))
                salvaged = self._salvaged(stored)
                states += [salvaged] if salvaged else []
        return merge(states, rows, self._at, is_lenient=True), tuple(problems)

    def _salvaged(self, stored: StoredState) -> State | None:
        """A state as far as it can be read."""
        try:
            return decode_state(stored, self._at, is_lenient=True)
        except LedgerError:
            return None

    def _rows(self, *, newest_only: bool) -> LedgerRows:
        return self._warehouse.read_ledger(
            self._at.pipeline, tracking_tables(self._settings), newest_only=newest_only
        )

    def record(self, results: Sequence[LoadResult]) -> None:
        """Writes finished loads into the state and the tracking table, in one load package.

        Raises:
            LedgerError: If dlt could not write; the months are loaded, and loading them again
                changes nothing.
        """
        months = ", ".join(str(result.planned.period) for result in results)

        def change(draft: Draft) -> None:
            for result in results:
                draft.put(result.to_record(), result.planned.manifest.path)

        self._change(
            change,
            f"{months} of {self._settings.source} are loaded, but the ledger could not be written",
            "The next run loads them again, which changes nothing",
        )

    def accept(self, period: BillingPeriod, run: str, *, scope: str | None = None) -> None:
        """Remembers that a person wants a held run; `scope` moves the source from its month on.

        Raises:
            LedgerError: If dlt could not write.
        """

        def change(draft: Draft) -> None:
            draft.accept(period, run)
            if scope is not None:
                draft.set_scope(period, scope)

        self._change(change, f"That {run} is accepted could not be written", "Run it again")

    def dismiss(self, runs: Sequence[tuple[BillingPeriod, str]]) -> None:
        """Remembers that a person does not want held runs.

        Raises:
            LedgerError: If dlt could not write.
        """

        def change(draft: Draft) -> None:
            for period, run in runs:
                draft.dismiss(period, run)

        self._change(change, "What is dismissed could not be written", "Run it again")

    def pin(self, pins: Mapping[BillingPeriod, Pin | None]) -> None:
        """Remembers which run a month stays with; None releases it.

        Raises:
            LedgerError: If dlt could not write.
        """

        def change(draft: Draft) -> None:
            for period, pin in pins.items():
                draft.pin(period, pin)

        self._change(change, "What is pinned could not be written", "Run it again")

    def mend(self) -> None:
        """Writes again what the tracking table has lost, and nothing else.

        Raises:
            LedgerError: If dlt could not write.
        """
        self._change(lambda _: None, "The tracking table could not be written", "Run it again")

    def rewrite(self, merged: Merged, change: Callable[[Draft], None]) -> None:
        """Writes a ledger that was read before, changed.

        Raises:
            LedgerError: If dlt could not write.
        """
        draft = Draft(merged)
        change(draft)
        self._write(draft, "The ledger could not be rebuilt", "Run it again")

    def _change(self, change: Callable[[Draft], None], problem: str, remedy: str) -> None:
        draft = Draft(self.merged())
        change(draft)
        self._write(draft, problem, remedy)

    def _write(self, draft: Draft, problem: str, remedy: str) -> None:
        """Writes a package of dlt in an empty folder; state and rows are written, or neither."""
        # In a thread of its own: in the main one dlt takes Ctrl-C for itself, and gives up writing.
        worker = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        try:
            worker.submit(self._write_package, draft).result()
        except LedgerError as error:
            raise LedgerError(f"{problem}: {error}. {remedy}") from error
        finally:
            # Nor is it waited for where the user does not want to wait any more.
            worker.shutdown(wait=False)

    def _write_package(self, draft: Draft) -> None:
        from cloudbill.ledger.package import Package, write_package

        _keep_telemetry_off()

        def rows() -> Iterator[dict[str, object]]:
            yield from draft.rows

        package = Package(
            pipeline=self._at.pipeline,
            dataset=self._settings.dataset,
            sources=draft.sources,
            version=draft.merged.version,
            load_ids=draft.merged.load_ids,
            make_source=lambda: tracking_source(self._settings, rows),
        )
        write_package(package, self._warehouse)


def _held(rows: LedgerRows) -> Iterator[StoredState]:
    """The states that are there; one whose column was dropped left nothing to read."""
    return (stored for stored in rows.states if stored.text is not None)


def _keep_telemetry_off() -> None:
    """Turns dlt's telemetry off unless its user configured it: a bill is nobody else's business."""
    import dlt

    if dlt.config.get("runtime.dlthub_telemetry") is None:
        dlt.config["runtime.dlthub_telemetry"] = False
