"""Reads the files of the loaded months again, and the warehouse again, and compares the two.

Nothing comes from the load except which run a month holds, which the ledger says. The rows and
totals in the ledger are also compared with the table. Nothing is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cloudbill.errors import CloudbillError, PartMissingError, VerificationError
from cloudbill.exports.discovery import Discovery, discover
from cloudbill.ledger import Ledger
from cloudbill.looking.comparison import MonthReport, Verdict, judge_month
from cloudbill.looking.part_totals import sum_parts
from cloudbill.manifests import DiscoveredRun
from cloudbill.models import LoadRecord
from cloudbill.periods import BillingPeriod
from cloudbill.store import Store, open_store
from cloudbill.surveying import Present, read_present
from cloudbill.text.counts import counted
from cloudbill.warehouses import Warehouse, open_warehouse

if TYPE_CHECKING:
    from cloudbill.costs.daily_totals import DailyTotals
    from cloudbill.settings import SourceSettings

__all__ = ["MonthFailure", "Verified", "verify_source"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthFailure:
    """A month whose files or table could not be read, and why; other months are not affected."""

    source: str
    period: BillingPeriod
    run_id: str
    error: CloudbillError


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What became of a source; `error` is what ended it, if anything did.

    `rows_of_no_month` are rows of the table that no month has; 0 where months were asked for.
    `recorded` are all months that the ledger or the table has. Where there are none, `unloaded`
    counts the runs that lie in the store.
    """

    settings: SourceSettings
    months: tuple[MonthReport, ...] = ()
    rows_of_no_month: int = 0
    recorded: frozenset[BillingPeriod] = frozenset()
    unloaded: int = 0
    failures: tuple[MonthFailure, ...] = ()
    error: CloudbillError | None = None

    def exit_code(self, *, strict: bool) -> int:
        """The highest exit code of its errors, or 7 if a month differs, or 0.

        Rows of no month make the sum of the table differ from the months, so they are 7 as well.
        So are runs of which none was ever loaded.

        With `strict`, a month that cannot be checked counts as different, and so does a source
        that has nothing to check.
        """
        errors = [failure.error for failure in self.failures]
        errors += [self.error] if self.error else []
        codes = [error.exit_code for error in errors]
        verdicts = {month.verdict for month in self.months}
        is_unsure = Verdict.NOT_CHECKABLE in verdicts or not (self.months or errors)
        is_different = Verdict.DIFFERENT in verdicts or self.rows_of_no_month + self.unloaded > 0
        if is_different or (strict and is_unsure):
            codes.append(VerificationError.exit_code)
        return max(codes, default=0)


def verify_source(
    settings: SourceSettings,
    periods: frozenset[BillingPeriod],
    listen: Callable[[MonthReport], None],
) -> Verified:
    """Verifies every month that is loaded or in the table, or the months that are asked for.

    A month that cannot be read does not stop the others. An error that ends a source is in the
    result.
    """
    months: list[MonthReport] = []
    failures: list[MonthFailure] = []
    error: CloudbillError | None = None
    of_no_month = unloaded = 0
    recorded: frozenset[BillingPeriod] = frozenset()
    try:
        with closing(open_warehouse(settings.warehouse, read_only=True)) as warehouse:
            present = read_present(settings, warehouse)
            of_no_month = 0 if periods else present.table.of_no_month
            recorded = present.periods
            for found in _verify_months(settings, warehouse, present, periods):
                if isinstance(found, MonthFailure):
                    failures.append(found)
                else:
                    months.append(found)
                    listen(found)
            if not months and not failures:
                unloaded = _discover(settings, _open_store(settings)).manifests
    except CloudbillError as caught:
        error = caught
    return Verified(
        settings=settings,
        months=tuple(months),
        rows_of_no_month=of_no_month,
        recorded=recorded,
        unloaded=unloaded,
        failures=tuple(failures),
        error=error,
    )


def _verify_months(
    settings: SourceSettings,
    warehouse: Warehouse,
    present: Present,
    periods: frozenset[BillingPeriod],
) -> Iterator[MonthReport | MonthFailure]:
    """The months, newest first."""
    loaded = present.loaded
    month = _Verifier(settings, warehouse, Ledger(settings, warehouse))
    # A month that no load accounts for adds to the bill as well.
    for period in sorted(periods or {*loaded, *present.table.months}, reverse=True):
        record = loaded.get(period)
        yield month.unrecorded(period) if record is None else month.verify(record)


class _Verifier:
    """Verifies one month after the other; lists the store once, when it is first needed."""

    def __init__(self, settings: SourceSettings, warehouse: Warehouse, ledger: Ledger) -> None:
        self._settings = settings
        self._warehouse = warehouse
        self._ledger = ledger
        self._found: tuple[Store, Discovery] | None = None
        self._headers: Mapping[str, str] | None = None

    def unrecorded(self, period: BillingPeriod) -> MonthReport:
        """The report of a month that was asked for, and that the ledger does not have."""
        in_table = self._warehouse.daily_totals(self._settings.table_name, period)
        return MonthReport(
            source=self._settings.source,
            period=period,
            run_id=None,
            verdict=Verdict.NOT_CHECKABLE,
            warehouse_rows=in_table.rows,
            reason="no load of it is recorded; the table holds "
            f"{counted(in_table.rows, 'row')} of it",
        )

    def verify(self, record: LoadRecord) -> MonthReport | MonthFailure:
        """The report of a month that the ledger has."""
        store, discovery = self._discover()
        try:
            report = self._compare(record, store, discovery)
            if report.verdict is Verdict.DIFFERENT and self._was_replaced(record):
                return MonthReport(
                    source=self._settings.source,
                    period=record.period,
                    run_id=record.run_id,
                    verdict=Verdict.NOT_CHECKABLE,
                    reason="the month was loaded again while it was read; verify it again",
                )
            if report.verdict is Verdict.DIFFERENT:
                report = self._with_doubt(report)
        except CloudbillError as error:
            return MonthFailure(
                source=self._settings.source,
                period=record.period,
                run_id=record.run_id,
                error=error,
            )
        return report

    def _with_doubt(self, report: MonthReport) -> MonthReport:
        """The report, with why the account may not see what the table holds, if it may not."""
        columns = {one.column for one in report.differences}
        columns |= {one.column for one in report.record_differences}
        doubt = self._warehouse.doubt_of(self._settings.table_name, columns)
        return report if doubt is None else replace(report, reason=f"{report.reason}. {doubt}")

    def _compare(self, record: LoadRecord, store: Store, discovery: Discovery) -> MonthReport:
        in_table = self._warehouse.daily_totals(self._settings.table_name, record.period)
        run = _find_run(discovery, record)
        unread = _why_not_readable(run, record, discovery)
        files: DailyTotals | None = None
        if run is not None and not unread:
            try:
                files = self._sum_files(store, run)
            except PartMissingError as error:
                unread = str(error)
        if files is not None and run is not None and not run.manifest.parts and in_table.rows == 0:
            files, unread = None, "the run has no parts, and the table holds no rows of the month"
        return judge_month(
            self._settings.source, record, files=files, warehouse=in_table, unread=unread
        )

    def _sum_files(self, store: Store, run: DiscoveredRun) -> DailyTotals:
        if self._headers is None:
            self._headers = self._warehouse.headers(self._settings.table_name)
        return sum_parts(store, run.manifest, self._settings, self._headers)

    def _discover(self) -> tuple[Store, Discovery]:
        if self._found is None:
            store = _open_store(self._settings)
            self._found = store, _discover(self._settings, store)
        return self._found

    def _was_replaced(self, record: LoadRecord) -> bool:
        """Whether another process recorded a load of the month since this one began."""
        return self._ledger.loaded().get(record.period) != record


def _open_store(settings: SourceSettings) -> Store:
    return open_store(settings.bucket, sections=settings.sections, retry_for_s=settings.retry_for_s)


def _discover(settings: SourceSettings, store: Store) -> Discovery:
    return discover(
        store, settings.provider, prefix=settings.prefix, export_name=settings.export_name
    )


def _find_run(discovery: Discovery, record: LoadRecord) -> DiscoveredRun | None:
    """The loaded run, from the best of its manifests if a copy tool left it in two places."""
    found = [
        run
        for run in discovery.runs
        if run.manifest.run_id == record.run_id and run.manifest.period == record.period
    ]
    return min(found, key=lambda run: (len(run.missing), run.manifest.path), default=None)


def _why_not_readable(run: DiscoveredRun | None, record: LoadRecord, discovery: Discovery) -> str:
    """Why the files of a month cannot be read, or empty if they can."""
    if run is None:
        why = f"the store has no manifest of run {record.run_id} any more"
        if discovery.failures:
            why += f", or it is one of the {len(discovery.failures)} that cannot be read"
        return why
    if run.missing:
        first = run.missing[0].path
        return (
            f"{len(run.missing)} of its {counted(len(run.manifest.parts), 'part')} "
            f"{'is' if len(run.missing) == 1 else 'are'} gone or cut short, "
            f"such as {first}"
        )
    return ""
