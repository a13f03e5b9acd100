"""The command that writes bills into files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cloudbill.cli.console import (
    AsJson,
    Console,
    Exact,
    Months,
    SourceName,
    Verbose,
    read_selection,
)
from cloudbill.cli.each_source import attempt, code_with, each_source

if TYPE_CHECKING:
    from cloudbill.looking.export_files import Files
    from cloudbill.looking.export_sums import Bill
    from cloudbill.looking.exporting import ExportedMonth
    from cloudbill.periods import BillingPeriod
    from cloudbill.settings import SourceSettings
    from cloudbill.text.failures import SourceFailure

__all__ = ["export"]


class _Form(StrEnum):
    """What an export writes."""

    PARQUET = "parquet"
    CSV = "csv"
    DUCKDB = "duckdb"


def export(
    source: SourceName = "all",
    *,
    month: Months = None,
    view: Annotated[
        str | None,
        typer.Option(
            "--view",
            help="Export a view of the dataset instead of the tables: focus, focus_1_4 or "
            "focus_faults.",
            metavar="NAME",
        ),
    ] = None,
    form: Annotated[
        _Form, typer.Option("--format", help="What to write; duckdb is one file with all.")
    ] = _Form.PARQUET,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The folder, or the DuckDB file.  [default: export]"),
    ] = None,
    exact: Exact = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Write bills into files for any tool, a month each; compare each file with its table.

    The files are `TABLE/billing_month=YYYY-MM/TABLE.parquet`, or one DuckDB file.
    """
    from cloudbill.looking.export_words import export_json, total_lines

    console = Console(as_json=as_json, verbose=verbose)
    target = output or Path("export.duckdb" if form is _Form.DUCKDB else "export")
    run = _Run(console=console, target=target, form=form, exact=exact)

    def write() -> None:
        periods = read_selection(month or []).periods
        settings: list[SourceSettings] = []
        each_source(source, settings.append, failed=run.failed)
        bills = _bills_of(console, settings, view, is_all=source == "all")
        if bills:
            run.write(bills, periods)

    attempt(None, write, run.failed)
    if form is _Form.DUCKDB and run.failures:
        run.months.clear()
        console.warn(f"{target} was not written: it would not have all that was asked for")
    sizes = {one.file: one.file.stat().st_size for one in run.months}
    if run.months:
        for line in total_lines(run.months, sizes, run.removed):
            console.say(line)
    console.explain([failure.error for failure in run.failures])
    if as_json:
        console.document(export_json(run.months, sizes, run.removed, run.failures))
    raise typer.Exit(code_with([], run.failures))


@dataclass(kw_only=True)
class _Run:
    """What is written, as it grows."""

    console: Console
    target: Path
    form: _Form
    exact: bool
    months: list[ExportedMonth] = field(default_factory=list)
    removed: list[Path] = field(default_factory=list)
    failures: list[SourceFailure] = field(default_factory=list)

    def failed(self, failure: SourceFailure) -> None:
        """Keeps what ended a source, and prints it at once."""
        self.failures.append(failure)
        self.console.ended(failure)

    def write(self, bills: Sequence[Bill], periods: frozenset[BillingPeriod]) -> None:
        """Writes the months of some bills; a DuckDB file only with all of them."""
        from cloudbill.looking.exporting import writing_to
        from cloudbill.periods import BillingPeriod, utc_now
        from cloudbill.text.months import require_known

        with writing_to(self.target), _files(self.target, self.form) as files:
            known: dict[str, frozenset[BillingPeriod]] = {}
            for bill in bills:
                action = partial(self._write, files, bill, periods, known)
                attempt(bill.settings.source, action, self.failed)
            if not self.failures:
                there = frozenset[BillingPeriod]().union(*known.values())
                attempt(None, lambda: require_known(periods, there, utc_now()), self.failed)
            if known and not (self.failures and self.form is _Form.DUCKDB):
                self.removed.extend(files.finish(known, is_whole=not periods))

    def _write(
        self,
        files: Files,
        bill: Bill,
        periods: frozenset[BillingPeriod],
        known: dict[str, frozenset[BillingPeriod]],
    ) -> None:
        from cloudbill.looking.export_words import month_line
        from cloudbill.looking.exporting import export_bill, writing_to
        from cloudbill.text.sizes import shown_size

        def wrote(month: ExportedMonth) -> None:
            self.months.append(month)
            self.console.say(month_line(month, exact=self.exact))

        def scans(period: BillingPeriod, size: int) -> None:
            self.console.warn(f"{bill.name} {period}: the query scans {shown_size(size)}")

        with writing_to(self.target):
            known[bill.name] = export_bill(
                bill, periods, files, wrote=wrote, warn=self.console.warn, scans=scans
            )


def _files(target: Path, form: _Form) -> AbstractContextManager[Files]:
    from cloudbill.looking.export_files import database_file, monthly_files

    return database_file(target) if form is _Form.DUCKDB else monthly_files(target, str(form))


def _bills_of(
    console: Console, settings: Sequence[SourceSettings], view: str | None, *, is_all: bool
) -> list[Bill]:
    """The tables of some sources, or a view of each of their datasets.

    Raises:
        ConfigError: If there is no such view, or two are called alike, as their files would be.
    """
    from cloudbill.cli.views import with_views
    from cloudbill.errors import ConfigError
    from cloudbill.focus.keeping import look_at_views
    from cloudbill.looking.export_sums import bill_of_table, bill_of_view

    if view is None:
        bills = [bill_of_table(one) for one in settings]
    else:
        names = {one.source for one in settings}
        bills = []
        for group in with_views(settings):
            own = () if is_all else tuple(one.source for one in group if one.source in names)
            bills.append(bill_of_view(group[0], view, own))
            if look_at_views(group).has_work:
                console.warn(
                    f"{group[0].dataset}.{view} is not as the tables are now; `cloudbill focus` "
                    "makes it again"
                )
        if settings and not bills:
            raise ConfigError("There is no view to export: a source says 'focus = false'")
    alike = [
        name for name, count in Counter(one.name.lower() for one in bills).items() if count > 1
    ]
    if alike:
        raise ConfigError(
            f"Two datasets have {alike[0]}, whose files would be the same. Export one SOURCE at a "
            "time, each with its own --output"
        )
    return bills
