"""How far to trust a report: the records are compared with the table; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from cloudbill.costs.amounts import add_amounts, subtract_amounts
from cloudbill.models import LoadRecord
from cloudbill.periods import BillingPeriod
from cloudbill.planning.doubles import Billed, Double, find_doubles
from cloudbill.providers.roles import CostKind
from cloudbill.report.model import AMOUNT, SourceReport

__all__ = [
    "Agreement",
    "AmountCheck",
    "Closing",
    "MonthTrust",
    "closings_of",
    "doubles_of",
    "is_complete",
    "missing_months",
    "months_of",
]


class Agreement(StrEnum):
    """Whether a month is still as it was recorded; the values appear in the page."""

    EQUAL = "equal"
    DIFFERENT = "different"
    ROWS_ONLY = "rows_only"
    """The rows agree, and no totals were recorded."""
    UNRECORDED = "unrecorded"
    """The ledger has no load, or not the number of its rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AmountCheck:
    """One cost column of a month in one currency: as recorded, and as it is in the table now."""

    currency: str
    column: str
    recorded: Decimal
    in_table: Decimal

    @property
    def difference(self) -> Decimal:
        """The amount of the table minus the recorded amount."""
        return subtract_amounts(self.in_table, self.recorded)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthTrust:
    """One month of a source; `is_complete` is None if that is unknown."""

    period: BillingPeriod
    record: LoadRecord | None
    rows_in_table: int
    agreement: Agreement
    amounts: tuple[AmountCheck, ...]
    is_complete: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """How the billed total of a month in one currency changed from load to load.

    The month closed with the first run that was submitted after its end, if there was one.
    """

    period: BillingPeriod
    currency: str
    loads: int
    first: Decimal
    now: Decimal
    closed: Decimal | None
    closed_at: datetime | None

    @property
    def since_close(self) -> Decimal | None:
        """The change of the total after the month had closed."""
        return None if self.closed is None else subtract_amounts(self.now, self.closed)


def is_complete(record: LoadRecord) -> bool | None:
    """Whether a run was submitted after the end of its month, and covers the last day."""
    if record.submitted_at is None:
        return None
    if record.covers_to is not None and record.covers_to < record.period.last_day:
        return False
    return record.submitted_at >= _end_of(record.period)


def months_of(report: SourceReport) -> tuple[MonthTrust, ...]:
    """Every month that is recorded or in the table, newest first."""
    in_table = _held_amounts(report)
    return tuple(
        _judge(
            period,
            report.loaded.get(period),
            report.rows_in_table.get(period, 0),
            in_table.get(str(period), {}),
        )
        for period in sorted({*report.loaded, *report.rows_in_table}, reverse=True)
    )


def missing_months(report: SourceReport) -> tuple[BillingPeriod, ...]:
    """The months without rows between the first and the last month with rows."""
    filled = sorted(period for period, rows in report.rows_in_table.items() if rows)
    if not filled:
        return ()
    missing: list[BillingPeriod] = []
    period = filled[0]
    while period < filled[-1]:
        if not report.rows_in_table.get(period):
            missing.append(period)
        period = period.next
    return tuple(missing)


def doubles_of(reports: Iterable[SourceReport]) -> list[Double]:
    """The sources whose tables hold the same charges, which the page would add up."""
    return find_doubles(
        {
            report.source: [
                Billed(cloud=report.cloud, dataset=report.title, scope=record.scope, period=period)
                for period, record in report.loaded.items()
                if report.rows_in_table.get(period)
            ]
            for report in reports
        }
    )


def closings_of(report: SourceReport) -> tuple[Closing, ...]:
    """The changes of every month that was loaded more than once, newest first."""
    rule = report.roles.costs.get(CostKind.BILLED)
    if rule is None:
        return ()
    loads: dict[BillingPeriod, list[LoadRecord]] = defaultdict(list)
    for record in report.tracked:
        if record.totals:
            loads[record.period].append(record)
    return tuple(
        closing
        for period in sorted(loads, reverse=True)
        if len(loads[period]) > 1
        for closing in _closings(period, loads[period], rule.otherwise)
    )


def _closings(period: BillingPeriod, loads: list[LoadRecord], column: str) -> Iterator[Closing]:
    currencies = sorted({currency for record in loads for currency in record.totals})
    closed = next((record for record in loads if is_complete(record)), None)
    for currency in currencies:
        totals = [_total(record, currency, column) for record in loads]
        yield Closing(
            period=period,
            currency=currency,
            loads=len(loads),
            first=totals[0],
            now=totals[-1],
            closed=None if closed is None else _total(closed, currency, column),
            closed_at=None if closed is None else closed.submitted_at,
        )


def _total(record: LoadRecord, currency: str, column: str) -> Decimal:
    amounts = {name.lower(): amount for name, amount in record.totals.get(currency, {}).items()}
    return amounts.get(column.lower(), Decimal(0))


def _held_amounts(report: SourceReport) -> Mapping[str, Mapping[tuple[str, str], Decimal]]:
    """The amounts of the table by month, then by currency and cost column in lower case."""
    cube = report.months
    columns = [
        (index, name.removeprefix(AMOUNT).lower())
        for index, name in enumerate(cube.measures)
        if name.startswith(AMOUNT)
    ]
    sums: dict[str, dict[tuple[str, str], Decimal]] = defaultdict(dict)
    for cell in cube.cells:
        month, currency = cell.key[0], cell.key[-1]
        for index, column in columns:
            key, amount = (currency, column), cell.amounts[index] or Decimal(0)
            sums[month][key] = add_amounts(sums[month].get(key, Decimal(0)), amount)
    return sums


def _judge(
    period: BillingPeriod,
    record: LoadRecord | None,
    rows_in_table: int,
    in_table: Mapping[tuple[str, str], Decimal],
) -> MonthTrust:
    amounts = () if record is None else tuple(_compare(record, in_table))
    if record is None or record.rows is None:
        agreement = Agreement.UNRECORDED
    elif record.rows != rows_in_table or any(amount.difference for amount in amounts):
        agreement = Agreement.DIFFERENT
    else:
        agreement = Agreement.EQUAL if record.totals or not rows_in_table else Agreement.ROWS_ONLY
    return MonthTrust(
        period=period,
        record=record,
        rows_in_table=rows_in_table,
        agreement=agreement,
        amounts=amounts,
        is_complete=None if record is None else is_complete(record),
    )


def _compare(
    record: LoadRecord, in_table: Mapping[tuple[str, str], Decimal]
) -> Iterator[AmountCheck]:
    """Compares recorded amounts with the table, and adds currencies that only the table has."""
    if not record.totals:
        return
    recorded = {
        (currency, column.lower()): (column, amount)
        for currency, columns in record.totals.items()
        for column, amount in columns.items()
    }
    names = {key[1]: column for key, (column, _) in recorded.items()}
    # A column that was added to the table later was not totalled, so it is not compared.
    for key in sorted({*recorded, *(key for key in in_table if key[1] in names)}):
        yield AmountCheck(
            currency=key[0],
            column=names[key[1]],
            recorded=recorded.get(key, ("", Decimal(0)))[1],
            in_table=in_table.get(key, Decimal(0)),
        )


def _end_of(period: BillingPeriod) -> datetime:
    day = period.last_day + timedelta(days=1)
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
