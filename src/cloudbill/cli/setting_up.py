"""The commands that set cloudbill up, check it, and repair the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cloudbill.cli.console import AsJson, Console, SourceName, Verbose
from cloudbill.cli.each_source import attempt, each_source
from cloudbill.cli.output import progress_of
from cloudbill.cli.sample_writing import Size, write_both, writing_to
from cloudbill.text.counts import counted

if TYPE_CHECKING:
    from cloudbill.doctor.check import Check
    from cloudbill.doctor.examination import Examined
    from cloudbill.settings import SourceSettings
    from cloudbill.text.failures import SourceFailure

__all__ = ["doctor", "sample", "state"]

state = typer.Typer(no_args_is_help=True)


def doctor(
    source: SourceName = "all", *, as_json: AsJson = False, verbose: Verbose = False
) -> None:
    """Check configuration, permissions, stores, warehouses and disk; change nothing."""
    from cloudbill.cli.views import together
    from cloudbill.doctor.examination import examine_source, put_together
    from cloudbill.doctor.words import check_line, checks_json

    console = Console(as_json=as_json, verbose=verbose)
    sources: list[SourceSettings] = []
    examined: list[Examined] = []
    failures: list[SourceFailure] = []
    checks: list[Check] = []

    def work(settings: SourceSettings) -> None:
        sources.append(settings)
        examined.append(examine_source(settings))

    def look() -> None:
        each_source(source, work, failed=failures.append)
        if sources:
            views = _view_checks(sources, examined)
            checks.extend(put_together(sources, examined, failures, views, together(sources)))

    attempt(None, look, failures.append)
    if as_json:
        console.document(checks_json(checks, failures))
    else:
        for check in checks:
            console.judge(check_line(check), _colour(check))
    console.close(failures, [check.exit_code for check in checks if not check.is_well])


def _view_checks(sources: Sequence[SourceSettings], examined: Sequence[Examined]) -> list[Check]:
    """The checks of the views of each dataset, unless it could not be read."""
    from cloudbill.cli.views import with_views
    from cloudbill.doctor.views import check_views

    unread = {one.source for one in examined if not one.is_read}
    return [
        check
        for group in with_views(sources)
        if unread.isdisjoint(settings.source for settings in group)
        for check in check_views(group)
    ]


def _colour(check: Check) -> str:
    if check.is_note or not check.is_checked:
        return "yellow"
    return "green" if check.is_well else "red"


@state.command()
def rebuild(
    source: SourceName = "all",
    *,
    forget: Annotated[
        bool,
        typer.Option("--forget", help="Forget months whose rows are those of no recorded load."),
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Write the ledger again, from all that can be read of it, and say first what changes.

    What is read: every state that dlt stored, the tracking table, and the rows that the table
    holds. Tables and columns of the ledger that are gone are made again. No month is forgotten
    without --forget.
    """
    from cloudbill.ledger.rebuilding import Rebuilding, rebuild_ledger, rebuilding_lines

    console = Console(verbose=verbose)
    failures: list[SourceFailure] = []

    def listen(rebuilding: Rebuilding) -> None:
        for line in rebuilding_lines(rebuilding):
            console.say(line)

    def work(settings: SourceSettings) -> None:
        rebuild_ledger(settings, listen, forget=forget)
        console.say(f"Rebuilt the ledger of {settings.source}")

    each_source(source, work, failed=failures.append)
    console.close(failures)


def sample(
    directory: Annotated[Path, typer.Argument(help="The folder to write to.")],
    *,
    months: Annotated[int, typer.Option(min=1, max=120, help="How many months.")] = 3,
    rows: Annotated[int, typer.Option(min=40, help="Rows in the last run of a month.")] = 200,
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = 1,
    aws_forms: Annotated[
        str,
        typer.Option(
            help="The forms of the AWS bill, with commas between: csv, zip, parquet, athena for "
            "reports, and cur2-parquet, cur2-csv, focus-1.0, focus-1.0-csv, focus-1.2, "
            "focus-1.2-csv for Data Exports. All have the same charges.",
        ),
    ] = "csv",
    aws_overwrite: Annotated[
        bool,
        typer.Option(
            "--aws-overwrite",
            help="Write AWS's runs as exports that overwrite them: the last of each month.",
        ),
    ] = False,
    history: Annotated[
        bool,
        typer.Option(
            "--history",
            help="Write a daily Azure export instead, with everything that goes wrong in reality.",
        ),
    ] = False,
    days: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="With --history: the days that have passed; run again with more to continue.",
        ),
    ] = None,
) -> None:
    """Write realistic sample exports, to try cloudbill without a cloud account."""
    from cloudbill.sample import read_forms

    console = Console()
    try:
        forms = read_forms(aws_forms)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--aws-forms") from None

    def write() -> None:
        if history:
            _write_history(console, directory, months=months, seed=seed, days=days)
            return
        size = Size(months=months, rows=rows, seed=seed)
        runs = write_both(directory, size, forms, overwrite=aws_overwrite)
        console.say(
            f"Wrote {counted(len(runs), 'run')} of {counted(months, 'month')} to {directory}"
        )

    failures: list[SourceFailure] = []
    attempt(None, lambda: writing_to(directory, write), failures.append)
    console.close(failures)


def _write_history(
    console: Console, directory: Path, *, months: int, seed: int, days: int | None
) -> None:
    from cloudbill.sample.history.expectations import day_lines
    from cloudbill.sample.history.simulation import write_history

    with progress_of("Writing events") as listen:
        past = write_history(
            directory / "azure", months=months, seed=seed, days=days, listen=listen
        )
    console.say("At the end of each day `load` finds:")
    for line in day_lines(past.events):
        console.say(line)
    console.say(
        f"Wrote {counted(len(past.events), 'event')} of {counted(months, 'month')} to {directory}"
    )
