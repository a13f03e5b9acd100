"""What the ledger keeps, to and from the state of a dlt resource and the tracking table; pure.

The shape of the state, below the resource `<table_name>_load_tracking`:

    loaded_executions   {"2025-10": ["<run_id>", ...]}   every run that was ever loaded, newest last
    cloudbill           {"version": 2,
                         "periods": {"2025-10": {"run_id": ..., "sequence": 7, ...}},
                         "accepted": {"2025-10": ["<delivery>", ...]},   held runs, loaded after all
                         "dismissed": {"2025-10": ["<delivery>", ...]},  held runs, not wanted
                         "scopes": {"2025-10": "<scope>"},               the scope from a month on
                         "pins": {"2025-10": {"run_id": ...}},           see `pins`
                         "guards": ["days", "rows", ...],       those that the last writer had
                         "merged": "<digest>"}                        see `merging`

`loaded_executions` is also read in its later form, {"2025-10": {"run_id", "submitted_time"}}.
Version 1 had no `sequence`. Without `guards` there were those of days and rows alone. A month with
the run id null was forgotten on purpose. Keys that this version does not know are kept, in a month
and beside the months.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from cloudbill.errors import Guard, LedgerError
from cloudbill.ledger.entries import (
    UNREADABLE,
    Entry,
    newest_entries,
    read_record,
    record_json,
    sequence_of,
)
from cloudbill.ledger.pins import PinEntry, pin_json, read_pin, with_older_pins
from cloudbill.models import LoadRecord, Pin
from cloudbill.periods import BillingPeriod
from cloudbill.text.times import parse_time

__all__ = [
    "Decisions",
    "EXECUTIONS",
    "OURS",
    "Remembered",
    "VERSION",
    "accept_in",
    "decisions_in",
    "dismiss_in",
    "entries_of_state",
    "forget_in",
    "note_guards_in",
    "pin_in",
    "read_remembered",
    "remember",
    "run_ids_of",
    "set_scope_in",
    "write_record",
]

VERSION: Final = 2
OURS: Final = "cloudbill"
EXECUTIONS: Final = "loaded_executions"
_GUARDS: Final = "guards"
_PINS: Final = "pins"
_FIRST_GUARDS: Final = frozenset({str(Guard.DAYS), str(Guard.ROWS)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """What persons decided: held runs that are right or not wanted, and pins, by month; the scope.

    A run is named by its id, or by the identity of a delivery (`Manifest.identity`).
    """

    accepted: Mapping[BillingPeriod, frozenset[str]] = field(default_factory=dict)
    dismissed: Mapping[BillingPeriod, frozenset[str]] = field(default_factory=dict)
    scopes: Mapping[BillingPeriod, str] = field(default_factory=dict)
    pins: Mapping[BillingPeriod, PinEntry] = field(default_factory=dict)
    guards: frozenset[str] = frozenset()
    """The guards that the version had which wrote it; not a decision, but known with them."""

    def with_older(self, older: Decisions) -> Decisions:
        """Both, as far as they do not contradict each other: then these are the newer."""
        accepted, dismissed = dict(self.accepted), dict(self.dismissed)
        for period, runs in older.accepted.items():
            kept = runs - self.dismissed.get(period, frozenset())
            accepted[period] = accepted.get(period, frozenset()) | kept
        for period, runs in older.dismissed.items():
            kept = runs - self.accepted.get(period, frozenset())
            dismissed[period] = dismissed.get(period, frozenset()) | kept
        scopes = {**older.scopes, **self.scopes}
        return Decisions(
            accepted=accepted,
            dismissed=dismissed,
            scopes=scopes,
            pins=with_older_pins(self.pins, older.pins),
            guards=self.guards | older.guards,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What the ledger holds: the run of each month, and the held runs that were accepted.

    `sequence` is the greatest that any of its records and pins has.
    """

    loaded: Mapping[BillingPeriod, LoadRecord] = field(default_factory=dict)
    accepted: Mapping[BillingPeriod, frozenset[str]] = field(default_factory=dict)
    dismissed: Mapping[BillingPeriod, frozenset[str]] = field(default_factory=dict)
    scopes: Mapping[BillingPeriod, str] = field(default_factory=dict)
    pins: Mapping[BillingPeriod, Pin] = field(default_factory=dict)
    """The runs that months stay with, also where a newer run has ended that; see `planning.pins`.
    """
    guards: frozenset[str] = _FIRST_GUARDS
    """The guards that the version had which wrote the ledger last."""
    sequence: int = 0


def remember(entries: Iterable[Entry], decisions: Decisions) -> Remembered:
    """What entries of any places, put together, say of each month."""
    listed = list(entries)
    return Remembered(
        loaded={
            period: entry.record
            for period, entry in newest_entries(listed).items()
            if entry.record is not None
        },
        accepted=decisions.accepted,
        dismissed=decisions.dismissed,
        scopes=decisions.scopes,
        pins={
            period: entry.pin for period, entry in decisions.pins.items() if entry.pin is not None
        },
        guards=decisions.guards | _FIRST_GUARDS,
        sequence=max(
            [
                0,
                *(entry.sequence for entry in listed),
                *(entry.sequence for entry in decisions.pins.values()),
            ]
        ),
    )


def read_remembered(state: Mapping[str, Any]) -> Remembered:
    """All that one resource state holds.

    Raises:
        LedgerError: If a newer cloudbill wrote the state, or it cannot be read.
    """
    try:
        return remember(entries_of_state(state), decisions_in(state))
    except LedgerError as error:
        raise LedgerError(f"The ledger cannot be read: {error}") from error


def decisions_in(state: Mapping[str, Any], *, is_lenient: bool = False) -> Decisions:
    """What persons decided, by a resource state; raises as `entries_of_state`."""
    scopes: dict[BillingPeriod, str] = {}
    with _reading(is_lenient=is_lenient):
        for month, scope in (state.get(OURS) or {}).get("scopes", {}).items():
            with _reading(is_lenient=is_lenient):
                scopes[BillingPeriod.parse(month)] = str(scope)
    pins: dict[BillingPeriod, PinEntry] = {}
    with _reading(is_lenient=is_lenient):
        for month, entry in (state.get(OURS) or {}).get(_PINS, {}).items():
            with _reading(is_lenient=is_lenient):
                pins[BillingPeriod.parse(month)] = read_pin(entry)
    guards: frozenset[str] = frozenset()
    with _reading(is_lenient=is_lenient):
        guards = frozenset(map(str, (state.get(OURS) or {}).get(_GUARDS, ())))
    return Decisions(
        accepted=_runs_in(state, "accepted", is_lenient=is_lenient),
        dismissed=_runs_in(state, "dismissed", is_lenient=is_lenient),
        scopes=scopes,
        pins=pins,
        guards=guards,
    )


def _runs_in(
    state: Mapping[str, Any], key: str, *, is_lenient: bool
) -> dict[BillingPeriod, frozenset[str]]:
    found: dict[BillingPeriod, frozenset[str]] = {}
    with _reading(is_lenient=is_lenient):
        for month, run_ids in (state.get(OURS) or {}).get(key, {}).items():
            with _reading(is_lenient=is_lenient):
                found[BillingPeriod.parse(month)] = frozenset(map(str, run_ids))
    return found


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
        executions = _object(state.get(EXECUTIONS) or {})
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
    return _object(ours["periods"])


def _object(value: object) -> Mapping[str, Any]:
    """What JSON calls an object; `dict` would make one of a list of pairs as well."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{type(value).__name__} where an object belongs")
    return value


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


def accept_in(state: MutableMapping[str, Any], period: BillingPeriod, run: str) -> None:
    """Remembers in a resource state that a held run is right."""
    _put_in(_ours(state), "accepted", period, run)
    _take_from(_ours(state), "dismissed", period, run)


def dismiss_in(state: MutableMapping[str, Any], period: BillingPeriod, run: str) -> None:
    """Remembers in a resource state that a held run is not wanted."""
    _put_in(_ours(state), "dismissed", period, run)
    _take_from(_ours(state), "accepted", period, run)


def set_scope_in(state: MutableMapping[str, Any], since: BillingPeriod, scope: str) -> None:
    """Remembers in a resource state which scope the source loads from a month on."""
    _ours(state).setdefault("scopes", {})[str(since)] = scope


def pin_in(state: MutableMapping[str, Any], period: BillingPeriod, entry: PinEntry) -> None:
    """Remembers in a resource state that a month stays with a run, or does no more."""
    _ours(state).setdefault(_PINS, {})[str(period)] = pin_json(entry)


def note_guards_in(state: MutableMapping[str, Any]) -> None:
    """Remembers in a resource state which guards this version has."""
    _ours(state)[_GUARDS] = sorted(map(str, Guard))


def _put_in(ours: dict[str, Any], key: str, period: BillingPeriod, run: str) -> None:
    runs = ours.setdefault(key, {}).setdefault(str(period), [])
    if run not in runs:
        runs.append(run)


def _take_from(ours: dict[str, Any], key: str, period: BillingPeriod, run: str) -> None:
    runs = ours.get(key, {}).get(str(period), [])
    if run in runs:
        runs.remove(run)


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
