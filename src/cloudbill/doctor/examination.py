"""Checks every source, and compares its ledger, tracking table and table."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from cloudbill.costs.month_totals import shown_differences
from cloudbill.doctor.check import Check, failed_check
from cloudbill.doctor.double_deliveries import double_check, find_double_deliveries
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
)
from cloudbill.loading.drift import TYPE_BACK
from cloudbill.loading.unaccounted import table_for_people
from cloudbill.looking.status_reading import status_before, with_survey
from cloudbill.manifests import Manifest
from cloudbill.models import LoadRecord, Reason
from cloudbill.periods import BillingPeriod, utc_now
from cloudbill.planning import Selection
from cloudbill.surveying import Present, compare_recorded, read_present, survey
from cloudbill.text.counts import counted
from cloudbill.text.odd_rows import odd_rows_found, odd_rows_remedy
from cloudbill.warehouses import open_warehouse

if TYPE_CHECKING:
    from cloudbill.exports.discovery import Discovery
    from cloudbill.settings import SourceSettings
    from cloudbill.store import Store
    from cloudbill.text.failures import SourceFailure

__all__ = ["Check", "Examined", "examine", "examine_source", "put_together"]

_SUBJECTS: Final[Mapping[type[CloudbillError], str]] = {
    HeldError: "held run",
    LastTryError: "last load",
    StaleError: "late delivery",
    VerificationError: "lost month",
}
_WAIT_S: Final = 20.0
"""Somebody waits for the answer, and a store or file that is busy is an answer too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What was found of one source, and the manifests of its runs."""

    source: str
    checks: tuple[Check, ...]
    manifests: tuple[Manifest, ...] = ()
    is_read: bool = False
    """Whether its warehouse could be read."""


def examine(sources: Sequence[SourceSettings]) -> tuple[Check, ...]:
    """Checks the machine, and each source with its store and warehouse; changes nothing."""
    return put_together(sources, [*map(examine_source, sources)])


def examine_source(settings: SourceSettings) -> Examined:
    """Checks a source with its store and warehouse; changes nothing."""
    missing = tuple(check_clients(settings))
    if missing:
        return Examined(source=settings.source, checks=missing)
    impatient = replace(
        settings,
        lock_timeout_s=min(settings.lock_timeout_s, _WAIT_S),
        retry_for_s=min(settings.retry_for_s, _WAIT_S),
    )
    store = check_store(impatient)
    checks = (*store.checks, *_warehouse_checks(impatient, store))
    return Examined(
        source=settings.source,
        checks=checks,
        manifests=store.manifests,
        is_read=all(check.subject != _warehouse_of(settings) for check in checks),
    )


def put_together(
    sources: Sequence[SourceSettings],
    examined: Sequence[Examined],
    ended: Sequence[SourceFailure] = (),
    views: Sequence[Check] = (),
    together: Sequence[Collection[str]] = (),
) -> tuple[Check, ...]:
    """The checks of the machine, of each source, and of what only all of them show.

    `ended` are the sources that could not be examined, and why; `views` are the checks of the
    views, and `together` the sources that one of them is over.
    """
    counted = {settings.source for settings in sources if settings.in_focus}
    delivered = {one.source: one.manifests for one in examined if one.source in counted}
    return (
        check_versions(),
        check_configuration(sources, ended),
        # A file that several sources are in is told of once.
        *dict.fromkeys(check for one in examined for check in one.checks),
        *views,
        *(double_check(double, together) for double in find_double_deliveries(delivered)),
    )


def _warehouse_checks(settings: SourceSettings, store: StoreChecks) -> Iterator[Check]:
    loaded: Mapping[BillingPeriod, LoadRecord] = {}
    try:
        yield from check_warehouse(settings, store.bucket_location, store.newest_run)
        with closing(open_warehouse(settings.warehouse, read_only=True)) as warehouse:
            present = read_present(settings, warehouse)
            present = compare_recorded(settings, warehouse, present, trusts_file=False)
            loaded = present.remembered.loaded
        reasons = [] if store.found is None else _reasons(settings, present, *store.found)
        lost = {one.period for one in reasons if isinstance(one.error, VerificationError)}
        yield from _ledger_checks(settings, present, lost=lost)
        yield from (_reason_check(settings, reason) for reason in reasons)
    except CloudbillError as error:
        yield failed_check(_warehouse_of(settings), error)
    if store.newest is not None:
        yield from check_disk(settings, _sizes(store.newest, loaded), is_local=store.is_local)


def _warehouse_of(settings: SourceSettings) -> str:
    return f"{settings.source}: warehouse"


def _sizes(
    newest: Mapping[BillingPeriod, Manifest], loaded: Mapping[BillingPeriod, LoadRecord]
) -> list[int]:
    """The bytes of each month that the next load may replace."""
    return [
        manifest.size or 0
        for period, manifest in newest.items()
        if period not in loaded or loaded[period].run_id != manifest.run_id
    ]


def _reasons(
    settings: SourceSettings, present: Present, store: Store, discovery: Discovery
) -> list[Reason]:
    """What else `status --check` ends for: held, waiting, late, lost or never delivered."""
    # The checks of the table say how to see rows of no month.
    table = replace(present.table, of_no_month=0)
    present = replace(present, table=table)
    found = survey(settings, present, Selection(), lambda _: None, discovered=(store, discovery))
    status = with_survey(status_before(settings, utc_now(), by_key=True), present, found)
    stale = [] if status.stale is None else [Reason(error=status.stale)]
    # Of what the next load mends, the checks of the ledger say each difference.
    mended = {one.record.period for one in found.drifted if one.is_loaded_again}
    mended |= {one.period for one in found.unrecorded if one.is_replaced}
    return [*stale, *(one for one in status.reasons if not _is_changed(one, mended))]


def _is_changed(reason: Reason, mended: Collection[BillingPeriod]) -> bool:
    return isinstance(reason.error, VerificationError) and reason.period in mended


def _reason_check(settings: SourceSettings, reason: Reason) -> Check:
    month = "" if reason.period is None else f" {reason.period}"
    # Of a load that failed earlier `doctor` only says that there is something to look at.
    is_earlier = isinstance(reason.error, LastTryError)
    return Check(
        subject=f"{settings.source}: {_SUBJECTS.get(type(reason.error), 'export')}{month}",
        found=str(reason.error),
        remedy="",
        exit_code=1 if is_earlier else reason.error.exit_code,
    )


def _ledger_checks(
    settings: SourceSettings,
    present: Present,
    *,
    lost: Collection[BillingPeriod | None],
) -> list[Check]:
    """What is odd in ledger, tracking table and table; of `lost` months a reason says it."""
    loaded, rows = present.remembered.loaded, present.rows
    tracked = present.ledger.newest_tracked
    subject = f"{settings.source}: {settings.table_name}"
    checks = [
        Check(subject=f"{subject} {period}", found=problem, remedy=remedy)
        for period in sorted({*loaded, *tracked, *rows}, reverse=True)
        for problem, remedy in (
            *_costs_without_currency(loaded.get(period)),
            *_record_differences(loaded.get(period), tracked.get(period)),
            *_lost_cells(period, present.ledger.untracked, tracked),
        )
    ]
    checks += [
        Check(
            subject=f"{subject} {period}",
            found=problem,
            remedy=remedy,
            exit_code=VerificationError.exit_code,
        )
        for period in sorted({*loaded, *rows} - {*lost}, reverse=True)
        for problem, remedy in _row_differences(settings.source, period, present, tracked)
    ]
    odd = list(_odd_rows(settings, subject, present.table.of_no_month))
    if checks or odd or lost:
        return checks + odd
    found = f"{counted(len(loaded), 'month')}, {counted(sum(rows.values()), 'row')}, as recorded"
    return [Check(subject=subject, found=found)]


def _costs_without_currency(record: LoadRecord | None) -> Iterator[tuple[str, str]]:
    """Money that no bill can be compared with."""
    if record is not None and record.currencyless is not None:
        yield f"{record.currencyless}: no bill can be compared with them", "export it again"


def _lost_cells(
    period: BillingPeriod,
    untracked: Iterable[LoadRecord],
    tracked: Mapping[BillingPeriod, LoadRecord],
) -> Iterator[tuple[str, str]]:
    """A run whose row is in the tracking table, but not all that is known of it."""
    for record in untracked:
        if (
            record.period == period
            and period in tracked
            and tracked[period].run_id == record.run_id
        ):
            found = f"the tracking table has lost a part of what is known of run {record.run_id}"
            yield found, "run `cloudbill load`, which writes it again"


def _odd_rows(settings: SourceSettings, subject: str, rows: int) -> Iterator[Check]:
    """Rows of no month, if there are any, and how to be rid of them."""
    if not rows:
        return
    dialect, table = table_for_people(settings)
    column = settings.provider.PERIOD_COLUMN
    yield Check(
        subject=subject,
        found=odd_rows_found(rows, settings.table_name, column),
        remedy=odd_rows_remedy(dialect, table, column),
        exit_code=VerificationError.exit_code,
    )


def _record_differences(
    loaded: LoadRecord | None, tracked: LoadRecord | None
) -> Iterator[tuple[str, str]]:
    """What the ledger and the tracking table say otherwise."""
    rebuild = "run `cloudbill state rebuild`"
    if loaded is None and tracked is not None:
        yield f"run {tracked.run_id} is in the tracking table, but the ledger has no run", rebuild
    elif loaded is not None and tracked is None:
        yield f"the ledger has run {loaded.run_id}, but the tracking table does not", rebuild
    elif loaded is not None and tracked is not None and tracked.run_id != loaded.run_id:
        found = f"the ledger has run {loaded.run_id}, the tracking table has run {tracked.run_id}"
        yield found, rebuild


def _row_differences(
    source: str,
    period: BillingPeriod,
    present: Present,
    tracked: Mapping[BillingPeriod, LoadRecord],
) -> Iterator[tuple[str, str]]:
    """Rows and costs of a month that are not those that were recorded."""
    loaded, rows = present.remembered.loaded.get(period), present.rows.get(period, 0)
    if loaded is None:
        if period not in tracked:
            held = counted(rows, "row that belongs", plural="rows that belong")
            found = f"{held} to no recorded load"
            load = f"cloudbill load {source} --month {period}"
            yield found, f"load the month: `{load}`, or delete the rows"
        return
    again = f"load it again: `cloudbill load {source} --force --month {period}`"
    if loaded.rows is not None and loaded.rows != rows:
        yield f"the ledger has {counted(loaded.rows, 'row')}, the table has {rows}", again
    drifted = present.differing.get(period)
    if drifted is not None:
        for found in shown_differences(drifted.differences, {}):
            yield found, again
        for found in shown_differences((), drifted.inexact):
            yield found, TYPE_BACK if drifted.is_refused else again
