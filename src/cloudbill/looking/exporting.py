"""Writes bills into files, and compares each file with the table before it gets its name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb

from cloudbill.costs.amounts import shown_costs
from cloudbill.costs.month_totals import spans_of
from cloudbill.costs.sums import Charges, GroupSums, SumQuery
from cloudbill.disk.room import full_disk_of
from cloudbill.errors import ConfigError, LoadError, VerificationError
from cloudbill.files.damage import reason_of
from cloudbill.focus.views import FAULTS, FOCUS
from cloudbill.looking.export_files import Files
from cloudbill.manifests import ColumnType
from cloudbill.periods import BillingPeriod, utc_now
from cloudbill.sql import DUCKDB, Fragment
from cloudbill.text.months import require_known
from cloudbill.warehouses import open_warehouse
from cloudbill.warehouses.asking import RowsToCopy

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings
    from cloudbill.warehouses import Warehouse

__all__ = [
    "Bill",
    "ExportedMonth",
    "MonthSums",
    "bill_of_table",
    "bill_of_view",
    "export_bill",
    "writing_to",
]

_BILLED: Final = "billed"
_SOURCE: Final = "x_Source"
_TIMES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """A table or view that is exported, and the columns that tell month, currency and cost."""

    settings: SourceSettings
    name: str
    month: str
    currency: str
    billed: str
    is_view: bool
    sources: tuple[str, ...] = ()
    """Whose rows of a view are meant; all of them if none is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthSums:
    """The rows of a month and what they bill by currency; None where that is not exact."""

    rows: int
    billed: Mapping[str, Decimal] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedMonth:
    """A month that was written, and what is in its file."""

    bill: Bill
    period: BillingPeriod
    sums: MonthSums
    file: Path


def bill_of_table(settings: SourceSettings) -> Bill:
    """The table of a source."""
    provider = settings.provider
    return Bill(
        settings=settings,
        name=settings.table_name,
        month=provider.PERIOD_COLUMN,
        currency=provider.CURRENCY_COLUMN,
        billed=provider.BILLED_COLUMN,
        is_view=False,
    )


def bill_of_view(settings: SourceSettings, name: str, sources: tuple[str, ...]) -> Bill:
    """A view of the dataset of a source, or the rows of some sources in it.

    Raises:
        ConfigError: If it is none that can be exported.
    """
    # A filter by the time lets BigQuery read one month alone; the faults have only its text.
    months = {FOCUS: "BillingPeriodStart", FAULTS: "x_BillingMonth"}
    if name not in months:
        raise ConfigError(f"--view is {' or '.join(months)}, not '{name}'")
    return Bill(
        settings=settings,
        name=name,
        month=months[name],
        currency="BillingCurrency",
        billed="BilledCost",
        is_view=True,
        sources=sources,
    )


def export_bill(
    bill: Bill,
    periods: Collection[BillingPeriod],
    files: Files,
    *,
    wrote: Callable[[ExportedMonth], None],
    warn: Callable[[str], None],
    scans: Callable[[BillingPeriod, int], None],
) -> None:
    """Writes the months of a table or view, or some of them, newest last.

    Raises:
        ConfigError: If nothing is loaded, or nothing of a month that is asked for.
        VerificationError: If a file does not have what the table has.
        LoadError: If the table cannot be read.
    """
    with closing(open_warehouse(bill.settings.warehouse, read_only=True)) as warehouse:
        table = _Table(warehouse, bill)
        there, of_no_month = table.sums(periods)
        if not (there or periods):
            made = "cloudbill focus" if bill.is_view else "cloudbill load"
            raise ConfigError(
                f"{bill.settings.dataset}.{bill.name} is not there, or has no rows: nothing "
                f"of it is exported. Run `{made}` first"
            )
        require_known(frozenset(periods), there, utc_now())
        if of_no_month and not periods:
            warn(f"{bill.name} has {of_no_month:,} rows of no month, which are in no file")
        for period in sorted(there):
            wrote(_export_month(table, period, there[period], files, scans))


def _export_month(
    table: _Table,
    period: BillingPeriod,
    expected: MonthSums,
    files: Files,
    scans: Callable[[BillingPeriod, int], None],
) -> ExportedMonth:
    """Writes a month; once more where it was replaced between its sums and its rows."""
    bill, tries = table.bill, 0
    while True:
        tries += 1
        made = files.spool / "month.parquet"
        table.warehouse.copy_rows(table.rows(period), made, partial(scans, period))
        check = partial(_check, bill=bill, period=period, expected=expected)
        try:
            file = files.add(bill.name, period, made, check)
        except VerificationError:
            now = table.sums([period])[0].get(period)
            if now is None or now == expected or tries == _TIMES:
                raise
            expected = now
        else:
            return ExportedMonth(bill=bill, period=period, sums=expected, file=file)


class _Table:
    """A table or view, as a warehouse has it."""

    def __init__(self, warehouse: Warehouse, bill: Bill) -> None:
        self.warehouse = warehouse
        self.bill = bill
        views = warehouse.views
        self._charges = Charges(
            dialect=views.dialect.sql,
            relation=views.dialect.sql.compose("{table}", table=views.path(bill.name)),
            kinds=views.kinds(bill.name),
        )

    def rows(self, period: BillingPeriod) -> RowsToCopy:
        """The rows of a month."""
        return RowsToCopy(
            name=self.bill.name,
            period=period,
            where=self._where([period]),
            partitioned_by=None if self.bill.is_view else self.bill.month,
        )

    def sums(
        self, periods: Collection[BillingPeriod]
    ) -> tuple[dict[BillingPeriod, MonthSums], int]:
        """The sums of some months, or of all, and how many rows are of no month.

        Those of a table are refused where the account is not shown all of its rows.
        """
        if not self._charges.kinds:
            return {}, 0
        return self._sums_of_view(periods) if self.bill.is_view else self._sums_of_table(periods)

    def _sums_of_table(
        self, periods: Collection[BillingPeriod]
    ) -> tuple[dict[BillingPeriod, MonthSums], int]:
        bill = self.bill
        found = self.warehouse.table_months(bill.name, bill.month)
        months = [one for one in found.months if not periods or one in periods]
        if not months:
            return {}, found.of_no_month
        totals = self.warehouse.month_totals(bill.name, months)
        key = bill.billed.lower()
        sums = {}
        for period, rows in totals.rows.items():
            by_currency = totals.months[period]
            is_summed = all(key in columns for columns in by_currency.values())
            billed = (
                {currency: columns[key] for currency, columns in by_currency.items()}
                if is_summed
                else None
            )
            sums[period] = MonthSums(rows=rows, billed=billed)
        return sums, found.of_no_month

    def _sums_of_view(
        self, periods: Collection[BillingPeriod]
    ) -> tuple[dict[BillingPeriod, MonthSums], int]:
        bill, charges, views = self.bill, self._charges, self.warehouse.views
        is_text = charges.kind(bill.month) is ColumnType.STRING
        month = charges.text(bill.month) if is_text else charges.month(bill.month)
        query = SumQuery(
            relation=charges.relation,
            columns={_BILLED: charges.value(bill.billed)},
            currency=charges.text(bill.currency),
            groups=(month,),
            where=self._where(periods),
        )
        rows = views.rows(query.statement(views.dialect.sql), what=f"Reading {bill.name}")
        by_month: dict[str, list[GroupSums]] = {}
        for group in query.read(rows):
            by_month.setdefault(group.groups[0], []).append(group)
        none = by_month.pop("", [])
        sums = {BillingPeriod.parse(month): _added(groups) for month, groups in by_month.items()}
        return sums, sum(group.rows for group in none)

    def _where(self, periods: Collection[BillingPeriod]) -> Fragment:
        """Whether a row is meant: of some months, or of any if none is named."""
        conditions = [self._of_months(periods)] if periods else []
        if self.bill.sources:
            conditions.append(self._is_one_of(_SOURCE, self.bill.sources))
        return Fragment(" AND ".join(map(str, conditions)) or "TRUE")

    def _of_months(self, periods: Collection[BillingPeriod]) -> Fragment:
        if self._charges.kind(self.bill.month) is ColumnType.STRING:
            return self._is_one_of(self.bill.month, map(str, periods))
        return self._charges.in_spans(self.bill.month, spans_of(periods))

    def _is_one_of(self, name: str, texts: Iterable[str]) -> Fragment:
        dialect = self.warehouse.views.dialect
        literals = [dialect.literal(text) for text in texts]
        return dialect.sql.compose("{name} IN ({literals})", name=name, literals=literals)


def _added(groups: Iterable[GroupSums]) -> MonthSums:
    groups = list(groups)
    return MonthSums(
        rows=sum(group.rows for group in groups),
        billed={group.currency: group.totals[_BILLED] for group in groups},
    )


def _check(
    connection: duckdb.DuckDBPyConnection,
    relation: Fragment,
    *,
    bill: Bill,
    period: BillingPeriod,
    expected: MonthSums,
) -> None:
    """Compares what was written with what was to be.

    Raises:
        VerificationError: If it differs.
    """
    kinds = {bill.currency: ColumnType.STRING, bill.billed: ColumnType.DECIMAL}
    amount = DUCKDB.compose("CAST({name} AS DECIMAL(38,18))", name=bill.billed)
    charges = Charges(dialect=DUCKDB, relation=relation, kinds=kinds)
    is_summed = expected.billed is not None
    query = SumQuery(
        relation=relation,
        columns={_BILLED: amount if is_summed else Fragment("0")},
        currency=charges.text(bill.currency),
    )
    found = _added(query.read(connection.execute(query.statement(DUCKDB).text).fetchall()))
    if not is_summed:
        found = replace(found, billed=None)
    if found != expected:
        raise VerificationError(
            f"{period} of {bill.name} was not exported: its file would have {_told(found)}, and "
            f"the warehouse has {_told(expected)}. Run again; report it if it happens again"
        )


def _told(sums: MonthSums) -> str:
    return f"{sums.rows:,} rows and {', '.join(shown_costs(sums.billed))}"


@contextmanager
def writing_to(output: Path) -> Iterator[None]:
    """Says why an export cannot be written, if that ended the block.

    Raises:
        ConfigError: If there is no room, or the place cannot be written.
        LoadError: If DuckDB cannot write a file for another reason.
    """
    try:
        yield
    except (OSError, duckdb.Error, LoadError) as error:
        what = f"The export cannot be written to {output}"
        remedy = "say where else with --output"
        full = full_disk_of(error, output, remedy=remedy)
        if full is not None:
            raise ConfigError(f"{what}: {full}") from error
        if isinstance(error, OSError):
            raise ConfigError(f"{what}: {error.strerror or error}. Or {remedy}") from error
        if isinstance(error, duckdb.Error):
            raise LoadError(f"{what}: {reason_of(error)}") from error
        raise
