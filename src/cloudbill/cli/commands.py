"""The commands, in the order in which people are likely to need them.

The help of the application needs only this table. The module of a command is imported when the
command is called or its help is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import typer

__all__ = [
    "COMMANDS",
    "Command",
    "CommandsOnDemand",
    "PANELS",
]

_LOAD: Final = "Load the bills"
_LOOK: Final = "Look at what is loaded"
_SET_UP: Final = "Set up and repair"
PANELS: Final = (_LOAD, _LOOK, _SET_UP)


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its module in `cloudbill.cli`, and its line in the help."""

    name: str
    module: str
    panel: str
    summary: str

    @property
    def function(self) -> str:
        """What the module calls it; `help` is a function of Python."""
        return "help_" if self.name == "help" else self.name.replace("-", "_")

    def make(self) -> Any:
        """The command, or the group of commands, with all its options."""
        found = getattr(import_module(f"cloudbill.cli.{self.module}"), self.function)
        alone = typer.Typer(rich_markup_mode=None)
        if isinstance(found, typer.Typer):
            alone.add_typer(found, name=self.name, help=self.summary, rich_help_panel=self.panel)
        else:
            alone.command(self.name, short_help=self.summary, rich_help_panel=self.panel)(found)
        return typer.main.get_group(alone).commands[self.name]


COMMANDS: Final = (
    Command(
        "load", "loading", _LOAD, "Load every month that has a newer run than the table holds."
    ),
    Command("plan", "loading", _LOAD, "Say what `load` would do, and why; change nothing."),
    Command(
        "accept", "loading", _LOAD, "Load a held run after all, and remember that it is right."
    ),
    Command(
        "dismiss", "loading", _LOAD, "Say that a held run is not wanted; it is no alarm any more."
    ),
    Command("focus", "viewing", _LOAD, "Make the views with every bill in one shape, FOCUS."),
    Command(
        "status",
        "looking",
        _LOOK,
        "Show what each month holds, and what is waiting or missing.",
    ),
    Command(
        "history",
        "looking",
        _LOOK,
        "Show how the cost of each month changed from load to load.",
    ),
    Command("verify", "looking", _LOOK, "Compare files and tables again, to the last digit."),
    Command("query", "querying", _LOOK, "Answer SQL from your warehouse: a table, CSV or JSON."),
    Command("report", "reporting", _LOOK, "Draw the bill as one page that works offline."),
    Command("export", "exporting", _LOOK, "Write bills into files: Parquet, CSV or DuckDB."),
    Command("demo", "demonstrating", _SET_UP, "Load an invented bill, and show what there is."),
    Command("init", "initialising", _SET_UP, "Find your exports and write .dlt/config.toml."),
    Command(
        "doctor",
        "setting_up",
        _SET_UP,
        "Check configuration, permissions, stores, warehouses and disk.",
    ),
    Command(
        "config",
        "configuring",
        _SET_UP,
        "Show each value of the configuration, and where it is from.",
    ),
    Command(
        "notify",
        "notifying",
        _SET_UP,
        "Send a test message to each destination of the key `notify`.",
    ),
    Command(
        "smoke-test",
        "smoke_testing",
        _SET_UP,
        "Try on a real project what only BigQuery itself can show.",
    ),
    Command(
        "sample",
        "setting_up",
        _SET_UP,
        "Write sample exports, to try cloudbill without an account.",
    ),
    Command(
        "explain", "explaining", _SET_UP, "Say what an error or an exit code means, and what to do."
    ),
    Command("state", "setting_up", _SET_UP, "Repair the ledger, the memory of what is loaded."),
    Command("help", "helping", _SET_UP, "Show the help of cloudbill, or of a command."),
    Command(
        "completion",
        "helping",
        _SET_UP,
        "Print what lets your shell complete commands and options.",
    ),
)


class CommandsOnDemand(Mapping[str, Any]):
    """Every command under its name, created when it is looked up."""

    _listed: Final = {command.name: command for command in COMMANDS}

    def __getitem__(self, name: str) -> Any:
        return self._listed[name].make()

    def __iter__(self) -> Iterator[str]:
        return iter(self._listed)

    def __len__(self) -> int:
        return len(self._listed)
