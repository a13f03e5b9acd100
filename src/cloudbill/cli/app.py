"""The application: what stands before every command, its help, and how the process ends."""

from __future__ import annotations

import gc
import os
import sys
import traceback
from collections.abc import Sequence
from types import TracebackType
from typing import Annotated, Any, Final, cast

import typer
from typer.core import TyperGroup

from cloudbill.cli.commands import COMMANDS, PANELS, CommandsOnDemand

__all__ = ["INTERRUPTED", "app", "main"]

INTERRUPTED: Final = 130
"""What a shell says of a process that Ctrl-C ended: 128 and the number of the signal."""


class _GroupedHelp(TyperGroup):
    """Lists commands by what people want to do, and makes the one that is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        # Typer asks for more than a mapping, and only reads it.
        self.commands = cast("Any", CommandsOnDemand())

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        for panel in PANELS:
            rows = [(listed.name, listed.summary) for listed in COMMANDS if listed.panel == panel]
            with formatter.section(panel):
                formatter.write_dl(rows)

    def invoke(self, ctx: Any) -> Any:
        """Runs a command; one that is interrupted says so, and ends as a shell expects."""
        # Typer sets a hook of its own when it is called.
        sys.excepthook = _unexpected
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            print("Stopped. Nothing is half done; run the same again", file=sys.stderr, flush=True)
            # Threads that are at a download or a job are not waited for.
            os._exit(INTERRUPTED)


_COLLECT_AFTER: Final = 50_000
"""Objects made and not freed; Python's own is 700, and some 100,000 are made by imports alone."""

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
    # To look through what imports make, all of which stays, takes a tenth of a short run.
    gc.set_threshold(_COLLECT_AFTER)
    try:
        app(args=None if arguments is None else list(arguments))
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            sys.stdout.flush()
            sys.stderr.flush()
            # What the user stopped may still wait for an answer; it is not waited for.
            os._exit(INTERRUPTED)
        raise


def _unexpected(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """What no part of cloudbill expected: a line for the user, everything for who looks into it."""
    from cloudbill.redaction import redacted

    if {"-v", "--verbose"} & {*sys.argv}:
        text = "".join(traceback.format_exception(kind, error, trace))
        print(redacted(text), file=sys.stderr)
        return
    print(
        f"Failed - unexpected {kind.__name__}: {redacted(str(error))}. This is a fault of "
        "cloudbill; the month that it was at keeps what it held. Run again with -v, and report it "
        "with what that prints",
        file=sys.stderr,
    )


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
    """What stands before every command."""
