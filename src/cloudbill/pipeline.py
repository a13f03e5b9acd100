"""The way of the data: discovered, planned, loaded, recorded; all else is called from here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

from cloudbill.discovery import discover
from cloudbill.errors import CloudbillError, HeldError, OvertakenError, PartMissingError
from cloudbill.events import Discovered, Drifted, Event, LoadFinished, LoadStarted
from cloudbill.guards import Guards
from cloudbill.ledger import Ledger
from cloudbill.ledger_state import Remembered
from cloudbill.models import (
    BillingPeriod,
    LoadFailure,
    LoadRecord,
    LoadResult,
    Manifest,
    ManifestFailure,
    Plan,
    PlannedLoad,
    Skip,
    SkipReason,
)
from cloudbill.planning import Selection, plan_loads
from cloudbill.spool import clear_spool
from cloudbill.store import Store, open_store
from cloudbill.warehouses import Warehouse, open_warehouse

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings

__all__ = [
    "Outcome",
    "Prepared",
    "load_planned",
    "load_source",
    "prepare",
]

_RECORD_AFTER_S: Final = 20.0
"""A process that is killed repeats at most finished loads that took this long together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a source; `error` is what ended it, if anything did."""

    settings: SourceSettings
    results: tuple[LoadResult, ...] = ()
    skips: tuple[Skip, ...] = ()
    failures: tuple[LoadFailure, ...] = ()
    manifest_failures: tuple[ManifestFailure, ...] = ()
    planned: tuple[PlannedLoad, ...] = ()
    error: CloudbillError | None = None

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        """The manifests of all runs that were found and could be read."""
        loads = [result.planned for result in self.results] + list(self.planned)
        loads += [failure.planned for failure in self.failures]
        skipped = [skip.manifest for skip in self.skips]
        return (*(load.manifest for load in loads), *skipped)

    @property
    def exit_code(self) -> int:
        """The highest of its failures' exit codes; where none failed, whether a run is held."""
        errors: list[CloudbillError] = [failure.error for failure in self.failures]
        errors += [failure.error for failure in self.manifest_failures]
        errors += [self.error] if self.error else []
        is_held = any(skip.is_held for skip in self.skips)
        waiting = HeldError.exit_code if is_held else 0
        return max((error.exit_code for error in errors), default=waiting)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A source that was discovered and planned, before anything is changed."""

    store: Store
    plan: Plan
    manifest_failures: tuple[ManifestFailure, ...]


def load_source(
    settings: SourceSettings,
    selection: Selection,
    listen: Callable[[Event], None],
    *,
    dry_run: bool = False,
) -> Outcome:
    """Loads every month of a source that has a newer run; with `dry_run`, only plans it.

    A month that fails does not stop the others, and what ends a source is in its outcome.
    """
    try:
        with ExitStack() as stack:
            warehouse = stack.enter_context(closing(open_warehouse(settings, read_only=dry_run)))
            ledger = Ledger(settings, warehouse)
            prepared = _prepare(settings, warehouse, ledger, selection, listen)
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

            first = _load_and_record(settings, warehouse, ledger, prepared, listen_but_to_vanished)
            return _load_vanished(
                settings, warehouse, ledger, selection, first=first, listen=listen
            )
    except CloudbillError as error:
        return Outcome(settings=settings, error=error)


def _prepare(
    settings: SourceSettings,
    warehouse: Warehouse,
    ledger: Ledger,
    selection: Selection,
    listen: Callable[[Event], None],
) -> Prepared:
    # Before the ledger, so that whatever is written from here on is noticed.
    versions = warehouse.month_versions(settings.table_name)
    return prepare(
        settings,
        ledger.read(),
        selection,
        listen,
        versions=versions,
        held=warehouse.held_rows(settings.table_name, settings.provider.PERIOD_COLUMN),
    )


def _is_vanished(event: Event) -> bool:
    return isinstance(event, LoadFailure) and isinstance(event.error, PartMissingError)


def _load_vanished(
    settings: SourceSettings,
    warehouse: Warehouse,
    ledger: Ledger,
    selection: Selection,
    *,
    first: Outcome,
    listen: Callable[[Event], None],
) -> Outcome:
    """Looks once more at months whose parts went away, as when an export overwrites its runs."""
    vanished = {
        failure.planned.period: failure for failure in first.failures if _is_vanished(failure)
    }
    if not vanished:
        return first

    def listen_to_these(event: Event) -> None:
        match event:
            case Skip(manifest=manifest) if manifest.period in vanished:
                listen(event)
            case LoadStarted() | LoadFinished() | LoadFailure():
                listen(event)
            case _:
                pass

    try:
        chosen = replace(selection, periods=frozenset(vanished))
        again = _prepare(settings, warehouse, ledger, chosen, listen_to_these)
    except CloudbillError as error:
        for failure in vanished.values():
            listen(failure)
        return replace(first, error=first.error or error)
    second = _load_and_record(settings, warehouse, ledger, again, listen_to_these)
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


def prepare(
    settings: SourceSettings,
    remembered: Remembered,
    selection: Selection,
    listen: Callable[[Event], None],
    *,
    versions: Mapping[BillingPeriod, str],
    held: Mapping[BillingPeriod, int],
) -> Prepared:
    """Discovers the runs of a source and plans its months; changes nothing.

    `versions` marks what the months held before `remembered` was read, `held` counts the rows that
    they hold: a month that does not hold what was recorded is loaded again.

    Raises:
        CloudbillError: If the store cannot be listed.
    """
    provider = settings.provider
    store = open_store(
        settings.bucket, sections=settings.sections, retry_for_s=settings.retry_for_s
    )
    discovery = discover(store, provider, prefix=settings.prefix, export_name=settings.export_name)
    root, *_ = provider.export_roots(settings.prefix, settings.export_name)
    listen(
        Discovered(
            settings=settings,
            manifests=len(discovery.runs) + len(discovery.failures),
            address=store.uri(root),
        )
    )
    for failure in discovery.failures:
        listen(failure)

    guards = Guards(max_row_drop=settings.max_row_drop, accepted=remembered.accepted)

    def to_load(manifest: Manifest, replaces: LoadRecord | None) -> PlannedLoad:
        return PlannedLoad(
            manifest=manifest,
            table=settings.table_name,
            period_column=provider.PERIOD_COLUMN,
            uris=tuple(store.uri(part.path) for part in manifest.parts),
            replaces=replaces,
            is_forced=selection.force,
            version=versions.get(manifest.period),
            min_rows=guards.min_rows(manifest, replaces),
        )

    drifted = _find_drifted(remembered, held)
    for event in drifted.values():
        listen(event)
    plan = plan_loads(
        discovery.runs,
        # A month that is empty protects nothing from an older run.
        {
            period: record
            for period, record in remembered.loaded.items()
            if period not in drifted or held.get(period)
        },
        drifted=drifted,
        selection=selection,
        guards=guards,
        to_load=to_load,
    )
    for skip in plan.skips:
        listen(skip)
    return Prepared(store=store, plan=plan, manifest_failures=discovery.failures)


def _find_drifted(
    remembered: Remembered, held: Mapping[BillingPeriod, int]
) -> dict[BillingPeriod, Drifted]:
    """The months that do not hold the rows that were recorded."""
    return {
        period: Drifted(record=record, held=held.get(period, 0))
        for period, record in remembered.loaded.items()
        if record.rows is not None and record.rows != held.get(period, 0)
    }


def _load_and_record(
    settings: SourceSettings,
    warehouse: Warehouse,
    ledger: Ledger,
    prepared: Prepared,
    listen: Callable[[Event], None],
) -> Outcome:
    results: list[LoadResult] = []
    failures: list[LoadFailure] = []
    held: list[Skip] = []
    with _Recorder(ledger) as recorder:
        for outcome in load_planned(warehouse, prepared.store, prepared.plan.loads, listen):
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
        settings=settings,
        results=tuple(results),
        skips=(*passed, *held),
        failures=tuple(failures),
        manifest_failures=prepared.manifest_failures,
        error=recorder.error,
    )


class _Recorder:
    """Writes finished loads into the ledger every now and then, and at the end whatever ends it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._unrecorded: list[LoadResult] = []
        self.error: CloudbillError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._record()

    def add(self, result: LoadResult) -> None:
        self._unrecorded.append(result)
        if sum(result.seconds for result in self._unrecorded) >= _RECORD_AFTER_S:
            self._record()

    def _record(self) -> None:
        if not self._unrecorded:
            return
        try:
            self._ledger.record(self._unrecorded)
        except CloudbillError as error:
            # Kept until the end: the months that are still to be loaded do not suffer from it.
            self.error = error
        else:
            self._unrecorded.clear()
            self.error = None


def load_planned(
    warehouse: Warehouse,
    store: Store,
    loads: Sequence[PlannedLoad],
    listen: Callable[[Event], None],
) -> Iterator[LoadResult | LoadFailure | Skip]:
    """Replaces months, as many at once as the warehouse takes; yields them as they end.

    A run that turns out to have too few rows once it is read comes back as a skip, and the next one
    is loaded instead; one whose month another process wrote meanwhile comes back as a skip too.
    """

    def load(planned: PlannedLoad) -> LoadResult | LoadFailure | Skip:
        listen(LoadStarted(planned=planned, store_title=store.title))
        try:
            return warehouse.replace_period(planned, store)
        except HeldError as error:
            return Skip(manifest=planned.manifest, reason=SkipReason.HELD, detail=str(error))
        except OvertakenError as error:
            return Skip(manifest=planned.manifest, reason=SkipReason.SUPERSEDED, detail=str(error))
        except CloudbillError as error:
            return LoadFailure(planned=planned, error=error)

    waiting = list(reversed(loads))
    with ThreadPoolExecutor(warehouse.parallel_loads, thread_name_prefix="load") as workers:
        running: dict[Future[LoadResult | LoadFailure | Skip], PlannedLoad] = {}
        while waiting or running:
            while waiting and len(running) < warehouse.parallel_loads:
                planned = waiting.pop()
                running[workers.submit(load, planned)] = planned
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                planned, outcome = running.pop(future), future.result()
                if planned.otherwise and isinstance(outcome, Skip) and outcome.is_held:
                    waiting.append(planned.otherwise)
                listen(LoadFinished(result=outcome) if isinstance(outcome, LoadResult) else outcome)
                yield outcome
