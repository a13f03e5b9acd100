"""The command that shows cloudbill with an invented bill, in a folder of its own."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cloudbill.cli.console import Console, Verbose
from cloudbill.cli.each_source import attempt, each_source
from cloudbill.cli.sample_writing import Size, write_both, writing_to
from cloudbill.cli.signals import stopped_by_signals
from cloudbill.cli.views import view_each_dataset
from cloudbill.text.counts import counted

if TYPE_CHECKING:
    from cloudbill.loading.outcome import Outcome
    from cloudbill.settings import SourceSettings
    from cloudbill.text.failures import SourceFailure

__all__ = ["demo"]

_SIZE: Final = Size(months=3, rows=150, seed=1)
_PAGE: Final = Path("report.html")
_BY_SERVICE: Final = (
    "SELECT ServiceCategory, BillingCurrency, SUM(EffectiveCost) AS cost FROM focus "
    "GROUP BY ALL ORDER BY cost DESC"
)


def demo(
    *,
    folder: Annotated[
        Path, typer.Option(help="The folder to write to: it is made, or an earlier demo made it.")
    ] = Path("cloudbill-demo"),
    is_opened: Annotated[
        bool,
        typer.Option(
            "--open/--no-open", help="Open the page in the browser; only from a terminal."
        ),
    ] = True,
    verbose: Verbose = False,
) -> None:
    """Load an invented bill, and show what there is: the status, and a page of its costs.

    All that it writes is in a folder of its own, which you can remove when you are done. A second
    time it finds nothing new.
    """
    from cloudbill.cli.looking import status
    from cloudbill.cli.reporting import report

    console = Console(verbose=verbose)
    failures: list[SourceFailure] = []
    left: list[str] = []
    place = folder.absolute()
    attempt(None, lambda: left.extend(_prepare(console, place)), failures.append)
    if failures:
        console.close(failures)
    _load(console, place)
    console.say("")
    _run(status)
    console.say("")
    _run(lambda: report(output=_PAGE, is_opened=is_opened and sys.stdout.isatty()))
    for line in _next_lines(folder, left):
        console.say(line)


def _prepare(console: Console, folder: Path) -> tuple[str, ...]:
    """Makes the folder and goes there; gives the names of variables that do not count there.

    Raises:
        ConfigError: If the folder is somebody else's, or cannot be written, or if other settings
            than those of the demo apply in it.
    """
    from cloudbill.sample import read_forms
    from cloudbill.settings import dlt_providers, read_each_source
    from cloudbill.setup.demo_folder import (
        EXPORTS,
        claim_folder,
        leave_other_settings,
        make_exports,
        require_demo_settings,
    )

    claim_folder(folder)
    made: list[bool] = []

    def write(target: Path) -> None:
        write_both(target, _SIZE, read_forms("csv"))

    writing_to(folder, lambda: made.append(make_exports(folder, write)))
    if any(made):
        console.say(f"Wrote an invented bill of Azure and one of AWS to {folder / EXPORTS}")
    left = leave_other_settings(os.environ)
    os.chdir(folder)
    require_demo_settings(read_each_source(dlt_providers(), os.environ), folder)
    return left


def _load(console: Console, folder: Path) -> None:
    """Loads the months that are new, and says how many; a failure ends the command."""
    from cloudbill.loading.outcome import counts_of
    from cloudbill.loading.stopping import Stop
    from cloudbill.pipeline import load_source
    from cloudbill.planning import Selection
    from cloudbill.setup.demo_folder import DATABASE

    outcomes: list[Outcome] = []
    failures: list[SourceFailure] = []
    # A log of each run is for those who schedule loads; here the status says it in fewer lines.
    told = console if console.is_live or console.verbose else Console(quiet=True)
    stop = Stop()
    with told.showing() as listener, stopped_by_signals(stop):

        def load(settings: SourceSettings) -> None:
            listen = listener(settings.source)
            with stop.for_a_source():
                outcomes.append(
                    load_source(
                        settings, Selection(), listen, stop=stop, wants_progress=told.is_live
                    )
                )

        each_source("all", load, failed=failures.append, is_stopped=lambda: stop.is_asked)
    loaded = [outcome.settings for outcome in outcomes if outcome.error is None]
    view_each_dataset(loaded, lambda _: None, failures.append, dry_run=False)
    if failures or any(outcome.exit_code for outcome in outcomes):
        console.finish(outcomes, failures)
    months = counts_of(outcomes)["loaded"]
    where = folder / DATABASE
    if months:
        console.say(f"Loaded {counted(months, 'month')} into {where}")
    else:
        console.say(f"Nothing is new: all months are in {where} already")


def _run(command: Callable[[], None]) -> None:
    """Runs another command; ends this one with its exit code, unless that is 0."""
    try:
        command()
    except typer.Exit as ended:
        if ended.exit_code:
            raise


def _as_place(folder: Path) -> str:
    """A folder as `cd` takes it: what begins with a hyphen would be an option."""
    return f"./{folder}" if str(folder).startswith("-") else str(folder)


def _next_lines(folder: Path, left: list[str]) -> list[str]:
    """What to try next, as commands to copy."""
    from cloudbill.disk.installation import read_installation

    command = read_installation().command
    unset = (
        ["Keep your variables from deciding there:", f"  unset {' '.join(left)}"] if left else []
    )
    return [
        "",
        "Go there:",
        f"  cd {shlex.quote(_as_place(folder))}",
        *(unset if left else ()),
        "Compare files and tables again, to the last digit:",
        f"  {command} verify",
        "Ask in SQL what each kind of service costs:",
        f'  {command} query "{_BY_SERVICE}"',
        "Find your own exports, in a folder for your bills:",
        f"  {command} init",
        f"{folder} is only for this: remove it when you are done.",
    ]
