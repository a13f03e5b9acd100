"""All that is printed: to which stream, in which form, and how a command ends."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from cloudbill.errors import CloudbillError
    from cloudbill.events import Event
    from cloudbill.pipeline import Outcome
    from cloudbill.planning import Selection
    from cloudbill.settings import SourceSettings

__all__ = [
    "AsJson",
    "Console",
    "Months",
    "Quiet",
    "SourceName",
    "Verbose",
    "read_selection",
    "read_settings",
]

SourceName = Annotated[
    str,
    typer.Argument(
        help="all, a provider (azure, aws), or a source (azure_billing.<name>).", metavar="SOURCE"
    ),
]
Months = Annotated[
    list[str] | None,
    typer.Option("--month", help="Only this month; may be given several times.", metavar="YYYY-MM"),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document; all else goes to stderr.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but failures.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Say more, and show the traceback of a failure.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """How one command prints: `as_json` keeps stdout free for its document."""

    as_json: bool = False
    quiet: bool = False
    verbose: bool = False

    def say(self, text: str) -> None:
        """Prints what the command was asked for, unless a document is."""
        _print(text, to_stderr=self.as_json)

    def warn(self, text: str) -> None:
        """Prints what went wrong, or what somebody is to look at."""
        _print(text, to_stderr=True)

    def document(self, text: str) -> None:
        """Prints the one document of a command."""
        _print(text)

    def failed(self, source: str | None, error: CloudbillError) -> None:
        """Says what ended a source or the command, with the traceback if more is to be said."""
        from cloudbill.output import error_line

        if self.verbose:
            import traceback

            _print("".join(traceback.format_exception(error)).rstrip(), to_stderr=True)
        self.warn(error_line(source, error))

    def end(self, error: CloudbillError) -> NoReturn:
        """Ends a command that could not do anything."""
        self.failed(None, error)
        raise typer.Exit(error.exit_code)

    def listener(self) -> Callable[[Event], None]:
        """Prints events as they happen."""
        from cloudbill.events import Discovered, Drifted
        from cloudbill.models import LoadFailure, ManifestFailure
        from cloudbill.output import lines

        def listen(event: Event) -> None:
            is_failure = isinstance(event, LoadFailure | ManifestFailure | Drifted)
            if isinstance(event, Discovered):
                # Nothing at all is most likely a mistake in the configuration.
                is_failure = not event.manifests
            if self.quiet and not is_failure:
                return
            # Several months load at once; the lines of one event stay together.
            _print("\n".join(lines(event)), to_stderr=self.as_json or is_failure)

        return listen

    def finish(
        self,
        outcomes: Sequence[Outcome],
        failed: CloudbillError | None,
        *,
        dry_run: bool = False,
    ) -> NoReturn:
        """Says what ended sources or the command, prints the document, ends with the exit code."""
        from cloudbill.errors import HeldError
        from cloudbill.inspection import find_double_deliveries
        from cloudbill.output import check_line, document

        for outcome in outcomes:
            if outcome.error is not None:
                self.failed(outcome.settings.source, outcome.error)
        if failed is not None:
            self.failed(None, failed)
        delivered = {outcome.settings.source: outcome.manifests for outcome in outcomes}
        for check in find_double_deliveries(delivered):
            self.warn(check_line(check))
        if self.as_json:
            self.document(document(outcomes, failed, dry_run=dry_run))
        codes = {outcome.exit_code for outcome in outcomes}
        codes.add(failed.exit_code if failed else 0)
        # A failure is more than a run that waits for somebody.
        failures = codes - {HeldError.exit_code}
        raise typer.Exit(max(failures) or max(codes))


def read_selection(months: Sequence[str], *, force: bool = False) -> Selection:
    """What a command line asks for.

    Raises:
        ConfigError: If a month is none.
    """
    from cloudbill.errors import ConfigError
    from cloudbill.models import BillingPeriod
    from cloudbill.planning import Selection

    try:
        periods = frozenset(BillingPeriod.parse(month) for month in months)
    except ValueError as error:
        raise ConfigError(f"--month: {error}") from error
    return Selection(periods=periods, force=force)


def read_settings(name: str) -> tuple[SourceSettings, ...]:
    """The configured sources that a name on the command line stands for.

    Raises:
        ConfigError: If there is none, or the configuration is wrong.
    """
    from cloudbill.settings import dlt_providers, read_sources, select_sources

    return select_sources(read_sources(dlt_providers(), os.environ), name)


_print_lock = threading.Lock()


def _print(text: str, *, to_stderr: bool = False) -> None:
    with _print_lock:
        print(text, file=sys.stderr if to_stderr else sys.stdout, flush=True)
