"""The application: options before the command, the help, and how the process ends."""

from __future__ import annotations

import gc
import os
import sys
import traceback
from collections.abc import Sequence
from types import TracebackType
from typing import Annotated, Any, Final, NoReturn, cast

import typer
from typer.core import TyperGroup

from cloudbill.cli.commands import COMMANDS, PANELS, CommandsOnDemand
from cloudbill.cli.output import guard_output, lost_output
from cloudbill.cli.signals import interruptible, was_interrupted

__all__ = ["INTERRUPTED", "app", "main"]

INTERRUPTED: Final = 130
"""The exit code that shells use for Ctrl-C: 128 plus the number of the signal."""


class _GroupedHelp(TyperGroup):
    """Lists commands by what people want to do, and creates only the one that is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        # Typer declares more than a mapping, but only reads it.
        self.commands = cast("Any", CommandsOnDemand())

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        for panel in PANELS:
            rows = [(listed.name, listed.summary) for listed in COMMANDS if listed.panel == panel]
            with formatter.section(panel):
                formatter.write_dl(rows)

    def invoke(self, ctx: Any) -> Any:
        """Runs a command; an interrupted command says so, and ends as a shell expects."""
        # Typer sets its own hook when it is called, so ours is set after that.
        sys.excepthook = _unexpected
        try:
            with interruptible():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            _end_interrupted()


def _end_interrupted() -> NoReturn:
    print("Stopped. Nothing is half done; run the same again", file=sys.stderr, flush=True)
    # Ends without waiting for threads that are in a download or a job.
    os._exit(INTERRUPTED)


_COLLECT_AFTER: Final = 50_000
"""Objects created and not freed. Python's default is 700, and imports alone create 100,000."""

app = typer.Typer(
    name="cloudbill",
    cls=_GroupedHelp,
    help="Loads the billing exports of the clouds into your own warehouse: once, complete, to the "
    "last digit.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and ends the process with its exit code."""
    # Everything that imports create stays alive; looking through it takes a tenth of a short run.
    gc.set_threshold(_COLLECT_AFTER)
    guard_output()
    try:
        app(args=None if arguments is None else list(arguments))
    except SystemExit as ended:
        code = _code_with_output(ended.code)
        if code == INTERRUPTED:
            # Threads that the user stopped may still wait for an answer; the process does not.
            os._exit(INTERRUPTED)
        raise SystemExit(code) from None


def _code_with_output(code: int | str | None) -> int:
    """The exit code, where output may have been lost; that is said, unless its reader left."""
    found = code if isinstance(code, int) else int(code is not None)
    lost = lost_output()
    if lost is None:
        return found
    from cloudbill.errors import CloudbillError
    from cloudbill.text.exit_codes import highest_code

    if not isinstance(lost, BrokenPipeError):
        print(f"Cannot write output: {lost.strerror}", file=sys.stderr, flush=True)
    return highest_code([found, CloudbillError.exit_code])


def _unexpected(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Prints an error that cloudbill did not expect: two lines, or the traceback with `-v`."""
    from cloudbill.redaction import redacted

    if was_interrupted():
        _end_interrupted()
    if {"-v", "--verbose"} & {*sys.argv}:
        text = "".join(traceback.format_exception(kind, error, trace))
        print(redacted(text), file=sys.stderr)
        return
    from cloudbill.cli.each_source import unexpected_error
    from cloudbill.text.failures import error_line

    print(error_line(None, unexpected_error(error)), file=sys.stderr)


def _show_version(is_asked: bool) -> None:  # noqa: FBT001
    if is_asked:
        from importlib.metadata import version

        print(f"cloudbill {version('cloudbill')}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", is_eager=True, callback=_show_version
        ),
    ] = False,
) -> None:
    """Takes the options before the command."""
