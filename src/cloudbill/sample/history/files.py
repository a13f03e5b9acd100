"""The files of a simulated Azure export: their places and contents."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cloudbill.sample.azure.columns import AZURE_COLUMNS
from cloudbill.sample.history.events import Event, HistoryRun, PutManifest, PutPart, Remove
from cloudbill.sample.history.resources import columns_of
from cloudbill.sample.schedule import Month, guid
from cloudbill.sample.sql import connect, copy, create_table

__all__ = ["ADDED_COLUMNS", "FEW_COLUMNS", "Layout"]

FEW_COLUMNS: Final = (
    "BilledCost",
    "BillingCurrency",
    "BillingPeriodStart",
    "ChargeDescription",
    "ChargePeriodStart",
    "ContractedCost",
    "EffectiveCost",
    "ListCost",
    "ResourceId",
    "x_SkuDetails",
)
"""The columns that loading and reconciling need, and one that may vanish."""

ADDED_COLUMNS: Final = ("x_SkuPlanName", "x_ServiceModel", "x_AmortizationClass")
"""Columns that dataVersion 1.2-preview added; 1.2 removed `x_SkuDetails`."""

_COSTS: Final = ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost")
_CUT_JSON: Final = 0.6
"""The length of a manifest that cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The place of an export, and its columns."""

    root_folder: str = "billing"
    """Folder of the exports in the container; may be empty."""
    export_name: str = "focus-daily"
    """Name of the export, a folder below it."""
    columns: tuple[str, ...] = tuple(AZURE_COLUMNS)
    """The columns of a run that drops none: the 96 of dataVersion 1.0r2, or a few."""
    put_before: str = ""
    """A prefix that a copy tool added to the paths, and that no manifest has."""

    def changes(self, event: Event) -> Iterator[tuple[str, bytes | None]]:
        """The paths that an event writes, with their content, or removes, with None."""
        folder = self.put_before + self._folder(event.run, event.copy)
        match event:
            case PutPart():
                content = _part(event.run, event.part, self.columns)
                if event.state == "cut":
                    content = content[: len(content) // 2]
                elif event.state == "longer":
                    content += b"the end of another part"
                elif event.state == "damaged":
                    content = _damaged(content)
                yield f"{folder}/{_part_name(event.part)}", content
            case PutManifest():
                content = self._manifest(event.run)
                whole = len(content) if event.is_readable else int(len(content) * _CUT_JSON)
                yield f"{folder}/manifest.json", content[:whole]
            case Remove():
                # The manifest first, because without it the other files are not a run.
                yield f"{folder}/manifest.json", None
                for part in range(event.run.parts):
                    yield f"{folder}/{_part_name(part)}", None

    def apply(self, event: Event, folder: Path) -> None:
        """Applies an event to a folder, which represents the container."""
        for path, content in self.changes(event):
            target = folder / path
            if content is None:
                target.unlink(missing_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)

    def _folder(self, run: HistoryRun, copy_number: int) -> str:
        last = run.months[-1].end - timedelta(days=1)
        names = [self.root_folder, self.export_name, f"{run.month.start:%Y%m%d}-{last:%Y%m%d}"]
        if run.keeps_runs or copy_number:
            names.append(f"{run.submitted_at + timedelta(minutes=copy_number):%Y%m%d%H%M}")
        return "/".join(name for name in (*names, run.run_id) if name)

    def _manifest(self, run: HistoryRun) -> bytes:
        folder = self._folder(run, 0)
        blobs = [
            {
                "blobName": f"{folder}/{_part_name(part)}",
                "byteCount": len(_part(run, part, self.columns)),
                "dataRowCount": len(run.rows_of(part)) if run.states_rows else None,
            }
            for part in range(run.parts)
        ]
        first, last = run.covers
        behaviour = "CreateNewReport" if run.keeps_runs else "OverwritePreviousReport"
        scope = run.scope or f"subscriptions/{guid('history', self.export_name)}"
        frame = {} if run.time_frame is None else {"timeFrame": run.time_frame}
        document = {
            "manifestVersion": "2024-04-01",
            "blobCount": len(blobs),
            "dataRowCount": run.rows if run.states_rows else None,
            "exportConfig": {
                "exportName": self.export_name,
                "resourceId": f"/{scope}"
                f"/providers/Microsoft.CostManagement/exports/{self.export_name}",
                "dataVersion": "1.0r2",
                "type": "FocusCost",
                **frame,
            },
            "deliveryConfig": {"dataOverwriteBehavior": behaviour, "fileFormat": "Parquet"},
            "runInfo": {
                "executionType": "Scheduled",
                "submittedTime": f"{run.submitted_at:%Y-%m-%dT%H:%M:%S.%f}0Z",
                "runId": run.run_id,
                "startDate": f"{first}T00:00:00",
                "endDate": f"{last}T00:00:00+00:00",
            },
            "blobs": blobs,
        }
        return json.dumps(document, indent=2).encode()


def _part_name(part: int) -> str:
    return f"part_{part}_0001.snappy.parquet"


@functools.lru_cache(maxsize=512)
def _part(run: HistoryRun, part: int, columns: tuple[str, ...]) -> bytes:
    """A whole part; it is the same in every process."""
    names = [*(name for name in columns if name not in run.dropped), *run.added]
    types = {name: AZURE_COLUMNS.get(name, "VARCHAR") for name in names}
    rows = [_row(run, number, types) for number in run.rows_of(part)]
    with tempfile.TemporaryDirectory(prefix="cloudbill-history-") as folder, connect() as database:
        path = Path(folder, _part_name(part))
        create_table(database, "part", types, rows)
        copy(database, "SELECT * FROM part", path, "parquet", {})
        return path.read_bytes()


def _row(run: HistoryRun, number: int, types: dict[str, str]) -> dict[str, object]:
    # Azure writes absent text as '', and other absent values as NULL.
    row: dict[str, object] = {name: "" for name, kind in types.items() if kind == "VARCHAR"}
    first = run.day_of(number)
    day, month = (
        datetime(first.year, first.month, first.day, tzinfo=UTC),
        Month(first.year, first.month),
    )
    values: dict[str, object] = {
        "BillingCurrency": "EUR",
        "BillingPeriodEnd": month.end,
        "BillingPeriodStart": month.start,
        "ChargeDescription": run.name,
        "ChargePeriodEnd": day + timedelta(days=1),
        "ChargePeriodStart": day,
        **columns_of(number),
        "ChargeCategory": "Credit" if run.cost(number) < 0 else "Usage",
        **dict.fromkeys(_COSTS, run.cost(number)),
        **dict.fromkeys(run.added, "drift"),
    }
    return row | {name: value for name, value in values.items() if name in types}


def _damaged(content: bytes) -> bytes:
    """Breaks pages of data, but not the footer at the end, so the file can still be opened."""
    end = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    return content[:4] + b"\xff" * (end - 4) + content[end:]
