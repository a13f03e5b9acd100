"""What is loaded now, and what a load would do: discovers and plans, changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from cloudbill.errors import CloudbillError, ManifestError
from cloudbill.exports.absence import absence_of, other_scopes, unannounced
from cloudbill.exports.discovery import Discovery, discover
from cloudbill.exports.manifest_cache import open_manifest_cache
from cloudbill.ledger import Ledger
from cloudbill.ledger.merging import Merged
from cloudbill.loading.drift import (
    compare_rows,
    compare_totals,
    lost_months,
    not_again,
    unlisted_months,
    with_plan,
)
from cloudbill.loading.events import Discovered, Drifted, Event, NewlyHeld, OddRows, UnrecordedRows
from cloudbill.loading.failures import failed_runs, past_holds
from cloudbill.loading.late_runs import late_runs
from cloudbill.loading.unaccounted import find_unrecorded
from cloudbill.manifests import Manifest, ManifestFailure
from cloudbill.models import LoadRecord, Plan, PlannedLoad, Reason, TableRows
from cloudbill.periods import BillingPeriod, utc_now
from cloudbill.planning import Selection, plan_loads
from cloudbill.planning.guards import Guards, Held
from cloudbill.planning.pins import standing_pins
from cloudbill.setup.nearest import nearest_names
from cloudbill.store import Store, open_store

if TYPE_CHECKING:
    from cloudbill.ledger.state import Remembered
    from cloudbill.settings import SourceSettings
    from cloudbill.warehouses import Warehouse

__all__ = [
    "Present",
    "Survey",
    "compare_recorded",
    "find_runs",
    "guards_of",
    "read_present",
    "survey",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What is loaded now: what the ledger remembers, and what the table holds."""

    remembered: Remembered
    table: TableRows = field(default_factory=TableRows)
    differing: Mapping[BillingPeriod, Drifted] = field(default_factory=dict)
    """The months whose costs were compared with what was recorded, and are others."""
    ledger: Merged = field(default_factory=Merged)
    """All that `remembered` was made of."""
    held: Mapping[str, Held] = field(default_factory=dict)
    """The runs that a load held once it had read them, so that no manifest shows it."""
    kept_from: BillingPeriod | None = None
    """The first month that the table keeps, where `partition_expiration_days` says so."""

    @property
    def rows(self) -> dict[BillingPeriod, int]:
        """The rows of each month that the table holds."""
        return {period: month.rows for period, month in self.table.months.items()}

    @property
    def loaded(self) -> dict[BillingPeriod, LoadRecord]:
        """What the ledger remembers, but for the months that expired on purpose and are gone."""
        return {
            period: record
            for period, record in self.remembered.loaded.items()
            if self.keeps(period) or self.rows.get(period)
        }

    def keeps(self, period: BillingPeriod) -> bool:
        """Whether the table keeps a month."""
        return self.kept_from is None or period >= self.kept_from

    @property
    def periods(self) -> frozenset[BillingPeriod]:
        """The months that the ledger or the table knows."""
        return frozenset({*self.remembered.loaded, *self.table.months})

    @property
    def drifted(self) -> dict[BillingPeriod, Drifted]:
        """The months that are not what was recorded, by their rows or by their costs."""
        found = compare_rows(self.remembered.loaded, self.rows) | dict(self.differing)
        return {period: one for period, one in found.items() if self.keeps(period)}


def read_present(settings: SourceSettings, warehouse: Warehouse) -> Present:
    """Reads what is loaded now.

    Raises:
        CloudbillError: If the table or the ledger cannot be read.
    """
    # The table before the ledger: a write that comes between the two changes the table's write
    # mark, so that a load planned from this notices it.
    table = warehouse.table_months(settings.table_name, settings.provider.PERIOD_COLUMN)
    merged = Ledger(settings, warehouse).merged()
    loaded = merged.remembered.loaded
    unlisted = unlisted_months(warehouse, settings.table_name, loaded, table.months)
    return Present(
        remembered=merged.remembered,
        table=replace(table, months={**table.months, **unlisted}),
        ledger=merged,
        held=past_holds(settings),
        kept_from=settings.kept_from(utc_now()),
    )


def compare_recorded(
    settings: SourceSettings, warehouse: Warehouse, present: Present, *, trusts_file: bool
) -> Present:
    """Compares the costs of the months with what was recorded; see `compare_totals`.

    Raises:
        LoadError: If the table cannot be read.
    """
    differing = compare_totals(
        warehouse,
        settings.table_name,
        present.remembered.loaded,
        present.table.months,
        trusts_file=trusts_file,
    )
    return replace(present, differing=differing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """A source that was discovered and planned; `address` is the folder that was listed.

    `reasons` are what a person should look at, although everything could be read. `drifted` are the
    months that are not what was recorded.
    """

    store: Store
    discovery: Discovery
    plan: Plan
    address: str
    reasons: tuple[Reason, ...] = ()
    drifted: tuple[Drifted, ...] = ()
    unrecorded: tuple[UnrecordedRows, ...] = ()
    known: frozenset[BillingPeriod] = frozenset()
    """The months that the ledger or the table knew before."""
    newly_held: tuple[NewlyHeld, ...] = ()
    """What the version did not hold which wrote the ledger, if there is any."""

    @property
    def manifests(self) -> int:
        """How many manifests there are, read or not."""
        return self.discovery.manifests

    @property
    def manifest_failures(self) -> tuple[ManifestFailure, ...]:
        """The manifests that cannot be read; only the newest if all have the same fault."""
        return _told_once(self.discovery)


def survey(
    settings: SourceSettings,
    present: Present,
    selection: Selection,
    listen: Callable[[Event], None],
    *,
    keeps_manifests: bool = False,
    discovered: tuple[Store, Discovery] | None = None,
    now: datetime | None = None,
) -> Survey:
    """Discovers the runs of a source and plans its months; changes nothing.

    With `keeps_manifests`, the manifests are cached in the user's cache folder, so that the next
    command need not read them again. With `discovered`, the source is planned from what
    `find_runs` found before. `now` decides how long a run has waited.

    Raises:
        CloudbillError: If the store cannot be listed.
    """
    store, discovery = discovered or find_runs(settings, keeps_manifests=keeps_manifests)
    now, selection = now or utc_now(), _with_inexact(selection, present)
    root, *_ = settings.provider.export_roots(settings.prefix, settings.export_name)
    address = store.uri(root)
    absence = _absence(settings, present, store, discovery, now)
    listen(
        Discovered(
            settings=settings,
            manifests=discovery.manifests,
            address=address,
            is_explained=absence is not None,
        )
    )
    for failure in _told_once(discovery):
        listen(failure)
    plan = _plan(settings, present, selection, discovery=discovery, store=store, now=now)
    drifted = with_plan(present.drifted.values(), plan)
    asked = [one for one in drifted if selection.includes(one.record.period)]
    unrecorded = find_unrecorded(settings, present.table, present.remembered.loaded, plan)
    newly_held = _newly_held(settings, present, plan)
    found: list[Event] = [*_odd_rows(settings, present)]
    found += [one for one in unrecorded if selection.includes(one.period)]
    for event in (*asked, *found, *newly_held, *plan.skips):
        listen(event)
    return Survey(
        store=store,
        discovery=discovery,
        plan=plan,
        address=address,
        reasons=(
            *(Reason(error=error) for error in [absence] if error is not None),
            *lost_months(settings.table_name, asked, plan),
            *late_runs(settings, plan, now, loaded=present.remembered.loaded),
            *(not_again(plan, present.remembered.loaded) if selection.force else ()),
        ),
        drifted=drifted,
        unrecorded=unrecorded,
        known=present.periods,
        newly_held=newly_held,
    )


def _odd_rows(settings: SourceSettings, present: Present) -> Iterator[OddRows]:
    if present.table.of_no_month:
        yield OddRows(settings=settings, rows=present.table.of_no_month)


def _with_inexact(selection: Selection, present: Present) -> Selection:
    """The same, and the months that hold no exact amounts, if there are any.

    The load of one month makes the columns exact in all months, and then nothing tells which of
    them still hold what was made of inexact amounts.
    """
    inexact = {one.record.period for one in present.differing.values() if one.inexact}
    if not (selection.periods and inexact):
        return selection
    return replace(selection, periods=selection.periods | inexact)


def find_runs(
    settings: SourceSettings, *, keeps_manifests: bool = False
) -> tuple[Store, Discovery]:
    """Lists the export of a source and reads its manifests; `survey` says what it keeps.

    Raises:
        CloudbillError: If the store cannot be opened or listed.
    """
    store = open_store(
        settings.bucket, sections=settings.sections, retry_for_s=settings.retry_for_s
    )
    cache = open_manifest_cache(store, settings, is_written=keeps_manifests)
    discovery = discover(
        store,
        settings.provider,
        prefix=settings.prefix,
        export_name=settings.export_name,
        cache=cache,
    )
    return store, discovery.of_scope(settings.scope)


def _newly_held(settings: SourceSettings, present: Present, plan: Plan) -> tuple[NewlyHeld, ...]:
    """What is told once after an upgrade, if it holds anything that was not held before."""
    known = present.remembered.guards
    skips = tuple(skip for skip in plan.skips if skip.guard is not None and skip.guard not in known)
    is_told = bool(skips and present.remembered.loaded)
    return (NewlyHeld(settings=settings, skips=skips),) if is_told else ()


def _told_once(discovery: Discovery) -> tuple[ManifestFailure, ...]:
    """The manifests that cannot be read; only the newest if no manifest is without its fault."""
    failures = discovery.failures
    errors = [one.error for one in failures if isinstance(one.error, ManifestError)]
    faults = {(error.problem, error.key) for error in errors}
    is_same = len(errors) == len(failures) > 1 and len(faults) == 1
    if discovery.runs or not is_same:
        return failures
    newest = max(failures, key=lambda one: discovery.listing[one.path].modified_at)
    ((problem, key),) = faults
    fault = (
        f"All {len(failures)} manifests have the same fault, so it is in the export, or in what "
        f"copies it, and another delivery will not help: {problem}"
    )
    error = ManifestError(fault, path=newest.path, key=key)
    return (ManifestFailure(path=newest.path, error=error),)


def _absence(
    settings: SourceSettings,
    present: Present,
    store: Store,
    discovery: Discovery,
    now: datetime,
) -> CloudbillError | None:
    """Why there are no manifests, or none of the newest files; None if that is in order."""
    if discovery.manifests:
        return unannounced(store, settings, discovery, now)
    if discovery.others:
        return other_scopes(store, settings, discovery)
    return absence_of(
        store,
        settings,
        discovery,
        months_loaded=len(present.remembered.loaded),
        now=now,
        nearest=lambda: nearest_names(store, settings),
    )


def _plan(
    settings: SourceSettings,
    present: Present,
    selection: Selection,
    *,
    discovery: Discovery,
    store: Store,
    now: datetime,
) -> Plan:
    remembered = present.remembered

    def to_load(manifest: Manifest, replaces: LoadRecord | None) -> PlannedLoad:
        month = present.table.months.get(manifest.period)
        return PlannedLoad(
            manifest=manifest,
            table=settings.table_name,
            period_column=settings.provider.PERIOD_COLUMN,
            uris=tuple(store.uri(part.path) for part in manifest.parts),
            replaces=replaces,
            is_forced=selection.force,
            write_mark=None if month is None else month.write_mark,
        )

    drifted = present.drifted
    return plan_loads(
        discovery.runs,
        # An empty month has no rows that an older run could take away.
        {
            period: record
            for period, record in remembered.loaded.items()
            if period not in drifted or present.rows.get(period)
        },
        drifted=drifted,
        selection=selection,
        guards=guards_of(settings, present, now),
        to_load=to_load,
        failed=failed_runs(settings),
        scopes=remembered.scopes,
        kept_from=present.kept_from,
        pins={**standing_pins(remembered.pins, remembered.loaded, now), **selection.pins},
        source=settings.source,
    )


def guards_of(settings: SourceSettings, present: Present, now: datetime) -> Guards:
    """What makes a run of a source wait for a person, and what persons have said."""
    remembered = present.remembered
    return Guards(
        max_row_drop=settings.max_row_drop,
        max_cost_drop=settings.max_cost_drop,
        cost_trifle=settings.cost_trifle,
        billed_column=settings.provider.BILLED_COLUMN,
        accepted=remembered.accepted,
        dismissed=remembered.dismissed,
        found=present.held,
        scope=settings.scope,
        now=now,
        max_wait=settings.max_wait,
    )
