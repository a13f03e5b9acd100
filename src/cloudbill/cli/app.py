"""The application: what stands before every command, its help, and how the process ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

__all__ = ["LOAD", "LOOK", "SET_UP", "app", "main", "state"]

LOAD: Final = "Load the bills"
LOOK: Final = "Look at what is loaded"
SET_UP: Final = "Set up and repair"


class _GroupedHelp(TyperGroup):
    """Lists commands by what people want to do, in the order in which they are likely to."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        for panel in (LOAD, LOOK, SET_UP):
            rows = [
                (name, command.get_short_help_str(limit=200))
                for name, command in self.commands.items()
                if getattr(command, "rich_help_panel", None) == panel and not command.hidden
            ]
            if rows:
                with formatter.section(panel):
                    formatter.write_dl(rows)


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

state = typer.Typer(no_args_is_help=True, help="Look after the memory of what is loaded.")
app.add_typer(state, name="state", rich_help_panel=SET_UP)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and ends the process with its exit code."""
    app(args=None if arguments is None else list(arguments))


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
