"""The way of the data on one screen: discovered, planned, loaded, recorded."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from cloudbill.errors import CloudbillError
from cloudbill.ledger import Ledger
from cloudbill.ledger.recorder import Recorder
from cloudbill.loading.events import Event
from cloudbill.loading.failures import remember
from cloudbill.loading.months import load_planned
from cloudbill.loading.outcome import Outcome
from cloudbill.loading.stopping import Stop
from cloudbill.loading.vanished import but_vanished, merged, only_these, vanished_of
from cloudbill.models import LoadFailure, LoadResult, Skip, utc_now
from cloudbill.planning import Selection
from cloudbill.spool import clear_spool
from cloudbill.surveying import read_present, survey
from cloudbill.warehouses import Warehouse, open_warehouse

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings

__all__ = ["load_source", "plan_source"]


def plan_source(
    settings: SourceSettings, selection: Selection, listen: Callable[[Event], None]
) -> Outcome:
    """Plans what a load of a source would do; changes nothing, and does not create a file.

    An error is in the outcome.
    """
    try:
        with closing(open_warehouse(settings.warehouse, read_only=True)) as warehouse:
            present = read_present(settings, warehouse)
            found = survey(settings, present, selection, listen)
    except CloudbillError as error:
        return Outcome(settings=settings, error=error)
    return Outcome(
        settings=settings,
        skips=found.plan.skips,
        manifest_failures=found.manifest_failures,
        planned=found.plan.loads,
        reasons=found.reasons,
        known=present.periods,
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
    outcome = _load_twice(
        settings, selection, listen, stop=stop or Stop(), wants_progress=wants_progress
    )
    remember(outcome, utc_now())
    return outcome


def _load_twice(
    settings: SourceSettings,
    selection: Selection,
    listen: Callable[[Event], None],
    *,
    stop: Stop,
    wants_progress: bool,
) -> Outcome:
    """Loads a source, and the months once more whose parts went away meanwhile."""
    try:
        with closing(open_warehouse(settings.warehouse)) as warehouse:
            clear_spool()

            def load(selection: Selection, listen: Callable[[Event], None]) -> Outcome:
                return _load(
                    settings,
                    warehouse,
                    selection,
                    listen,
                    stop=stop,
                    wants_progress=wants_progress,
                )

            first = load(selection, but_vanished(listen))
            vanished = vanished_of(first)
            if not vanished:
                return first
            # An export that overwrites its runs takes parts away while they are loaded, so these
            # months are discovered and planned a second time.
            second = Outcome(settings=settings)
            try:
                if not stop.is_asked:
                    again = replace(selection, periods=frozenset(vanished))
                    second = load(again, only_these(vanished, listen))
            except CloudbillError as error:
                second = Outcome(settings=settings, error=error)
            return merged(first, second, vanished, listen)
    except CloudbillError as error:
        return Outcome(settings=settings, error=error)


def _load(
    settings: SourceSettings,
    warehouse: Warehouse,
    selection: Selection,
    listen: Callable[[Event], None],
    *,
    stop: Stop,
    wants_progress: bool,
) -> Outcome:
    """Discovers, plans, loads and records the months of a source, once.

    Raises:
        CloudbillError: If the table, the ledger or the store cannot be read.
    """
    present = read_present(settings, warehouse)
    found = survey(settings, present, selection, listen, keeps_manifests=True)
    results: list[LoadResult] = []
    failures: list[LoadFailure] = []
    held: list[Skip] = []
    with Recorder(Ledger(settings, warehouse)) as recorder:
        for outcome in load_planned(
            warehouse,
            found.store,
            found.plan.loads,
            listen,
            stop=stop,
            wants_progress=wants_progress,
        ):
            match outcome:
                case LoadFailure():
                    failures.append(outcome)
                case Skip():
                    held.append(outcome)
                case LoadResult():
                    results.append(outcome)
                    recorder.add(outcome)
    loaded = {result.planned.manifest for result in results}
    return Outcome(
        settings=settings,
        results=tuple(results),
        skips=(*(skip for skip in found.plan.skips if skip.manifest not in loaded), *held),
        failures=tuple(failures),
        manifest_failures=found.manifest_failures,
        reasons=found.reasons,
        known=present.periods,
        error=recorder.error,
    )
