"""Decides which run each month is loaded from; pure, and independent of the order of its input."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cloudbill.guards import Guards
from cloudbill.models import (
    BillingPeriod,
    DiscoveredRun,
    LoadRecord,
    Manifest,
    Plan,
    PlannedLoad,
    Skip,
    SkipReason,
)

__all__ = ["Selection", "plan_loads"]

_Age = tuple[datetime, bool, str]
"""The key by which runs of a period are compared: time, whether it is current, and id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What the user asked for: the months (none means all), and whether to load them again."""

    periods: frozenset[BillingPeriod] = frozenset()
    force: bool = False

    def includes(self, period: BillingPeriod) -> bool:
        """Whether a month is asked for."""
        return not self.periods or period in self.periods


def plan_loads(
    runs: Iterable[DiscoveredRun],
    loaded: Mapping[BillingPeriod, LoadRecord],
    *,
    selection: Selection,
    guards: Guards,
    drifted: Collection[BillingPeriod] = (),
    to_load: Callable[[Manifest, LoadRecord | None], PlannedLoad],
) -> Plan:
    """Picks the newest complete run of each month, and gives the reason for skipping every other.

    An older run never replaces a newer one, whatever the order of listing or arrival. Runs are
    compared by `submitted_at`, and at equal times by run id; but a run that the provider calls
    current is newer than the others of its period. If a guard holds a run, the next one that is
    newer than the loaded run is picked. The months in `drifted` no longer hold what was loaded, so
    their loaded run is loaded again if there is no newer one. `to_load` makes the planned load for
    a manifest and the record that it replaces.
    """
    by_period: dict[BillingPeriod, list[DiscoveredRun]] = defaultdict(list)
    for run in runs:
        by_period[run.manifest.period].append(run)
    loads: list[PlannedLoad] = []
    skips: list[Skip] = []
    for period in sorted(by_period, reverse=True):
        newest_first = _newest_first(by_period[period])
        if not selection.includes(period):
            skips += [_skip(run, SkipReason.NOT_SELECTED, "not selected") for run in newest_first]
            continue
        record = loaded.get(period)
        is_drifted = period in drifted
        loaded_age = _loaded_age(record, newest_first)
        held = _held(newest_first, record, loaded_age, guards)
        free = [run for run in newest_first if run.manifest.run_id not in held]
        candidates = _candidates(free, record, loaded_age, again=selection.force or is_drifted)
        chosen = candidates[0] if candidates else None
        if chosen is not None:
            loads.append(_load_of(candidates, record, to_load))
        # A held run that is older than the chosen one is only superseded: the chosen run replaces
        # it, so there is nothing left for a person to decide.
        skips += [
            _skip(run, SkipReason.HELD, held[run.manifest.run_id])
            if run.manifest.run_id in held
            and (chosen is None or _age(run.manifest) > _age(chosen.manifest))
            else _explain(run, chosen, record, loaded_age)
            for run in newest_first
            if run is not chosen
        ]
    return Plan(loads=tuple(loads), skips=tuple(skips))


def _age(manifest: Manifest) -> _Age:
    return manifest.submitted_at, manifest.is_current, manifest.run_id


def _newest_first(runs: Sequence[DiscoveredRun]) -> list[DiscoveredRun]:
    """Each run of a period once; a copy tool or the provider may leave one in two places."""
    copies: dict[str, list[DiscoveredRun]] = defaultdict(list)
    for run in runs:
        copies[run.manifest.run_id].append(run)
    latest = max(run.manifest.submitted_at for run in runs)
    merged = [_merge(same, latest) for same in copies.values()]
    return sorted(merged, key=lambda run: _age(run.manifest), reverse=True)


def _merge(copies: Iterable[DiscoveredRun], latest: datetime) -> DiscoveredRun:
    """The best of the copies of a run; if one of them is current, it is as new as the latest.

    After a checkout or a copy, the times of objects say little: a run that arrived later may be
    older.
    """
    # The copy with the fewest missing parts can be loaded first. The path only makes the choice
    # the same for every order of the listing.
    best, *others = sorted(
        copies,
        key=lambda run: (len(run.missing), not run.manifest.is_current, run.manifest.path),
    )
    if not any(run.manifest.is_current for run in (best, *others)):
        return best
    return replace(best, manifest=replace(best.manifest, submitted_at=latest, is_current=True))


def _loaded_age(record: LoadRecord | None, runs: Iterable[DiscoveredRun]) -> _Age | None:
    """The age of the loaded run: as recorded, or as in its own manifest if that is newer.

    None if nothing is loaded, or if an older form of the state did not keep the time and the run
    is no longer in the store.
    """
    if record is None:
        return None
    ages = [_age(run.manifest) for run in runs if run.manifest.run_id == record.run_id]
    if record.submitted_at is not None:
        ages.append((record.submitted_at, False, record.run_id))
    return max(ages, default=None)


def _is_newer(manifest: Manifest, loaded_age: _Age | None) -> bool:
    # A loaded run without a known time is no longer in the store either, so every run in the store
    # was delivered after it.
    return loaded_age is None or _age(manifest) > loaded_age


def _held(
    runs: Iterable[DiscoveredRun],
    record: LoadRecord | None,
    loaded_age: _Age | None,
    guards: Guards,
) -> dict[str, str]:
    """The runs that only a guard keeps from being loaded, and its reasons, by run id."""
    held: dict[str, str] = {}
    for run in runs:
        manifest = run.manifest
        is_candidate = run.is_complete and record is not None and manifest.run_id != record.run_id
        if is_candidate and record is not None and _is_newer(manifest, loaded_age):
            why = guards.hold(manifest, record)
            if why is not None:
                held[manifest.run_id] = why
    return held


def _candidates(
    newest_first: Iterable[DiscoveredRun],
    record: LoadRecord | None,
    loaded_age: _Age | None,
    *,
    again: bool,
) -> list[DiscoveredRun]:
    """The runs that may be loaded, newest first; with `again`, the loaded run is the last."""
    complete = [run for run in newest_first if run.is_complete]
    if record is None:
        return complete
    return [
        run
        for run in complete
        if (again if run.manifest.run_id == record.run_id else _is_newer(run.manifest, loaded_age))
    ]


def _load_of(
    newest_first: Sequence[DiscoveredRun],
    record: LoadRecord | None,
    to_load: Callable[[Manifest, LoadRecord | None], PlannedLoad],
) -> PlannedLoad:
    """The load of the first run, followed by those to load instead if it has too few rows."""
    # A guard can only decide about a run without a stated count when its rows are counted, which
    # happens during the load. So the plan says in advance what to load instead.
    newest, *older = newest_first
    planned = to_load(newest.manifest, record)
    if not older or not planned.min_rows or newest.manifest.rows is not None:
        return planned
    return replace(planned, otherwise=_load_of(older, record, to_load))


def _explain(
    run: DiscoveredRun,
    chosen: DiscoveredRun | None,
    record: LoadRecord | None,
    loaded_age: _Age | None,
) -> Skip:
    manifest = run.manifest
    if record is not None and manifest.run_id == record.run_id:
        return _skip(run, SkipReason.ALREADY_LOADED, "already loaded")
    if chosen is not None and _age(manifest) < _age(chosen.manifest):
        return _superseded_by(run, chosen.manifest.run_id)
    if record is not None and not _is_newer(manifest, loaded_age):
        detail = f"older than the loaded run {record.run_id}"
        return _skip(run, SkipReason.OLDER_THAN_LOADED, detail)
    there = len(manifest.parts) - len(run.missing)
    return _skip(run, SkipReason.WAITING, f"waiting, {there}/{len(manifest.parts)} parts there")


def _superseded_by(run: DiscoveredRun, run_id: str) -> Skip:
    return _skip(run, SkipReason.SUPERSEDED, f"superseded by {run_id}")


def _skip(run: DiscoveredRun, reason: SkipReason, detail: str) -> Skip:
    return Skip(manifest=run.manifest, reason=reason, detail=detail)
