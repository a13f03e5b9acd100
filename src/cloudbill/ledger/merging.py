"""Everything that a warehouse has of a ledger, put together month by month; pure.

Two processes may both read a state and each write the next one, and a clock that is wrong puts a
state in the wrong place. So no single state is the ledger: of each month the record with the
greatest `sequence` is, wherever it is written.

Each state that is written holds all that the others held, and a digest of their load ids. As long
as a state's digest is that of all other states, it alone has to be read.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cloudbill.errors import LedgerError
from cloudbill.ledger.entries import (
    UNREADABLE,
    Entry,
    entry_of_row,
    is_in_row,
    newest_entries,
    once_each,
    record_json,
)
from cloudbill.ledger.pins import pin_json
from cloudbill.ledger.state import (
    EXECUTIONS,
    OURS,
    VERSION,
    Decisions,
    Remembered,
    decisions_in,
    entries_of_state,
    remember,
    run_ids_of,
)
from cloudbill.ledger.tables import TRACKED
from cloudbill.models import LoadRecord
from cloudbill.periods import BillingPeriod
from cloudbill.warehouses.ledger_rows import LedgerRows, StoredState

__all__ = [
    "Address",
    "Merged",
    "State",
    "decode_state",
    "holds_all",
    "merge",
    "tables_of_state",
]

_MERGED: Final = "merged"
_DIGEST_LENGTH: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the ledger of a source lies in a state: its pipeline, dlt's source, the resource."""

    pipeline: str
    source: str
    resource: str


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A state that was decoded: `sources` as dlt keeps them, and the part that is the ledger's."""

    load_id: str
    version: int
    sources: Mapping[str, Any]
    ledger: Mapping[str, Any]

    @property
    def order(self) -> tuple[int, str]:
        """Its place among the states, the greatest last."""
        return self.version, self.load_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """A ledger as it is now.

    `told` is all that the states say, `tracked` what the rows of the tracking table say, the oldest
    first; `decisions` are what persons decided. `sources` is what the next state holds if nothing
    changes, `ledger` the part of it that is the ledger's. `version` is the greatest that dlt
    counted to, `load_ids` those of all states.
    """

    told: tuple[Entry, ...] = ()
    tracked: tuple[Entry, ...] = ()
    decisions: Decisions = field(default_factory=Decisions)
    sources: dict[str, Any] = field(default_factory=dict)
    ledger: dict[str, Any] = field(default_factory=dict)
    version: int = 0
    load_ids: tuple[str, ...] = ()

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All that any place says."""
        return *self.told, *self.tracked

    @property
    def remembered(self) -> Remembered:
        """What each month holds, and what was accepted."""
        return remember(self.entries, self.decisions)

    @property
    def untracked(self) -> tuple[LoadRecord, ...]:
        """The records that the tracking table has lost, wholly or in part.

        Older shapes kept too little for a row.
        """
        rows: dict[BillingPeriod, list[LoadRecord]] = defaultdict(list)
        for entry in self.tracked:
            if entry.record is not None:
                rows[entry.period].append(entry.record)
        return tuple(
            record
            for record in self.remembered.loaded.values()
            if record.loaded_at is not None
            and not any(is_in_row(record, row) for row in rows[record.period])
        )

    @property
    def newest_tracked(self) -> dict[BillingPeriod, LoadRecord]:
        """The newest load of each month that the tracking table has."""
        return {
            period: entry.record
            for period, entry in newest_entries(self.tracked).items()
            if entry.record is not None
        }

    @property
    def loads(self) -> tuple[LoadRecord, ...]:
        """Every load that any place tells of, oldest first, as the ledger orders them."""
        # Of a run that an older tool named alone, it is not known that it was loaded by itself.
        told = (one for one in self.told if one.record is not None and one.record.loaded_at)
        return tuple(
            entry.record for entry in once_each((*told, *self.tracked)) if entry.record is not None
        )


def decode_state(stored: StoredState, at: Address, *, is_lenient: bool = False) -> State | None:
    """Reads a state that dlt stored; None where it is of another pipeline.

    With `is_lenient`, what has another shape than it should is left out.

    Raises:
        LedgerError: If it cannot be read.
    """
    state: Mapping[str, Any] = {}
    sources: Mapping[str, Any] = {}
    ledger: Mapping[str, Any] = {}
    try:
        state = _json_of(stored.text or "")
        if state.get("pipeline_name", at.pipeline) != at.pipeline:
            return None
        sources = _object(state, "sources")
        ledger = _object(_object(_object(sources, at.source), "resources"), at.resource)
    except LedgerError as error:
        raise _named(stored.load_id, error) from error
    except TypeError as error:
        if not is_lenient:
            raise _named(stored.load_id, error) from error
    version = stored.version if stored.version is not None else state.get("_state_version")
    return State(
        load_id=stored.load_id or "",
        version=version if isinstance(version, int) else -1,
        sources=sources,
        ledger=ledger,
    )


def tables_of_state(text: str, source: str) -> tuple[str, ...]:
    """The tables that a state has a ledger of, below one of dlt's sources; none if it is damaged.

    Raises:
        LedgerError: If it cannot be unpacked.
    """
    state = _json_of(text)
    try:
        resources = _object(_object(_object(state, "sources"), source), "resources")
        return tuple(
            name.removesuffix(TRACKED)
            for name in resources
            if name.endswith(TRACKED) and {OURS, EXECUTIONS} & _object(resources, name).keys()
        )
    except TypeError:
        return ()


def _json_of(text: str) -> Mapping[str, Any]:
    """What dlt encoded: base64 of what zlib compressed, or JSON itself."""
    try:
        packed = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        packed = b""
    try:
        state = json.loads(zlib.decompress(packed) if packed else text)
    except zlib.error as error:
        raise LedgerError("it cannot be unpacked") from error
    except (ValueError, RecursionError) as error:
        raise LedgerError("it is neither packed JSON nor plain JSON") from error
    if not isinstance(state, dict):
        raise LedgerError("it is JSON, but no object")
    return state


def _object(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = parent.get(key, {})
    if not isinstance(found, dict):
        raise TypeError(f"'{key}' is {type(found).__name__}")
    return found


def digest_of(load_ids: Iterable[str]) -> str:
    """What tells one set of states from another."""
    text = "\n".join(sorted(load_ids))
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_LENGTH]


def holds_all(state: State | None, rows: LedgerRows) -> bool:
    """Whether the first of the states was merged from all others that are there."""
    if state is None:
        return not rows.states
    others = [stored.load_id or "" for stored in rows.states[1:]]
    ours = state.ledger.get(OURS)
    merged = ours.get(_MERGED) if isinstance(ours, dict) else None
    return not others or merged == digest_of(others)


def merge(
    states: Sequence[State], rows: LedgerRows, at: Address, *, is_lenient: bool = False
) -> Merged:
    """Puts states and tracking rows together.

    Raises:
        LedgerError: If a state holds what cannot be read, unless `is_lenient`.
    """
    ordered = sorted(states, key=lambda state: state.order, reverse=True)
    entries: list[Entry] = []
    decisions = Decisions()
    for state in ordered:
        try:
            entries += entries_of_state(
                state.ledger, version=state.version, load_id=state.load_id, is_lenient=is_lenient
            )
            older = decisions_in(state.ledger, is_lenient=is_lenient)
            decisions = decisions.with_older(older)
        except LedgerError as error:
            raise _named(state.load_id, error) from error
    versions = {stored.load_id: stored.version for stored in rows.states}
    known = {name: version for name, version in versions.items() if name and version is not None}
    tracked = [entry for row in rows.tracked if (entry := entry_of_row(row, known)) is not None]
    told = _in_full(entries, tracked)
    load_ids = tuple(stored.load_id or "" for stored in rows.states)
    ledger = _ledger(ordered, [*told, *tracked], decisions, load_ids)
    return Merged(
        told=tuple(told),
        tracked=tuple(sorted(tracked, key=lambda entry: entry.rank)),
        decisions=decisions,
        sources=_sources(ordered, at, ledger),
        ledger=ledger,
        version=max([0, *known.values(), *(state.version for state in states)]),
        load_ids=load_ids,
    )


def _named(load_id: str | None, error: Exception) -> LedgerError:
    return LedgerError(f"The state of load {load_id or '?'} cannot be read: {error}")


def _in_full(entries: Iterable[Entry], tracked: Iterable[Entry]) -> list[Entry]:
    """Entries that name a run alone, as an older tool writes them, with what its row says."""
    rows = {
        (entry.period, entry.record.run_id): entry.record
        for entry in sorted(tracked, key=lambda entry: entry.rank)
        if entry.record is not None
    }
    return [_with_row(entry, rows) for entry in entries]


def _with_row(entry: Entry, rows: Mapping[tuple[BillingPeriod, str], LoadRecord]) -> Entry:
    record = entry.record
    row = rows.get((entry.period, record.run_id)) if record is not None else None
    if record is None or row is None or record.rows is not None:
        return entry
    submitted_at = record.submitted_at or row.submitted_at
    full = replace(row, sequence=entry.sequence, submitted_at=submitted_at)
    return replace(entry, record=full, raw={**entry.raw, **record_json(full)})


def _ledger(
    ordered: Sequence[State],
    entries: Iterable[Entry],
    decisions: Decisions,
    load_ids: Sequence[str],
) -> dict[str, Any]:
    """What a resource state holds that knows all of this; keys of others as the newest has them."""
    ledger: dict[str, Any] = {}
    ours: dict[str, Any] = {}
    executions: dict[str, list[str]] = {}
    for state in ordered:
        ledger = {**state.ledger, **ledger}
        theirs = state.ledger.get(OURS)
        ours = {**(theirs if isinstance(theirs, dict) else {}), **ours}
        _add_executions(executions, state.ledger.get(EXECUTIONS))
    periods: dict[str, Any] = {}
    for period, entry in sorted(newest_entries(entries).items()):
        month, record = str(period), entry.record
        periods[month] = dict(entry.raw)
        # The older tool reads the last one as what the month holds, and so do we.
        last = [] if record is None else [record.run_id]
        earlier = [run_id for run_id in executions.get(month, []) if run_id not in last]
        executions[month] = [*earlier, *last] if last else []
    return {
        **ledger,
        EXECUTIONS: executions,
        OURS: {
            **ours,
            "version": VERSION,
            "periods": periods,
            "accepted": _runs_json(decisions.accepted),
            "dismissed": _runs_json(decisions.dismissed),
            "scopes": {str(since): scope for since, scope in sorted(decisions.scopes.items())},
            "pins": {str(month): pin_json(pin) for month, pin in sorted(decisions.pins.items())},
            _MERGED: digest_of(load_ids),
        },
    }


def _runs_json(runs: Mapping[BillingPeriod, frozenset[str]]) -> dict[str, list[str]]:
    return {str(period): sorted(some) for period, some in sorted(runs.items())}


def _add_executions(executions: dict[str, list[str]], older: object) -> None:
    """Puts the runs of an older state before those of the newer ones, each once."""
    for month, told in older.items() if isinstance(older, dict) else ():
        try:
            run_ids = run_ids_of(told)
        except UNREADABLE:
            continue
        known = executions.get(month, [])
        executions[month] = [*(run_id for run_id in run_ids if run_id not in known), *known]


def _sources(ordered: Sequence[State], at: Address, ledger: dict[str, Any]) -> dict[str, Any]:
    """The state of all sources of the pipeline, whoever keeps something there."""
    sources: dict[str, Any] = {}
    for state in ordered:
        sources = {**state.sources, **sources}
    resources: dict[str, Any] = {}
    for state in ordered:
        source = state.sources.get(at.source)
        theirs = source.get("resources") if isinstance(source, dict) else None
        resources = {**(theirs if isinstance(theirs, dict) else {}), **resources}
    own = sources.get(at.source)
    sources[at.source] = {
        **(own if isinstance(own, dict) else {}),
        "resources": {**resources, at.resource: ledger},
    }
    return sources
