"""Checks every source, and compares its ledger, tracking table and table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from cloudbill.doctor.check import Check, failed_check
from cloudbill.doctor.double_deliveries import find_double_deliveries
from cloudbill.doctor.machine import (
    check_clients,
    check_configuration,
    check_disk,
    check_versions,
)
from cloudbill.doctor.store import StoreChecks, check_store
from cloudbill.doctor.warehouse import check_warehouse
from cloudbill.errors import (
    CloudbillError,
    HeldError,
    LastTryError,
    StaleError,
    VerificationError,
    WaitingError,
)
from cloudbill.ledger import Ledger
from cloudbill.looking.reasons import reasons_of
from cloudbill.looking.status import status_before, with_store
from cloudbill.models import BillingPeriod, LoadRecord, Manifest, utc_now
from cloudbill.surveying import Found, Present, read_present
from cloudbill.warehouses import open_warehouse

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings

__all__ = ["Check", "examine"]

_SUBJECTS: Final[Mapping[type[CloudbillError], str]] = {
    HeldError: "held run",
    LastTryError: "last load",
    StaleError: "newest delivery",
    VerificationError: "lost rows",
    WaitingError: "waiting run",
}
_WAIT_S: Final = 20.0
"""Somebody waits for the answer, and a store or file that is busy is an answer too."""


def examine(sources: Sequence[SourceSettings]) -> tuple[Check, ...]:
    """Checks the machine, and each source with its store and warehouse; changes nothing."""
    checks = [check_versions(), check_configuration(sources)]
    delivered: dict[str, tuple[Manifest, ...]] = {}
    for settings in sources:
        missing = list(check_clients(settings))
        if missing:
            checks += missing
            continue
        impatient = replace(
            settings,
            lock_timeout_s=min(settings.lock_timeout_s, _WAIT_S),
            retry_for_s=min(settings.retry_for_s, _WAIT_S),
        )
        store = check_store(impatient)
        checks += store.checks
        delivered[settings.source] = store.manifests
        checks += _warehouse_checks(impatient, store)
    return (*checks, *find_double_deliveries(delivered))


def _warehouse_checks(settings: SourceSettings, store: StoreChecks) -> Iterator[Check]:
    loaded: Mapping[BillingPeriod, LoadRecord] = {}
    try:
        yield from check_warehouse(settings, store.bucket_location)
        with closing(open_warehouse(settings.warehouse, read_only=True)) as warehouse:
            present = read_present(settings, warehouse)
            loaded = present.remembered.loaded
            tracked = Ledger(settings, warehouse).tracked()
        yield from _ledger_checks(settings, present, tracked)
        if store.found is not None:
            yield from _reason_checks(settings, present, store.found)
    except CloudbillError as error:
        yield failed_check(f"{settings.source}: warehouse", error)
    if store.newest is not None:
        yield from check_disk(settings, _sizes(store.newest, loaded), is_local=store.is_local)


def _sizes(
    newest: Mapping[BillingPeriod, Manifest], loaded: Mapping[BillingPeriod, LoadRecord]
) -> list[int]:
    """The bytes of each month that the next load may replace."""
    return [
        manifest.size or 0
        for period, manifest in newest.items()
        if period not in loaded or loaded[period].run_id != manifest.run_id
    ]


def _reason_checks(settings: SourceSettings, present: Present, found: Found) -> Iterator[Check]:
    """What else `status --check` ends for: held, waiting, stale, lost or never delivered."""
    status = with_store(status_before(settings, utc_now(), by_key=True), present, found)
    told = {id(failure.error) for failure in status.manifest_failures}
    for reason in reasons_of(status):
        if id(reason.error) not in told:
            where = (
                settings.source if reason.period is None else f"{settings.source} {reason.period}"
            )
            code = reason.error.exit_code
            yield Check(
                subject=f"{where}: {_SUBJECTS.get(type(reason.error), 'export')}",
                found=str(reason.error),
                remedy="see the message",
                # Of a load that failed earlier `doctor` only says that there is a thing to look at.
                exit_code=1 if isinstance(reason.error, LastTryError) else code,
            )


def _ledger_checks(
    settings: SourceSettings, present: Present, tracked: Mapping[BillingPeriod, LoadRecord]
) -> list[Check]:
    loaded, rows = present.remembered.loaded, present.rows
    subject = f"{settings.source}: {settings.table_name}"
    checks = [
        Check(subject=f"{subject} {period}", found=problem, remedy=remedy)
        for period in sorted({*loaded, *tracked, *rows}, reverse=True)
        for problem, remedy in _differences(
            loaded.get(period), tracked.get(period), rows.get(period, 0)
        )
    ]
    return checks or [
        Check(
            subject=subject,
            found=f"{len(loaded)} months, {sum(rows.values())} rows, as recorded",
        )
    ]


def _differences(
    loaded: LoadRecord | None, tracked: LoadRecord | None, rows: int
) -> Iterable[tuple[str, str]]:
    rebuild = "run `cloudbill state rebuild`"
    if loaded is None:
        if tracked is None:
            yield (
                f"{rows} rows that belong to no recorded load",
                "load the month, or delete the rows",
            )
        else:
            yield (
                f"run {tracked.run_id} is in the tracking table, but the ledger has no run",
                rebuild,
            )
        return
    if tracked is None:
        yield f"the ledger has run {loaded.run_id}, but the tracking table does not", rebuild
    elif tracked.run_id != loaded.run_id:
        found = f"the ledger has run {loaded.run_id}, the tracking table has run {tracked.run_id}"
        yield found, rebuild
    if loaded.rows is not None and loaded.rows != rows:
        found = f"the ledger has {loaded.rows} rows, the table has {rows}"
        yield found, f"load it again: `cloudbill load --force --month {loaded.period}`"
