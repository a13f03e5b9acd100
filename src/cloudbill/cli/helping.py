"""The commands that help with the command line itself."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cloudbill.cli.console import Console

__all__ = ["completion", "help_"]

_PROGRAM = "cloudbill"


class Shell(StrEnum):
    """A shell that completes commands and options."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


def help_(
    context: typer.Context,
    command: Annotated[
        list[str] | None,
        typer.Argument(help="A command, such as load, or state rebuild.", metavar="COMMAND"),
    ] = None,
) -> None:
    """Show the help of cloudbill, or of a command."""
    root = context.find_root()
    # As if it was typed, so that a command that does not exist is said in the same way.
    root.command.main([*(command or []), "--help"], prog_name=root.info_name, standalone_mode=False)


def completion(
    shell: Annotated[
        Shell | None,
        typer.Argument(
            help="The shell; by default the one that it runs in.", metavar="|".join(Shell)
        ),
    ] = None,
) -> None:
    """Print the script that lets a shell complete commands and options with the tab key.

    `cloudbill --install-completion` puts it where the shell reads it.
    """
    from typer._completion_shared import get_completion_script

    console = Console()
    name = shell or _running_shell(console)
    # The variable is the one that Typer reads.
    script = get_completion_script(
        prog_name=_PROGRAM, complete_var=f"_{_PROGRAM.upper()}_COMPLETE", shell=name
    )
    console.document(script)


def _running_shell(console: Console) -> Shell:
    """The shell that the command was started from; ends the command where it is not known."""
    import shellingham

    from cloudbill.errors import ConfigError

    try:
        found = shellingham.detect_shell()[0]
    except shellingham.ShellDetectionFailure:
        found = ""
    known = {"pwsh": Shell.POWERSHELL, **{str(one): one for one in Shell}}
    if found not in known:
        console.end(ConfigError(f"Name your shell: cloudbill completion {'|'.join(Shell)}"))
    return known[found]
