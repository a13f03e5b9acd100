"""The command that makes the FOCUS views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cloudbill.cli.console import AsJson, Console, Quiet, SourceName, Verbose
from cloudbill.cli.each_source import each_source
from cloudbill.cli.views import view_each_dataset

if TYPE_CHECKING:
    from cloudbill.focus.keeping import FocusPlan
    from cloudbill.settings import SourceSettings
    from cloudbill.text.failures import SourceFailure

__all__ = ["focus"]


def focus(
    source: SourceName = "all",
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be changed; change nothing.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Make the views `focus`, `focus_1_4` and `focus_faults`: every bill of a dataset in one shape.

    `load` does the same after it loaded.
    """
    from cloudbill.looking.focus_words import (
        difference_lines,
        foreign_lines,
        kept_lines,
        plans_json,
    )

    console = Console(as_json=as_json, quiet=quiet, verbose=verbose)
    failures: list[SourceFailure] = []
    found: list[SourceSettings] = []
    each_source(source, found.append, failed=failures.append)
    plans: list[FocusPlan] = []

    def say(plan: FocusPlan) -> None:
        plans.append(plan)
        for line in (difference_lines if dry_run else kept_lines)(plan):
            console.say(line)
        if not (dry_run or plan.has_work):
            for line in difference_lines(plan):
                console.say(line)
        for line in foreign_lines(plan):
            console.warn(f"note  {line}")

    view_each_dataset(found, say, failures.append, dry_run=dry_run)
    if found and not plans and not failures:
        console.say("The views are switched off: a source of each dataset says 'focus = false'")
    if as_json:
        console.document(plans_json(plans))
    console.close(failures)
