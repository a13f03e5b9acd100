"""Holds a month's files, its table and its record against each other; pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from cloudbill.costs.amounts import subtract_amounts, to_amount
from cloudbill.costs.daily_totals import DailyTotals, DayTotals
from cloudbill.costs.month_totals import RecordDifference, differing_totals
from cloudbill.models import BillingPeriod, LoadRecord

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
    """What verifying a month came to; the values stand in JSON output."""

    EQUAL = "equal"
    DIFFERENT = "different"
    NOT_CHECKABLE = "not_checkable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """An amount that files and table do not agree on, or a number of rows, whose column is `rows`.

    `day` is None for rows that have none; `currency` is empty for those.
    """

    currency: str
    day: str | None
    column: str
    files: Decimal
    warehouse: Decimal

    @property
    def difference(self) -> Decimal:
        """How much more the warehouse holds than the files; negative where it holds less."""
        return subtract_amounts(self.warehouse, self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthReport:
    """What was found of one month; counts are None where they are not known."""

    source: str
    period: BillingPeriod
    run_id: str | None
    verdict: Verdict
    files_rows: int | None = None
    warehouse_rows: int | None = None
    ledger_rows: int | None = None
    differences: tuple[Difference, ...] = ()
    record_differences: tuple[RecordDifference, ...] = ()
    reason: str | None = None


def judge_month(
    source: str,
    record: LoadRecord,
    *,
    files: DailyTotals | None,
    warehouse: DailyTotals,
    unread: str = "",
) -> MonthReport:
    """The report of a month that the ledger knows; `unread` says why its files were not read.

    What the ledger recorded takes no part in comparing files and table, but a month that is no
    longer what was recorded is different too, even where its files cannot be read any more.
    """
    differences = () if files is None else compare_totals(files, warehouse)
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
    verdict = Verdict.NOT_CHECKABLE if reasons else Verdict.EQUAL
    if differences or record_differences:
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
        reason="; ".join(reasons) or None,
    )


def compare_totals(files: DailyTotals, warehouse: DailyTotals) -> tuple[Difference, ...]:
    """Every row count and amount that differs, by currency, day and column.

    A column that one side does not have counts as zero there: a table has empty columns that a run
    never had. A column without exact amounts on either side is left out.
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
            Difference(currency=currency, day=day, column=column, files=stated, warehouse=held)
            for column, stated, held in values
            if stated != held
        ]
    return tuple(found)


def compare_record(record: LoadRecord, warehouse: DailyTotals) -> tuple[RecordDifference, ...]:
    """Every total of the month that the ledger recorded and that the table does not hold now.

    Nothing is said of what was not recorded: an older shape of the state kept neither rows nor
    totals, and a source may have its totals turned off.
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
