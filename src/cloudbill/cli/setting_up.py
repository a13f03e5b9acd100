"""The commands that set cloudbill up, examine it, and repair its memory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cloudbill.cli.app import SET_UP, app, state
from cloudbill.cli.console import Console, SourceName, Verbose, read_settings

__all__ = ["doctor", "rebuild", "sample"]


@app.command(rich_help_panel=SET_UP)
def doctor(*, verbose: Verbose = False) -> None:
    """Look at the sources, their stores and warehouses; change nothing."""
    from cloudbill.errors import CloudbillError
    from cloudbill.inspection import examine
    from cloudbill.output import check_line

    console = Console(verbose=verbose)
    try:
        checks = examine(read_settings("all"))
    except CloudbillError as error:
        console.end(error)
    for check in checks:
        console.say(check_line(check))
    raise typer.Exit(0 if all(check.is_well for check in checks) else 1)


@state.command()
def rebuild(source: SourceName = "all", *, verbose: Verbose = False) -> None:
    """Write the ledger anew, from the tracking table and what the table holds."""
    from cloudbill.errors import CloudbillError
    from cloudbill.inspection import rebuild_ledger
    from cloudbill.output import rebuilt_lines

    console = Console(verbose=verbose)
    try:
        for settings in read_settings(source):
            for line in rebuilt_lines(rebuild_ledger(settings)):
                console.say(line)
    except CloudbillError as error:
        console.end(error)


@app.command(rich_help_panel=SET_UP)
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

    console = Console()
    if history:
        written = write_history(directory / "azure", months=months, seed=seed, days=days)
        console.say(f"Wrote {len(written.events)} events of {months} months to {directory}")
        return
    runs = write_azure(directory / "azure", months=months, rows=rows, seed=seed)
    runs += write_aws(directory / "aws", months=months, rows=rows, seed=seed)
    console.say(f"Wrote {len(runs)} runs of {months} months to {directory}")
