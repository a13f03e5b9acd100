"""Whatever happens to a ledger, it knows what its tracking table knows, and no month goes back."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cloudbill.ledger import Ledger
from cloudbill.ledger.rebuilding import rebuild_ledger
from cloudbill.models import LoadRecord
from cloudbill.warehouses import open_warehouse
from contract import ledgers
from contract.deliveries import AzureWriter, Delivery, Written, at, charges
from contract.places import Case, DiskAndDuckDB
from figures import examples, record_figure

MONTHS = st.sampled_from(["2025-09", "2025-10"])
CLOCKS = st.sampled_from(["1764324660.1", "4102444800.5", "978307200.25", "978307100.5"])
LONG_AGO = datetime.min.replace(tzinfo=UTC)


class AnyLedger(RuleBasedStateMachine):
    """Loads, accepts, rebuilds, wrong clocks, dropped tables and backups that are restored."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ledger-"))
        (self.folder / "scratch").mkdir()
        self.place = DiskAndDuckDB(self.folder)
        self.case = Case(place=self.place, writer=AzureWriter(), scratch=self.folder / "scratch")
        self.runs: dict[str, Written] = {}
        self.submitted: dict[str, datetime] = {}
        self.backups: list[Path] = []
        self.newest: dict[str, datetime] = {}
        self.arrive("2025-10", 10, 12)
        self.load()

    def arrive(self, month: str, day: int, rows: int) -> None:
        """Delivers a run; its charges name it."""
        run_id = f"run {len(self.submitted)}"
        # Two runs are never submitted at the same time.
        submitted_at = at(f"2025-11-{day:02d} 04:{len(self.submitted):02d}")
        written = self.case.write(
            Delivery(
                period=month,
                charges=charges(month, *["1"] * rows, note=run_id),
                submitted_at=submitted_at,
                run_id=run_id,
            )
        )
        self.place.put(written.folder)
        self.runs[run_id] = written
        self.submitted[run_id] = submitted_at

    def load(self) -> None:
        """Loads, and checks what has to be true after it."""
        outcome = self.case.load()
        assert outcome.exit_code in {0, 6}, outcome
        self.check()

    def known(self) -> dict[str, LoadRecord]:
        """The ledger."""
        with closing(open_warehouse(self.case.settings.warehouse, read_only=True)) as warehouse:
            loaded = Ledger(self.case.settings, warehouse).loaded()
        return {str(period): record for period, record in loaded.items()}

    def tracked(self) -> dict[str, tuple[int, datetime]]:
        """Of each month, what the tracking table has with the greatest count, read by itself."""
        if not self.case.place.columns(ledgers.tracking(self.case)):
            return {}
        rows = self.place.query(
            "SELECT billing_month, coalesce(sequence, 0), submitted_at FROM {table}",
            table=ledgers.tracking(self.case),
        )
        newest: dict[str, tuple[int, datetime]] = {}
        for month, sequence, submitted_at in rows:
            row = sequence, submitted_at.astimezone(UTC)
            newest[month] = max(newest.get(month, row), row)
        return newest

    def check(self) -> None:
        """The two promises."""
        known = self.known()
        for month, row in self.tracked().items():
            record = known[month]
            assert (record.sequence, record.submitted_at or LONG_AGO) >= row
        held = {f"{charge.day:%Y-%m}": charge.note for charge in self.case.held()}
        for month, run_id in held.items():
            submitted_at = self.submitted[run_id]
            assert submitted_at >= self.newest.get(month, submitted_at)
            self.newest[month] = submitted_at

    def is_known(self) -> bool:
        """Whether anything is left that remembers what was loaded."""
        return bool(self.known())

    @rule(month=MONTHS, day=st.integers(1, 28), rows=st.sampled_from([12, 13, 3]))
    def run_arrives_and_is_loaded(self, *, month: str, day: int, rows: int) -> None:
        self.arrive(month, day, rows)
        self.load()

    @rule(month=MONTHS)
    def held_run_is_accepted(self, month: str) -> None:
        held = [
            skip
            for skip in self.case.load(dry_run=True).skips
            if skip.is_held and str(skip.manifest.period) == month
        ]
        if held:
            assert self.case.accept(month).exit_code in {0, 6}
            record_figure("held runs accepted between accidents")
            self.check()

    @rule()
    def ledger_is_rebuilt(self) -> None:
        before = {month: record.run_id for month, record in self.known().items()}
        rebuild_ledger(self.case.settings, lambda _: None)
        after = {month: record.run_id for month, record in self.known().items()}
        assert after == before
        self.check()

    @precondition(lambda self: self.place.columns(ledgers.STATES))
    @rule(clock=CLOCKS)
    def clock_was_wrong(self, clock: str) -> None:
        if clock not in ledgers.load_ids(self.case):
            for table in (ledgers.LOADS, ledgers.tracking(self.case)):
                if not self.place.columns(table):
                    return
            ledgers.rename_load(self.case, ledgers.load_ids(self.case)[-1], clock)
        self.load()

    @rule(
        table=st.sampled_from(
            [ledgers.STATES, ledgers.LOADS, ledgers.VERSIONS, "bill_load_tracking"]
        ),
        is_loaded=st.booleans(),
    )
    def table_is_dropped(self, *, table: str, is_loaded: bool) -> None:
        if self.place.columns(table):
            ledgers.drop_table(self.case, table)
        if not self.is_known():
            self.newest.clear()  # nothing remembers which run the months hold
        if is_loaded:
            self.load()

    @precondition(lambda self: len(self.runs) > 1)
    @rule(data=st.data())
    def run_leaves_the_bucket(self, data: st.DataObject) -> None:
        written = self.runs.pop(data.draw(st.sampled_from(sorted(self.runs))))
        for file in sorted(path for path in written.folder.rglob("*") if path.is_file()):
            self.place.remove(file.relative_to(written.folder).as_posix())
        self.load()

    @rule()
    def backup_is_made(self) -> None:
        backup = self.folder / f"backup {len(self.backups)}.duckdb"
        shutil.copy(self.place.database, backup)
        self.backups.append(backup)

    @precondition(lambda self: self.backups)
    @rule(data=st.data())
    def backup_is_restored(self, data: st.DataObject) -> None:
        shutil.copy(data.draw(st.sampled_from(self.backups)), self.place.database)
        self.newest.clear()  # the months are older as well
        self.load()

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            record_figure("ledgers put through accidents")
            shutil.rmtree(self.folder)


@pytest.mark.timeout(0)
def test_a_ledger_survives_any_accidents() -> None:
    run_state_machine_as_test(
        AnyLedger,
        settings=settings(
            max_examples=examples(12),
            stateful_step_count=9,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
            print_blob=True,
        ),
    )
