"""What is loaded now, and what a load would do: discovers and plans, changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloudbill.exports.discovery import Discovery, discover
from cloudbill.exports.manifest_cache import open_manifest_cache
from cloudbill.guards import Guards
from cloudbill.ledger import Ledger
from cloudbill.loading.events import Discovered, Drifted, Event
from cloudbill.models import (
    BillingPeriod,
    LoadRecord,
    Manifest,
    ManifestFailure,
    Plan,
    PlannedLoad,
    TableMonth,
)
from cloudbill.planning import Selection, plan_loads
from cloudbill.store import Store, open_store

if TYPE_CHECKING:
    from cloudbill.ledger.state import Remembered
    from cloudbill.settings import SourceSettings
    from cloudbill.warehouses import Warehouse

__all__ = ["Present", "Survey", "read_present", "survey"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What is loaded now: the records of the ledger, and the rows of each month in the table."""

    remembered: Remembered
    months: Mapping[BillingPeriod, TableMonth]

    @property
    def rows(self) -> dict[BillingPeriod, int]:
        """The rows of each month in the table."""
        return {period: month.rows for period, month in self.months.items()}


def read_present(settings: SourceSettings, warehouse: Warehouse) -> Present:
    """Reads what is loaded now.

    Raises:
        CloudbillError: If the table or the ledger cannot be read.
    """
    # The table is read before the ledger. If another process writes between the two, the table's
    # write mark changes, and a load that was planned from the old mark notices it.
    months = warehouse.table_months(settings.table_name, settings.provider.PERIOD_COLUMN)
    return Present(remembered=Ledger(settings, warehouse).read(), months=months)


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """A source that was discovered and planned; `address` is the folder that was listed."""

    store: Store
    plan: Plan
    address: str
    manifests: int
    manifest_failures: tuple[ManifestFailure, ...]


def survey(
    settings: SourceSettings,
    present: Present,
    selection: Selection,
    listen: Callable[[Event], None],
    *,
    keeps_manifests: bool = False,
) -> Survey:
    """Discovers the runs of a source and plans its months; changes nothing.

    With `keeps_manifests`, the manifests are cached in the user's cache folder, so that the next
    command need not read them again.

    Raises:
        CloudbillError: If the store cannot be listed.
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
    root, *_ = settings.provider.export_roots(settings.prefix, settings.export_name)
    found = Discovered(
        settings=settings,
        manifests=len(discovery.runs) + len(discovery.failures),
        address=store.uri(root),
    )
    listen(found)
    for failure in discovery.failures:
        listen(failure)
    plan = _plan(settings, present, selection, discovery=discovery, store=store, listen=listen)
    for skip in plan.skips:
        listen(skip)
    return Survey(
        store=store,
        plan=plan,
        address=found.address,
        manifests=found.manifests,
        manifest_failures=discovery.failures,
    )


def _plan(
    settings: SourceSettings,
    present: Present,
    selection: Selection,
    *,
    discovery: Discovery,
    store: Store,
    listen: Callable[[Event], None],
) -> Plan:
    remembered = present.remembered
    guards = Guards(max_row_drop=settings.max_row_drop, accepted=remembered.accepted)

    def to_load(manifest: Manifest, replaces: LoadRecord | None) -> PlannedLoad:
        month = present.months.get(manifest.period)
        return PlannedLoad(
            manifest=manifest,
            table=settings.table_name,
            period_column=settings.provider.PERIOD_COLUMN,
            uris=tuple(store.uri(part.path) for part in manifest.parts),
            replaces=replaces,
            is_forced=selection.force,
            write_mark=None if month is None else month.write_mark,
            min_rows=guards.min_rows(manifest, replaces),
        )

    drifted = _find_drifted(remembered, present.rows)
    for event in drifted.values():
        listen(event)
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
    )


def _find_drifted(
    remembered: Remembered, rows: Mapping[BillingPeriod, int]
) -> dict[BillingPeriod, Drifted]:
    """The months whose rows in the table are not those that were recorded."""
    return {
        period: Drifted(record=record, rows_in_table=rows.get(period, 0))
        for period, record in remembered.loaded.items()
        if record.rows is not None and record.rows != rows.get(period, 0)
    }
