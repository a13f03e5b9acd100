"""The commands that load months."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field, replace
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
from cloudbill.cli.each_source import attempt, each_source, require_one_source
from cloudbill.cli.signals import stopped_by_signals
from cloudbill.cli.views import view_each_dataset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from cloudbill.focus.keeping import FocusPlan
    from cloudbill.loading.events import Event
    from cloudbill.loading.outcome import Outcome
    from cloudbill.models import Pin
    from cloudbill.periods import BillingPeriod
    from cloudbill.planning import Selection
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
) -> None:
    """Load every month that has a newer run than the table holds."""
    console = Console(
        as_json=as_json, quiet=quiet, verbose=verbose, lists_all=dry_run, log_format=log_format
    )
    asked = _Asked(months=tuple(month or ()), run=run, release=release, force=force)
    _load(console, source, asked, dry_run=dry_run, exact=exact)


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
    asked = _Asked(months=tuple(month or ()), run=run, release=release, force=force)
    _load(console, source, asked, dry_run=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the command line asks for."""

    months: tuple[str, ...]
    run: str | None
    release: bool
    force: bool

    @property
    def option(self) -> str | None:
        """The option that decides which run a month stays with, if one does."""
        return "--run" if self.run is not None else "--release" if self.release else None

    def require_clear(self, source: str) -> None:
        """Refuses such an option unless it is clear which month of which source is meant.

        Raises:
            ConfigError: If it is not.
        """
        from cloudbill.errors import ConfigError

        if self.option is None:
            return
        if self.run is not None and self.release:
            raise ConfigError("Give --run or --release, not both")
        if len(set(self.months)) != 1:
            raise ConfigError(f"{self.option} is for one month; name it with --month YYYY-MM")
        require_one_source(source, self.option)

    def of_source(self, selection: Selection, settings: SourceSettings) -> Selection:
        """The selection, with the run that the month of this source is to stay with."""
        from cloudbill.accepting import choose_run

        if self.option is None:
            return selection
        (period,) = selection.periods
        pin = None if self.run is None else choose_run(settings, period, self.run)
        return replace(selection, pins={period: pin})


def _load(
    console: Console, source: str, asked: _Asked, *, dry_run: bool, exact: bool = False
) -> None:
    from cloudbill.accepting import load_chosen
    from cloudbill.loading.stopping import Stop
    from cloudbill.loading.words import pin_lines
    from cloudbill.periods import utc_now
    from cloudbill.pipeline import load_source, plan_source
    from cloudbill.text.months import require_known

    outcomes: list[Outcome] = []
    failures: list[SourceFailure] = []
    heard: list[_Heard] = []
    stop = Stop()
    started_at = time.monotonic()

    def load_all() -> None:
        selection = read_selection(asked.months, force=asked.force)
        asked.require_clear(source)
        with console.showing() as listener, stopped_by_signals(stop):

            def work(settings: SourceSettings) -> None:
                of_source = asked.of_source(selection, settings)
                listen = listener(settings.source)
                if dry_run:
                    heard.append(_Heard(source=settings.source, pins=of_source.pins))
                    outcomes.append(plan_source(settings, of_source, heard[-1].events.append))
                else:
                    load = load_chosen if of_source.pins else load_source
                    outcomes.append(
                        load(settings, of_source, listen, stop=stop, wants_progress=console.is_live)
                    )
                    pinned = pin_lines(outcomes[-1], of_source.pins, dry_run=False)
                    for line in () if console.quiet else pinned:
                        console.say(line)

            each_source(source, work, failed=failures.append, is_stopped=lambda: stop.is_asked)
            if dry_run:
                _say_plans(console, listener, outcomes, heard)
        if not failures and not any(outcome.is_unsure for outcome in outcomes):
            known = [period for outcome in outcomes for period in outcome.months]
            require_known(selection.periods, known, utc_now())

    attempt(None, load_all, failures.append)
    if not (dry_run or stop.is_asked):
        _keep_views(console, outcomes, failures.append)
    _close(console, outcomes, source, exact=exact)
    seconds = None if dry_run else time.monotonic() - started_at
    console.finish(outcomes, failures, dry_run=dry_run, seconds=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    """The events of planning a source, which are shown after the answer."""

    source: str
    pins: Mapping[BillingPeriod, Pin | None]
    events: list[Event] = field(default_factory=list)


def _say_plans(
    console: Console,
    listener: Callable[[str | None], Callable[[Event], None]],
    outcomes: Sequence[Outcome],
    heard: Sequence[_Heard],
) -> None:
    """Says what loads would do: first the answer for each source, then what it comes from."""
    from cloudbill.loading.plan_words import planned_lines, planned_months
    from cloudbill.loading.words import pin_lines

    plans = {outcome.settings.source: outcome for outcome in outcomes}
    for outcome in () if console.quiet else outcomes:
        if outcome.error is None:
            console.say(planned_months(outcome))
    for one in heard:
        listen = listener(one.source)
        for event in one.events:
            listen(event)
        if one.source in plans and not console.quiet:
            outcome = plans[one.source]
            for line in (*planned_lines(outcome), *pin_lines(outcome, one.pins, dry_run=True)):
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
    from cloudbill.looking.replacement import compare_run, replacement_json, replacement_lines

    console = Console(as_json=as_json, verbose=verbose)
    outcomes: list[Outcome] = []
    failures: list[SourceFailure] = []
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
            outcomes.append(accept_held(one, console.listener(None)))

    attempt(None, accept_it, failures.append)
    _keep_views(console, outcomes, failures.append)
    console.finish(outcomes, failures, more={"accepting": compared})


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
