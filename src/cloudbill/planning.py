"""Decides which run each month is loaded from; pure, and the same for any order of its input."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

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
    to_load: Callable[[Manifest, LoadRecord | None], PlannedLoad],
) -> Plan:
    """Picks the newest complete run of each month, and says of every other run why it is not it.

    An older run never replaces a newer one, whatever the order of listing or arrival: runs are
    compared by `submitted_at`, and by run id where that is equal. `to_load` makes the planned load
    of a manifest, given the record that it replaces.
    """
    by_period: dict[BillingPeriod, list[DiscoveredRun]] = defaultdict(list)
    for run in runs:
        by_period[run.manifest.period].append(run)
    loads: list[PlannedLoad] = []
    skips: list[Skip] = []
    for period in sorted(by_period, reverse=True):
        newest_first = _without_copies(by_period[period])
        if not selection.includes(period):
            skips += [_skip(run, SkipReason.NOT_SELECTED, "not selected") for run in newest_first]
            continue
        record = _with_submitted_at(loaded.get(period), newest_first)
        chosen = _choose(newest_first, record, force=selection.force)
        if chosen is not None:
            loads.append(to_load(chosen.manifest, loaded.get(period)))
        skips += [_explain(run, chosen, record) for run in newest_first if run is not chosen]
    return Plan(loads=tuple(loads), skips=tuple(skips))


def _age(manifest: Manifest) -> tuple[datetime, str]:
    return manifest.submitted_at, manifest.run_id


def _without_copies(runs: Iterable[DiscoveredRun]) -> list[DiscoveredRun]:
    """Each run once, newest first: a copy tool may leave a run, or its manifest, in two places."""
    best: dict[str, DiscoveredRun] = {}
    for run in sorted(runs, key=lambda run: (len(run.missing), run.manifest.path)):
        best.setdefault(run.manifest.run_id, run)
    return sorted(best.values(), key=lambda run: _age(run.manifest), reverse=True)


def _with_submitted_at(
    record: LoadRecord | None, runs: Iterable[DiscoveredRun]
) -> LoadRecord | None:
    """The record with its time, taken from the run's own manifest where the state lacks it."""
    if record is None or record.submitted_at is not None:
        return record
    for run in runs:
        if run.manifest.run_id == record.run_id:
            return LoadRecord(
                period=record.period,
                run_id=record.run_id,
                submitted_at=run.manifest.submitted_at,
            )
    return record


def _is_newer(manifest: Manifest, record: LoadRecord) -> bool:
    # A loaded run whose time nobody knows any more is gone from the store as well, so what the
    # store holds is what the provider delivered since.
    return record.submitted_at is None or _age(manifest) > (record.submitted_at, record.run_id)


def _choose(
    newest_first: Iterable[DiscoveredRun], record: LoadRecord | None, *, force: bool
) -> DiscoveredRun | None:
    newest = next((run for run in newest_first if run.is_complete), None)
    if newest is None or record is None:
        return newest
    if newest.manifest.run_id == record.run_id:
        return newest if force else None
    return newest if _is_newer(newest.manifest, record) else None


def _explain(run: DiscoveredRun, chosen: DiscoveredRun | None, record: LoadRecord | None) -> Skip:
    manifest = run.manifest
    if record is not None and manifest.run_id == record.run_id:
        return _skip(run, SkipReason.ALREADY_LOADED, "already loaded")
    if chosen is not None and _age(manifest) < _age(chosen.manifest):
        return _superseded_by(run, chosen.manifest.run_id)
    if record is not None and not _is_newer(manifest, record):
        detail = f"older than the loaded run {record.run_id}"
        return _skip(run, SkipReason.OLDER_THAN_LOADED, detail)
    there = len(manifest.parts) - len(run.missing)
    return _skip(run, SkipReason.WAITING, f"waiting, {there}/{len(manifest.parts)} parts there")


def _superseded_by(run: DiscoveredRun, run_id: str) -> Skip:
    return _skip(run, SkipReason.SUPERSEDED, f"superseded by {run_id}")


def _skip(run: DiscoveredRun, reason: SkipReason, detail: str) -> Skip:
    return Skip(manifest=run.manifest, reason=reason, detail=detail)
