"""`verify --view`: the view `focus` against the tables that it is over."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, NoReturn

import typer

from cloudbill.cli.each_source import attempt, code_with, each_source

if TYPE_CHECKING:
    from cloudbill.cli.console import Console
    from cloudbill.looking.view_comparison import ViewMonth
    from cloudbill.periods import BillingPeriod
    from cloudbill.settings import SourceSettings
    from cloudbill.text.failures import SourceFailure

__all__ = ["verify_views"]


def verify_views(
    console: Console, source: str, asked: Sequence[str], *, strict: bool, exact: bool
) -> NoReturn:
    """Compares the views of the datasets of some sources, and ends the command."""
    from cloudbill.cli.console import read_selection
    from cloudbill.cli.views import with_views
    from cloudbill.looking.view_verification import verify_view
    from cloudbill.looking.view_words import view_json, view_lines
    from cloudbill.periods import utc_now
    from cloudbill.text.months import require_known

    failures: list[SourceFailure] = []
    named: list[SourceSettings] = []
    months: list[ViewMonth] = []

    def failed(failure: SourceFailure) -> None:
        failures.append(failure)
        console.ended(failure)

    def verify(group: Sequence[SourceSettings], periods: Collection[BillingPeriod]) -> None:
        own = {settings.source for settings in named} & {settings.source for settings in group}
        found = [one for one in verify_view(group) if source == "all" or one.source in own]
        require_known(frozenset(periods), {one.period for one in found}, utc_now())
        for one in found:
            if not periods or one.period in periods:
                months.append(one)
                console.say("\n".join(view_lines(one, exact=exact)))

    def look() -> None:
        periods = read_selection(list(asked)).periods
        each_source(source, named.append, failed=failed)
        for group in with_views(named):
            attempt(None, lambda group=group: verify(group, periods), failed)  # type: ignore[misc]

    attempt(None, look, failed)
    if not (months or failures):
        console.warn("There is no view to verify: nothing is loaded, or 'focus' is off")
    console.explain([failure.error for failure in failures])
    if console.as_json:
        console.document(view_json(months, failures))
    raise typer.Exit(code_with(_codes(months, strict=strict), failures))


def _codes(months: Sequence[ViewMonth], *, strict: bool) -> list[int]:
    from cloudbill.errors import VerificationError
    from cloudbill.looking.comparison import Verdict

    verdicts = {month.verdict for month in months}
    is_unsure = Verdict.NOT_CHECKABLE in verdicts or not months
    is_different = Verdict.DIFFERENT in verdicts or (strict and is_unsure)
    return [VerificationError.exit_code] if is_different else []
