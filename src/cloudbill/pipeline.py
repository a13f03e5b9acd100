"""The way of the data: discovered, planned, loaded, recorded; all else is called from here."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cloudbill.errors import CloudbillError, PartMissingError
from cloudbill.ledger import Ledger
from cloudbill.ledger.recorder import Recorder
from cloudbill.loading.events import (
    Event,
    LoadFinished,
    LoadStarted,
    Progressed,
)
from cloudbill.loading.months import load_planned
from cloudbill.loading.outcome import Outcome
from cloudbill.loading.stopping import Stop
from cloudbill.models import (
    LoadFailure,
    LoadResult,
    Skip,
)
from cloudbill.planning import Selection
from cloudbill.spool import clear_spool
from cloudbill.surveying import Prepared, prepare
from cloudbill.warehouses import Warehouse, open_warehouse

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings

__all__ = ["load_source"]


def load_source(
    settings: SourceSettings,
    selection: Selection,
    listen: Callable[[Event], None],
    *,
    dry_run: bool = False,
    stop: Stop | None = None,
    wants_progress: bool = False,
) -> Outcome:
    """Loads every month of a source that has a newer run; with `dry_run`, only plans it.

    A month that fails does not stop the others, and what ends a source is in its outcome. Where
    `wants_progress`, `listen` is told how far each month is; `stop` ends the load early.
    """
    try:
        with ExitStack() as stack:
            warehouse = stack.enter_context(closing(open_warehouse(settings, read_only=dry_run)))
            ledger = Ledger(settings, warehouse)
            prepared = _prepare(
                settings, warehouse, ledger, selection, listen, keeps_manifests=not dry_run
            )
            if dry_run:
                return Outcome(
                    settings=settings,
                    skips=prepared.plan.skips,
                    manifest_failures=prepared.manifest_failures,
                    planned=prepared.plan.loads,
                )
            clear_spool()

            def listen_but_to_vanished(event: Event) -> None:
                if not _is_vanished(event):
                    listen(event)

            loading = _Loading(
                settings=settings,
                warehouse=warehouse,
                ledger=ledger,
                stop=stop or Stop(),
                wants_progress=wants_progress,
            )
            first = _load_and_record(loading, prepared, listen_but_to_vanished)
            return _load_vanished(loading, selection, first=first, listen=listen)
    except CloudbillError as error:
        return Outcome(settings=settings, error=error)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loading:
    """What stays the same for all that one source loads."""

    settings: SourceSettings
    warehouse: Warehouse
    ledger: Ledger
    stop: Stop
    wants_progress: bool


def _prepare(
    settings: SourceSettings,
    warehouse: Warehouse,
    ledger: Ledger,
    selection: Selection,
    listen: Callable[[Event], None],
    *,
    keeps_manifests: bool = True,
) -> Prepared:
    # Before the ledger, so that whatever is written from here on is noticed.
    held = warehouse.table_months(settings.table_name, settings.provider.PERIOD_COLUMN)
    return prepare(
        settings,
        ledger.read(),
        selection,
        listen,
        versions={period: month.version for period, month in held.items() if month.version},
        held={period: month.rows for period, month in held.items()},
        keeps_manifests=keeps_manifests,
    )


def _is_vanished(event: Event) -> bool:
    return isinstance(event, LoadFailure) and isinstance(event.error, PartMissingError)


def _load_vanished(
    loading: _Loading,
    selection: Selection,
    *,
    first: Outcome,
    listen: Callable[[Event], None],
) -> Outcome:
    """Looks once more at months whose parts went away, as when an export overwrites its runs."""
    vanished = {
        failure.planned.period: failure for failure in first.failures if _is_vanished(failure)
    }
    if not vanished or loading.stop.is_asked:
        return first

    def listen_to_these(event: Event) -> None:
        match event:
            case Skip(manifest=manifest) if manifest.period in vanished:
                listen(event)
            case LoadStarted() | Progressed() | LoadFinished() | LoadFailure():
                listen(event)
            case _:
                pass

    try:
        chosen = replace(selection, periods=frozenset(vanished))
        again = _prepare(
            loading.settings, loading.warehouse, loading.ledger, chosen, listen_to_these
        )
    except CloudbillError as error:
        for failure in vanished.values():
            listen(failure)
        return replace(first, error=first.error or error)
    second = _load_and_record(loading, again, listen_to_these)
    skips = tuple(skip for skip in second.skips if skip.manifest.period in vanished)
    found = {skip.manifest.period for skip in skips} | {load.period for load in again.plan.loads}
    lost = tuple(failure for period, failure in vanished.items() if period not in found)
    for failure in lost:
        listen(failure)
    others = tuple(failure for failure in first.failures if failure.planned.period not in vanished)
    earlier = tuple(skip for skip in first.skips if skip.manifest.period not in vanished)
    return replace(
        first,
        results=(*first.results, *second.results),
        skips=(*earlier, *skips),
        failures=(*others, *second.failures, *lost),
        error=first.error or second.error,
    )


def _load_and_record(
    loading: _Loading, prepared: Prepared, listen: Callable[[Event], None]
) -> Outcome:
    results: list[LoadResult] = []
    failures: list[LoadFailure] = []
    held: list[Skip] = []
    with Recorder(loading.ledger) as recorder:
        for outcome in load_planned(
            loading.warehouse,
            prepared.store,
            prepared.plan.loads,
            listen,
            stop=loading.stop,
            wants_progress=loading.wants_progress,
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
    passed = (skip for skip in prepared.plan.skips if skip.manifest not in loaded)
    return Outcome(
        settings=loading.settings,
        results=tuple(results),
        skips=(*passed, *held),
        failures=tuple(failures),
        manifest_failures=prepared.manifest_failures,
        error=recorder.error,
    )
