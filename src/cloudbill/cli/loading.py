"""The commands that load months."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from cloudbill.cli.console import (
    AsJson,
    Console,
    Exact,
    LogFormat,
    LogLines,
    Months,
    Quiet,
    SourceName,
    Verbose,
    read_selection,
)
from cloudbill.cli.each_source import attempt, each_source
from cloudbill.cli.signals import stopped_by_signals
from cloudbill.cli.views import view_each_dataset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cloudbill.focus.keeping import FocusPlan
    from cloudbill.loading.events import Event
    from cloudbill.loading.outcome import Outcome
    from cloudbill.settings import SourceSettings
    from cloudbill.text.failures import SourceFailure

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
    exact: Exact = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log_format: LogLines = LogFormat.TEXT,
) -> None:
    """Load every month that has a newer run than the table holds."""
    console = Console(
        as_json=as_json, quiet=quiet, verbose=verbose, lists_all=dry_run, log_format=log_format
    )
    _load(console, source, month or [], force=force, dry_run=dry_run, exact=exact)


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


def _load(
    console: Console,
    source: str,
    months: list[str],
    *,
    force: bool,
    dry_run: bool,
    exact: bool = False,
) -> None:
    from cloudbill.loading.stopping import Stop
    from cloudbill.periods import utc_now
    from cloudbill.pipeline import load_source, plan_source
    from cloudbill.text.months import require_known

    outcomes: list[Outcome] = []
    failures: list[SourceFailure] = []
    heard: list[tuple[str, list[Event]]] = []
    stop = Stop()
    started_at = time.monotonic()

    def load_all() -> None:
        selection = read_selection(months, force=force)
        with console.showing() as listener, stopped_by_signals(stop):

            def work(settings: SourceSettings) -> None:
                if dry_run:
                    heard.append((settings.source, []))
                    outcomes.append(plan_source(settings, selection, heard[-1][1].append))
                else:
                    listen = listener(settings.source)
                    outcomes.append(
                        load_source(
                            settings, selection, listen, stop=stop, wants_progress=console.is_live
                        )
                    )

            each_source(source, work, failed=failures.append, is_stopped=lambda: stop.is_asked)
            _say_plans(console, outcomes, heard)
        if not failures and not any(outcome.is_unsure for outcome in outcomes):
            known = [period for outcome in outcomes for period in outcome.months]
            require_known(selection.periods, known, utc_now())

    attempt(None, load_all, failures.append)
    if not (dry_run or stop.is_asked):
        _keep_views(console, outcomes, failures.append)
    _close(console, outcomes, source, exact=exact)
    seconds = None if dry_run else time.monotonic() - started_at
    console.finish(outcomes, failures, dry_run=dry_run, seconds=seconds)


def _say_plans(
    console: Console, outcomes: Sequence[Outcome], heard: Sequence[tuple[str, list[Event]]]
) -> None:
    """Says what loads would do: first the answer for each source, then what it comes from."""
    from cloudbill.loading.words import planned_lines, planned_months

    for outcome in () if console.quiet else outcomes:
        console.say(planned_months(outcome))
    plans = {outcome.settings.source: outcome for outcome in outcomes}
    for source, events in heard:
        listen = console.listener(source)
        for event in events:
            listen(event)
        if source in plans and not console.quiet:
            for line in planned_lines(plans[source]):
                console.say(line)


def _keep_views(
    console: Console, outcomes: Iterable[Outcome], failed: Callable[[SourceFailure], None]
) -> None:
    """Keeps the views of the datasets up to date that sources were loaded into.

    What ended a source, such as a locked file, would only be told a second time.
    """
    from cloudbill.looking.focus_words import foreign_lines, kept_lines

    def say(plan: FocusPlan) -> None:
        for line in kept_lines(plan) if console.verbose else ():
            console.say(line)
        for line in () if console.quiet else foreign_lines(plan):
            console.warn(f"note  {line}")

    loaded = [outcome.settings for outcome in outcomes if outcome.error is None]
    view_each_dataset(loaded, say, failed, dry_run=False)


def _close(console: Console, outcomes: Sequence[Outcome], source: str, *, exact: bool) -> None:
    """The end of the output: the table of loaded months, and how to continue after a stop."""
    from cloudbill.loading.words import stopped_lines

    if console.is_live:
        from cloudbill.cli.display import summary_lines

        for line in summary_lines(outcomes, width=console.width, exact=exact):
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
    from cloudbill.accepting import HeldRun, accept_held, find_held

    console = Console(as_json=as_json, verbose=verbose)
    outcomes: list[Outcome] = []
    failures: list[SourceFailure] = []

    def accept_it() -> None:
        (period,) = read_selection([month]).periods
        held: list[HeldRun] = []
        each_source(
            source,
            lambda settings: held.extend(find_held(settings, period, run_id)),
            failed=failures.append,
        )
        unread = [failure.source or "the configuration" for failure in failures]
        if not unread or held:
            listen = console.listener(None)
            outcomes.append(
                accept_held(held, period, run_id, listen, unread=unread, takes_slice=takes_slice)
            )

    attempt(None, accept_it, failures.append)
    _keep_views(console, outcomes, failures.append)
    console.finish(outcomes, failures)


def dismiss(
    source: SourceName,
    month: Annotated[
        str | None, typer.Argument(help="The month; all months with --all.", metavar="YYYY-MM")
    ] = None,
    run_id: Annotated[
        str | None,
        typer.Argument(help="The run; by default every run of the month that is held or gone."),
    ] = None,
    *,
    every: Annotated[
        bool, typer.Option("--all", help="The runs of all months that are held or gone.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Say that a run that is held or gone is not wanted, so that it is no alarm any more."""
    from cloudbill.accepting import dismiss_runs
    from cloudbill.errors import ConfigError

    console = Console(verbose=verbose)
    failures: list[SourceFailure] = []
    dismissed: list[str] = []

    def dismiss_them() -> None:
        if (month is None) != every:
            raise ConfigError("Name a month, or give --all for all months")
        period = None if month is None else next(iter(read_selection([month]).periods))

        def work(settings: SourceSettings) -> None:
            for manifest in dismiss_runs(settings, period, run_id):
                dismissed.append(manifest.run_id)
                console.say(
                    f"{settings.source}: dismissed run {manifest.run_id} of {manifest.period}"
                )

        each_source(source, work, failed=failures.append)
        if not dismissed and not failures:
            of_month = f" of {month}" if month else ""
            what = f"no run{of_month} is held or gone"
            if run_id:
                what = (
                    f"run {run_id}{of_month} is not held, does not wait for parts, and is not gone"
                )
            raise ConfigError(f"Nothing to dismiss: {what}; `cloudbill plan` says what is")

    attempt(None, dismiss_them, failures.append)
    console.close(failures)
