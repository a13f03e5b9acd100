"""Compares the files of a month, its table and its record; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final

from cloudbill.costs.amounts import add_amounts, subtract_amounts, to_amount
from cloudbill.costs.daily_totals import DailyTotals, DayTotals
from cloudbill.costs.month_totals import RecordDifference, differing_totals
from cloudbill.costs.sums import without_zeros
from cloudbill.models import LoadRecord, Totals
from cloudbill.periods import BillingPeriod

__all__ = [
    "Difference",
    "MonthReport",
    "RecordDifference",
    "Verdict",
    "compare_record",
    "compare_totals",
    "judge_month",
]

_ROWS: Final = "rows"
_NONE: Final = DayTotals(rows=0, amounts={})
_ZERO: Final = to_amount(0)


class Verdict(StrEnum):
    """The result of verifying a month; the values appear in JSON output."""

    EQUAL = "equal"
    DIFFERENT = "different"
    NOT_CHECKABLE = "not_checkable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """An amount, or a number of rows, that differs between files and table.

    The column of a number of rows is `rows`. `day` is None for rows without a day; `currency` is
    empty for rows without a currency.
    """

    currency: str
    day: str | None
    column: str
    files: Decimal
    warehouse: Decimal

    @property
    def difference(self) -> Decimal:
        """The value of the warehouse minus that of the files."""
        return subtract_amounts(self.warehouse, self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthReport:
    """The result for one month; counts are None if they are unknown."""

    source: str
    period: BillingPeriod
    run_id: str | None
    verdict: Verdict
    files_rows: int | None = None
    warehouse_rows: int | None = None
    ledger_rows: int | None = None
    differences: tuple[Difference, ...] = ()
    record_differences: tuple[RecordDifference, ...] = ()
    rests: Totals = field(default_factory=dict)
    """What of the costs in the files was rounded away, so that the table does not hold it."""
    reason: str | None = None


def judge_month(
    source: str,
    record: LoadRecord,
    *,
    files: DailyTotals | None,
    warehouse: DailyTotals,
    unread: str = "",
) -> MonthReport:
    """The report of a month that the ledger has; `unread` says why its files were not read.

    The record has no influence on the comparison of files and table. But a month that is no longer
    as recorded is also different, even if its files can no longer be read.
    """
    differences = () if files is None else compare_totals(files, warehouse)
    rests: Totals = {} if files is None else rounded_away(files, warehouse)
    record_differences = compare_record(record, warehouse)
    reasons: list[str] = [unread] if files is None else []
    if differences:
        reasons.append(f"files and table differ in {_counted(len(differences), 'value')}")
    if record_differences:
        count = _counted(len(record_differences), "value")
        reasons.append(f"the table no longer holds what was recorded, by {count}")
    inexact = dict(warehouse.inexact) | (dict(files.inexact) if files else {})
    if inexact and not reasons:
        listed = ", ".join(f"{column} is {kind}" for column, kind in sorted(inexact.items()))
        reasons.append(f"all else is equal, but {listed}, which holds no exact amounts")
    has_other_rests = files is not None and not _has_rests(record, files.rests_by_currency())
    if has_other_rests:
        reasons.append("what was rounded away of the files is not what was recorded")
    verdict = Verdict.NOT_CHECKABLE if reasons else Verdict.EQUAL
    if differences or record_differences or has_other_rests:
        verdict = Verdict.DIFFERENT
    return MonthReport(
        source=source,
        period=record.period,
        run_id=record.run_id,
        verdict=verdict,
        files_rows=files.rows if files else None,
        warehouse_rows=warehouse.rows,
        ledger_rows=record.rows,
        differences=differences,
        record_differences=record_differences,
        rests=rests,
        reason="; ".join(reasons) or None,
    )


def compare_totals(files: DailyTotals, warehouse: DailyTotals) -> tuple[Difference, ...]:
    """Every row count and amount that differs, by currency, day and column.

    A column that one side does not have counts as zero there, because a table may have empty
    columns that the run never had. A column without exact amounts on either side is left out. A
    table may hold a sum with what is rounded away of the files, or without.
    """
    columns = dict(files.columns) | dict(warehouse.columns)
    compared = sorted(columns.keys() - files.inexact.keys() - warehouse.inexact.keys())
    found: list[Difference] = []
    for currency, day in sorted(files.days.keys() | warehouse.days.keys(), key=_by_currency):
        one = files.days.get((currency, day), _NONE)
        other = warehouse.days.get((currency, day), _NONE)
        values = [(_ROWS, Decimal(one.rows), Decimal(other.rows))]
        values += [
            (columns[key], one.amounts.get(key, _ZERO), other.amounts.get(key, _ZERO))
            for key in compared
        ]
        found += [
            Difference(currency=currency, day=day, column=column, files=stated, warehouse=in_table)
            for column, stated, in_table in values
            if in_table not in {stated, add_amounts(stated, one.rests.get(column.lower(), _ZERO))}
        ]
    return tuple(found)


def rounded_away(files: DailyTotals, warehouse: DailyTotals) -> Totals:
    """What of the costs in the files was rounded away, by currency and column.

    Nothing was where the table holds a cost with all of its digits, as BigQuery can.
    """
    exact, in_table = files.by_currency(), warehouse.by_currency()
    return without_zeros(
        {
            currency: {
                column: rest
                for column, rest in rests.items()
                if in_table.get(currency, {}).get(column.lower())
                != add_amounts(exact[currency][column.lower()], rest)
            }
            for currency, rests in files.rests_by_currency().items()
        }
    )


def _has_rests(record: LoadRecord, rests: Totals) -> bool:
    """Whether the rests of the files are those that a load recorded, if it recorded any."""
    found = {
        (currency, column.lower()): rest
        for currency, columns in rests.items()
        for column, rest in columns.items()
    }
    return all(
        found.get((currency, column.lower()), _ZERO) == rest
        for currency, columns in record.rests.items()
        for column, rest in columns.items()
    )


def compare_record(record: LoadRecord, warehouse: DailyTotals) -> tuple[RecordDifference, ...]:
    """Every total of the month that the ledger recorded and the table no longer has.

    Values that were not recorded are not compared: an older form of the state kept neither rows nor
    totals, and totals may be turned off for a source.
    """
    found = list(differing_totals(record, warehouse.by_currency(), warehouse.inexact))
    if record.rows is not None and record.rows != warehouse.rows:
        rows = RecordDifference(
            currency=None,
            column=_ROWS,
            ledger=Decimal(record.rows),
            warehouse=Decimal(warehouse.rows),
        )
        found.insert(0, rows)
    return tuple(found)


def _by_currency(key: tuple[str, str | None]) -> tuple[str, str]:
    return key[0], key[1] or ""


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
