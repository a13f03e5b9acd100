"""The command that writes bills into files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cloudbill.cli.console import AsJson, Console, Months, SourceName, Verbose, read_selection
from cloudbill.cli.each_source import attempt, code_with, each_source

if TYPE_CHECKING:
    from cloudbill.looking.export_files import Files
    from cloudbill.looking.exporting import Bill, ExportedMonth
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
            help="Export a view of the dataset instead of the tables: focus, or focus_faults.",
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
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Write bills into files for any tool, a month each; compare each file with its table.

    The files are `TABLE/billing_month=YYYY-MM/TABLE.parquet`, or one DuckDB file.
    """
    from cloudbill.looking.export_words import export_json, month_line, total_lines

    console = Console(as_json=as_json, verbose=verbose)
    failures: list[SourceFailure] = []
    months: list[ExportedMonth] = []
    removed: list[Path] = []

    def failed(failure: SourceFailure) -> None:
        failures.append(failure)
        console.ended(failure)

    def wrote(one: ExportedMonth) -> None:
        months.append(one)
        console.say(month_line(one))

    target = output or Path("export.duckdb" if form is _Form.DUCKDB else "export")

    def write() -> None:
        from cloudbill.looking.exporting import writing_to

        periods = read_selection(month or []).periods
        settings: list[SourceSettings] = []
        each_source(source, settings.append, failed=failed)
        bills = _bills_of(console, settings, view, is_all=source == "all")
        with writing_to(target), _files(target, form) as files:
            done = [
                bill
                for bill in bills
                if _write(files, bill, periods, console=console, wrote=wrote, failed=failed)
            ]
            if form is _Form.DUCKDB and (failures or not done):
                months.clear()
                console.warn(f"{target} was not written, because not all could be read")
            elif done:
                removed.extend(files.finish([one.name for one in done], is_whole=not periods))

    attempt(None, write, failed)
    sizes = {one.file: one.file.stat().st_size for one in months}
    if months:
        for line in total_lines(months, sizes, removed):
            console.say(line)
    console.explain([failure.error for failure in failures])
    if as_json:
        console.document(export_json(months, sizes, removed, failures))
    raise typer.Exit(code_with([], failures))


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
    from cloudbill.looking.exporting import bill_of_table, bill_of_view

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


def _write(
    files: Files,
    bill: Bill,
    periods: Collection[BillingPeriod],
    *,
    console: Console,
    wrote: Callable[[ExportedMonth], None],
    failed: Callable[[SourceFailure], None],
) -> bool:
    """Writes the months of a bill; False if something ended it."""
    from cloudbill.looking.exporting import export_bill
    from cloudbill.text.sizes import shown_size

    ended: list[SourceFailure] = []

    def scans(period: BillingPeriod, size: int) -> None:
        console.warn(f"{bill.name} {period}: the query scans {shown_size(size)}")

    attempt(
        bill.settings.source,
        lambda: export_bill(bill, periods, files, wrote=wrote, warn=console.warn, scans=scans),
        ended.append,
    )
    for failure in ended:
        failed(failure)
    return not ended
