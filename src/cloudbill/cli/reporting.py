"""The command that draws the bill."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cloudbill.cli.console import Console, SourceName, Verbose
from cloudbill.cli.each_source import attempt, code_with, each_source

if TYPE_CHECKING:
    from cloudbill.report.model import SourceReport
    from cloudbill.report.view_model import ViewReport
    from cloudbill.settings import SourceSettings
    from cloudbill.text.failures import SourceFailure

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
    from cloudbill.cli.views import together
    from cloudbill.doctor.double_deliveries import double_check
    from cloudbill.doctor.words import check_line
    from cloudbill.periods import utc_now
    from cloudbill.report.collecting import collect, unread
    from cloudbill.report.page import build_page
    from cloudbill.report.page_json import page_json
    from cloudbill.report.trust import doubles_of

    console = Console(verbose=verbose)
    reports: dict[str, SourceReport] = {}
    failures: list[SourceFailure] = []
    page: list[bytes] = []
    settings_read: list[SourceSettings] = []
    now = utc_now()

    def work(settings: SourceSettings) -> None:
        reports[settings.source] = unread(settings)
        settings_read.append(settings)
        reports[settings.source], error = collect(settings)
        if reports[settings.source].is_stale:
            console.warn(f"{settings.source}: no delivery is as new as 'max_age' asks for")
        if error is not None:
            raise error

    def failed(failure: SourceFailure) -> None:
        failures.append(failure)
        console.ended(failure)
        reports.update(_broken(reports, failure))

    def draw() -> None:
        each_source(source, work, failed=failed)
        if all(report.error for report in reports.values()):
            _say_not_written(console, output, reports)
            return
        for double in doubles_of(_counted(reports, settings_read)):
            console.warn(check_line(double_check(double, together(settings_read))))
        views = _views(console, settings_read, reports)
        drawn = build_page(page_json(tuple(reports.values()), now, views))
        page.append(drawn.encode(errors="backslashreplace"))
        _write(output, page[0])

    attempt(None, draw, failed)
    console.explain([failure.error for failure in failures])
    if not page or any(failure.source is None for failure in failures):
        raise typer.Exit(code_with([], failures))
    _say_written(console, output, len(page[0]))
    if is_opened:
        _open(console, output)
    raise typer.Exit(code_with([], failures))


def _views(
    console: Console, sources: Iterable[SourceSettings], reports: Mapping[str, SourceReport]
) -> tuple[ViewReport, ...]:
    """What the views say, for the datasets that could be read; without it the page has less."""
    from cloudbill.cli.views import with_views
    from cloudbill.errors import CloudbillError
    from cloudbill.report.viewing import collect_view

    found = []
    for group in with_views(settings for settings in sources if not reports[settings.source].error):
        try:
            view = collect_view(group)
        except CloudbillError as error:
            console.warn(f"{group[0].dataset}.focus: not in the page. {error}")
            continue
        if view is not None:
            found.append(view)
        elif any(reports[one.source].months.cells for one in group if one.source in reports):
            console.warn(
                f"{group[0].dataset}.focus: not in the page, because it is not there as the tables "
                "are now. Run `cloudbill focus`, then draw the page again"
            )
    return tuple(found)


def _counted(
    reports: Mapping[str, SourceReport], sources: Iterable[SourceSettings]
) -> Iterator[SourceReport]:
    return (reports[settings.source] for settings in sources if settings.in_focus)


def _broken(
    reports: Mapping[str, SourceReport], failure: SourceFailure
) -> Mapping[str, SourceReport]:
    """What the page says of a source that could not be read, whose settings may be broken."""
    from cloudbill.report.collecting import unconfigured

    if failure.source is None:
        return {}
    report = reports.get(failure.source) or unconfigured(failure.source)
    return {} if report is None else {failure.source: replace(report, error=str(failure.error))}


def _say_written(console: Console, output: Path, size: int) -> None:
    from cloudbill.text.sizes import shown_size

    console.say(f"Wrote {output.absolute()} ({shown_size(size)})")


def _open(console: Console, page: Path) -> None:
    import webbrowser

    if not webbrowser.open(page.absolute().as_uri()):
        console.warn("No browser could be opened; open the file yourself")


def _say_not_written(console: Console, path: Path, reports: Mapping[str, SourceReport]) -> None:
    """Says that nothing was read that a page could show.

    Where no source is there, that has been said, unless an old page could be taken for a new one.
    """
    kept = f"; {path} is still the one from before" if path.exists() else ""
    if reports or kept:
        console.warn(f"No page was written, because no source could be read{kept}")


def _write(path: Path, page: bytes) -> None:
    from cloudbill.disk.exchanging import write_in_one_step
    from cloudbill.disk.room import not_written
    from cloudbill.errors import ConfigError

    try:
        write_in_one_step(path, page)
    except OSError as error:
        remedy = "say where else with --output"
        reason = not_written(error, path, needed=len(page), remedy=remedy)
        raise ConfigError(f"The page cannot be written to {path}: {reason}") from error
