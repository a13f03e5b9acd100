"""Whatever writers, clocks and losses leave behind, put together it is one ledger."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cloudbill.ledger.draft import Draft
from cloudbill.ledger.entries import Entry, entry_of_row, newest_entries
from cloudbill.ledger.load_ids import next_load_id
from cloudbill.ledger.merging import Address, Merged, State, decode_state, holds_all, merge
from cloudbill.models import LoadRecord, Pin
from cloudbill.periods import BillingPeriod
from cloudbill.warehouses.ledger_rows import LedgerRows, StoredState
from unit.builders import at

AT = Address(pipeline="p", source="s", resource="bill_load_tracking")
MONTHS = [BillingPeriod(year=2025, month=month) for month in (8, 9, 10)]
CLOCKS = st.sampled_from(["1764324660.1", "1764331860.5", "4102444800.5", "978307200.25"])


def stored(load_id: str, version: int, sources: dict[str, Any]) -> StoredState:
    """A state as dlt stores it."""
    state = {"pipeline_name": "p", "sources": sources, "_state_version": version}
    text = base64.b64encode(zlib.compress(json.dumps(state).encode())).decode()
    return StoredState(load_id=load_id, version=version, text=text)


def read_all(rows: LedgerRows) -> Merged:
    """The ledger, from everything that is there."""
    decoded = [decode_state(state, AT) for state in rows.states]
    return merge([state for state in decoded if state is not None], rows, AT)


def months_of(merged: Merged) -> dict[str, Any]:
    """What a state that is written now says of each month."""
    return dict(merged.ledger["cloudbill"]["periods"])


class Writers(RuleBasedStateMachine):
    """Writers with any clocks, who may have read what is old by now, and tables that get lost."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = LedgerRows()
        self.backups: list[LedgerRows] = []
        self.runs = 0
        self.last: State | None = None

    def ordered(self, states: list[StoredState]) -> tuple[StoredState, ...]:
        """As a warehouse gives them."""
        return tuple(sorted(states, key=lambda one: (one.version, one.load_id), reverse=True))

    def write(self, seen: LedgerRows, clock: str, month: BillingPeriod, day: int) -> None:
        """One load, by a writer who saw that much."""
        draft = Draft(read_all(seen))
        self.runs += 1
        record = LoadRecord(
            period=month,
            run_id=f"run {self.runs}",
            submitted_at=at(day),
            loaded_at=at(day, 3),
            rows=7,
        )
        draft.put(record)
        load_id = next_load_id(draft.merged.load_ids, clock)
        state = stored(load_id, draft.merged.version + 1, draft.sources)
        tracked = [{**row, "_dlt_load_id": load_id} for row in draft.rows]
        self.rows = LedgerRows(
            states=self.ordered([*self.rows.states, state]),
            tracked=(*self.rows.tracked, *tracked),
        )
        self.last = decode_state(state, AT) if seen.states == self.rows.states[1:] else None

    @rule(clock=CLOCKS, month=st.sampled_from(MONTHS), day=st.integers(1, 28))
    def somebody_loads(self, *, clock: str, month: BillingPeriod, day: int) -> None:
        self.write(self.rows, clock, month, day)

    @rule(
        clocks=st.tuples(CLOCKS, CLOCKS),
        months=st.tuples(st.sampled_from(MONTHS), st.sampled_from(MONTHS)),
        days=st.tuples(st.integers(1, 28), st.integers(1, 28)),
    )
    def two_load_at_once(
        self,
        *,
        clocks: tuple[str, str],
        months: tuple[BillingPeriod, BillingPeriod],
        days: tuple[int, int],
    ) -> None:
        seen = self.rows
        for clock, month, day in zip(clocks, months, days, strict=True):
            self.write(seen, clock, month, day)
        both = newest_entries(read_all(self.rows).entries)
        if months[0] != months[1]:
            runs = [both[month].record for month in months]
            assert [run and run.run_id for run in runs] == [
                f"run {self.runs - 1}",
                f"run {self.runs}",
            ]

    @precondition(lambda self: self.rows.states)
    @rule()
    def states_are_dropped(self) -> None:
        self.rows = replace(self.rows, states=())
        self.last = None

    @rule()
    def tracking_table_is_dropped(self) -> None:
        self.rows = replace(self.rows, tracked=())

    @rule()
    def backup_is_made(self) -> None:
        self.backups.append(self.rows)

    @precondition(lambda self: self.backups)
    @rule(data=st.data())
    def backup_is_restored(self, data: st.DataObject) -> None:
        self.rows = data.draw(st.sampled_from(self.backups))
        self.last = None

    @invariant()
    def ledger_knows_at_least_what_the_tracking_table_knows(self) -> None:
        known = newest_entries(read_all(self.rows).entries)
        tracked = [entry for row in self.rows.tracked if (entry := entry_of_row(row, {}))]
        for period, entry in newest_entries(tracked).items():
            assert ordered_by_rules(known[period]) >= ordered_by_rules(entry)

    @invariant()
    def a_state_that_holds_all_is_enough(self) -> None:
        if not self.rows.states:
            return
        newest = decode_state(self.rows.states[0], AT)
        if newest is not None and holds_all(newest, self.rows):
            alone = merge([newest], self.rows, AT)
            assert months_of(alone) == months_of(read_all(self.rows))

    @invariant()
    def what_dlt_restores_is_the_ledger_when_nobody_else_was_writing(self) -> None:
        if self.last is None:
            return
        restored = max(self.rows.states, key=lambda one: str(one.load_id))
        assert restored.load_id == self.last.load_id
        assert self.last.ledger["cloudbill"]["periods"] == months_of(read_all(self.rows))


def ordered_by_rules(entry: Entry) -> tuple[int, object]:
    """Sequence first, then the newer run."""
    record = entry.record
    return entry.sequence, record and record.submitted_at


TestWriters = Writers.TestCase
TestWriters.settings = settings(max_examples=60, stateful_step_count=12, deadline=None)


def test_of_two_pins_of_a_month_the_one_that_counted_further_is_true_in_any_order() -> None:
    month, other = MONTHS[:2]
    rows, states = LedgerRows(), [LedgerRows()]
    steps: list[tuple[BillingPeriod, str | None]] = [
        (month, "first"),
        (other, "kept"),
        (month, None),
        (month, "second"),
    ]
    for number, (period, run) in enumerate(steps, start=1):
        draft = Draft(read_all(rows))
        draft.pin(
            period,
            None
            if run is None
            else Pin(run_id=run, digest="d", newest="n", submitted_at=at(number)),
        )
        # Clocks count down, and dlt's versions stand still: the greatest sequence is in neither.
        state = stored(f"{9 - number}.5", 1, draft.sources)
        rows = LedgerRows(states=(*rows.states, state))
        states.append(rows)

    said = [
        {str(when): pin.run_id for when, pin in read_all(one).remembered.pins.items()}
        for one in states
    ]
    assert said == [
        {},
        {"2025-08": "first"},
        {"2025-08": "first", "2025-09": "kept"},
        {"2025-09": "kept"},
        {"2025-08": "second", "2025-09": "kept"},
    ]
    backwards = LedgerRows(states=tuple(reversed(rows.states)))
    assert read_all(backwards).remembered == read_all(rows).remembered
    # A load counts on from a pin, so that of the two it is known which came later.
    draft = Draft(read_all(rows))
    draft.put(LoadRecord(period=month, run_id="r"))
    assert (
        draft.sources["s"]["resources"][AT.resource]["cloudbill"]["periods"]["2025-08"]["sequence"]
        == 5
    )
