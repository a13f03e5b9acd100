"""A store that events happen to, a warehouse, and the loader between them."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cloudbill.ledger import Ledger
from cloudbill.loading import events
from cloudbill.loading.failures import failed_runs
from cloudbill.loading.outcome import Outcome
from cloudbill.pipeline import load_source
from cloudbill.planning import Selection
from cloudbill.sample.history.simulation import (
    FEW_COLUMNS,
    Event,
    HistoryRun,
    Layout,
    Month,
    deliver,
)
from cloudbill.surveying import find_runs
from cloudbill.warehouses import open_warehouse
from contract.deliveries import AzureWriter
from contract.places import Case, DiskAndDuckDB, GcsAndBigQuery, Place
from emulators.bigquery.errors import JobError
from figures import record_figure

if TYPE_CHECKING:
    from cloudbill.ledger.state import Remembered
    from emulators.fixtures import Cloud

__all__ = ["BigQueryWorld", "DuckDBWorld", "Loader", "World", "costs_of", "size_of"]

LAYOUT = Layout(columns=FEW_COLUMNS, put_before="transfer/")


class World(Protocol):
    """What one history happens in."""

    case: Case

    def apply(self, event: Event) -> None:
        """Does an event to the store."""


class DuckDBWorld:
    """A folder, and a DuckDB file."""

    def __init__(self, folder: Path) -> None:
        self.case = _case(DiskAndDuckDB(folder), folder)

    def apply(self, event: Event) -> None:
        """Writes or removes files."""
        LAYOUT.apply(event, Path(self.case.place.bucket))


class BigQueryWorld:
    """Both emulated, and emptied first."""

    def __init__(self, folder: Path, cloud: Cloud) -> None:
        cloud.bigquery.reset()
        cloud.gcs.reset()
        self.cloud = cloud
        self.case = _case(GcsAndBigQuery(cloud), folder)
        self._objects: set[str] = set()

    def apply(self, event: Event) -> None:
        """Puts or deletes objects."""
        for path, content in LAYOUT.changes(event):
            if content is not None:
                self.cloud.gcs.put(self.case.place.bucket, path, content)
                self._objects.add(path)
            elif path in self._objects:
                self.cloud.gcs.delete(self.case.place.bucket, path)
                self._objects.remove(path)

    @contextmanager
    def failing_jobs(self, stage: str, *, of_ledger: bool) -> Iterator[None]:
        """Lets every job fail that reaches a stage: those of the bill, or those of the ledger."""

        def fail(reached: str, job: dict[str, Any]) -> None:
            bill = f"/tables/{self.case.table}$", f"'{self.case.table}$"
            is_of_bill = any(name in str(job) for name in bill)
            if reached == stage and is_of_bill != of_ledger:
                record_figure("jobs made to fail")
                raise JobError("invalid", "Injected")

        self.cloud.bigquery.faults.append(fail)
        try:
            yield
        finally:
            self.cloud.bigquery.faults.remove(fail)


def _case(place: Place, folder: Path) -> Case:
    scratch = folder / "scratch"
    scratch.mkdir()
    return Case(place=place, writer=AzureWriter(), scratch=scratch)


@dataclass(frozen=True, slots=True)
class Loader:
    """The loader, as a person or a schedule runs it."""

    world: World
    dlt_folder: Path

    def on_a_fresh_machine(self) -> None:
        """Takes away what dlt may have left on this one."""
        shutil.rmtree(self.dlt_folder, ignore_errors=True)

    def load(self, months: Iterable[Month] = (), *, force: bool = False) -> Outcome:
        """Runs it once, and lets nothing end it but its outcome."""
        return self.world.case.load(*map(str, months), force=force)

    def load_listening(self, listen: Callable[[events.Event], None]) -> Outcome:
        """Runs it once, with somebody who hears of its progress and may end it."""
        return load_source(self.world.case.settings, Selection(), listen)

    def remembered(self) -> dict[str, str]:
        """The run of each month in the ledger."""
        return {str(period): one.run_id for period, one in self._ledger().loaded.items()}

    def scopes(self) -> dict[str, str]:
        """The scopes in the ledger, each by the month from which on it holds."""
        return {str(since): scope for since, scope in self._ledger().scopes.items()}

    def _ledger(self) -> Remembered:
        settings = self.world.case.settings
        with closing(open_warehouse(settings.warehouse)) as warehouse:
            return Ledger(settings, warehouse).read()

    def failed(self) -> set[tuple[str, datetime]]:
        """The runs that this machine knows not to load: their ids, and when they were submitted."""
        settings = self.world.case.settings
        known = failed_runs(settings)
        if not known:
            return set()
        _, found = find_runs(settings)
        manifests = [run.manifest for run in found.runs if run.manifest.identity in known]
        return {(manifest.run_id, manifest.submitted_at) for manifest in manifests}

    def held(self) -> dict[str, dict[str, list[Decimal]]]:
        """The costs of each month in the table, by the run that they name, in order."""
        case = self.world.case
        found: dict[str, dict[str, list[Decimal]]] = defaultdict(lambda: defaultdict(list))
        if not self._has_table():
            return found
        for month, run_id, cost in case.place.query(
            "SELECT {month}, {run}, {cost} FROM {table}",
            month="BillingPeriodStart",
            run="ChargeDescription",
            cost="BilledCost",
            table=case.table,
        ):
            found[f"{month:%Y-%m}"][run_id].append(cost)
        for runs in found.values():
            for costs in runs.values():
                costs.sort()
        return found

    def _has_table(self) -> bool:
        from google.api_core.exceptions import NotFound

        case = self.world.case
        try:
            return bool(case.place.columns(case.table))
        except NotFound:
            return False


def costs_of(run: HistoryRun | None, month: Month) -> dict[str, list[Decimal]]:
    """What a month holds after a run, in the form of `Loader.held`."""
    rows = [] if run is None else run.rows_in(month)
    return {run.name: sorted(map(run.cost, rows))} if run is not None and rows else {}


def size_of(run: HistoryRun) -> int:
    """The bytes of all parts of a run."""
    contents = (LAYOUT.changes(event) for event in deliver(run, run.submitted_at))
    files = (file for written in contents for file in written)
    return sum(len(content or b"") for path, content in files if path.endswith(".parquet"))
