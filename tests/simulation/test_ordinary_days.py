"""No ordinary delivery is held, nor waits when it is there: no alarm is false."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cloudbill.exports.discovery import discover
from cloudbill.ledger.state import Remembered
from cloudbill.models import LoadRecord, LoadResult, PlannedLoad, TableMonth, TableRows
from cloudbill.periods import BillingPeriod
from cloudbill.planning import Selection
from cloudbill.providers import PROVIDERS
from cloudbill.settings import SourceSettings, read_source
from cloudbill.store.local import LocalStore
from cloudbill.surveying import Present, Survey, survey
from figures import record_figure
from simulation.ordinary import BYTES_PER_ROW, FIRST_DAY, WAYS, Export, Way, keep_days

DAYS = 68
"""Two months, and a week of the third."""
ALARMS = {"held", "waiting", "gone"}


@dataclass(kw_only=True)
class Loads:
    """What a load would do, by the code that does it, and what it then remembers."""

    settings: SourceSettings
    loaded: dict[BillingPeriod, LoadRecord] = field(default_factory=dict)
    counted: Counter[str] = field(default_factory=Counter)
    """Plans, and what a person would have to look at."""

    def look(self, folder: Path, now: datetime) -> Survey:
        """Discovers the files and plans the months, at a time."""
        store = LocalStore(folder)
        found = discover(store, self.settings.provider, prefix="", export_name="daily", now=now)
        rows = {period: TableMonth(rows=one.rows or 0) for period, one in self.loaded.items()}
        remembered = Remembered(loaded=self.loaded, scopes=self._scopes())
        present = Present(remembered=remembered, table=TableRows(months=rows))
        return survey(
            self.settings,
            present,
            Selection(),
            lambda _: None,
            discovered=(store, found),
            now=now,
        )

    def _scopes(self) -> dict[BillingPeriod, str]:
        first = min(self.loaded, default=None)
        scope = None if first is None else self.loaded[first].scope
        return {} if first is None or scope is None else {first: scope}

    def load(self, found: Survey, now: datetime) -> None:
        """Remembers what is planned, as if it were loaded."""
        for planned in found.plan.loads:
            rows = (planned.manifest.size or 0) // BYTES_PER_ROW
            # What is counted as it is read does not hold it either.
            assert planned.least_rows is None or rows >= planned.least_rows.rows, planned
            assert planned.rivals == (), planned
            self.loaded[planned.period] = self._record(planned, rows, now)

    @staticmethod
    def _record(planned: PlannedLoad, rows: int, now: datetime) -> LoadRecord:
        return LoadResult(
            planned=planned, rows=rows, totals={}, job_id=None, started_at=now, finished_at=now
        ).to_record()

    def count(self, found: Survey) -> None:
        """Counts what a person would have to look at."""
        self.counted["plans"] += 1
        for skip in found.plan.skips:
            if str(skip.reason) in ALARMS:
                self.counted[str(skip.reason)] += 1
        if found.reasons:
            self.counted["reasons"] += len(found.reasons)


def settings_of(way: Way, tmp_path: Path) -> SourceSettings:
    """The settings of an export that lies below a folder."""
    provider = PROVIDERS[way.provider]
    given = {"bucket": str(tmp_path), "export_name": "daily"}
    return read_source(provider.SECTION, provider, [], given)


@pytest.mark.parametrize("way", WAYS.values(), ids=[name.replace(", ", "-") for name in WAYS])
def test_no_ordinary_delivery_is_held_or_waits(
    way: Way, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    folder = tmp_path / "bucket"
    folder.mkdir()
    export = Export(folder=folder, way=way, seed=1)
    loads = Loads(settings=settings_of(way, folder))
    kept = 9 if way.copied or way.overwrites else 35  # days, as a rule of the bucket says
    days = [FIRST_DAY + timedelta(days=number) for number in range(DAYS)]

    def look_halfway(now: datetime) -> None:
        """A load while files come: what is not whole may wait, and nothing is held."""
        found = loads.look(folder, now)
        reasons = Counter(str(skip.reason) for skip in found.plan.skips)
        assert (reasons["held"], found.reasons) == (0, ()), (now, found.plan.skips)
        # What is there in full may be loaded; a mixture of two runs is not.
        for load in found.plan.loads:
            assert load.manifest.size == sum(export.sizes[load.manifest.run_id]), load
        loads.counted["plans while files came"] += 1

    for day in days:
        now = export.deliver(day, look_halfway if day.day % 4 == 2 else lambda _: None)
        loads.counted["files deleted"] += keep_days(folder, kept, now)
        # An hour after the last file its order says nothing any more; most are there at once.
        now += timedelta(hours=1, minutes=1)
        found = loads.look(folder, now)
        loads.count(found)
        loads.load(found, now)
        held_by = {period: record.run_id for period, record in loads.loaded.items()}
        assert held_by == export.newest, (day, found.plan.skips)
        if day.day % 4 == 0:
            assert loads.look(folder, now).plan.loads == ()

    alarms = sum(loads.counted[name] for name in (*ALARMS, "reasons"))
    told = ", ".join(f"{count} {name}" for name, count in loads.counted.items())
    record_property("counted", f"{DAYS} days, {export.runs} runs: {told}, {alarms} false alarms")
    record_figure("days of ordinary deliveries", DAYS)
    record_figure("false alarms in them", alarms)
    assert alarms == 0, loads.counted
