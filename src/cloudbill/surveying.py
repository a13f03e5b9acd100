"""Discovers the runs of a source and plans its months; changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloudbill.exports.discovery import Discovery, discover
from cloudbill.exports.manifest_cache import ManifestCache, open_manifest_cache
from cloudbill.guards import Guards
from cloudbill.ledger.state import Remembered
from cloudbill.loading.events import Discovered, Drifted, Event
from cloudbill.models import BillingPeriod, LoadRecord, Manifest, ManifestFailure, Plan, PlannedLoad
from cloudbill.planning import Selection, plan_loads
from cloudbill.store import Store, open_store

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings


__all__ = ["Prepared", "prepare"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A source that was discovered and planned, before anything is changed."""

    store: Store
    plan: Plan
    manifest_failures: tuple[ManifestFailure, ...]


def prepare(
    settings: SourceSettings,
    remembered: Remembered,
    selection: Selection,
    listen: Callable[[Event], None],
    *,
    versions: Mapping[BillingPeriod, str],
    held: Mapping[BillingPeriod, int],
    keeps_manifests: bool = False,
) -> Prepared:
    """Discovers the runs of a source and plans its months; changes nothing.

    But with `keeps_manifests` the next one need not read again what the manifests said.

    `versions` marks what the months held before `remembered` was read, `held` counts the rows that
    they hold: a month that does not hold what was recorded is loaded again.

    Raises:
        CloudbillError: If the store cannot be listed.
    """
    provider = settings.provider
    store = open_store(
        settings.bucket, sections=settings.sections, retry_for_s=settings.retry_for_s
    )
    cache = open_manifest_cache(store, settings, is_written=keeps_manifests)
    discovery = _discover(settings, store, cache, listen)
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


def _discover(
    settings: SourceSettings,
    store: Store,
    cache: ManifestCache,
    listen: Callable[[Event], None],
) -> Discovery:
    """The runs of a source, and the manifests that cannot be read; tells of both."""
    provider = settings.provider
    discovery = discover(
        store, provider, prefix=settings.prefix, export_name=settings.export_name, cache=cache
    )
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
    return discovery


def _find_drifted(
    remembered: Remembered, held: Mapping[BillingPeriod, int]
) -> dict[BillingPeriod, Drifted]:
    """The months that do not hold the rows that were recorded."""
    return {
        period: Drifted(record=record, held=held.get(period, 0))
        for period, record in remembered.loaded.items()
        if record.rows is not None and record.rows != held.get(period, 0)
    }
