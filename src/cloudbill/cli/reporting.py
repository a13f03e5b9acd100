"""The command that draws the bill."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cloudbill.cli.console import Console, SourceName, Verbose, read_settings

if TYPE_CHECKING:
    from cloudbill.report.model import SourceReport

__all__ = ["report"]


def report(
    source: SourceName = "all",
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The page to write.", dir_okay=False)
    ] = Path("report.html"),
    is_opened: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    verbose: Verbose = False,
) -> None:
    """Draw the bill as one page that works offline: the costs, and how far to trust them."""
    from cloudbill.errors import CloudbillError
    from cloudbill.periods import utc_now
    from cloudbill.report.collecting import collect
    from cloudbill.report.page import build_page
    from cloudbill.report.page_json import page_json

    console = Console(verbose=verbose)
    reports: list[SourceReport] = []
    codes, now = [0], utc_now()
    try:
        for settings in read_settings(source):
            found, failed = collect(settings)
            reports.append(found)
            if failed is not None:
                console.failed(settings.source, failed)
                codes.append(failed.exit_code)
            if found.is_stale(now):
                console.warn(f"{settings.source}: no delivery is as new as 'max_age' asks for")
        if len(codes) > len(reports):
            console.warn(_not_written(output))
            raise typer.Exit(max(codes))
        page = build_page(page_json(tuple(reports), now)).encode(errors="backslashreplace")
        _write(output, page)
    except CloudbillError as error:
        console.end(error)
    console.say(f"Wrote {output.absolute()} ({len(page) / 1e6:.1f} MB)")
    if is_opened:
        import webbrowser

        if not webbrowser.open(output.absolute().as_uri()):
            console.warn("No browser could be opened; open the file yourself")
    raise typer.Exit(max(codes))


def _not_written(path: Path) -> str:
    """What is said where nothing was read that a page could show."""
    kept = f"; {path} is still the one from before" if path.exists() else ""
    return f"No page was written, because no source could be read{kept}"


def _write(path: Path, page: bytes) -> None:
    from cloudbill.disk.exchanging import write_in_one_step
    from cloudbill.disk.room import full_disk_of
    from cloudbill.errors import ConfigError

    try:
        write_in_one_step(path, page)
    except OSError as error:
        remedy = "say where else with --output"
        full = full_disk_of(error, path, needed=len(page), remedy=remedy)
        reason = full or f"{error.strerror}. Or {remedy}"
        raise ConfigError(f"The page cannot be written to {path}: {reason}") from error
