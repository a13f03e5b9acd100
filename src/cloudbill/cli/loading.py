"""The commands that load months."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cloudbill.cli.after_load import AfterLoad
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
from cloudbill.cli.plans import Asked, require_months, say_plan
from cloudbill.cli.signals import stopped_by_signals
from cloudbill.cli.telling import MetricsFile
from cloudbill.cli.views import view_each_dataset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudbill.focus.keeping import FocusPlan
    from cloudbill.loading.outcome import Outcome
    from cloudbill.settings import SourceSettings
    from cloudbill.text.failures import SourceFailure

__all__ = ["accept", "dismiss", "load", "plan"]

RunToPin = Annotated[
    str | None,
    typer.Option(
        "--run",
        help="Put this complete run into the one month, even an older one, and pin it: the month "
        "stays with it until a run comes that is newer than all that the store holds now.",
        metavar="ID",
    ),
]
Release = Annotated[
    bool,
    typer.Option("--release", help="Unpin the one month, and load its newest run as usual."),
]


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
    run: RunToPin = None,
    release: Release = False,
    exact: Exact = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    log_format: LogLines = LogFormat.TEXT,
    metrics: MetricsFile = None,
) -> None:
    """Load every month that has a newer run than the table holds."""
    console = Console(
        as_json=as_json, quiet=quiet, verbose=verbose, lists_all=dry_run, log_format=log_format
    )
    asked = Asked(months=tuple(month or ()), run=run, release=release, force=force)
    if dry_run:
        say_plan(console, source, asked, exact=exact)
        return
    after = AfterLoad(
        console=console,
        command=f"load {source}",
        sources=source,
        metrics=metrics,
        is_all=source == "all",
    )
    with after.ending():
        _load(after, source, asked, exact=exact)


def plan(
    source: SourceName = "all",
    *,
    month: Months = None,
    force: Annotated[
        bool, typer.Option("--force", help="Plan as if the newest runs were not loaded.")
    ] = False,
    run: RunToPin = None,
    release: Release = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Say what `load` would do, and why; change nothing."""
    console = Console(as_json=as_json, verbose=verbose, lists_all=True)
    asked = Asked(months=tuple(month or ()), run=run, release=release, force=force)
    say_plan(console, source, asked)


def _load(after: AfterLoad, source: str, asked: Asked, *, exact: bool) -> None:
    from cloudbill.accepting import load_chosen
    from cloudbill.errors import StoppedError
    from cloudbill.loading.stopping import Stop
    from cloudbill.loading.words import pin_lines
    from cloudbill.pipeline import load_source

    console, outcomes, stop = after.console, after.outcomes, Stop()

    def load_all() -> None:
        selection = read_selection(asked.months, force=asked.force)
        asked.require_clear(source)
        with console.showing() as listener, stopped_by_signals(stop):

            def work(settings: SourceSettings) -> None:
                of_source = asked.of_source(selection, settings)
                listen = after.hearing(settings, listener(settings.source))
                load = load_chosen if of_source.pins else load_source
                with stop.for_a_source():
                    outcomes.append(
                        load(settings, of_source, listen, stop=stop, wants_progress=console.is_live)
                    )
                pinned = pin_lines(outcomes[-1], of_source.pins, dry_run=False)
                for line in () if console.quiet else pinned:
                    console.say(line)

            each_source(
                source, work, failed=after.failures.append, is_stopped=lambda: stop.is_asked
            )
        require_months(selection, outcomes, after.failures)

    attempt(None, load_all, after.refuse)
    # Who asks while the last month is recorded stops nothing: all is loaded.
    not_begun = [one for one in after.failures if isinstance(one.error, StoppedError)]
    if not (not_begun or any(outcome.is_stopped for outcome in outcomes)):
        _keep_views(after)
    _close(console, outcomes, after.failures, source, exact=exact)
    console.finish(outcomes, after.ended, seconds=after.seconds)


def _keep_views(after: AfterLoad) -> None:
    """Keeps the views of the datasets up to date that sources were loaded into.

    What ended a source, such as a locked file, would only be told a second time.
    """
    from cloudbill.looking.focus_words import foreign_lines, kept_lines

    console = after.console

    def say(plan: FocusPlan) -> None:
        for line in kept_lines(plan) if console.verbose else ():
            console.say(line)
        for line in () if console.quiet else foreign_lines(plan):
            console.warn(f"note  {line}")

    loaded = [outcome.settings for outcome in after.outcomes if outcome.error is None]
    view_each_dataset(loaded, say, after.views.append, dry_run=False)
    after.are_views_kept = len(loaded) == len(after.outcomes) > 0


def _close(
    console: Console,
    outcomes: Sequence[Outcome],
    failures: Sequence[SourceFailure],
    source: str,
    *,
    exact: bool,
) -> None:
    """The end of the output: the table of loaded months, and how to continue after a stop."""
    from cloudbill.loading.words import stopped_lines

    if console.is_live:
        from cloudbill.cli.display import summary_lines

        for line in summary_lines(outcomes, width=console.width, exact=exact):
            console.say(line)
    for line in stopped_lines(outcomes, failures, f"cloudbill load {source}"):
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
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask; needed where there is no terminal.")
    ] = False,
    exact: Exact = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Load a held run after all, and remember that it is right.

    It shows what the month holds and what it would hold, and asks.
    """
    from cloudbill.accepting import HeldRun, accept_held, find_held, which_held
    from cloudbill.loading.stopping import Stop
    from cloudbill.looking.replacement import compare_run, replacement_json, replacement_lines

    console = Console(as_json=as_json, verbose=verbose)
    after = AfterLoad(console=console, command=f"accept {month}", sources=source)
    failures = after.refused
    compared: list[object] = []

    def accept_it() -> None:
        (period,) = read_selection([month]).periods
        held: list[HeldRun] = []
        each_source(
            source,
            lambda settings: held.extend(find_held(settings, period, run_id)),
            failed=failures.append,
        )
        unread = [failure.source or "the configuration" for failure in failures]
        if unread and not held:
            return
        one = which_held(held, period, run_id, unread=unread, takes_slice=takes_slice)
        found = compare_run(
            *(one.settings, one.store, one.manifest, one.replaces), guard=one.guard, why=one.detail
        )
        compared.append(replacement_json(found))
        for line in replacement_lines(found, exact=exact):
            console.say(line)
        if yes or _agrees(console, f"{found.period} of {found.source}"):
            listen = after.hearing(one.settings, console.listener(None))
            stop = Stop()
            with stopped_by_signals(stop), stop.for_a_source():
                after.outcomes.append(accept_held(one, listen, stop=stop))

    with after.ending():
        attempt(None, accept_it, failures.append)
        _keep_views(after)
        console.finish(after.outcomes, after.ended, more={"accepting": compared})


def _agrees(console: Console, what: str) -> bool:
    """Whether a person wants a run to be loaded, now that its month was shown.

    Raises:
        ConfigError: If there is nobody to ask.
    """
    from cloudbill.errors import ConfigError

    if console.as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError(
            f"Nobody can be asked here whether {what} is to be replaced, so nothing was changed. "
            "Look at what was compared, then add --yes"
        )
    try:
        answer = input("Load it? [y/N] ")
    except (EOFError, KeyboardInterrupt):
        answer = ""
    if answer.strip().lower() in {"y", "yes"}:
        return True
    console.say("Nothing was changed")
    return False


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
    """Say that a run that is held, gone or damaged is not wanted, so it is no alarm any more."""
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
            what = (
                f"no run{of_month} is held or gone; one that waits for parts, or that could not "
                "be loaded, is dismissed by its id"
            )
            if run_id:
                what = (
                    f"run {run_id}{of_month} is not held, does not wait for parts, is not gone, "
                    "and no load of it failed for good"
                )
            raise ConfigError(f"Nothing to dismiss: {what}; `cloudbill plan` says what is")

    attempt(None, dismiss_them, failures.append)
    console.close(failures)
