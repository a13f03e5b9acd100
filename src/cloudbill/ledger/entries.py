"""A record of a month as JSON and as a row of the tracking table, and which one is newest; pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeVar

from cloudbill.costs.amounts import rests_to_text, totals_to_text
from cloudbill.models import LoadRecord, Totals
from cloudbill.periods import BillingPeriod
from cloudbill.text.times import parse_time

__all__ = [
    "Entry",
    "UNREADABLE",
    "entry_of_row",
    "is_in_row",
    "newest_entries",
    "once_each",
    "read_record",
    "record_json",
    "sequence_of",
    "tracking_row",
]

UNREADABLE: Final = (AttributeError, InvalidOperation, KeyError, TypeError, ValueError)
"""What reading a value of any other shape ends with."""

_NO_TOTALS: Final = "{}"
"""What a row has of a load without totals."""

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one place says of a month: a state that dlt stored, or a row of the tracking table.

    `record` is None where the month was forgotten. `version` and `load_id` are dlt's, of the state
    or of the one that came with the row; -1 and empty where nothing tells. `raw` is the entry as a
    state holds it.
    """

    period: BillingPeriod
    record: LoadRecord | None
    sequence: int
    version: int = -1
    load_id: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rank(self) -> tuple[int, int, datetime, int, datetime, str]:
        """Its place among all that is said of the month: the greatest is what the month holds.

        Two writers may have counted to the same number, so the newer run comes next. Records that
        do not count are in the order of dlt's versions, which count as well. Of a clock, only what
        nothing else tells apart.
        """
        record = self.record
        submitted_at = (record and record.submitted_at) or _LONG_AGO
        loaded_at = (record and record.loaded_at) or _LONG_AGO
        counted = -1 if self.sequence else self.version
        return self.sequence, counted, submitted_at, self.version, loaded_at, self.load_id


def newest_entries(entries: Iterable[Entry]) -> dict[BillingPeriod, Entry]:
    """The entry of each month that is true now."""
    newest: dict[BillingPeriod, Entry] = {}
    for entry in entries:
        if entry.period not in newest or newest[entry.period].rank < entry.rank:
            newest[entry.period] = entry
    return newest


def once_each(entries: Iterable[Entry]) -> list[Entry]:
    """The loads that entries tell of, each once and with all that is said of it; newest last.

    A row that lost cells, and the row that was written in its place, tell of one load.
    """
    loads: dict[tuple[BillingPeriod, str], list[Entry]] = {}
    for entry in sorted(entries, key=lambda entry: entry.rank, reverse=True):
        if entry.record is None:
            continue
        same = loads.setdefault((entry.period, entry.record.run_id), [])
        for index, known in enumerate(same):
            if known.record is not None and _is_same(known.record, entry.record):
                full = _filled(known.record, entry.record)
                same[index] = replace(known, record=full, sequence=full.sequence)
                break
        else:
            same.append(entry)
    return sorted((one for some in loads.values() for one in some), key=lambda entry: entry.rank)


def _is_same(one: LoadRecord, other: LoadRecord) -> bool:
    """Whether two records of one run in one month are of one load, as far as they tell."""
    if one.sequence and other.sequence:
        return one.sequence == other.sequence
    return one.loaded_at is not None and one.loaded_at == other.loaded_at


def _filled(record: LoadRecord, other: LoadRecord) -> LoadRecord:
    """A record with what another one of the same load tells where it tells nothing."""
    empty = {"totals": {}, "rests": {}, "sequence": 0}
    gaps = {
        column.name: getattr(other, column.name)
        for column in fields(record)
        if getattr(record, column.name) == empty.get(column.name)
    }
    return replace(record, **gaps)


def is_in_row(record: LoadRecord, row: LoadRecord) -> bool:
    """Whether a row of the tracking table tells all of a record that such a row can."""
    if (row.period, row.run_id, row.sequence) != (record.period, record.run_id, record.sequence):
        return False
    told = tracking_row(row)
    nothing = {None, _NO_TOTALS}
    return all(
        value in nothing or told[column] not in nothing
        for column, value in tracking_row(record).items()
    )


def read_record(period: BillingPeriod, entry: Mapping[str, Any]) -> LoadRecord:
    """The record of a month, from the JSON of a state.

    Raises:
        ValueError: If it is of another shape; so may the other errors of `UNREADABLE`.
    """
    return LoadRecord(
        period=period,
        run_id=_texted(entry["run_id"]),
        submitted_at=_read(parse_time, entry.get("submitted_at")),
        covers_from=_read(date.fromisoformat, entry.get("covers_from")),
        covers_to=_read(date.fromisoformat, entry.get("covers_to")),
        loaded_at=_read(parse_time, entry.get("loaded_at")),
        rows=_counted(entry.get("rows")),
        parts=_counted(entry.get("parts")),
        totals=_totals_from_json(entry.get("totals") or {}),
        rests=_totals_from_json(entry.get("rounded_away") or {}),
        job_id=_read(_texted, entry.get("job_id")),
        sequence=sequence_of(entry),
        scope=_read(_texted, entry.get("scope")),
        digest=_read(_texted, entry.get("digest")),
        parts_digest=_read(_texted, entry.get("parts_digest")),
        size=_counted(entry.get("size")),
        file_format=_read(_texted, entry.get("file_format")),
        data_version=_read(_texted, entry.get("data_version")),
    )


def sequence_of(entry: Mapping[str, Any]) -> int:
    """How far the ledger had counted, from the JSON of a state; raises as `read_record`."""
    return _counted(entry.get("sequence")) or 0


def _read(parse: Callable[[str], _T], text: str | None) -> _T | None:
    return None if text is None else parse(text)


def _texted(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError(f"{value!r} is no text")
    return value


def _counted(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TypeError(f"{value!r} is no count")
    return value


def _totals_from_json(totals: Mapping[str, Mapping[str, str]]) -> Totals:
    read = {
        currency: {column: Decimal(value) for column, value in columns.items()}
        for currency, columns in totals.items()
    }
    if not all(amount.is_finite() for columns in read.values() for amount in columns.values()):
        raise ValueError("a total is no number")
    return read


def record_json(record: LoadRecord) -> dict[str, Any]:
    """What a state holds of a record."""
    return {
        "run_id": record.run_id,
        "sequence": record.sequence,
        "submitted_at": _iso(record.submitted_at),
        "covers_from": _iso(record.covers_from),
        "covers_to": _iso(record.covers_to),
        "loaded_at": _iso(record.loaded_at),
        "rows": record.rows,
        "parts": record.parts,
        "totals": totals_to_text(record.totals),
        **rests_to_text(record.rests),
        "job_id": record.job_id,
        "scope": record.scope,
        "digest": record.digest,
        "parts_digest": record.parts_digest,
        "size": record.size,
        "file_format": record.file_format,
        "data_version": record.data_version,
    }


def _iso(moment: date | datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def tracking_row(record: LoadRecord, manifest_path: str | None = None) -> dict[str, object]:
    """The row of a load in the tracking table."""
    return {
        "run_id": record.run_id,
        "billing_month": str(record.period),
        "loaded_at": record.loaded_at,
        "row_count": record.rows,
        "file_count": record.parts,
        "submitted_at": record.submitted_at,
        "covers_from": record.covers_from,
        "covers_to": record.covers_to,
        "totals": _totals_text(record.totals),
        "job_id": record.job_id,
        "manifest_path": manifest_path,
        "sequence": record.sequence or None,
        "rounded_away": _totals_text(record.rests) if record.rests else None,
    }


def _totals_text(totals: Totals) -> str:
    return json.dumps(totals_to_text(totals), sort_keys=True)


def entry_of_row(row: Mapping[str, object], versions: Mapping[str, int]) -> Entry | None:
    """What a row of the tracking table says, of whatever columns it has.

    `versions` are those of the states, by load package. None where the row is of no load of a
    month, such as the summaries that an older tool wrote. What a person made of a cell is unknown.
    """
    month, run_id = row.get("billing_month"), row.get("run_id")
    if not isinstance(month, str) or not isinstance(run_id, str) or not run_id:
        return None
    try:
        period = BillingPeriod.parse(month)
    except ValueError:
        return None
    record = LoadRecord(
        period=period,
        run_id=run_id,
        submitted_at=_cell(_time_of, row.get("submitted_at")),
        covers_from=_cell(_day_of, row.get("covers_from")),
        covers_to=_cell(_day_of, row.get("covers_to")),
        loaded_at=_cell(_time_of, row.get("loaded_at")),
        rows=_cell(_count_of, row.get("row_count")),
        parts=_cell(_count_of, row.get("file_count")),
        totals=_cell(_totals_of, row.get("totals")) or {},
        rests=_cell(_totals_of, row.get("rounded_away")) or {},
        job_id=_cell(_texted, row.get("job_id")),
        sequence=_cell(_count_of, row.get("sequence")) or 0,
    )
    load_id = str(row.get("_dlt_load_id") or "")
    return Entry(
        period=period,
        record=record,
        sequence=record.sequence,
        version=versions.get(load_id, -1),
        load_id=load_id,
        raw=record_json(record),
    )


def _cell(read: Callable[[Any], _T | None], value: object) -> _T | None:
    if value is None:
        return None
    try:
        return read(value)
    except UNREADABLE:
        return None


def _time_of(value: datetime | str) -> datetime | None:
    return parse_time(value.isoformat() if isinstance(value, datetime) else value)


def _day_of(value: date | str) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value)


def _count_of(value: int | str) -> int | None:
    return _counted(int(value) if isinstance(value, str) else value)


def _totals_of(value: str) -> Totals:
    return _totals_from_json(json.loads(value))
