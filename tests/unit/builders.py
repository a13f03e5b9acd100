"""Values for the tests, each with defaults that make a good one."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from cloudbill.manifests import DiscoveredRun, Manifest, Part, StoredObject
from cloudbill.models import LoadRecord, LoadResult, Pin, Plan, PlannedLoad, Totals
from cloudbill.periods import BillingPeriod
from cloudbill.planning import Selection, plan_loads
from cloudbill.planning.guards import Guards

OCTOBER = BillingPeriod(year=2025, month=10)
SEPTEMBER = BillingPeriod(year=2025, month=9)
RUN_ID = "0f6e1a52-77c2-4a7e-9d5b-3a1f5c0b8e11"
ROOT = "billing/focus-daily/"
FOLDER = f"{ROOT}20251001-20251031/202510220104/{RUN_ID}/"
MANIFEST_PATH = f"{FOLDER}manifest.json"
MODIFIED_AT = datetime(2025, 10, 22, 1, 30, tzinfo=UTC)


def at(day: int, hour: int = 1) -> datetime:
    """An hour of a day of October 2025."""
    return datetime(2025, 10, day, hour, tzinfo=UTC)


def manifest(
    run_id: str = "a",
    *,
    period: BillingPeriod = OCTOBER,
    submitted_at: datetime | None = None,
    parts: int | Iterable[Part] = 2,
    rows: int | None = None,
    path: str | None = None,
) -> Manifest:
    """A manifest; `parts` is how many there are, or what they are."""
    if isinstance(parts, int):
        parts = [Part(path=f"{run_id}/part_{index}.parquet") for index in range(parts)]
    return Manifest(
        provider="azure",
        export="focus-daily",
        path=f"{run_id}/manifest.json" if path is None else path,
        run_id=run_id,
        period=period,
        covers_from=period.first_day,
        covers_to=period.last_day,
        submitted_at=at(20) if submitted_at is None else submitted_at,
        file_format="parquet",
        parts=tuple(parts),
        rows=rows,
    )


def run(
    run_id: str = "a",
    *,
    day: int = 20,
    period: BillingPeriod = OCTOBER,
    parts: int = 2,
    missing: int = 0,
    path: str | None = None,
) -> DiscoveredRun:
    """A run that was submitted on a day of October, the last `missing` of its parts not there."""
    described = manifest(run_id, period=period, submitted_at=at(day), parts=parts, path=path)
    return DiscoveredRun(manifest=described, missing=described.parts[parts - missing :])


def record(
    run_id: str = "a", *, day: int | None = 20, period: BillingPeriod = OCTOBER
) -> LoadRecord:
    """What the ledger remembers; without a day it is of an older shape."""
    return LoadRecord(period=period, run_id=run_id, submitted_at=None if day is None else at(day))


def to_load(described: Manifest, replaces: LoadRecord | None = None) -> PlannedLoad:
    """The planned load of a manifest."""
    return PlannedLoad(
        manifest=described,
        table="bill",
        period_column="BillingPeriodStart",
        uris=tuple(f"gs://exports/{part.path}" for part in described.parts),
        replaces=replaces,
    )


def plan(
    runs: Iterable[DiscoveredRun],
    *records: LoadRecord,
    periods: Iterable[BillingPeriod] = (),
    force: bool = False,
    guards: Guards | None = None,
    failed: Collection[str] = (),
    scopes: Mapping[BillingPeriod, str] | None = None,
    pins: Mapping[BillingPeriod, Pin] | None = None,
) -> Plan:
    """The plan of some runs, given what is loaded."""
    return plan_loads(
        runs,
        {loaded.period: loaded for loaded in records},
        selection=Selection(periods=frozenset(periods), force=force),
        guards=guards or Guards(),
        to_load=to_load,
        failed=failed,
        scopes=scopes or {},
        pins=pins or {},
    )


def result(
    described: Manifest | None = None, *, rows: int = 7, totals: Totals | None = None
) -> LoadResult:
    """A finished load."""
    return LoadResult(
        planned=to_load(described or manifest()),
        rows=rows,
        totals=totals or {},
        job_id=None,
        started_at=at(22, 1),
        finished_at=at(22, 2),
    )


def stored(path: str = MANIFEST_PATH, size: int = 1) -> StoredObject:
    """An object of a listing."""
    return StoredObject(path=path, size=size, modified_at=MODIFIED_AT)


def listing(*paths: str) -> dict[str, StoredObject]:
    """A listing of some paths."""
    return {path: stored(path) for path in paths}


def document(**changes: Any) -> dict[str, Any]:
    """A manifest.json as Azure writes it, with three ways to write a time; None takes a key out."""
    whole: dict[str, Any] = {
        "manifestVersion": "2024-04-01",
        "byteCount": 300,
        "blobCount": 2,
        "dataRowCount": 5,
        "exportConfig": {
            "exportName": "focus-daily",
            "resourceId": "/providers/Microsoft.CostManagement/exports/focus-daily",
            "dataVersion": "1.0r2",
            "apiVersion": "2023-07-01-preview",
            "type": "FocusCost",
            "timeFrame": "MonthToDate",
            "granularity": "Daily",
        },
        "deliveryConfig": {
            "partitionData": True,
            "dataOverwriteBehavior": "CreateNewReport",
            "fileFormat": "Parquet",
            "compressionMode": "Snappy",
            "rootFolderPath": "billing",
        },
        "runInfo": {
            "executionType": "Scheduled",
            "submittedTime": "2025-10-22T01:04:06.5234447Z",
            "runId": RUN_ID,
            "startDate": "2025-10-01T00:00:00",
            "endDate": "2025-10-21T00:00:00+00:00",
        },
        "blobs": [
            blob("part_0_0001.snappy.parquet", byteCount=100, dataRowCount=2),
            blob("part_1_0001.snappy.parquet", byteCount=200, dataRowCount=3),
        ],
    }
    return {key: value for key, value in (whole | changes).items() if value is not None}


def blob(name: str, **values: object) -> dict[str, object]:
    """An entry of `blobs`; a bare name gets the folder that Azure writes."""
    return {"blobName": name if "/" in name else f"{FOLDER}{name}", **values}


def encoded(content: Mapping[str, Any]) -> bytes:
    """A document as a file holds it."""
    return json.dumps(content).encode()
