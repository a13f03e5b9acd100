"""The way of the data on one screen: discovered, planned, loaded, recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

from cloudbill.disk.spool import clear_spool
from cloudbill.errors import CloudbillError
from cloudbill.ledger import Ledger
from cloudbill.ledger.recorder import Recorder
from cloudbill.loading.events import Event
from cloudbill.loading.failures import remember
from cloudbill.loading.months import load_planned
from cloudbill.loading.outcome import Outcome
from cloudbill.loading.rivals import Readers
from cloudbill.loading.stopping import Stop
from cloudbill.loading.vanished import but_vanished, look_again
from cloudbill.manifests import Manifest
from cloudbill.models import LoadFailure, LoadRecord, LoadResult, Skip
from cloudbill.periods import utc_now
from cloudbill.planning import Selection
from cloudbill.planning.costs import billed_costs_of
from cloudbill.surveying import Present, Survey, compare_recorded, read_present, survey
from cloudbill.warehouses import Warehouse, open_warehouse

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings
    from cloudbill.store import Store

__all__ = ["load_source", "plan_source"]


def plan_source(
    settings: SourceSettings, selection: Selection, listen: Callable[[Event], None]
) -> Outcome:
    """Plans what a load of a source would do; changes nothing, and does not create a file.

    An error is in the outcome.
    """
    try:
        with closing(open_warehouse(settings.warehouse, read_only=True)) as warehouse:
            found = survey(settings, _compared(settings, warehouse), selection, listen)
    except CloudbillError as error:
        return Outcome(settings=settings, error=error)
    return _planned(settings, found)


def _planned(settings: SourceSettings, found: Survey) -> Outcome:
    return Outcome(
        settings=settings,
        skips=found.plan.skips,
        manifest_failures=found.manifest_failures,
        planned=found.plan.loads,
        reasons=found.reasons,
        known=found.known,
    )


def load_source(
    settings: SourceSettings,
    selection: Selection,
    listen: Callable[[Event], None],
    *,
    stop: Stop | None = None,
    wants_progress: bool = False,
) -> Outcome:
    """Loads every month of a source that has a newer run.

    A month that fails does not stop the others, and an error that ends the source is in the
    outcome; failures are remembered until a load succeeds. With `wants_progress`, `listen` receives
    the progress of each month; `stop` ends the load early.
    """
    outcome = _load_source(
        settings, selection, listen, stop=stop or Stop(), wants_progress=wants_progress
    )
    remember(outcome, utc_now())
    return outcome


def _load_source(
    settings: SourceSettings,
    selection: Selection,
    listen: Callable[[Event], None],
    *,
    stop: Stop,
    wants_progress: bool,
) -> Outcome:
    try:
        clear_spool()
        looked = _look_first(settings, selection) if settings.project_id is None else None
        if looked is not None and not looked.has_work:
            for event in looked.events:
                listen(event)
            return _planned(settings, looked.found)
        with closing(open_warehouse(settings.warehouse)) as warehouse:
            load = partial(_load, settings, warehouse, stop=stop, wants_progress=wants_progress)
            first = load(selection, but_vanished(listen), looked.found if looked else None)
            return look_again(first, load, selection, listen, stop=stop)
    except CloudbillError as error:
        return Outcome(settings=settings, error=error)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """A source that was looked at without locking its file for others who read it."""

    found: Survey
    events: tuple[Event, ...]
    untracked: tuple[LoadRecord, ...]

    @property
    def has_work(self) -> bool:
        """Whether to write anything: months, rows that tracking lost, that guards were told of."""
        return bool(self.found.plan.loads or self.untracked or self.found.newly_held)


def _look_first(settings: SourceSettings, selection: Selection) -> _Look:
    """Plans a source whose warehouse is a file that only one process at a time can write.

    Who reads the file meanwhile is disturbed by a load, and disturbs it; most runs find nothing to
    load. What is loaded is planned a second time, once the file is locked.

    Raises:
        CloudbillError: If the table, the ledger or the store cannot be read.
    """
    with closing(open_warehouse(settings.warehouse, read_only=True)) as warehouse:
        present = _to_read(_compared(settings, warehouse))
        events: list[Event] = []
        found = survey(settings, present, selection, events.append, keeps_manifests=True)
        if not found.drifted:
            warehouse.leave()
    return _Look(found=found, events=tuple(events), untracked=present.ledger.untracked)


def _compared(settings: SourceSettings, warehouse: Warehouse) -> Present:
    """What is loaded now, and whether it is what was recorded; raises as `read_present` does."""
    present = read_present(settings, warehouse)
    return compare_recorded(settings, warehouse, present, trusts_file=True)


def _to_read(present: Present) -> Present:
    """The same without what was held once it was read: a load reads it, and may find it changed."""
    return replace(present, held={})


def _load(
    settings: SourceSettings,
    warehouse: Warehouse,
    selection: Selection,
    listen: Callable[[Event], None],
    earlier: Survey | None = None,
    *,
    stop: Stop,
    wants_progress: bool,
) -> Outcome:
    """Discovers, plans, loads and records the months of a source, once.

    Raises:
        CloudbillError: If the table, the ledger or the store cannot be read.
    """
    present = _to_read(_compared(settings, warehouse))
    known = (earlier.store, earlier.discovery) if earlier else None
    found = survey(settings, present, selection, listen, keeps_manifests=True, discovered=known)
    if _was_left_unrecorded(present, found):
        warehouse.require_ledger_writable()
    results: list[LoadResult] = []
    failures: list[LoadFailure] = []
    put_off: list[Skip] = []
    ledger = Ledger(settings, warehouse)
    if found.newly_held:
        ledger.mend()  # which also notes the guards, so that this is told once
    with Recorder(ledger) as recorder:
        for outcome in load_planned(
            warehouse,
            found.store,
            found.plan.loads,
            listen,
            stop=stop,
            wants_progress=wants_progress,
            readers=_readers(settings, found.store),
        ):
            match outcome:
                case LoadFailure():
                    failures.append(outcome)
                case Skip():
                    put_off.append(outcome)
                case LoadResult():
                    results.append(outcome)
                    recorder.add(outcome)
    if present.ledger.untracked and not (results or found.newly_held):
        ledger.mend()
    loaded = {result.planned.manifest for result in results}
    periods = {manifest.period for manifest in loaded}
    if recorder.error is None and periods.issuperset(one.record.period for one in found.drifted):
        warehouse.leave()
    return Outcome(
        settings=settings,
        results=tuple(results),
        skips=(*(skip for skip in found.plan.skips if skip.manifest not in loaded), *put_off),
        failures=tuple(failures),
        manifest_failures=found.manifest_failures,
        reasons=found.reasons,
        known=found.known,
        error=recorder.error,
    )


def _was_left_unrecorded(present: Present, found: Survey) -> bool:
    """Whether a month that is to be loaded holds what no record says.

    A load that could not be recorded leaves such a month. If the ledger cannot be written, the
    month would be loaded by every run, for ever.
    """
    recorded = present.remembered.loaded.keys() - present.drifted.keys()
    return any(load.period in present.table.months.keys() - recorded for load in found.plan.loads)


def _readers(settings: SourceSettings, store: Store) -> Readers:
    """What reads a run in its month, for a guard that must know more; few loads ask."""

    def count(manifest: Manifest) -> int:
        from cloudbill.files.each_part import count_rows

        return count_rows(
            store, manifest, provider=settings.provider, memory_limit=settings.memory_limit
        )

    def sum_billed(manifest: Manifest) -> Mapping[str, Decimal]:
        from cloudbill.files.each_part import sum_days

        totals = sum_days(
            store, manifest, provider=settings.provider, memory_limit=settings.memory_limit
        )
        return billed_costs_of(totals.by_currency(), settings.provider.BILLED_COLUMN)

    return Readers(
        count_rows=count,
        sum_billed=sum_billed,
        share=1 - settings.max_cost_drop,
        trifle=settings.cost_trifle,
    )
