"""Decides which run each month is loaded from; the same for any order of its input.

`runs` puts the runs of a month in order, `guards`, `scopes` and `costs` have the rules by which one
of them waits for a person, `pins` those by which a month stays with the run that a person chose.

Pure.
May import: text.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from cloudbill.errors import Guard
from cloudbill.manifests import DiscoveredRun, Manifest
from cloudbill.models import LoadRecord, Pin, Plan, PlannedLoad, Skip, SkipReason
from cloudbill.periods import BillingPeriod
from cloudbill.planning.guards import (
    Described,
    Guards,
    Held,
    bytes_of,
    describe,
    described_record,
    told_apart,
)
from cloudbill.planning.pins import is_after
from cloudbill.planning.runs import Age, age_of, is_newer, loaded_age, newest_first, slices_of
from cloudbill.planning.scopes import Scopes, find_scopes, scopes_of_loaded
from cloudbill.text.counts import counted

__all__ = ["Selection", "awaited", "plan_loads"]

_ToLoad = Callable[[Manifest, LoadRecord | None], PlannedLoad]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What the user asked for: the months (none means all), and whether to load them again.

    `pins` count instead of those that the ledger has; None is that a month has none.
    """

    periods: frozenset[BillingPeriod] = frozenset()
    force: bool = False
    pins: Mapping[BillingPeriod, Pin | None] = field(default_factory=dict)

    def includes(self, period: BillingPeriod) -> bool:
        """Whether a month is asked for."""
        return not self.periods or period in self.periods


def plan_loads(
    runs: Iterable[DiscoveredRun],
    loaded: Mapping[BillingPeriod, LoadRecord],
    *,
    selection: Selection,
    guards: Guards,
    to_load: _ToLoad,
    drifted: Collection[BillingPeriod] = (),
    failed: Collection[str] = (),
    scopes: Mapping[BillingPeriod, str] = MappingProxyType({}),
    kept_from: BillingPeriod | None = None,
    pins: Mapping[BillingPeriod, Pin | None] = MappingProxyType({}),
    source: str = "SOURCE",
) -> Plan:
    """Picks the newest complete run of each month, and says of every other run why it is not it.

    An older run never replaces a newer one, whatever the order of listing or arrival. A run that a
    guard holds is passed over for the next one that is newer than the loaded. The months in
    `drifted` do not hold what was loaded any more, so the loaded run is loaded again if nothing
    newer is there. `failed` are the identities of runs that failed to load for a lasting reason:
    they are tried, but nothing is compared with them. `scopes` are those that the ledger knows, by
    the month from which on each holds. Months before `kept_from` are not loaded. A month of
    `pins` stays with its run, which no guard holds, until a run comes after the pin. `to_load`
    makes the planned load of a manifest, given the record that it replaces.
    """
    by_period: dict[BillingPeriod, list[DiscoveredRun]] = defaultdict(list)
    for run in runs:
        by_period[run.manifest.period].append(guards.with_possible_time(run))
    wanted = [
        run
        for month in by_period.values()
        for run in month
        if not guards.is_dismissed(run.manifest)
    ]
    of_scopes = find_scopes(wanted, scopes or scopes_of_loaded(wanted, loaded))
    loads: list[PlannedLoad] = []
    skips: list[Skip] = []
    for period in sorted(by_period, reverse=True):
        newest = newest_first(by_period[period])
        if not selection.includes(period):
            skips += map(_not_selected, newest)
            continue
        if kept_from is not None and period < kept_from:
            skips += _expired(newest, kept_from)
            continue
        month = _Month(
            runs=newest,
            record=loaded.get(period),
            guards=guards,
            scopes=of_scopes,
            failed=failed,
            again=selection.force or period in drifted,
            pin=pins.get(period),
            source=source,
        )
        candidates = month.candidates()
        if candidates:
            loads.append(month.load_of(candidates, to_load))
        skips += month.skips(candidates[0] if candidates else None)
    return Plan(loads=tuple(loads), skips=tuple(skips))


@dataclass(slots=True, kw_only=True)
class _Month:
    """The runs of one month, newest first, beside what is loaded."""

    runs: Sequence[DiscoveredRun]
    record: LoadRecord | None
    guards: Guards
    scopes: Scopes
    failed: Collection[str]
    again: bool
    """Whether the loaded run is to be loaded once more."""
    pin: Pin | None
    source: str
    loaded_age: Age | None = field(init=False)
    deliveries: Counter[str] = field(init=False)
    """How many deliveries there are under each run id."""
    held: dict[str, Held] = field(init=False, default_factory=dict)
    baselines: dict[str, tuple[Described, ...]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.loaded_age = loaded_age(self.record, self.runs, now=self.guards.now)
        self.deliveries = Counter(run.manifest.run_id for run in self.runs)
        self._judge()

    def _judge(self) -> None:
        """Holds runs, the oldest first, so that each is compared with those before it."""
        slices = slices_of(run for run in self.runs if not self.guards.is_dismissed(run.manifest))
        own = next((run.manifest for run in self.runs if self._is_loaded(run.manifest)), None)
        baseline: list[Described] = []
        coming = next((run.manifest for run in self.runs if self._is_pinned(run.manifest)), own)
        if coming is not None and coming != own:
            baseline.append(describe(coming))
        elif self.record is not None and not self._holds_another_scope():
            baseline.append(described_record(self.record, own))
        for run in reversed(self.runs):
            manifest = run.manifest
            if not run.is_complete or self.guards.is_dismissed(manifest):
                continue
            if self._is_loaded(manifest):
                self._judge_loaded(manifest)
                continue
            if self._is_pinned(manifest) or not self._is_newer(manifest):
                continue
            self.baselines[manifest.path] = tuple(baseline)
            is_slice = manifest.identity in slices
            held = self.guards.hold(run, baseline, is_slice=is_slice) or self._other_scope(manifest)
            if held is not None:
                self.held[manifest.path] = held
            elif manifest.identity not in self.failed:
                baseline.append(describe(manifest))

    def _other_scope(self, manifest: Manifest) -> Held | None:
        why = None if self.guards.is_accepted(manifest) else self.scopes.hold(manifest)
        return None if why is None else Held(guard=Guard.SCOPE, why=why)

    def _judge_loaded(self, manifest: Manifest) -> None:
        """Holds the loaded run where its parts are others now, under the same manifest.

        AWS replaces parts before their manifest where a report overwrites its versions: loading
        them here would make a mixture.
        """
        if self.guards.is_accepted(manifest) or (self.pin and not self._is_pinned(manifest)):
            return
        again = self.guards.found_held(manifest) if self.again and not self.pin else None
        if again is not None:
            self.held[manifest.path] = again
        known = self.record.parts_digest if self.record is not None else None
        found = manifest.parts_digest
        if known is None or found in {None, known}:
            return
        why = "held: the parts of the loaded run were changed under an unchanged manifest"
        self.held[manifest.path] = Held(guard=Guard.CHANGED_PARTS, why=why)

    def _is_loaded(self, manifest: Manifest) -> bool:
        return self.record is not None and self.record.is_of(manifest)

    def _is_pinned(self, manifest: Manifest) -> bool:
        return self.pin is not None and self.pin.is_of(manifest)

    def _is_newer(self, manifest: Manifest) -> bool:
        if self.pin is not None:
            return self.pin.is_of(manifest) or is_after(self.pin, manifest, self.guards)
        # Where the table holds another scope than the one that is wanted, no time compares them.
        if self._holds_another_scope() and manifest.scope == self.guards.scope:
            return True
        if self.record is not None and manifest.run_id == self.record.run_id:
            # Another delivery under the loaded run's id: its times are often the same.
            theirs = age_of(manifest)
            return self.loaded_age is None or theirs[:1] >= self.loaded_age[:1]
        return is_newer(manifest, self.loaded_age)

    def _holds_another_scope(self) -> bool:
        scope = None if self.record is None else self.record.scope
        return scope is not None and self.guards.scope not in {None, scope}

    def _is_loaded_or_newer(self, manifest: Manifest) -> bool:
        return self._is_loaded(manifest) or self._is_newer(manifest)

    def candidates(self) -> list[DiscoveredRun]:
        """The runs that may be loaded, newest first; the last is the loaded one, if it may be."""
        return [
            run
            for run in self.runs
            if run.is_complete
            and run.manifest.path not in self.held
            and (self._is_pinned(run.manifest) or not self.guards.is_dismissed(run.manifest))
            and (
                self._is_again(run.manifest)
                if self._is_loaded(run.manifest)
                else self._is_newer(run.manifest)
            )
        ]

    def _is_again(self, manifest: Manifest) -> bool:
        return self.again and (self.pin is None or self.pin.is_of(manifest))

    def load_of(self, candidates: Sequence[DiscoveredRun], to_load: _ToLoad) -> PlannedLoad:
        """The load of the newest candidate, with those that follow should it not do."""
        newest, *older = candidates
        planned = to_load(newest.manifest, self.record)
        if self._is_pinned(newest.manifest):
            return planned
        baseline = self.baselines.get(newest.manifest.path, ())
        if self.record is not None and self._is_loaded(newest.manifest):
            baseline = (described_record(self.record, None),)
        return replace(
            planned,
            least_rows=self.guards.least_rows(newest.manifest, baseline),
            least_costs=self.guards.least_costs(newest.manifest, self.record),
            rivals=self.guards.rivals(newest.manifest, baseline),
            costs_rival=self._costs_rival(newest, older),
            max_row_drop=self.guards.max_row_drop,
            otherwise=self.load_of(older, to_load) if older else None,
        )

    def _costs_rival(
        self, newest: DiscoveredRun, older: Sequence[DiscoveredRun]
    ) -> Manifest | None:
        """The run to compare a run with that bills nothing, where nothing is loaded."""
        if self.record is not None or not older or not self.guards.compares_costs(newest.manifest):
            return None
        return older[0].manifest

    def skips(self, chosen: DiscoveredRun | None) -> list[Skip]:
        """Why each of the other runs is not loaded, the newest first."""
        skips = [self._skip(run, chosen) for run in self.runs if run is not chosen]
        alike = {SkipReason.HELD, SkipReason.PINNED}
        found = Counter((skip.reason, skip.guard) for skip in skips if skip.reason in alike)
        named: set[tuple[SkipReason, Guard | None]] = set()
        for index, skip in enumerate(skips):
            kind = skip.reason, skip.guard
            if kind in named:
                skips[index] = replace(skip, is_alike=True)
            elif kind in found:
                named.add(kind)
                skips[index] = replace(skip, older_alike=found[kind] - 1)
        return skips

    def _skip(self, run: DiscoveredRun, chosen: DiscoveredRun | None) -> Skip:
        reason, detail = self._reason(run, chosen)
        held = self.held.get(run.manifest.path) if reason is SkipReason.HELD else None
        guard = None if held is None else held.guard
        if self._is_one_of_several(run.manifest):
            detail = f"{detail}; this delivery of the run {told_apart(run.manifest)}"
        return Skip(manifest=run.manifest, reason=reason, detail=detail, guard=guard)

    def _is_one_of_several(self, manifest: Manifest) -> bool:
        """Whether the store or the table has another delivery under the same id."""
        is_loaded_id = self.record is not None and self.record.run_id == manifest.run_id
        if is_loaded_id and not self._is_loaded(manifest):
            return True
        return self.deliveries[manifest.run_id] > 1

    def _named(self, manifest: Manifest, than: Manifest) -> str:
        """The id of a run, with what tells it from another delivery under that id."""
        if manifest.run_id != than.run_id:
            return manifest.run_id
        return f"the delivery of {manifest.run_id} that {told_apart(manifest)}"

    def _reason(self, run: DiscoveredRun, chosen: DiscoveredRun | None) -> tuple[SkipReason, str]:
        manifest, held = run.manifest, self.held.get(run.manifest.path)
        is_older = chosen is not None and age_of(manifest) < age_of(chosen.manifest)
        if held is not None and not is_older:
            found = SkipReason.HELD, held.why
        elif self._is_loaded(manifest) and (run.is_complete or not self.again):
            found = SkipReason.ALREADY_LOADED, "already loaded"
        elif chosen is not None and is_older:
            found = SkipReason.SUPERSEDED, f"superseded by {self._named(chosen.manifest, manifest)}"
        elif self._is_put_aside(manifest):
            found = SkipReason.PINNED, self._pinned()
        elif self.record is not None and not self._is_loaded_or_newer(manifest):
            found = SkipReason.OLDER_THAN_LOADED, f"older than the loaded run {self.record.run_id}"
        elif self.guards.is_dismissed(manifest):
            found = SkipReason.DISMISSED, "dismissed"
        elif run.is_gone and self.guards.is_overdue(manifest):
            found = SkipReason.GONE, "gone, none of its parts is in the store any more"
        else:
            found = SkipReason.WAITING, awaited(run)
        return found

    def _is_put_aside(self, manifest: Manifest) -> bool:
        """Whether another run was chosen that is older than this one, or is not loaded yet."""
        if self.pin is None or self._is_newer(manifest) or self.guards.is_dismissed(manifest):
            return False
        is_put_in = self.record is not None and self.record.run_id == self.pin.run_id
        return not is_put_in or is_newer(manifest, self.loaded_age)

    def _pinned(self) -> str:
        pin, month = self.pin, self.runs[0].manifest.period
        if pin is None:
            return ""
        return (
            f"pinned: the month stays with run {pin.run_id} until a run comes that is newer than "
            f"{pin.newest}, or until `cloudbill load {self.source} --month {month} --release`"
        )


def _not_selected(run: DiscoveredRun) -> Skip:
    return Skip(manifest=run.manifest, reason=SkipReason.NOT_SELECTED, detail="not selected")


def _expired(runs: Sequence[DiscoveredRun], kept_from: BillingPeriod) -> list[Skip]:
    """The runs of a month that the table does not keep; only the newest is named for it."""
    (newest, *older) = (run.manifest for run in runs)
    detail = f"outside of 'partition_expiration_days', which keeps {kept_from} and later"
    by = f"superseded by {newest.run_id}"
    return [
        Skip(manifest=newest, reason=SkipReason.EXPIRED, detail=detail),
        *(Skip(manifest=one, reason=SkipReason.SUPERSEDED, detail=by) for one in older),
    ]


def awaited(run: DiscoveredRun) -> str:
    """What a run waits for."""
    parts = run.manifest.parts
    if not run.missing and run.is_updated:
        return "waiting, AWS is overwriting the files of the report: its status file says UPDATING"
    if not run.missing:
        longer = f"; {bytes_of(run.longer[0])}" if run.longer else ""
        until = f"until {run.settles_at:%Y-%m-%d %H:%M} UTC"
        return f"waiting for its files to settle, {until}{longer}"
    text = f"waiting, {len(parts) - len(run.missing)}/{counted(len(parts), 'part')} there"
    short = [part for part in run.missing if part.stored is not None]
    if not short:
        return text
    return f"{text}; {bytes_of(short[0])}"
