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
    from cloudbill.models import utc_now
    from cloudbill.report.collecting import collect
    from cloudbill.report.page import build_page
    from cloudbill.report.page_json import page_json
    from cloudbill.text.exit_codes import highest_code

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
        page = build_page(page_json(tuple(reports), now)).encode()
        _write(output, page)
    except CloudbillError as error:
        console.end(error)
    console.say(f"Wrote {output.absolute()} ({len(page) / 1e6:.1f} MB)")
    if is_opened:
        import webbrowser

        if not webbrowser.open(output.absolute().as_uri()):
            console.warn("No browser could be opened; open the file yourself")
    raise typer.Exit(highest_code(codes))


def _write(path: Path, page: bytes) -> None:
    from cloudbill.errors import ConfigError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(page)
    except OSError as error:
        raise ConfigError(
            f"The page cannot be written to {path}: {error.strerror}. Say where with --output"
        ) from error
