"""The commands that show and compare what is loaded, and change nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cloudbill.cli.after_status import AfterStatus
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
from cloudbill.cli.telling import MetricsFile

if TYPE_CHECKING:
    from cloudbill.errors import CloudbillError
    from cloudbill.focus.keeping import FocusPlan
    from cloudbill.looking.comparison import MonthReport
    from cloudbill.looking.load_history import SourceHistory
    from cloudbill.looking.status import SourceStatus
    from cloudbill.looking.verification import Verified
    from cloudbill.periods import BillingPeriod
    from cloudbill.planning.doubles import Double
    from cloudbill.settings import SourceSettings
    from cloudbill.text.failures import SourceFailure

__all__ = ["history", "status", "verify"]


def status(
    source: SourceName = "all",
    *,
    max_age: Annotated[
        str | None,
        typer.Option(
            "--max-age",
            help="Fail if the newest delivery of a source is older: 90m, 36h, 2d.",
            metavar="AGE",
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="For monitors: fail if a person should look at anything, such as a held run.",
        ),
    ] = False,
    exact: Exact = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
    metrics: MetricsFile = None,
) -> None:
    """Show what each month holds, what is waiting or missing, and how old it is; change nothing."""
    from cloudbill.doctor.double_deliveries import find_double_deliveries
    from cloudbill.looking.status_reading import read_status
    from cloudbill.looking.status_words import status_json, status_lines
    from cloudbill.periods import utc_now
    from cloudbill.text.times import read_age

    console = Console(as_json=as_json, verbose=verbose)
    after = AfterStatus(console=console, sources=source, check=check, metrics=metrics)
    found = after.found

    def look() -> None:
        age = None if max_age is None else read_age(max_age)

        def work(settings: SourceSettings) -> None:
            found.append(read_status(settings, now=utc_now(), max_age=age, by_key=check))
            lines = status_lines(found[-1], width=console.width, exact=exact)
            _say_lines(console, lines, is_first=len(found) == 1)
            for error in _errors_of(found[-1], check=check):
                console.failed(settings.source, error)

        each_source(source, work, failed=_told(console, after.failures))

    attempt(None, look, _told(console, after.refused))
    plans, old = _view_status(console, found, _told(console, after.views), check=check)
    after.stale_views, failures = old, after.ended
    told = [error for one in found if check for error in _errors_of(one, check=check)]
    console.explain([*told, *old, *(failure.error for failure in failures)])
    counted = {one.settings.source: one.delivered for one in found if one.settings.in_focus}
    doubles = find_double_deliveries(counted)
    if as_json:
        console.document(status_json(found, failures, doubles, plans))
    codes = [one.check_code if check else one.exit_code for one in found]
    codes += [error.exit_code for error in old]
    if check:
        codes += _warn_of_doubles(console, doubles, [one.settings for one in found])
    after.end(code_with(codes, failures))


def _errors_of(status: SourceStatus, *, check: bool) -> list[CloudbillError]:
    """What could not be read, and with `check` also what a person should look at."""
    return [*status.errors, *(reason.error for reason in status.reasons if check)]


def _view_status(
    console: Console,
    found: Sequence[SourceStatus],
    failed: Callable[[SourceFailure], None],
    *,
    check: bool,
) -> tuple[list[FocusPlan], list[CloudbillError]]:
    """Says where the views of the sources are not as they should be, or leave months out.

    With `check`, gives what is not as it should be as errors, too.
    """
    from cloudbill.cli.views import view_each_dataset
    from cloudbill.errors import StaleError
    from cloudbill.looking.focus_words import left_out_lines, stale_lines

    plans: list[FocusPlan] = []
    errors: list[CloudbillError] = []

    def say(plan: FocusPlan) -> None:
        plans.append(plan)
        made = "mended by `cloudbill focus`, and by the next `cloudbill load`"
        stale = [f"{line}; {made}" for line in stale_lines(plan)]
        lines = [*stale, *(f"{plan.dataset}.focus - {line}" for line in left_out_lines(plan))]
        if lines:
            _say_lines(console, lines, is_first=False)
        for line in stale if check else ():
            errors.append(StaleError(line))
            console.failed(None, errors[-1])

    # Of what could not be read, that has been said.
    unread = {one.settings.physical_table[:-1] for one in found if not one.is_loaded_known}
    read = [one.settings for one in found if one.settings.physical_table[:-1] not in unread]
    view_each_dataset(read, say, failed, dry_run=True)
    return plans, errors


def _warn_of_doubles(
    console: Console, doubles: Sequence[Double], sources: Sequence[SourceSettings]
) -> list[int]:
    """Names sources that deliver the same charges, as `doctor` does; gives their exit codes."""
    from cloudbill.cli.views import together
    from cloudbill.doctor.double_deliveries import double_check
    from cloudbill.doctor.words import check_line

    checks = [double_check(double, together(sources)) for double in doubles]
    for one in checks:
        console.warn(check_line(one))
    return [one.exit_code for one in checks if not one.is_well]


def history(
    source: SourceName = "all",
    *,
    month: Months = None,
    exact: Exact = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Show how the billed cost of each month changed from load to load; change nothing."""
    from cloudbill.looking.load_history import read_history
    from cloudbill.looking.load_history_words import history_json, history_lines

    console = Console(as_json=as_json, verbose=verbose)
    found: list[SourceHistory] = []
    failures: list[SourceFailure] = []

    def look() -> None:
        periods = read_selection(month or []).periods

        def work(settings: SourceSettings) -> None:
            found.append(read_history(settings, periods))
            lines = history_lines(found[-1], width=console.width, exact=exact)
            _say_lines(console, lines, is_first=all(one.error for one in found[:-1]))
            if found[-1].error is not None:
                console.failed(settings.source, found[-1].error)

        each_source(source, work, failed=_told(console, failures))
        if not failures and not any(one.error for one in found):
            _require_known(periods, [(one.settings, one.recorded) for one in found])

    attempt(None, look, _told(console, failures))
    console.explain([failure.error for failure in failures])
    if as_json:
        console.document(history_json(found, failures))
    raise typer.Exit(code_with([one.exit_code for one in found], failures))


def _say_lines(console: Console, lines: Iterable[str], *, is_first: bool) -> None:
    """Prints the report of a source, unless JSON is asked for, which says the same."""
    lines = [*lines]
    if lines and not console.as_json:
        console.say("\n".join(lines if is_first else ("", *lines)))


def verify(
    source: SourceName = "all",
    *,
    month: Months = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Count a month that cannot be checked as different.")
    ] = False,
    view: Annotated[
        bool,
        typer.Option(
            "--view",
            help="Compare the view `focus` with the tables instead: billed and effective cost.",
        ),
    ] = False,
    exact: Exact = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Read the files and the table of loaded months again, compare every cost; change nothing."""
    from cloudbill.cli.view_verifying import verify_views
    from cloudbill.looking.verification import verify_source
    from cloudbill.looking.verification_words import (
        closing_lines,
        month_lines,
        verification_json,
    )

    console = Console(as_json=as_json, verbose=verbose)
    if view:
        verify_views(console, source, month or [], strict=strict, exact=exact)

    def listen(report: MonthReport) -> None:
        console.say("\n".join(month_lines(report)))

    found: list[Verified] = []
    failures: list[SourceFailure] = []

    def look() -> None:
        periods = read_selection(month or []).periods

        def work(settings: SourceSettings) -> None:
            found.append(verify_source(settings, periods, listen))
            for line in closing_lines(found[-1]):
                console.warn(line)

        each_source(source, work, failed=_told(console, failures))
        if not failures and not any(one.error for one in found):
            _require_known(periods, [(one.settings, one.recorded) for one in found])

    attempt(None, look, _told(console, failures))
    console.explain([failure.error for failure in failures])
    if as_json:
        console.document(verification_json(found, failures))
    codes = [verified.exit_code(strict=strict) for verified in found]
    raise typer.Exit(code_with(codes, failures))


def _told(console: Console, failures: list[SourceFailure]) -> Callable[[SourceFailure], None]:
    """Keeps what ended a source, and prints it at once."""

    def tell(failure: SourceFailure) -> None:
        failures.append(failure)
        console.ended(failure)

    return tell


def _require_known(
    asked: frozenset[BillingPeriod],
    recorded: Sequence[tuple[SourceSettings, frozenset[BillingPeriod]]],
) -> None:
    """Refuses months of which no source has a record, nor a run in its store.

    Raises:
        ConfigError: If there is one.
    """
    from cloudbill.errors import CloudbillError
    from cloudbill.periods import utc_now
    from cloudbill.surveying import find_runs
    from cloudbill.text.months import require_known

    known = {period for _, periods in recorded for period in periods}
    if asked <= known:
        return
    for settings, _ in recorded:
        try:
            _, discovery = find_runs(settings)
        except CloudbillError:
            return  # a store that cannot be read may have the month
        if discovery.failures:
            return
        known |= {run.manifest.period for run in discovery.runs}
    require_known(asked, known, utc_now())
