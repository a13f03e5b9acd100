"""Reads and writes the ledger in the state of a dlt resource and the tracking table; pure.

The form of the state, below the resource `<table_name>_load_tracking`:

    loaded_executions   {"2025-10": ["<run_id>", ...]}   every run that was ever loaded, newest last
    cloudbill           {"version": 1, "periods": {"2025-10": {"run_id": ..., ...}},
                         "accepted": {"2025-10": ["<run_id>", ...]}}  held runs that were accepted

`loaded_executions` is also read in its later form, {"2025-10": {"run_id", "submitted_time"}}.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeVar

from cloudbill.costs.amounts import totals_to_text
from cloudbill.errors import CloudbillError
from cloudbill.models import BillingPeriod, LoadRecord, LoadResult, Totals
from cloudbill.text.times import parse_time

__all__ = [
    "Remembered",
    "accept_in",
    "clear_loaded",
    "read_records",
    "read_remembered",
    "record_of_row",
    "tracking_row",
    "write_record",
]

_VERSION: Final = 1
_OURS: Final = "cloudbill"
_EXECUTIONS: Final = "loaded_executions"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """The content of the ledger: the run of each month, and the held runs that were accepted."""

    loaded: Mapping[BillingPeriod, LoadRecord] = field(default_factory=dict)
    accepted: Mapping[BillingPeriod, frozenset[str]] = field(default_factory=dict)


def accept_in(state: MutableMapping[str, Any], period: BillingPeriod, run_id: str) -> None:
    """Records in a resource state that a held run was accepted."""
    accepted = _ours(state).setdefault("accepted", {}).setdefault(str(period), [])
    if run_id not in accepted:
        accepted.append(run_id)


def clear_loaded(state: MutableMapping[str, Any]) -> None:
    """Forgets all loaded months of a resource state, but not the accepted runs."""
    state[_EXECUTIONS] = {}
    _ours(state)["periods"] = {}


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
        "totals": json.dumps(totals_to_text(record.totals), sort_keys=True),
        "job_id": record.job_id,
        "manifest_path": manifest.path,
    }


def record_of_row(row: Mapping[str, object]) -> LoadRecord | None:
    """The record in a row of the tracking table, from the columns that it has.

    None if the row is not a load of a month, such as the summaries of an older tool.
    """
    month, run_id = row.get("billing_month"), row.get("run_id")
    if not isinstance(month, str) or not isinstance(run_id, str):
        return None
    try:
        period = BillingPeriod.parse(month)
    except ValueError:
        return None
    totals = json.loads(str(row.get("totals") or "{}"))
    return LoadRecord(
        period=period,
        run_id=run_id,
        submitted_at=_utc(row.get("submitted_at")),
        covers_from=_day(row.get("covers_from")),
        covers_to=_day(row.get("covers_to")),
        loaded_at=_utc(row.get("loaded_at")),
        rows=_count(row.get("row_count")),
        parts=_count(row.get("file_count")),
        totals=_totals_from_json(totals),
        job_id=None if row.get("job_id") is None else str(row["job_id"]),
    )


def _utc(value: object) -> datetime | None:
    if not isinstance(value, datetime):
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _day(value: object) -> date | None:
    return value if isinstance(value, date) else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) else None


def write_record(state: MutableMapping[str, Any], record: LoadRecord) -> None:
    """Puts a load into a resource state, in the old form and in ours."""
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
        "totals": totals_to_text(record.totals),
        "job_id": record.job_id,
    }


def _ours(state: MutableMapping[str, Any]) -> dict[str, Any]:
    ours: dict[str, Any] = state.setdefault(_OURS, {"version": _VERSION, "periods": {}})
    return ours


def read_remembered(state: Mapping[str, Any]) -> Remembered:
    """The content of a resource state.

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
    """What each month holds, from a resource state in any form that was ever written.

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
                # The older tool may have loaded the month since then, and it does not write our
                # part.
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
            # The last id was written last, so the month holds that run.
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
        totals=_totals_from_json(entry.get("totals") or {}),
        job_id=entry.get("job_id"),
    )


def _read(parse: Callable[[str], _T], text: str | None) -> _T | None:
    return None if text is None else parse(text)


def _iso(moment: date | datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _totals_from_json(totals: Mapping[str, Mapping[str, str]]) -> Totals:
    return {
        currency: {column: Decimal(value) for column, value in columns.items()}
        for currency, columns in totals.items()
    }
