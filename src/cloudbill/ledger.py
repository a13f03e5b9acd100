"""The memory of loaded runs: dlt's state in the warehouse, and a tracking table for people.

The shape of the state, below the resource `<table_name>_load_tracking`:

    loaded_executions   {"2025-10": ["<run_id>", ...]}   every run that was ever loaded, newest last
    cloudbill           {"version": 1, "periods": {"2025-10": {"run_id": ..., ...}},
                         "accepted": {"2025-10": ["<run_id>", ...]}}  held runs, loaded after all

`loaded_executions` is also read in its later form, {"2025-10": {"run_id", "submitted_time"}}.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final, TypeVar

from cloudbill.documents import parse_time
from cloudbill.errors import CloudbillError
from cloudbill.models import BillingPeriod, LoadRecord, LoadResult, Totals

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings
    from cloudbill.warehouses import Warehouse

__all__ = [
    "Ledger",
    "Remembered",
    "read_records",
    "read_remembered",
    "tracking_row",
    "tracking_source",
    "tracking_table",
    "write_record",
]

_VERSION: Final = 1
_OURS: Final = "cloudbill"
_EXECUTIONS: Final = "loaded_executions"

_T = TypeVar("_T")

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What the ledger holds: the run of each month, and the held runs that were accepted."""

    loaded: Mapping[BillingPeriod, LoadRecord] = field(default_factory=dict)
    accepted: Mapping[BillingPeriod, frozenset[str]] = field(default_factory=dict)


class Ledger:
    """The ledger of one source, kept by a dlt pipeline in the warehouse itself.

    The state in the warehouse is the only truth: whatever an earlier run left in dlt's working
    folder may speak of a table that is gone, so every pipeline here starts in an empty folder.
    """

    def __init__(self, settings: SourceSettings, warehouse: Warehouse) -> None:
        self._settings = settings
        self._warehouse = warehouse

    def read(self) -> Remembered:
        """What each month holds, and which runs were accepted.

        Raises:
            CloudbillError: If the state cannot be read, or a newer cloudbill wrote it.
        """
        encoded = self._warehouse.read_state(self._settings.pipeline_name)
        if encoded is None:
            return Remembered()
        from dlt.common.versioned_state import decompress_state

        state: dict[str, Any] = dict(decompress_state(encoded))
        return read_remembered(self._resource_state(state))

    def loaded(self) -> Mapping[BillingPeriod, LoadRecord]:
        """What each month holds; raises as `read` does."""
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
            accepted = _ours(state).setdefault("accepted", {}).setdefault(str(period), [])
            if run_id not in accepted:
                accepted.append(run_id)
            yield from ()

        self._run(rows, f"That {run_id} is accepted could not be written", "Run it again")

    def restore(self, records: Sequence[LoadRecord]) -> None:
        """Puts records in the place of whatever the state says of loaded months.

        Raises:
            CloudbillError: If dlt could not write.
        """

        def rows(state: MutableMapping[str, Any]) -> Iterator[dict[str, object]]:
            state[_EXECUTIONS] = {}
            _ours(state)["periods"] = {}
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
        import dlt
        from dlt.pipeline.exceptions import PipelineStepFailed

        _keep_telemetry_off()

        def tracked() -> Iterator[dict[str, object]]:
            yield from rows(dlt.current.resource_state())

        with tempfile.TemporaryDirectory(prefix="cloudbill-dlt-") as folder:
            pipeline = dlt.pipeline(
                pipeline_name=self._settings.pipeline_name,
                pipelines_dir=folder,
                destination=self._warehouse.destination(),
                dataset_name=self._settings.dataset,
            )
            try:
                pipeline.run(tracking_source(self._settings, tracked))
            except PipelineStepFailed as error:
                raise CloudbillError(f"{problem}: {error}. {remedy}") from error


def source_name(settings: SourceSettings) -> str:
    """dlt's name of the source, under which the state stands."""
    return f"{settings.provider.SECTION}_source"


def tracking_table(settings: SourceSettings) -> str:
    """The table that says what was loaded when, and dlt's name of the resource that fills it."""
    return f"{settings.table_name}_load_tracking"


def tracking_source(
    settings: SourceSettings, rows: Callable[[], Iterator[dict[str, object]]]
) -> Any:
    """A dlt source with one resource, which appends to the tracking table."""
    import dlt

    @dlt.source(name=source_name(settings), section=settings.provider.SECTION)
    def source() -> Any:
        columns: Any = {name: {"data_type": kind} for name, kind in TRACKING_COLUMNS.items()}
        return dlt.resource(
            rows, name=tracking_table(settings), write_disposition="append", columns=columns
        )

    return source()


def tracking_row(result: LoadResult) -> dict[str, object]:
    """The row of a load in the tracking table."""
    record, manifest = result.to_record(), result.planned.manifest
    return {
        "run_id": record.run_id,
        "billing_month": str(record.period),
        "loaded_at": record.loaded_at,
        "row_count": record.rows,
        "file_count": record.parts,
        "submitted_at": record.submitted_at,
        "covers_from": record.covers_from,
        "covers_to": record.covers_to,
        "totals": json.dumps(_totals_to_json(record.totals), sort_keys=True),
        "job_id": record.job_id,
        "manifest_path": manifest.path,
    }


def write_record(state: MutableMapping[str, Any], record: LoadRecord) -> None:
    """Puts a load into a resource state, in the old shape and in ours."""
    month = str(record.period)
    executions = state.setdefault(_EXECUTIONS, {})
    earlier = [run_id for run_id in _run_ids(executions.get(month)) if run_id != record.run_id]
    executions[month] = [*earlier, record.run_id]
    _ours(state)["periods"][month] = {
        "run_id": record.run_id,
        "submitted_at": _iso(record.submitted_at),
        "covers_from": _iso(record.covers_from),
        "covers_to": _iso(record.covers_to),
        "loaded_at": _iso(record.loaded_at),
        "rows": record.rows,
        "parts": record.parts,
        "totals": _totals_to_json(record.totals),
        "job_id": record.job_id,
    }


def _ours(state: MutableMapping[str, Any]) -> dict[str, Any]:
    ours: dict[str, Any] = state.setdefault(_OURS, {"version": _VERSION, "periods": {}})
    return ours


def read_remembered(state: Mapping[str, Any]) -> Remembered:
    """All that a resource state holds.

    Raises:
        CloudbillError: If a newer cloudbill wrote the state, or it cannot be read.
    """
    loaded = read_records(state)
    try:
        accepted = {
            BillingPeriod.parse(month): frozenset(map(str, run_ids))
            for month, run_ids in (state.get(_OURS) or {}).get("accepted", {}).items()
        }
    except (AttributeError, TypeError, ValueError) as error:
        raise CloudbillError(f"The ledger cannot be read: {error!r}") from error
    return Remembered(loaded=loaded, accepted=accepted)


def read_records(state: Mapping[str, Any]) -> dict[BillingPeriod, LoadRecord]:
    """What each month holds, from a resource state of any shape that was ever written.

    Raises:
        CloudbillError: If a newer cloudbill wrote the state, or it cannot be read.
    """
    try:
        records = _read_executions(state.get(_EXECUTIONS) or {})
        ours = state.get(_OURS)
        if ours is not None:
            if ours["version"] > _VERSION:
                raise CloudbillError(
                    f"The ledger was written by a newer cloudbill (version {ours['version']} of "
                    f"its state, this one reads {_VERSION}). Upgrade cloudbill"
                )
            for month, entry in ours["periods"].items():
                period = BillingPeriod.parse(month)
                newest = records.get(period)
                # The older tool may have loaded the month since, and knows nothing of ours.
                if newest is None or newest.run_id == entry["run_id"]:
                    records[period] = _read_entry(period, entry)
    except (AttributeError, InvalidOperation, KeyError, TypeError, ValueError) as error:
        raise CloudbillError(f"The ledger cannot be read: {error!r}") from error
    return records


def _read_executions(executions: Mapping[str, Any]) -> dict[BillingPeriod, LoadRecord]:
    records: dict[BillingPeriod, LoadRecord] = {}
    for month, entry in executions.items():
        run_ids = _run_ids(entry)
        if not run_ids:
            continue
        submitted_at = None
        if isinstance(entry, Mapping) and entry.get("submitted_time"):
            with suppress(ValueError):
                submitted_at = parse_time(str(entry["submitted_time"]))
        period = BillingPeriod.parse(month)
        records[period] = LoadRecord(
            # The last one was written last, so it is what the month holds.
            period=period,
            run_id=run_ids[-1],
            submitted_at=submitted_at,
        )
    return records


def _run_ids(entry: object) -> list[str]:
    if isinstance(entry, Mapping):
        return [str(entry["run_id"])]
    if isinstance(entry, list):
        return [str(run_id) for run_id in entry]
    return []


def _read_entry(period: BillingPeriod, entry: Mapping[str, Any]) -> LoadRecord:
    return LoadRecord(
        period=period,
        run_id=entry["run_id"],
        submitted_at=_read(parse_time, entry.get("submitted_at")),
        covers_from=_read(date.fromisoformat, entry.get("covers_from")),
        covers_to=_read(date.fromisoformat, entry.get("covers_to")),
        loaded_at=_read(parse_time, entry.get("loaded_at")),
        rows=entry.get("rows"),
        parts=entry.get("parts"),
        totals={
            currency: {column: Decimal(value) for column, value in columns.items()}
            for currency, columns in (entry.get("totals") or {}).items()
        },
        job_id=entry.get("job_id"),
    )


def _read(parse: Callable[[str], _T], text: str | None) -> _T | None:
    return None if text is None else parse(text)


def _iso(moment: date | datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _totals_to_json(totals: Totals) -> dict[str, dict[str, str]]:
    return {
        currency: {column: f"{value:f}" for column, value in columns.items()}
        for currency, columns in totals.items()
    }


def _keep_telemetry_off() -> None:
    """Turns dlt's telemetry off unless its user configured it: a bill is nobody else's business."""
    import dlt

    if dlt.config.get("runtime.dlthub_telemetry") is None:
        dlt.config["runtime.dlthub_telemetry"] = False
