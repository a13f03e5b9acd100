"""What the ledger keeps, to and from the state of a dlt resource and the tracking table; pure.

The shape of the state, below the resource `<table_name>_load_tracking`:

    loaded_executions   {"2025-10": ["<run_id>", ...]}   every run that was ever loaded, newest last
    cloudbill           {"version": 2,
                         "periods": {"2025-10": {"run_id": ..., "sequence": 7, ...}},
                         "accepted": {"2025-10": ["<run_id>", ...]},  held runs, loaded after all
                         "merged": "<digest>"}                        see `merging`

`loaded_executions` is also read in its later form, {"2025-10": {"run_id", "submitted_time"}}.
Version 1 had no `sequence`. A month with the run id null was forgotten on purpose. Keys that this
version does not know are kept, in a month and beside the months.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from cloudbill.errors import LedgerError
from cloudbill.ledger.entries import (
    UNREADABLE,
    Entry,
    newest_entries,
    read_record,
    record_json,
    sequence_of,
)
from cloudbill.models import LoadRecord
from cloudbill.periods import BillingPeriod
from cloudbill.text.times import parse_time

__all__ = [
    "EXECUTIONS",
    "OURS",
    "VERSION",
    "Remembered",
    "accept_in",
    "accepted_in",
    "entries_of_state",
    "forget_in",
    "read_remembered",
    "remember",
    "run_ids_of",
    "write_record",
]

VERSION: Final = 2
OURS: Final = "cloudbill"
EXECUTIONS: Final = "loaded_executions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What the ledger holds: the run of each month, and the held runs that were accepted.

    `sequence` is the greatest that any of its records has.
    """

    loaded: Mapping[BillingPeriod, LoadRecord] = field(default_factory=dict)
    accepted: Mapping[BillingPeriod, frozenset[str]] = field(default_factory=dict)
    sequence: int = 0


def remember(
    entries: Iterable[Entry], accepted: Mapping[BillingPeriod, frozenset[str]]
) -> Remembered:
    """What entries of any places, put together, say of each month."""
    listed = list(entries)
    return Remembered(
        loaded={
            period: entry.record
            for period, entry in newest_entries(listed).items()
            if entry.record is not None
        },
        accepted=accepted,
        sequence=max((entry.sequence for entry in listed), default=0),
    )


def read_remembered(state: Mapping[str, Any]) -> Remembered:
    """All that one resource state holds.

    Raises:
        LedgerError: If a newer cloudbill wrote the state, or it cannot be read.
    """
    try:
        return remember(entries_of_state(state), accepted_in(state))
    except LedgerError as error:
        raise LedgerError(f"The ledger cannot be read: {error}") from error


def accepted_in(
    state: Mapping[str, Any], *, is_lenient: bool = False
) -> dict[BillingPeriod, frozenset[str]]:
    """The held runs of each month that a resource state accepts; raises as `entries_of_state`."""
    accepted: dict[BillingPeriod, frozenset[str]] = {}
    with _reading(is_lenient=is_lenient):
        for month, run_ids in (state.get(OURS) or {}).get("accepted", {}).items():
            with _reading(is_lenient=is_lenient):
                accepted[BillingPeriod.parse(month)] = frozenset(map(str, run_ids))
    return accepted


def entries_of_state(
    state: Mapping[str, Any], *, version: int = -1, load_id: str = "", is_lenient: bool = False
) -> list[Entry]:
    """What a resource state of any shape that was ever written says of each month.

    With `is_lenient`, what cannot be read is left out.

    Raises:
        LedgerError: If a newer cloudbill wrote the state, or it cannot be read.
    """
    entries: list[Entry] = []
    periods: Mapping[str, Any] = {}
    executions: Mapping[str, Any] = {}
    with _reading(is_lenient=is_lenient):
        executions = dict(state.get(EXECUTIONS) or {})
    with _reading(is_lenient=is_lenient):
        periods = _periods(state.get(OURS), is_lenient=is_lenient)
    for month in sorted({*periods, *executions}):
        with _reading(is_lenient=is_lenient):
            found = _entry(month, periods.get(month), executions.get(month))
            if found is not None:
                period, record, sequence, raw = found
                entries.append(
                    Entry(
                        period=period,
                        record=record,
                        sequence=sequence,
                        version=version,
                        load_id=load_id,
                        raw=raw,
                    )
                )
    return entries


@contextmanager
def _reading(*, is_lenient: bool) -> Iterator[None]:
    """Names what cannot be read, or passes over it with `is_lenient`."""
    try:
        yield
    except UNREADABLE as error:
        if not is_lenient:
            raise LedgerError(f"it holds what no ledger holds: {error!r}") from error


def _periods(ours: Mapping[str, Any] | None, *, is_lenient: bool) -> Mapping[str, Any]:
    if ours is None:
        return {}
    if not is_lenient and ours["version"] > VERSION:
        raise LedgerError(
            f"a newer cloudbill wrote it (version {ours['version']} of its state, this one reads "
            f"{VERSION}). Upgrade cloudbill, unless no newer one was ever used"
        )
    return dict(ours["periods"])


def _entry(
    month: str, raw: Mapping[str, Any] | None, executions: object
) -> tuple[BillingPeriod, LoadRecord | None, int, Mapping[str, Any]] | None:
    """What a state says of a month, in our shape and in the older one; None where it says nothing.

    Raises:
        ValueError: If it cannot be read; so may other errors of `UNREADABLE`.
    """
    period = BillingPeriod.parse(month)
    run_ids = run_ids_of(executions)
    record, sequence = None, 0
    if raw is not None:
        sequence = sequence_of(raw)
        if raw["run_id"] is not None:
            record = read_record(period, raw)
        if not run_ids or (record is not None and run_ids[-1] == record.run_id):
            return period, record, sequence, raw
    if not run_ids:
        return None
    # The older tool loaded the month since, and knows nothing of our entry. Nor does it count.
    record = LoadRecord(
        period=period,
        # The last one was written last, so it is what the month holds.
        run_id=run_ids[-1],
        submitted_at=_submitted_time(executions),
        sequence=sequence + 1 if sequence else 0,
    )
    return period, record, record.sequence, record_json(record)


def _submitted_time(executions: object) -> datetime | None:
    if isinstance(executions, Mapping) and executions.get("submitted_time"):
        with suppress(ValueError):
            return parse_time(str(executions["submitted_time"]))
    return None


def run_ids_of(executions: object) -> list[str]:
    """The runs that the older shape names for a month, newest last.

    Raises:
        KeyError: If it names none where it should.
    """
    if isinstance(executions, Mapping):
        return [str(executions["run_id"])]
    if isinstance(executions, list):
        return [str(run_id) for run_id in executions]
    return []


def accept_in(state: MutableMapping[str, Any], period: BillingPeriod, run_id: str) -> None:
    """Remembers in a resource state that a held run is right."""
    accepted = _ours(state).setdefault("accepted", {}).setdefault(str(period), [])
    if run_id not in accepted:
        accepted.append(run_id)


def forget_in(state: MutableMapping[str, Any], period: BillingPeriod, sequence: int) -> None:
    """Forgets which run a month holds; that it was forgotten is what a ledger must remember."""
    state.setdefault(EXECUTIONS, {})[str(period)] = []
    _ours(state)["periods"][str(period)] = {"run_id": None, "sequence": sequence}


def write_record(state: MutableMapping[str, Any], record: LoadRecord) -> None:
    """Puts a load into a resource state, in the old shape and in ours."""
    month = str(record.period)
    executions = state.setdefault(EXECUTIONS, {})
    earlier = [run_id for run_id in run_ids_of(executions.get(month)) if run_id != record.run_id]
    executions[month] = [*earlier, record.run_id]
    _ours(state)["periods"][month] = record_json(record)


def _ours(state: MutableMapping[str, Any]) -> dict[str, Any]:
    ours: dict[str, Any] = state.setdefault(OURS, {"version": VERSION, "periods": {}})
    ours["version"] = VERSION
    return ours
