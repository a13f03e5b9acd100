"""What a person decides of a held run: load it after all, or never."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloudbill.errors import ConfigError
from cloudbill.ledger import Ledger
from cloudbill.loading.events import Event
from cloudbill.loading.outcome import Outcome
from cloudbill.manifests import Manifest
from cloudbill.models import PlannedLoad, SkipReason
from cloudbill.periods import BillingPeriod
from cloudbill.pipeline import load_source
from cloudbill.planning import Selection
from cloudbill.planning.guards import is_slice_detail
from cloudbill.surveying import read_present, survey
from cloudbill.warehouses import open_warehouse

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings

__all__ = ["Dismissed", "accept_run", "dismiss_runs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """A run that a guard holds, or with `is_held` false may hold once its rows are counted."""

    settings: SourceSettings
    manifest: Manifest
    detail: str = ""
    moves_scope: bool = False
    is_held: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Dismissed:
    """The held runs of a source that are not wanted any more."""

    settings: SourceSettings
    manifests: tuple[Manifest, ...]


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
    held = _chosen(sources, period, run_id, action="accept")
    owners = list(dict.fromkeys(one.settings.source for one in held))
    if len(owners) > 1:
        raise ConfigError(
            f"{' and '.join(owners)} both hold a run of {period}; say which with --source"
        )
    chosen = held[0]
    settings, manifest = chosen.settings, chosen.manifest
    if is_slice_detail(chosen.detail) and not takes_slice:
        raise ConfigError(
            f"Run {manifest.run_id} of {period} is {chosen.detail}. With --slice it is loaded all "
            "the same; the other days of the month will be empty"
        )
    with closing(open_warehouse(settings.warehouse)) as warehouse:
        scope = manifest.scope if chosen.moves_scope else None
        Ledger(settings, warehouse).accept(period, manifest.identity, scope=scope)
    return load_source(settings, Selection(periods=frozenset({period})), listen)


def dismiss_runs(
    sources: Sequence[SourceSettings],
    period: BillingPeriod | None,
    run_id: str | None,
) -> tuple[Dismissed, ...]:
    """Dismisses held runs, so that they are no alarm any more; the loaded runs stay.

    Without `run_id` all held runs of the month, without `period` those of all months.

    Raises:
        ConfigError: If nothing is held.
        CloudbillError: If a source cannot be planned, or the ledger cannot be written.
    """
    held = [
        one
        for one in _chosen(sources, period, run_id, action="dismiss")
        # One that is to be loaded is meant only where it is named.
        if one.is_held or run_id is not None
    ]
    dismissed: list[Dismissed] = []
    for settings in sources:
        manifests = tuple(one.manifest for one in held if one.settings is settings)
        if not manifests:
            continue
        with closing(open_warehouse(settings.warehouse)) as warehouse:
            Ledger(settings, warehouse).dismiss(
                [(manifest.period, manifest.identity) for manifest in manifests]
            )
        dismissed.append(Dismissed(settings=settings, manifests=manifests))
    return tuple(dismissed)


def _chosen(
    sources: Sequence[SourceSettings],
    period: BillingPeriod | None,
    run_id: str | None,
    *,
    action: str,
) -> list[_Held]:
    held = [
        one
        for settings in sources
        for one in _held(settings, period)
        if run_id in {None, one.manifest.run_id}
    ]
    if not held:
        month = f" of {period}" if period is not None else ""
        what = f"run {run_id}{month} is not held" if run_id else f"no run{month} is held"
        raise ConfigError(f"Nothing to {action}: {what}; `cloudbill plan` says what is")
    return held


def _held(settings: SourceSettings, period: BillingPeriod | None) -> Iterator[_Held]:
    """The runs that a load would hold now, newest first, and those it may hold once counted."""
    with closing(open_warehouse(settings.warehouse, read_only=True)) as warehouse:
        present = read_present(settings, warehouse)
    periods = frozenset() if period is None else frozenset({period})
    plan = survey(settings, present, Selection(periods=periods), lambda _: None).plan
    scopes = present.remembered.scopes
    for skip in plan.skips:
        if skip.reason is SkipReason.HELD:
            known = [
                scope for since, scope in sorted(scopes.items()) if since <= skip.manifest.period
            ]
            yield _Held(
                settings=settings,
                manifest=skip.manifest,
                detail=skip.detail,
                moves_scope=skip.manifest.scope is not None
                and skip.manifest.scope not in known[-1:],
            )
    for load in plan.loads:
        yield from (_Held(settings=settings, manifest=manifest) for manifest in _uncounted(load))


def _uncounted(load: PlannedLoad | None) -> Iterator[Manifest]:
    """The runs of a planned load that may turn out to have too little, newest first."""
    while load is not None and (load.least_rows or load.least_costs or load.rivals):
        yield load.manifest
        load = load.otherwise
