"""What is loaded now, and what a load would do: discovers and plans, changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cloudbill.exports.discovery import Discovery, discover
from cloudbill.exports.manifest_cache import open_manifest_cache
from cloudbill.ledger import Ledger
from cloudbill.loading.drift import compare_rows, compare_totals, lost_months, with_plan
from cloudbill.loading.events import Discovered, Drifted, Event, OddRows
from cloudbill.manifests import Manifest, ManifestFailure
from cloudbill.models import LoadRecord, Plan, PlannedLoad, Reason, TableRows
from cloudbill.periods import BillingPeriod, utc_now
from cloudbill.planning import Selection, plan_loads
from cloudbill.planning.guards import Guards
from cloudbill.store import Store, open_store

if TYPE_CHECKING:
    from cloudbill.ledger.state import Remembered
    from cloudbill.settings import SourceSettings
    from cloudbill.warehouses import Warehouse

__all__ = ["Present", "Survey", "compare_recorded", "read_present", "survey"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What is loaded now: what the ledger remembers, and what the table holds."""

    remembered: Remembered
    table: TableRows = field(default_factory=TableRows)
    differing: Mapping[BillingPeriod, Drifted] = field(default_factory=dict)
    """The months whose costs were compared with what was recorded, and are others."""

    @property
    def rows(self) -> dict[BillingPeriod, int]:
        """The rows of each month that the table holds."""
        return {period: month.rows for period, month in self.table.months.items()}

    @property
    def drifted(self) -> dict[BillingPeriod, Drifted]:
        """The months that are not what was recorded, by their rows or by their costs."""
        return compare_rows(self.remembered.loaded, self.rows) | dict(self.differing)


def read_present(settings: SourceSettings, warehouse: Warehouse) -> Present:
    """Reads what is loaded now.

    Raises:
        CloudbillError: If the table or the ledger cannot be read.
    """
    # The table before the ledger: a write that comes between the two changes the table's write
    # mark, so that a load planned from this notices it.
    table = warehouse.table_months(settings.table_name, settings.provider.PERIOD_COLUMN)
    return Present(remembered=Ledger(settings, warehouse).read(), table=table)


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

    @property
    def manifests(self) -> int:
        """How many manifests there are, read or not."""
        return self.discovery.manifests

    @property
    def manifest_failures(self) -> tuple[ManifestFailure, ...]:
        """The manifests that cannot be read."""
        return self.discovery.failures


def survey(
    settings: SourceSettings,
    present: Present,
    selection: Selection,
    listen: Callable[[Event], None],
    *,
    keeps_manifests: bool = False,
    earlier: Survey | None = None,
) -> Survey:
    """Discovers the runs of a source and plans its months; changes nothing.

    With `keeps_manifests`, the manifests are cached in the user's cache folder, so that the next
    command need not read them again. With `earlier`, the source is planned from what that survey
    discovered.

    Raises:
        CloudbillError: If the store cannot be listed.
    """
    store, discovery = (
        (earlier.store, earlier.discovery)
        if earlier
        else _discover(settings, keeps_manifests=keeps_manifests)
    )
    root, *_ = settings.provider.export_roots(settings.prefix, settings.export_name)
    address = store.uri(root)
    listen(Discovered(settings=settings, manifests=discovery.manifests, address=address))
    if present.table.of_no_month:
        listen(OddRows(settings=settings, rows=present.table.of_no_month))
    for failure in discovery.failures:
        listen(failure)
    plan = _plan(settings, present, selection, discovery=discovery, store=store)
    drifted = with_plan(present.drifted.values(), plan)
    asked = [one for one in drifted if selection.includes(one.record.period)]
    for event in asked:
        listen(event)
    for skip in plan.skips:
        listen(skip)
    return Survey(
        store=store,
        discovery=discovery,
        plan=plan,
        address=address,
        reasons=lost_months(settings.table_name, asked, plan),
        drifted=drifted,
    )


def _discover(settings: SourceSettings, *, keeps_manifests: bool) -> tuple[Store, Discovery]:
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
    return store, discovery


def _plan(
    settings: SourceSettings,
    present: Present,
    selection: Selection,
    *,
    discovery: Discovery,
    store: Store,
) -> Plan:
    remembered = present.remembered
    guards = Guards(
        max_row_drop=settings.max_row_drop,
        max_cost_drop=settings.max_cost_drop,
        cost_trifle=settings.cost_trifle,
        billed_column=settings.provider.BILLED_COLUMN,
        accepted=remembered.accepted,
        dismissed=remembered.dismissed,
        now=utc_now(),
        max_wait=settings.max_wait,
    )

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
        guards=guards,
        to_load=to_load,
        scopes=remembered.scopes,
    )
