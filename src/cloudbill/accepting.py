"""What a person decides: of a held run, to load it after all or never; of a month, which run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from cloudbill.errors import CloudbillError, ConfigError, Guard
from cloudbill.ledger import Ledger
from cloudbill.loading.events import Event
from cloudbill.loading.failures import failed_runs, forget_failures
from cloudbill.loading.outcome import Outcome
from cloudbill.manifests import DiscoveredRun, Manifest
from cloudbill.models import LoadRecord, Pin, Plan, PlannedLoad, SkipReason
from cloudbill.periods import BillingPeriod, utc_now
from cloudbill.pipeline import load_source
from cloudbill.planning import Selection, awaited
from cloudbill.planning.pins import pin_to
from cloudbill.planning.runs import newest_first
from cloudbill.planning.scopes import find_scopes
from cloudbill.surveying import Present, find_runs, guards_of, read_present, survey
from cloudbill.text.counts import counted
from cloudbill.warehouses import open_warehouse

if TYPE_CHECKING:
    from cloudbill.loading.stopping import Stop
    from cloudbill.settings import SourceSettings
    from cloudbill.store import Store

__all__ = [
    "HeldRun",
    "accept_held",
    "accept_run",
    "choose_run",
    "dismiss_runs",
    "find_held",
    "load_chosen",
    "which_held",
]

_LISTED: Final = 10
"""How many complete runs of a month are named where none of them was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRun:
    """A run that a guard holds, or may hold once its rows are counted."""

    settings: SourceSettings
    manifest: Manifest
    store: Store
    replaces: LoadRecord | None = None
    """What is loaded now."""
    detail: str = ""
    guard: Guard | None = None
    moves_scope: bool = False


def accept_run(
    sources: Sequence[SourceSettings],
    period: BillingPeriod,
    run_id: str | None,
    listen: Callable[[Event], None],
    *,
    takes_slice: bool = False,
) -> Outcome:
    """Accepts a held run of a month, records the decision, and loads the run.

    Without `run_id` it is the newest held run; then only one source may hold a run of the month.
    The decision is recorded before the load: if the load fails, the next load does not hold the run
    again. A run of another scope moves the source to that scope from this month on. A run that is a
    slice of the month is accepted only with `takes_slice`, for the other days will be empty.

    Raises:
        ConfigError: If nothing is held, more than one source holds a run of the month, or it is a
            slice.
        CloudbillError: If a source cannot be planned, or the ledger cannot be written.
    """
    held = [one for settings in sources for one in find_held(settings, period, run_id)]
    return accept_held(which_held(held, period, run_id, takes_slice=takes_slice), listen)


def which_held(
    held: Sequence[HeldRun],
    period: BillingPeriod,
    run_id: str | None,
    *,
    unread: Sequence[str] = (),
    takes_slice: bool = False,
) -> HeldRun:
    """The newest of some held runs, as `accept_run` takes it; `unread` are sources not looked at.

    Raises:
        ConfigError: If nothing is held, it is not clear whose run is meant, or it is a slice.
    """
    owners = list(dict.fromkeys(one.settings.source for one in held))
    if not held:
        what = f"run {run_id} of {period} is not held" if run_id else f"no run of {period} is held"
        raise ConfigError(f"Nothing to accept: {what}; `cloudbill plan` says what is")
    if len(owners) > 1:
        raise ConfigError(
            f"{' and '.join(owners)} both hold a run of {period}; say which with --source"
        )
    chosen = held[0]
    settings, manifest = chosen.settings, chosen.manifest
    if unread and run_id is None:
        raise ConfigError(
            f"{settings.source} holds a run of {period}, but it is not known whether "
            f"{' or '.join(unread)} holds one, too; say which is meant with --source"
        )
    if chosen.guard is Guard.SLICE and not takes_slice:
        raise ConfigError(
            f"Run {manifest.run_id} of {period} is {chosen.detail}. With --slice it is loaded all "
            "the same; the other days of the month will be empty"
        )
    return chosen


def accept_held(
    chosen: HeldRun, listen: Callable[[Event], None], *, stop: Stop | None = None
) -> Outcome:
    """Accepts a held run, as `accept_run`; `stop` ends the load early.

    Raises:
        CloudbillError: If the ledger cannot be written.
    """
    settings, manifest, period = chosen.settings, chosen.manifest, chosen.manifest.period
    with closing(open_warehouse(settings.warehouse)) as warehouse:
        scope = manifest.scope if chosen.moves_scope else None
        Ledger(settings, warehouse).accept(period, manifest.identity, scope=scope)
    return load_source(settings, Selection(periods=frozenset({period})), listen, stop=stop)


def dismiss_runs(
    settings: SourceSettings, period: BillingPeriod | None, run_id: str | None
) -> tuple[Manifest, ...]:
    """Dismisses runs of a source, so that they are no alarm any more; the loaded runs stay.

    Without `run_id` all held runs of the month and all whose parts are gone, without `period` those
    of all months. A run that is named may also be one that waits for its parts, whose last load
    failed for good, or that is to be loaded and may then be held. Gives the runs that were
    dismissed.

    Raises:
        CloudbillError: If the source cannot be planned, or the ledger cannot be written.
    """
    _, plan, _ = _plan(settings, period)
    unwanted = [*_unwanted(plan, is_named=run_id is not None)]
    if run_id is not None:
        unwanted += _broken(plan, failed_runs(settings))
    named = [manifest for manifest in unwanted if run_id in {None, manifest.run_id}]
    manifests = tuple(dict.fromkeys(named))
    if manifests:
        with closing(open_warehouse(settings.warehouse)) as warehouse:
            Ledger(settings, warehouse).dismiss(
                [(manifest.period, manifest.identity) for manifest in manifests]
            )
        forget_failures(settings, manifests, utc_now())
    return manifests


def find_held(
    settings: SourceSettings, period: BillingPeriod | None, run_id: str | None
) -> list[HeldRun]:
    """The runs that a source holds, newest first: of a month, or of a run id, or all of them.

    A run that a load may hold once its rows are counted is one of them, and by its id one that was
    dismissed.

    Raises:
        CloudbillError: If the source cannot be planned.
    """
    found = _held(settings, period, with_dismissed=run_id is not None)
    return [one for one in found if run_id in {None, one.manifest.run_id}]


def _plan(settings: SourceSettings, period: BillingPeriod | None) -> tuple[Present, Plan, Store]:
    with closing(open_warehouse(settings.warehouse, read_only=True)) as warehouse:
        present = read_present(settings, warehouse)
    periods = frozenset() if period is None else frozenset({period})
    found = survey(settings, present, Selection(periods=periods), lambda _: None)
    return present, found.plan, found.store


def _unwanted(plan: Plan, *, is_named: bool) -> Iterator[Manifest]:
    """The runs that may be dismissed, newest first."""
    reasons = {SkipReason.HELD, SkipReason.GONE, *([SkipReason.WAITING] if is_named else [])}
    yield from (skip.manifest for skip in plan.skips if skip.reason in reasons)
    for load in plan.loads if is_named else ():
        yield from _uncounted(load)


def _broken(plan: Plan, failed: Collection[str]) -> Iterator[Manifest]:
    """The runs that are to be loaded, and that a load could not load for a lasting reason."""
    for load in plan.loads:
        planned: PlannedLoad | None = load
        while planned is not None:
            if planned.manifest.identity in failed:
                yield planned.manifest
            planned = planned.otherwise


def _held(
    settings: SourceSettings, period: BillingPeriod | None, *, with_dismissed: bool
) -> Iterator[HeldRun]:
    present, plan, store = _plan(settings, period)
    loaded = present.remembered.loaded
    scopes = find_scopes((), present.remembered.scopes)
    for skip in plan.skips:
        if skip.is_held or (with_dismissed and skip.reason is SkipReason.DISMISSED):
            scope = skip.manifest.scope
            yield HeldRun(
                settings=settings,
                manifest=skip.manifest,
                store=store,
                replaces=loaded.get(skip.manifest.period),
                detail=skip.detail,
                guard=skip.guard,
                moves_scope=scope not in {None, scopes.of(skip.manifest.period)},
            )
    for load in plan.loads:
        for manifest in _uncounted(load):
            record = loaded.get(manifest.period)
            yield HeldRun(settings=settings, manifest=manifest, store=store, replaces=record)


def _uncounted(load: PlannedLoad | None) -> Iterator[Manifest]:
    """The runs of a planned load that may turn out to have too little, newest first."""
    while load is not None and (load.least_rows or load.least_costs or load.rivals):
        yield load.manifest
        load = load.otherwise


def choose_run(settings: SourceSettings, period: BillingPeriod, named: str) -> Pin:
    """The pin of a month to one of its complete runs; changes nothing.

    `named` is the id of a run, or what only its id begins with; of several deliveries under one id
    it is the newest, unless the digest follows after an @.

    Raises:
        ConfigError: If it names no complete run of the month, or several.
        CloudbillError: If the source cannot be read.
    """
    with closing(open_warehouse(settings.warehouse, read_only=True)) as warehouse:
        present = read_present(settings, warehouse)
    if not present.keeps(period):
        raise ConfigError(
            f"{period} is outside of 'partition_expiration_days', which keeps {present.kept_from} "
            "and later"
        )
    _, discovery = find_runs(settings)
    of_month = [run for run in discovery.runs if run.manifest.period == period]
    runs = newest_first(of_month) if of_month else []
    chosen = _named(runs, named.rstrip("\u2026"), settings.source, period)
    return pin_to(chosen.manifest, runs, guards_of(settings, present, utc_now()))


def _named(
    runs: Sequence[DiscoveredRun], named: str, source: str, period: BillingPeriod
) -> DiscoveredRun:
    found = [run for run in runs if named and run.manifest.delivery.startswith(named)]
    found = [run for run in found if run.manifest.run_id == named] or found
    complete = [run for run in runs if run.is_complete]
    ids = list(dict.fromkeys(run.manifest.run_id for run in found))
    if not found:
        listed = "; ".join(_told(run.manifest) for run in complete[:_LISTED])
        more = len(complete) - _LISTED
        others = f"; and {more} older ones, see `cloudbill plan {source}`" if more > 0 else ""
        there = f"complete are {listed}{others}" if complete else "no run of it is complete"
        raise ConfigError(f"{source} has no run '{named}' of {period}: {there}")
    if len(ids) > 1:
        raise ConfigError(f"'{named}' is the beginning of several runs: {', '.join(ids)}")
    whole = next((run for run in found if run.is_complete), None)
    if whole is None:
        missing = [part.path for part in found[0].missing]
        lacks = f"; it lacks {missing[0]}" if missing else ""
        raise ConfigError(f"Run {ids[0]} of {period} is not complete: {awaited(found[0])}{lacks}")
    return whole


def _told(manifest: Manifest) -> str:
    rows = "unknown rows" if manifest.rows is None else counted(manifest.rows, "row", ",")
    return f"{manifest.run_id} ({manifest.submitted_at:%Y-%m-%d %H:%M} UTC, {rows})"


def load_chosen(
    settings: SourceSettings,
    selection: Selection,
    listen: Callable[[Event], None],
    *,
    stop: Stop | None = None,
    wants_progress: bool = False,
) -> Outcome:
    """Remembers the pins of a selection, then loads its months.

    They are remembered first: if the process is killed, the next load goes on. If a run will never
    load, its month is pinned to what it was before.
    """
    try:
        with closing(open_warehouse(settings.warehouse)) as warehouse:
            ledger = Ledger(settings, warehouse)
            before = ledger.read().pins
            if any(before.get(period) != pin for period, pin in selection.pins.items()):
                ledger.pin(selection.pins)
        plain = replace(selection, pins={})
        outcome = load_source(settings, plain, listen, stop=stop, wants_progress=wants_progress)
        back = {
            failure.planned.period: before.get(failure.planned.period)
            for failure in outcome.failures
            if failure.error.is_of_run and _is_chosen(failure.planned, selection)
        }
        if back:
            with closing(open_warehouse(settings.warehouse)) as warehouse:
                Ledger(settings, warehouse).pin(back)
    except CloudbillError as error:
        return Outcome(settings=settings, error=error)
    return outcome


def _is_chosen(planned: PlannedLoad, selection: Selection) -> bool:
    pin = selection.pins.get(planned.period)
    return pin is not None and pin.is_of(planned.manifest)
