"""The memory of loaded runs: dlt's state in the warehouse, and a tracking table for people.

Pure: state.
May import: costs, settings, spool, text, warehouses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from cloudbill.errors import CloudbillError
from cloudbill.ledger.state import (
    Remembered,
    accept_in,
    clear_loaded,
    read_remembered,
    record_of_row,
    tracking_row,
    write_record,
)
from cloudbill.models import BillingPeriod, LoadRecord, LoadResult
from cloudbill.spool import spool_folder

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings
    from cloudbill.warehouses import Warehouse

__all__ = [
    "Ledger",
    "TRACKING_COLUMNS",
    "source_name",
    "tracking_source",
    "tracking_table",
]

TRACKING_COLUMNS: Final[Mapping[str, str]] = {
    "run_id": "text",
    "billing_month": "text",
    "loaded_at": "timestamp",
    "row_count": "bigint",
    "file_count": "bigint",
    "submitted_at": "timestamp",
    "covers_from": "date",
    "covers_to": "date",
    "totals": "text",
    "job_id": "text",
    "manifest_path": "text",
}
"""The columns of the tracking table and their dlt types, in order."""


class Ledger:
    """The ledger of one source, kept by a dlt pipeline in the warehouse itself.

    Only the state in the warehouse is true: a state in dlt's working folder may be about a table
    that no longer exists, so every pipeline here starts in an empty folder.
    """

    def __init__(self, settings: SourceSettings, warehouse: Warehouse) -> None:
        self._settings = settings
        self._warehouse = warehouse

    def read(self) -> Remembered:
        """What each month holds, and which runs were accepted.

        Raises:
            CloudbillError: If the state cannot be read, or a newer cloudbill wrote it.
        """
        # The warehouse is asked directly, because dlt would need a whole pipeline run to restore
        # its state.
        encoded = self._warehouse.read_state(self._settings.pipeline_name)
        if encoded is None:
            return Remembered(loaded=self.tracked())
        from dlt.common.versioned_state import decompress_state

        state: dict[str, Any] = dict(decompress_state(encoded))
        return read_remembered(self._resource_state(state))

    def tracked(self) -> dict[BillingPeriod, LoadRecord]:
        """The newest load of each month in the tracking table.

        It is the last source of records if the state is lost or was kept under another name.
        """
        newest: dict[BillingPeriod, LoadRecord] = {}
        for row in self._warehouse.tracking_rows(tracking_table(self._settings)):
            record = record_of_row(row)
            if record is not None:
                newest[record.period] = record
        return newest

    def loaded(self) -> Mapping[BillingPeriod, LoadRecord]:
        """What each month holds; raises what `read` raises."""
        return self.read().loaded

    def _resource_state(self, state: Mapping[str, Any]) -> Mapping[str, Any]:
        source = state.get("sources", {}).get(source_name(self._settings), {})
        found: Mapping[str, Any] = source.get("resources", {}).get(
            tracking_table(self._settings), {}
        )
        return found

    def record(self, results: Sequence[LoadResult]) -> None:
        """Writes finished loads into the state and the tracking table, in one load package.

        Raises:
            CloudbillError: If dlt could not write; the months are loaded, and loading them again
                changes nothing.
        """
        months = ", ".join(str(result.planned.period) for result in results)

        def rows(state: MutableMapping[str, Any]) -> Iterator[dict[str, object]]:
            for result in results:
                write_record(state, result.to_record())
                yield tracking_row(result)

        self._run(
            rows,
            f"{months} of {self._settings.source} are loaded, but the ledger could not be written",
            "The next run loads them again, which changes nothing",
        )

    def accept(self, period: BillingPeriod, run_id: str) -> None:
        """Remembers that a person wants a held run.

        Raises:
            CloudbillError: If dlt could not write.
        """

        def rows(state: MutableMapping[str, Any]) -> Iterator[dict[str, object]]:
            accept_in(state, period, run_id)
            yield from ()

        self._run(rows, f"The acceptance of {run_id} could not be recorded", "Run it again")

    def restore(self, records: Sequence[LoadRecord]) -> None:
        """Replaces everything that the state has about loaded months by these records.

        Raises:
            CloudbillError: If dlt could not write.
        """

        def rows(state: MutableMapping[str, Any]) -> Iterator[dict[str, object]]:
            clear_loaded(state)
            for record in records:
                write_record(state, record)
            yield from ()

        self._run(rows, "The ledger could not be rebuilt", "Run it again")

    def _run(
        self,
        rows: Callable[[MutableMapping[str, Any]], Iterator[dict[str, object]]],
        problem: str,
        remedy: str,
    ) -> None:
        """Runs the pipeline once, in an empty folder; state and rows are written, or neither."""
        # In a separate thread, because in the main thread dlt handles Ctrl-C itself and stops
        # writing.
        worker = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        try:
            worker.submit(self._run_pipeline, rows, problem, remedy).result()
        finally:
            # Nor does the process wait for it if the user wants to end at once.
            worker.shutdown(wait=False)

    def _run_pipeline(
        self,
        rows: Callable[[MutableMapping[str, Any]], Iterator[dict[str, object]]],
        problem: str,
        remedy: str,
    ) -> None:
        import dlt
        from dlt.pipeline.exceptions import PipelineStepFailed

        _keep_telemetry_off()

        def tracked() -> Iterator[dict[str, object]]:
            yield from rows(dlt.current.resource_state())

        with spool_folder() as folder:
            pipeline = dlt.pipeline(
                pipeline_name=self._settings.pipeline_name,
                pipelines_dir=str(folder),
                destination=self._warehouse.destination(),
                dataset_name=self._settings.dataset,
            )
            # Overrides the user's settings for other pipelines, because this one has only these.
            pipeline.config.restore_from_destination = True
            try:
                pipeline.run(tracking_source(self._settings, tracked))
            except PipelineStepFailed as error:
                raise CloudbillError(f"{problem}: {error}. {remedy}") from error


def source_name(settings: SourceSettings) -> str:
    """dlt's name of the source, which is the key of the state."""
    return f"{settings.provider.SECTION}_source"


def tracking_table(settings: SourceSettings) -> str:
    """The name of the tracking table, and of the dlt resource that fills it."""
    return f"{settings.table_name}_load_tracking"


def tracking_source(
    settings: SourceSettings, rows: Callable[[], Iterator[dict[str, object]]]
) -> Any:
    """A dlt source with one resource that appends to the tracking table."""
    import dlt

    @dlt.source(name=source_name(settings), section=settings.provider.SECTION)
    def source() -> Any:
        columns: Any = {name: {"data_type": kind} for name, kind in TRACKING_COLUMNS.items()}
        return dlt.resource(
            rows, name=tracking_table(settings), write_disposition="append", columns=columns
        )

    return source()


def _keep_telemetry_off() -> None:
    """Turns dlt's telemetry off unless the user configured it: a bill is private."""
    import dlt

    if dlt.config.get("runtime.dlthub_telemetry") is None:
        dlt.config["runtime.dlthub_telemetry"] = False
