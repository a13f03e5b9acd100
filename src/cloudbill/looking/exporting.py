"""Writes bills into files, and compares each file with the table before it gets its name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import duckdb

from cloudbill.costs.amounts import shown_costs
from cloudbill.disk.room import full_disk_of, not_written
from cloudbill.errors import ConfigError, LoadError, VerificationError
from cloudbill.files.damage import reason_of
from cloudbill.looking.export_files import Files
from cloudbill.looking.export_sums import Bill, BillReader, MonthSums, written_sums
from cloudbill.periods import BillingPeriod
from cloudbill.sql import Fragment
from cloudbill.text.counts import counted
from cloudbill.warehouses import open_warehouse

__all__ = ["ExportedMonth", "export_bill", "writing_to"]

_TIMES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedMonth:
    """A month that was written, and what is in its file."""

    bill: Bill
    period: BillingPeriod
    sums: MonthSums
    file: Path


def export_bill(
    bill: Bill,
    periods: Collection[BillingPeriod],
    files: Files,
    *,
    wrote: Callable[[ExportedMonth], None],
    warn: Callable[[str], None],
    scans: Callable[[BillingPeriod, int], None],
) -> frozenset[BillingPeriod]:
    """Writes the months of a table or view, or some of them; returns all that there are.

    Raises:
        ConfigError: If nothing is loaded.
        VerificationError: If a file does not have what the table has.
        LoadError: If the table cannot be read.
    """
    with closing(open_warehouse(bill.settings.warehouse, read_only=True)) as warehouse:
        reader = BillReader(warehouse, bill)
        sums = reader.sums(periods)
        if not sums.known:
            made = "cloudbill focus" if bill.is_view else "cloudbill load"
            raise ConfigError(
                f"{bill.settings.dataset}.{bill.name} is not there, or has no rows: nothing of it "
                f"is exported. Run `{made}` first"
            )
        if sums.of_no_month and not periods:
            warn(
                f"{bill.name} has {counted(sums.of_no_month, 'row', ',')} of no month, "
                f"which {'is' if sums.of_no_month == 1 else 'are'} in no file"
            )
        for period in sorted(sums.months):
            copy = partial(warehouse.copy_rows, reader.rows(period), tell=partial(scans, period))
            wrote(_export_month(reader, period, sums.months[period], files, copy))
    return sums.known


def _export_month(
    reader: BillReader,
    period: BillingPeriod,
    expected: MonthSums,
    files: Files,
    copy: Callable[[Path], None],
) -> ExportedMonth:
    """Writes a month; once more where it was replaced between its sums and its rows."""
    bill, tries = reader.bill, 0
    while True:
        tries += 1
        made = files.spool / "month.parquet"
        copy(made)
        check = partial(_check, bill=bill, period=period, expected=expected)
        try:
            file = files.add(bill.name, period, made, check)
        except VerificationError:
            now = reader.sums([period]).months.get(period)
            if now is None or now == expected or tries == _TIMES:
                raise
            expected = now
        else:
            return ExportedMonth(bill=bill, period=period, sums=expected, file=file)


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
    found = written_sums(connection, relation, bill, is_summed=expected.billed is not None)
    if found != expected:
        raise VerificationError(
            f"{period} of {bill.name} was not exported: its file would have {_told(found)}, and "
            f"the warehouse has {_told(expected)}. Run again; report it if it happens again"
        )


def _told(sums: MonthSums) -> str:
    return f"{counted(sums.rows, 'row', ',')} and {', '.join(shown_costs(sums.billed, exact=True))}"


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
        if isinstance(error, OSError):
            raise ConfigError(f"{what}: {not_written(error, output, remedy=remedy)}") from error
        full = full_disk_of(error, output, remedy=remedy)
        if full is not None:
            raise ConfigError(f"{what}: {full}") from error
        if isinstance(error, duckdb.Error):
            raise LoadError(f"{what}: {reason_of(error)}") from error
        raise
