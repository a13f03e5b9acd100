"""What is loaded now, and what a load would do: discovers and plans, changes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from cloudbill.errors import CloudbillError, ManifestError, WaitingError
from cloudbill.exports.absence import absence_of, unannounced
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
    Part,
    Plan,
    PlannedLoad,
    Reason,
    Skip,
    SkipReason,
    TableMonth,
    utc_now,
)
from cloudbill.planning import Selection, plan_loads
from cloudbill.setup.nearest import nearest_names
from cloudbill.store import Store, open_store
from cloudbill.text.times import shown_time

if TYPE_CHECKING:
    from cloudbill.ledger.state import Remembered
    from cloudbill.settings import SourceSettings
    from cloudbill.warehouses import Warehouse

__all__ = ["Found", "Present", "Survey", "find_runs", "read_present", "survey"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What is loaded now: the records of the ledger, and the rows of each month in the table."""

    remembered: Remembered
    months: Mapping[BillingPeriod, TableMonth]

    @property
    def rows(self) -> dict[BillingPeriod, int]:
        """The rows of each month in the table."""
        return {period: month.rows for period, month in self.months.items()}

    @property
    def periods(self) -> frozenset[BillingPeriod]:
        """The months that the ledger or the table knows."""
        return frozenset({*self.remembered.loaded, *self.months})


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
class Found:
    """What the store of a source has; `address` is the folder that was listed."""

    store: Store
    discovery: Discovery
    address: str

    @property
    def manifests(self) -> int:
        """How many manifests there are, whether or not they can be read."""
        return len(self.discovery.runs) + len(self.discovery.failures)

    @property
    def failures(self) -> tuple[ManifestFailure, ...]:
        """The manifests that cannot be read; only the newest where all have the same fault."""
        failures = self.discovery.failures
        errors = [one.error for one in failures if isinstance(one.error, ManifestError)]
        faults = {(error.problem, error.key) for error in errors}
        is_same = len(errors) == len(failures) > 1 and len(faults) == 1
        if self.discovery.runs or not is_same:
            return failures
        newest = max(failures, key=lambda one: self.discovery.listing[one.path].modified_at)
        ((problem, key),) = faults
        fault = (
            f"All {len(failures)} manifests have the same fault, so it is in the export, or in "
            f"what copies it, and another delivery will not help: {problem}"
        )
        error = ManifestError(fault, path=newest.path, key=key)
        return (ManifestFailure(path=newest.path, error=error),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """A source that was discovered and planned; `address` is the folder that was listed.

    `reasons` are what a person should look at, although everything could be read.
    """

    store: Store
    plan: Plan
    address: str
    manifests: int
    manifest_failures: tuple[ManifestFailure, ...]
    reasons: tuple[Reason, ...] = ()


def find_runs(settings: SourceSettings, *, keeps_manifests: bool = False) -> Found:
    """Lists the export of a source and reads its manifests; changes nothing.

    With `keeps_manifests`, what the manifests said is kept in the user's cache folder, so that the
    next run need not read them again.

    Raises:
        CloudbillError: If the store cannot be opened or listed.
    """
    store = open_store(
        settings.bucket, sections=settings.sections, retry_for_s=settings.retry_for_s
    )
    discovery = discover(
        store,
        settings.provider,
        prefix=settings.prefix,
        export_name=settings.export_name,
        cache=open_manifest_cache(store, settings, is_written=keeps_manifests),
    )
    root, *_ = settings.provider.export_roots(settings.prefix, settings.export_name)
    return Found(store=store, discovery=discovery, address=store.uri(root))


def survey(
    settings: SourceSettings,
    present: Present,
    selection: Selection,
    listen: Callable[[Event], None],
    *,
    keeps_manifests: bool = False,
    found: Found | None = None,
    now: datetime | None = None,
) -> Survey:
    """Discovers the runs of a source, unless they are `found`, and plans its months.

    It changes nothing except what `find_runs` keeps. `now` decides how long a run has waited.

    Raises:
        CloudbillError: If the store cannot be listed.
    """
    found = found or find_runs(settings, keeps_manifests=keeps_manifests)
    now = now or utc_now()
    discovery = found.discovery
    event = Discovered(
        settings=settings,
        manifests=found.manifests,
        address=found.address,
    )
    absence = _absence(settings, present, found, now)
    listen(event if absence is None else replace(event, is_explained=True))
    for failure in found.failures:
        listen(failure)
    plan = _plan(
        settings, present, selection, discovery=discovery, store=found.store, listen=listen
    )
    for skip in plan.skips:
        listen(skip)
    return Survey(
        store=found.store,
        plan=plan,
        address=found.address,
        manifests=event.manifests,
        manifest_failures=found.failures,
        reasons=(
            *([] if absence is None else [Reason(error=absence)]),
            *_waiting_too_long(settings, plan.skips, now),
        ),
    )


def _absence(
    settings: SourceSettings, present: Present, found: Found, now: datetime
) -> CloudbillError | None:
    """Why there are no manifests, or none of the newest files; None where that is in order."""
    discovery = found.discovery
    if discovery.runs or discovery.failures:
        return unannounced(found.store, settings, discovery, now)
    return absence_of(
        found.store,
        settings,
        discovery,
        is_loaded=bool(present.remembered.loaded),
        nearest=lambda: nearest_names(found.store, settings),
    )


def _waiting_too_long(
    settings: SourceSettings, skips: Iterable[Skip], now: datetime
) -> Iterator[Reason]:
    """The newest run of each month that has lacked a part for longer than `max_wait`."""
    late: dict[BillingPeriod, list[Manifest]] = defaultdict(list)
    for skip in skips:
        manifest = skip.manifest
        is_waiting = skip.reason is SkipReason.WAITING
        if is_waiting and now - manifest.newest_file_at(now) > settings.max_wait:
            late[manifest.period].append(manifest)
    for period, manifests in late.items():
        newest = max(manifests, key=lambda manifest: manifest.submitted_at)
        missing = [part for part in newest.parts if not part.is_whole]
        others = f" (and {len(manifests) - 1} older runs)" if len(manifests) > 1 else ""
        error = WaitingError(
            f"Run {newest.run_id} of {period}{others} has lacked {len(missing)} of its "
            f"{len(newest.parts)} parts since {shown_time(newest.newest_file_at(now))} UTC, which "
            f"is longer than 'max_wait' allows{_such_as(missing)}. Look at what copies the export "
            "into the store, and deliver the run again; if it is of no use, delete its manifest, "
            f"{newest.path}"
        )
        yield Reason(error=error, period=period, run_id=newest.run_id)


def _such_as(missing: Sequence[Part]) -> str:
    """The first of the parts that are missing or cut short."""
    for part in missing:
        if part.stored is None:
            return f": {part.path} is missing"
        return f": {part.path} has {part.stored.size} of {part.size} bytes"
    return ""


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
