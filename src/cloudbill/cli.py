"""The command line: reads the words, prints what happened, and ends with the exit code."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cloudbill.comparison import MonthReport
    from cloudbill.errors import CloudbillError
    from cloudbill.events import Event
    from cloudbill.pipeline import Outcome
    from cloudbill.planning import Selection
    from cloudbill.settings import SourceSettings

__all__ = ["app", "main"]

app = typer.Typer(
    name="cloudbill",
    help="Loads the billing exports of the clouds into your own warehouse: once, complete, to the "
    "last digit.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

state = typer.Typer(no_args_is_help=True, help="Look after the memory of what is loaded.")
app.add_typer(state, name="state")

_print_lock = threading.Lock()


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and ends the process with its exit code."""
    app(args=None if arguments is None else list(arguments))


def _show_version(is_asked: bool) -> None:  # noqa: FBT001
    if is_asked:
        from importlib.metadata import version

        print(f"cloudbill {version('cloudbill')}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", is_eager=True, callback=_show_version
        ),
    ] = False,
) -> None:
    """What stands before every command."""


@app.command()
def load(
    source: Annotated[
        str,
        typer.Argument(
            help="all, a provider (azure, aws), or a source (azure_billing.<name>).",
            metavar="SOURCE",
        ),
    ] = "all",
    *,
    month: Annotated[
        list[str] | None,
        typer.Option(help="Only this month; may be given several times.", metavar="YYYY-MM"),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be loaded; change nothing.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Load the newest run again, even if it is loaded.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document; all else goes to stderr.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print nothing but failures.")
    ] = False,
) -> None:
    """Load every month that has a newer run than the table holds."""
    from cloudbill.errors import CloudbillError
    from cloudbill.output import planned_line
    from cloudbill.pipeline import load_source

    listen = _listener(to_stderr=as_json, quiet=quiet)
    outcomes: list[Outcome] = []
    failed: CloudbillError | None = None
    try:
        selection = _selection(month or [], force=force)
        for settings in _sources(source):
            outcomes.append(load_source(settings, selection, listen, dry_run=dry_run))
            for planned in () if quiet else outcomes[-1].planned:
                _print(planned_line(planned), to_stderr=as_json)
    except CloudbillError as error:
        failed = error
    _finish(outcomes, failed, as_json=as_json, dry_run=dry_run)


@app.command()
def accept(
    month: Annotated[str, typer.Argument(help="The month.", metavar="YYYY-MM")],
    run_id: Annotated[
        str | None, typer.Argument(help="The run; by default the newest that is held.")
    ] = None,
    *,
    source: Annotated[
        str, typer.Option(help="Where the run is held, if more than one source holds one.")
    ] = "all",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document; all else goes to stderr.")
    ] = False,
) -> None:
    """Load a held run after all, and remember that it is right."""
    from cloudbill.acceptance import accept_run
    from cloudbill.errors import CloudbillError

    outcomes: list[Outcome] = []
    failed: CloudbillError | None = None
    try:
        (period,) = _selection([month], force=False).periods
        listen = _listener(to_stderr=as_json, quiet=False)
        outcomes.append(accept_run(_sources(source), period, run_id, listen))
    except CloudbillError as error:
        failed = error
    _finish(outcomes, failed, as_json=as_json)


@app.command()
def doctor() -> None:
    """Look at the sources, their stores and warehouses; change nothing."""
    from cloudbill.errors import CloudbillError
    from cloudbill.inspection import examine
    from cloudbill.output import check_line

    try:
        checks = examine(_sources("all"))
    except CloudbillError as error:
        _finish((), error, as_json=False)
    for check in checks:
        _print(check_line(check))
    raise typer.Exit(0 if all(check.is_well for check in checks) else 1)


@state.command()
def rebuild(
    source: Annotated[
        str, typer.Argument(help="all, a provider, or a source.", metavar="SOURCE")
    ] = "all",
) -> None:
    """Write the ledger anew, from the tracking table and what the table holds."""
    from cloudbill.errors import CloudbillError
    from cloudbill.inspection import rebuild_ledger
    from cloudbill.output import rebuilt_lines

    try:
        for settings in _sources(source):
            for line in rebuilt_lines(rebuild_ledger(settings)):
                _print(line)
    except CloudbillError as error:
        _finish((), error, as_json=False)


@app.command()
def verify(
    source: Annotated[
        str, typer.Argument(help="all, a provider, or a source.", metavar="SOURCE")
    ] = "all",
    *,
    month: Annotated[
        list[str] | None,
        typer.Option(help="Only this month; may be given several times.", metavar="YYYY-MM"),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="What cannot be checked counts as different.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document; all else goes to stderr.")
    ] = False,
) -> None:
    """Read files and table of the loaded months again, and compare every cost; change nothing."""
    from cloudbill.errors import CloudbillError
    from cloudbill.output import error_line
    from cloudbill.verification import Verified, verify_source
    from cloudbill.verification_report import closing_lines, month_lines, verification_document

    def listen(report: MonthReport) -> None:
        _print("\n".join(month_lines(report)), to_stderr=as_json)

    found: list[Verified] = []
    failed: CloudbillError | None = None
    try:
        periods = _selection(month or [], force=False).periods
        for settings in _sources(source):
            found.append(verify_source(settings, periods, listen))
            for line in closing_lines(found[-1]):
                _print(line, to_stderr=True)
    except CloudbillError as error:
        failed = error
        _print(error_line(None, error), to_stderr=True)
    if as_json:
        _print(verification_document(found, failed))
    codes = [verified.exit_code(strict=strict) for verified in found]
    raise typer.Exit(max([*codes, failed.exit_code if failed else 0]))


@app.command()
def sample(
    directory: Annotated[Path, typer.Argument(help="The folder to write to.")],
    *,
    months: Annotated[int, typer.Option(min=1, max=120, help="How many months.")] = 3,
    rows: Annotated[int, typer.Option(min=40, help="Rows of a month's last run.")] = 200,
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = 1,
    history: Annotated[
        bool,
        typer.Option(
            "--history", help="Instead, a daily Azure export with all that goes wrong in reality."
        ),
    ] = False,
    days: Annotated[
        int | None,
        typer.Option(min=1, help="With --history: the days that have passed; again for more."),
    ] = None,
) -> None:
    """Write realistic sample exports, to try cloudbill without a cloud account."""
    from cloudbill.sample import write_aws, write_azure
    from cloudbill.sample.history import write_history

    if history:
        written = write_history(directory / "azure", months=months, seed=seed, days=days)
        print(f"Wrote {len(written.events)} events of {months} months to {directory}")
        return
    runs = write_azure(directory / "azure", months=months, rows=rows, seed=seed)
    runs += write_aws(directory / "aws", months=months, rows=rows, seed=seed)
    print(f"Wrote {len(runs)} runs of {months} months to {directory}")


def _finish(
    outcomes: Sequence[Outcome],
    failed: CloudbillError | None,
    *,
    as_json: bool,
    dry_run: bool = False,
) -> NoReturn:
    """Prints what ended sources or the command, and the document, and ends with the exit code."""
    from cloudbill.errors import HeldError
    from cloudbill.inspection import find_double_deliveries
    from cloudbill.output import check_line, document, error_line

    for outcome in outcomes:
        if outcome.error is not None:
            _print(error_line(outcome.settings.source, outcome.error), to_stderr=True)
    if failed is not None:
        _print(error_line(None, failed), to_stderr=True)
    delivered = {outcome.settings.source: outcome.manifests for outcome in outcomes}
    for check in find_double_deliveries(delivered):
        _print(check_line(check), to_stderr=True)
    if as_json:
        _print(document(outcomes, failed, dry_run=dry_run))
    codes = {outcome.exit_code for outcome in outcomes} | {failed.exit_code if failed else 0}
    # A failure is more than a run that waits for somebody.
    failures = codes - {HeldError.exit_code}
    raise typer.Exit(max(failures) or max(codes))


def _selection(months: Sequence[str], *, force: bool) -> Selection:
    from cloudbill.errors import ConfigError
    from cloudbill.models import BillingPeriod
    from cloudbill.planning import Selection

    try:
        periods = frozenset(BillingPeriod.parse(month) for month in months)
    except ValueError as error:
        raise ConfigError(f"--month: {error}") from error
    return Selection(periods=periods, force=force)


def _sources(name: str) -> tuple[SourceSettings, ...]:
    from cloudbill.settings import dlt_providers, read_sources, select_sources

    return select_sources(read_sources(dlt_providers(), os.environ), name)


def _listener(*, to_stderr: bool, quiet: bool) -> Callable[[Event], None]:
    from cloudbill.events import Discovered, Drifted
    from cloudbill.models import LoadFailure, ManifestFailure
    from cloudbill.output import lines

    def listen(event: Event) -> None:
        is_failure = isinstance(event, LoadFailure | ManifestFailure | Drifted)
        if isinstance(event, Discovered):
            # Nothing at all is most likely a mistake in the configuration.
            is_failure = not event.manifests
        if quiet and not is_failure:
            return
        # Several months load at once; the lines of one event stay together.
        _print("\n".join(lines(event)), to_stderr=to_stderr or is_failure)

    return listen


def _print(text: str, *, to_stderr: bool = False) -> None:
    with _print_lock:
        print(text, file=sys.stderr if to_stderr else sys.stdout, flush=True)
