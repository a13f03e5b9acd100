"""The commands that look at stores and warehouses and change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cloudbill.cli.app import LOOK, app
from cloudbill.cli.console import (
    AsJson,
    Console,
    Months,
    SourceName,
    Verbose,
    read_selection,
    read_settings,
)

if TYPE_CHECKING:
    from cloudbill.comparison import MonthReport
    from cloudbill.errors import CloudbillError
    from cloudbill.verification import Verified

__all__ = ["verify"]


@app.command(rich_help_panel=LOOK)
def verify(
    source: SourceName = "all",
    *,
    month: Months = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="What cannot be checked counts as different.")
    ] = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Read files and table of the loaded months again, and compare every cost; change nothing."""
    from cloudbill.errors import CloudbillError
    from cloudbill.verification import verify_source
    from cloudbill.verification_report import closing_lines, month_lines, verification_document

    console = Console(as_json=as_json, verbose=verbose)

    def listen(report: MonthReport) -> None:
        console.say("\n".join(month_lines(report)))

    found: list[Verified] = []
    failed: CloudbillError | None = None
    try:
        periods = read_selection(month or []).periods
        for settings in read_settings(source):
            found.append(verify_source(settings, periods, listen))
            for line in closing_lines(found[-1]):
                console.warn(line)
    except CloudbillError as error:
        failed = error
        console.failed(None, error)
    if as_json:
        console.document(verification_document(found, failed))
    codes = [verified.exit_code(strict=strict) for verified in found]
    raise typer.Exit(max([*codes, failed.exit_code if failed else 0]))
