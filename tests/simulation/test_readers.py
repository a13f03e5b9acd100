"""Whoever reads while a month is replaced sees one run of it: never none, a part or two."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from cloudbill.errors import LoadError, StoppedError
from cloudbill.exports.discovery import discover
from cloudbill.models import PlannedLoad
from cloudbill.periods import utc_now
from cloudbill.sample.history.simulation import HistoryRun, Month, PutPart, deliver
from cloudbill.store import open_store
from cloudbill.warehouses import open_warehouse
from contract.places import DATASET, PROJECT
from emulators.bigquery.errors import JobError
from figures import examples, record_figure
from simulation.worlds import BigQueryWorld, DuckDBWorld, World

if TYPE_CHECKING:
    import pytest

    from emulators.fixtures import Cloud

Seen = tuple[str | None, int, Decimal | None]
"""The run that a month's rows name, how many they are, and their sum."""

MONTH = Month(2025, 10)
QUERY = (
    "SELECT ChargeDescription, COUNT(*), SUM(BilledCost) FROM {table} "
    "WHERE BillingPeriodStart >= TIMESTAMP '2025-10-01' "
    "AND BillingPeriodStart < TIMESTAMP '2025-11-01' GROUP BY 1"
)


def run_of(number: int) -> HistoryRun:
    """Runs that differ in rows and sum, all of them newer than those before."""
    return HistoryRun(
        run_id=f"run-{number}",
        month=MONTH,
        submitted_at=MONTH.start.replace(day=number + 1),
        last_day=31,
        rows=3 + 5 * number,
    )


RUNS = [run_of(number) for number in range(6)]
BROKEN = run_of(6)
TOTALS: set[Seen] = {(run.run_id, run.rows, run.total) for run in RUNS}


@dataclass(kw_only=True)
class Watch:
    """A thread that reads all the time, and what it saw that no run is."""

    look: Callable[[], list[Seen]]
    pause_s: float = 0.0
    """Between two looks; an emulator in this very process needs time for others as well."""
    strange: list[list[Seen]] = field(default_factory=list)
    runs: set[Seen] = field(default_factory=set)
    looks: int = 0
    _is_over: threading.Event = field(default_factory=threading.Event)

    def __call__(self) -> None:
        while not self._is_over.wait(self.pause_s):
            seen = self.look()
            self.looks += 1
            if len(seen) == 1 and seen[0] in TOTALS:
                self.runs.add(seen[0])
            else:
                self.strange.append(seen)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Reads as long as the block runs."""
        thread = threading.Thread(target=self)
        thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            thread.join()
        record_figure("observations by readers", self.looks)


class Replacer:
    """Replaces one month again and again, without the ledger."""

    def __init__(self, world: World) -> None:
        settings = world.case.settings
        for run in (*RUNS, BROKEN):
            for event in deliver(run, run.submitted_at):
                world.apply(event)
        at = BROKEN.submitted_at
        world.apply(PutPart(at=at, run=BROKEN, part=1, state="damaged"))
        self.warehouse = open_warehouse(settings.warehouse)
        self._store = open_store(settings.bucket, sections=settings.sections)
        self._plans = {
            run.manifest.run_id: PlannedLoad(
                manifest=run.manifest,
                table=settings.table_name,
                period_column=settings.provider.PERIOD_COLUMN,
                uris=tuple(self._store.uri(part.path) for part in run.manifest.parts),
                is_forced=True,
            )
            for run in discover(
                self._store,
                settings.provider,
                prefix=settings.prefix,
                export_name=settings.export_name,
            ).runs
        }
        assert self.replace(RUNS[0])

    def replace(self, run: HistoryRun) -> bool:
        """Whether the month was replaced by a run."""
        plan = self._plans[run.run_id]
        try:
            months = self.warehouse.table_months(plan.table, plan.period_column).months
            month = months.get(plan.period)
            mark = None if month is None else month.write_mark
            self.warehouse.replace_period(replace(plan, write_mark=mark), self._store)
        except (LoadError, StoppedError):
            record_figure("replacements that failed under a reader")
            return False
        record_figure("replacements under a reader")
        return True

    def replace_often(self, times: int) -> int:
        """Replaces by runs in any order, of which one is broken; gives how many failed."""
        chance = random.Random(1)
        return sum(not self.replace(chance.choice([*RUNS, BROKEN])) for _ in range(times))


def test_a_reader_of_duckdb_sees_one_run_whatever_happens(tmp_path: Path) -> None:
    world = DuckDBWorld(tmp_path)
    replacer = Replacer(world)
    # A second connection of this process; another process cannot open the file meanwhile.
    connection = duckdb.connect(str(world.case.settings.database))
    query = QUERY.format(table=f"{DATASET}.{world.case.table}")
    watch = Watch(look=lambda: connection.execute(query).fetchall())
    times = examples(180)
    with (
        closing(replacer.warehouse),
        closing(connection),
        watch.watching(),
        interrupting(replacer.warehouse),
    ):
        failures = replacer.replace_often(times)
    assert not watch.strange
    assert 0 < failures < times
    assert len(watch.runs) > len(RUNS) // 2
    assert watch.looks > times


@contextmanager
def interrupting(warehouse: Any) -> Iterator[None]:
    """Interrupts whatever the warehouse does, at random times."""
    chance, is_over = random.Random(1), threading.Event()

    def interrupt() -> None:
        while not is_over.wait(chance.uniform(0.0, 0.5)):
            warehouse._connection.interrupt()  # noqa: SLF001 - no other way in

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def test_a_reader_of_bigquery_sees_one_run_whatever_happens(
    tmp_path: Path, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", cloud.gcs.url)
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", cloud.bigquery.url)
    world = BigQueryWorld(tmp_path, cloud)
    chance = random.Random(1)

    def fail(stage: str, job: dict[str, Any]) -> None:
        if "load" in job and chance.random() < 0.06:
            record_figure("jobs made to fail")
            raise JobError("invalid", f"Injected at {stage} on {utc_now()}")

    replacer = Replacer(world)
    client = cloud.bigquery.client(PROJECT)
    query = QUERY.format(table=f"{PROJECT}.{DATASET}.{world.case.table}")
    watch = Watch(
        look=lambda: [tuple(row.values()) for row in client.query(query).result()], pause_s=0.05
    )
    cloud.bigquery.faults.append(fail)
    times = examples(48)
    with closing(replacer.warehouse), watch.watching():
        failures = replacer.replace_often(times)
    assert not watch.strange
    assert 0 < failures < times
    assert len(watch.runs) > len(RUNS) // 2
