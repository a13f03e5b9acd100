"""Everything that is printed: to which stream, in which form, and how a command ends."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from cloudbill.errors import CloudbillError
    from cloudbill.loading.events import Event
    from cloudbill.loading.outcome import Outcome
    from cloudbill.planning import Selection
    from cloudbill.text.failures import SourceFailure

__all__ = [
    "AsJson",
    "Console",
    "Exact",
    "LogFormat",
    "LogLines",
    "Months",
    "Quiet",
    "SourceName",
    "Verbose",
    "read_selection",
]


class LogFormat(StrEnum):
    """The form of a line of the log."""

    TEXT = "text"
    JSON = "json"


SourceName = Annotated[
    str,
    typer.Argument(
        help="all, a provider (azure, aws, aws_focus), or a source (azure_billing.<name>).",
        metavar="SOURCE",
    ),
]
Months = Annotated[
    list[str] | None,
    typer.Option("--month", help="Only this month; may be given several times.", metavar="YYYY-MM"),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document; everything else goes to stderr.")
]
Exact = Annotated[
    bool, typer.Option("--exact", help="Show amounts with every digit, not with two decimals.")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print only what a person should look at.")
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print more, and show the traceback of a failure.")
]
LogLines = Annotated[
    LogFormat, typer.Option("--log-format", help="Print events as lines of text or of JSON.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """How a command prints: `as_json` keeps stdout free for the JSON document."""

    as_json: bool = False
    quiet: bool = False
    verbose: bool = False
    lists_all: bool = False
    """Whether every run is listed, as in a plan; a log has a line for each loaded run only."""
    log_format: LogFormat = LogFormat.TEXT

    def __post_init__(self) -> None:
        _listen_to_log(self)

    def say(self, text: str) -> None:
        """Prints the result of the command, unless it is to be JSON."""
        self._line("info", text, to_stderr=self.as_json)

    def judge(self, line: str, colour: str) -> None:
        """Prints a line whose first word is a verdict, in a colour on a terminal that has any."""
        if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
            self.say(line)
            return
        from cloudbill.text.table import printable

        word, gap, rest = printable(line).partition(" ")
        _print(f"{typer.style(word, fg=colour, bold=True)}{gap}{rest}")

    def warn(self, text: str) -> None:
        """Prints what went wrong, or what somebody should look at."""
        self._line("warning", text, to_stderr=True)

    def document(self, text: str) -> None:
        """Prints the JSON document of a command."""
        _print(text)

    def failed(self, source: str | None, error: CloudbillError) -> None:
        """Prints the error that ended a source or the command, with the traceback if verbose."""
        from cloudbill.redaction import redacted
        from cloudbill.text.failures import error_line

        if self.verbose:
            import traceback

            self.warn(redacted("".join(traceback.format_exception(error)).rstrip()))
        if self.log_format is LogFormat.JSON:
            from cloudbill.loading.log_lines import error_log_line
            from cloudbill.periods import utc_now

            _print(error_log_line(source, error, utc_now()), to_stderr=True)
            return
        self.warn(error_line(source, error))

    def explain(self, errors: Sequence[CloudbillError]) -> None:
        """Names the command that explains the kinds of errors that happened."""
        kinds = list(dict.fromkeys(type(error).__name__ for error in errors))
        # Who stopped it knows, and a fault of cloudbill has said all that there is to say.
        kinds = [kind for kind in kinds if kind not in {"StoppedError", "UnexpectedError"}]
        for kind in kinds if self.log_format is LogFormat.TEXT else ():
            self.warn(f"More: cloudbill explain {kind}")

    def ended(self, failure: SourceFailure) -> None:
        """Says what ended a source or the command, as soon as it has."""
        self.failed(failure.source, failure.error)

    def close(self, failures: Sequence[SourceFailure], codes: Iterable[int] = ()) -> NoReturn:
        """Ends a command of which failures are all that is left to say; `codes` are its own."""
        from cloudbill.cli.each_source import code_with

        for failure in failures:
            self.ended(failure)
        self.explain([failure.error for failure in failures])
        raise typer.Exit(code_with(codes, failures))

    def end(self, error: CloudbillError) -> NoReturn:
        """Ends a command that could do nothing."""
        self.failed(None, error)
        self.explain([error])
        raise typer.Exit(error.exit_code)

    @contextmanager
    def showing(self) -> Iterator[Callable[[str | None], Callable[[Event], None]]]:
        """Shows events while the block runs: lines for a log, or a live display.

        Yields a function that makes the listener of a source.
        """
        if not self.is_live:
            yield self.listener
            return
        from cloudbill.cli.display import Display

        display = Display(self.say, self.warn)
        with display.shown():
            yield display.listener
        passed = display.passed_line()
        if passed:
            self.say(passed)

    @property
    def is_live(self) -> bool:
        """Whether the output goes to a terminal, and progress is wanted."""
        is_plain = self.as_json or self.quiet or self.verbose or self.log_format is LogFormat.JSON
        return not is_plain and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"

    @property
    def width(self) -> int:
        """The number of characters that fit into a line; in a file or a pipe, any number does."""
        if sys.stdout.isatty() or os.environ.get("COLUMNS"):
            return shutil.get_terminal_size().columns
        return sys.maxsize

    def listener(self, source: str | None) -> Callable[[Event], None]:
        """Prints the events of a source as they happen, in one or more lines each.

        Older runs that are skipped are only counted, unless `lists_all` or `verbose`.
        """
        from cloudbill.loading.events import (
            Discovered,
            Drifted,
            LoadStarted,
            NewlyHeld,
            OddRows,
            Stopping,
            UnrecordedRows,
        )
        from cloudbill.loading.log_lines import event_log_line
        from cloudbill.loading.words import UNLISTED, lines
        from cloudbill.manifests import ManifestFailure
        from cloudbill.models import LoadFailure, Skip
        from cloudbill.periods import utc_now

        begun: set[str] = set()

        def listen(event: Event) -> None:
            if isinstance(event, LoadStarted):
                begun.add(event.planned.manifest.path)
            # The line of the newest held run counts the others; a log of JSON is complete.
            is_alike = isinstance(event, Skip) and event.is_alike
            is_counted = (isinstance(event, Skip) and event.reason in UNLISTED) or (
                is_alike and self.log_format is LogFormat.TEXT
            )
            # A run that was begun is also seen to end, for example if another process was faster.
            if is_counted and not (self.verbose or self.lists_all or _path_of(event) in begun):
                return
            is_failure = isinstance(
                event,
                LoadFailure
                | ManifestFailure
                | Drifted
                | NewlyHeld
                | OddRows
                | UnrecordedRows
                | Stopping,
            )
            if isinstance(event, Discovered):
                # Finding nothing at all is most likely a mistake in the configuration.
                is_failure = not (event.manifests or event.is_explained)
            if self.quiet and not (is_failure or _is_for_a_person(event)):
                return
            if self.log_format is LogFormat.JSON:
                text = event_log_line(event, source, utc_now()) or ""
            else:
                # Several months load at once; the lines of one event must stay together.
                text = "\n".join(lines(event, source))
            if text:
                _print(text, to_stderr=self.as_json or self.quiet or is_failure)

        return listen

    def finish(
        self,
        outcomes: Sequence[Outcome],
        failures: Sequence[SourceFailure],
        *,
        dry_run: bool = False,
        seconds: float | None = None,
        more: Mapping[str, object] | None = None,
    ) -> NoReturn:
        """Prints what ended sources or the command, and the document; ends with the exit code.

        `seconds` is how long a load took; a log of it gets a last line. `more` is for the document.
        """
        from cloudbill.cli.each_source import code_with
        from cloudbill.cli.views import together
        from cloudbill.doctor.double_deliveries import double_check, find_double_deliveries
        from cloudbill.doctor.words import check_line
        from cloudbill.loading.words import but_not_begun, held_line, outcomes_json, same_fault_line

        for outcome in outcomes:
            ends = [] if outcome.error is None else [outcome.error]
            for error in (*(reason.error for reason in outcome.reasons), *ends):
                self.failed(outcome.settings.source, error)
            for line in filter(None, (same_fault_line(outcome), held_line(outcome))):
                self.warn(line)
        is_log = self.log_format is LogFormat.JSON
        for failure in failures if is_log else but_not_begun(failures):
            self.failed(failure.source, failure.error)
        delivered = {
            outcome.settings.source: outcome.manifests
            for outcome in outcomes
            if outcome.settings.in_focus
        }
        sources = together(outcome.settings for outcome in outcomes)
        for double in find_double_deliveries(delivered):
            check = double_check(double, sources)
            if not (check.is_note and self.quiet):
                self.warn(check_line(check))
        errors = [error for outcome in outcomes for error in (*outcome.errors, *outcome.held)]
        self.explain([*errors, *(failure.error for failure in failures)])
        code = code_with((outcome.exit_code for outcome in outcomes), failures)
        is_begun = bool(outcomes) or any(failure.source for failure in failures)
        if seconds is not None and is_begun and not (self.quiet or self.is_live):
            self._finished(outcomes, failures, seconds, code)
        if self.as_json:
            self.document(outcomes_json(outcomes, failures, dry_run=dry_run, more=more or {}))
        raise typer.Exit(code)

    def _finished(
        self,
        outcomes: Sequence[Outcome],
        failures: Sequence[SourceFailure],
        seconds: float,
        code: int,
    ) -> None:
        """Prints the last line of a log."""
        from cloudbill.loading.log_lines import finished_log_line
        from cloudbill.loading.outcome import counts_of
        from cloudbill.loading.words import but_not_begun, finished_line
        from cloudbill.periods import utc_now

        ended = sum(failure.source is not None for failure in but_not_begun(failures))
        counts = counts_of(outcomes, ended=ended)
        if self.log_format is LogFormat.JSON:
            line = finished_log_line(counts, seconds=seconds, exit_code=code, now=utc_now())
        else:
            line = finished_line(counts, seconds=seconds, exit_code=code)
        _print(line, to_stderr=self.as_json)

    def _line(self, level: str, text: str, *, to_stderr: bool) -> None:
        from cloudbill.text.table import printable

        text = printable(text, "\n")
        if self.log_format is LogFormat.JSON:
            from cloudbill.loading.log_lines import text_log_line
            from cloudbill.periods import utc_now

            text = text_log_line(level, text, utc_now())
        _print(text, to_stderr=to_stderr)


class _LogHandler(logging.Handler):
    """Prints log messages, such as that a call is tried again, in the form of the other lines."""

    def __init__(self, console: Console) -> None:
        quiet = logging.ERROR if console.quiet else logging.WARNING
        super().__init__(logging.INFO if console.verbose else quiet)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        from cloudbill.redaction import redacted

        text = redacted(record.getMessage())
        if self._console.log_format is LogFormat.JSON:
            from cloudbill.loading.log_lines import text_log_line
            from cloudbill.periods import utc_now

            text = text_log_line(record.levelname.lower(), text, utc_now(), logger=record.name)
        _print(text, to_stderr=True)


def _listen_to_log(console: Console) -> None:
    log = logging.getLogger("cloudbill")
    for handler in [one for one in log.handlers if isinstance(one, _LogHandler)]:
        log.removeHandler(handler)
    log.addHandler(_LogHandler(console))
    if console.verbose:
        log.setLevel(logging.INFO)


def read_selection(months: Sequence[str], *, force: bool = False) -> Selection:
    """The months that a command line asks for.

    Raises:
        ConfigError: If a text is not a month, or is a month in the future.
    """
    from cloudbill.errors import ConfigError
    from cloudbill.periods import BillingPeriod, utc_now
    from cloudbill.planning import Selection
    from cloudbill.text.months import require_past

    try:
        periods = frozenset(BillingPeriod.parse(month) for month in months)
    except ValueError as error:
        raise ConfigError(f"--month: {error}") from error
    require_past(periods, utc_now())
    return Selection(periods=periods, force=force)


def _is_for_a_person(event: Event) -> bool:
    """Whether a run is held, or loaded so that a person should know."""
    from cloudbill.loading.events import LoadFinished
    from cloudbill.models import Skip

    if isinstance(event, LoadFinished):
        return bool(event.result.notes)
    return isinstance(event, Skip) and event.is_held


def _path_of(event: Event) -> str:
    """The manifest of a run that is skipped."""
    from cloudbill.models import Skip

    return event.manifest.path if isinstance(event, Skip) else ""


_print_lock = threading.Lock()


def _print(text: str, *, to_stderr: bool = False) -> None:
    stream = sys.stderr if to_stderr else sys.stdout
    try:
        text.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        # A name on disk may be no text at all, and not every terminal shows every text.
        text = text.encode(stream.encoding or "utf-8", "backslashreplace").decode()
    with _print_lock:
        print(text, file=stream, flush=True)
