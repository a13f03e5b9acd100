"""The commands that load months."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from cloudbill.cli.console import (
    AsJson,
    Console,
    LogFormat,
    LogLines,
    Months,
    Quiet,
    SourceName,
    Verbose,
    read_selection,
    read_settings,
)
from cloudbill.cli.signals import stopped_by_signals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudbill.errors import CloudbillError
    from cloudbill.loading.outcome import Outcome
    from cloudbill.planning import Selection

__all__ = ["accept", "dismiss", "load", "plan"]


def load(
    source: SourceName = "all",
    *,
    month: Months = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be loaded; change nothing.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Load the newest run again, even if it is loaded.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log_format: LogLines = LogFormat.TEXT,
) -> None:
    """Load every month that has a newer run than the table holds."""
    console = Console(
        as_json=as_json, quiet=quiet, verbose=verbose, lists_all=dry_run, log_format=log_format
    )
    _load(console, source, month or [], force=force, dry_run=dry_run)


def plan(
    source: SourceName = "all",
    *,
    month: Months = None,
    force: Annotated[
        bool, typer.Option("--force", help="Plan as if the newest runs were not loaded.")
    ] = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Say what `load` would do, and why; change nothing."""
    console = Console(as_json=as_json, verbose=verbose, lists_all=True)
    _load(console, source, month or [], force=force, dry_run=True)


def _load(console: Console, source: str, months: list[str], *, force: bool, dry_run: bool) -> None:
    from cloudbill.errors import CloudbillError
    from cloudbill.loading.stopping import Stop
    from cloudbill.loading.words import planned_lines
    from cloudbill.periods import utc_now
    from cloudbill.pipeline import load_source, plan_source
    from cloudbill.text.months import require_known

    outcomes: list[Outcome] = []
    failed: CloudbillError | None = None
    stop = Stop()
    started_at = time.monotonic()
    try:
        selection: Selection = read_selection(months, force=force)
        with console.showing() as listener, stopped_by_signals(stop):
            for settings in read_settings(source):
                listen = listener(settings.source)
                if dry_run:
                    outcome = plan_source(settings, selection, listen)
                    for line in () if console.quiet else planned_lines(outcome):
                        console.say(line)
                else:
                    outcome = load_source(
                        settings, selection, listen, stop=stop, wants_progress=console.is_live
                    )
                outcomes.append(outcome)
                if stop.is_asked:
                    break
        if not any(outcome.is_unsure for outcome in outcomes):
            known = [period for outcome in outcomes for period in outcome.months]
            require_known(selection.periods, known, utc_now())
    except CloudbillError as error:
        failed = error
    _close(console, outcomes, source)
    seconds = None if dry_run else time.monotonic() - started_at
    console.finish(outcomes, failed, dry_run=dry_run, seconds=seconds)


def _close(console: Console, outcomes: Sequence[Outcome], source: str) -> None:
    """The end of the output: the table of loaded months, and how to continue after a stop."""
    from cloudbill.loading.words import stopped_lines

    if console.is_live:
        from cloudbill.cli.display import summary_lines

        for line in summary_lines(outcomes, width=console.width):
            console.say(line)
    for line in stopped_lines(outcomes, f"cloudbill load {source}"):
        console.warn(line)


def accept(
    month: Annotated[str, typer.Argument(help="The month.", metavar="YYYY-MM")],
    run_id: Annotated[
        str | None, typer.Argument(help="The run; by default the newest held run.")
    ] = None,
    *,
    source: Annotated[
        str, typer.Option(help="The source, if more than one source has a held run.")
    ] = "all",
    takes_slice: Annotated[
        bool, typer.Option("--slice", help="Accept a run that is a slice of its month.")
    ] = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Load a held run after all, and remember that it is right."""
    from cloudbill.accepting import accept_run
    from cloudbill.errors import CloudbillError

    console = Console(as_json=as_json, verbose=verbose)
    outcomes: list[Outcome] = []
    failed: CloudbillError | None = None
    try:
        (period,) = read_selection([month]).periods
        listen = console.listener(None)
        outcome = accept_run(read_settings(source), period, run_id, listen, takes_slice=takes_slice)
        outcomes.append(outcome)
    except CloudbillError as error:
        failed = error
    console.finish(outcomes, failed)


def dismiss(
    source: SourceName,
    month: Annotated[
        str | None, typer.Argument(help="The month; all months with --all.", metavar="YYYY-MM")
    ] = None,
    run_id: Annotated[
        str | None, typer.Argument(help="The run; by default every held run of the month.")
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="The held runs of all months.")] = False,
    verbose: Verbose = False,
) -> None:
    """Say that a held run is not wanted, so that it is no alarm any more."""
    from cloudbill.accepting import dismiss_runs
    from cloudbill.errors import CloudbillError, ConfigError

    console = Console(verbose=verbose)
    try:
        if (month is None) != every:
            raise ConfigError("Name a month, or give --all for the held runs of all months")
        periods = read_selection([month]).periods if month else frozenset()
        for done in dismiss_runs(read_settings(source), next(iter(periods), None), run_id):
            for manifest in done.manifests:
                console.say(
                    f"{done.settings.source}: dismissed run {manifest.run_id} of {manifest.period}"
                )
    except CloudbillError as error:
        console.end(error)
