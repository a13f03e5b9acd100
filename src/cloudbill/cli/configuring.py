"""The command that shows the configuration as it is read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from cloudbill.cli.console import AsJson, Console, SourceName, Verbose
from cloudbill.cli.each_source import attempt

if TYPE_CHECKING:
    from cloudbill.settings import Misconfigured, SourceSettings
    from cloudbill.settings.origins import ShownSource
    from cloudbill.text.failures import SourceFailure

__all__ = ["config"]

config = typer.Typer(no_args_is_help=True)


# A group with one command is that command to Typer, unless it has a callback.
@config.callback()
def _config() -> None:
    """Takes the name of what is to be done with the configuration."""


@config.command()
def show(source: SourceName = "all", *, as_json: AsJson = False, verbose: Verbose = False) -> None:
    """Show each key's value and where it comes from: a file, a variable, or the default.

    Secrets are hidden. A value that cannot be used is shown with its fault, and then the exit code
    is 2.
    """
    console = Console(as_json=as_json, verbose=verbose)
    failures: list[SourceFailure] = []
    shown: list[ShownSource] = []

    def look() -> None:
        from cloudbill.settings import dlt_providers, read_each_source, select_sources

        found = read_each_source(dlt_providers(), os.environ)
        for one in select_sources(found, source):
            attempt(one.source, lambda one=one: shown.append(_read(one)), failures.append)  # type: ignore[misc]

    attempt(None, look, failures.append)
    for number, one in enumerate(shown):
        for line in ([""] if number else []) + list(_lines(one, console.width)):
            console.say(line)
    if as_json:
        from cloudbill.settings.origins import shown_json

        console.document(shown_json(shown, failures))
    console.close(failures, [2 for one in shown if _is_faulty(one)])


def _read(one: SourceSettings | Misconfigured) -> ShownSource:
    from cloudbill.errors import ConfigError
    from cloudbill.settings import Misconfigured, dlt_providers
    from cloudbill.settings.origins import ShownSource, shown_keys

    error = one.error if isinstance(one, Misconfigured) else None
    if one.source is None or one.provider is None:  # a mistake of which nobody knows the source
        raise error or ConfigError("No source")
    keys = shown_keys(one.source, one.provider, dlt_providers(), os.environ)
    # What is wrong with one key is said there.
    is_of_key = any(key.fault and str(error).startswith(f"'{key.name}' of ") for key in keys)
    fault = None if error is None or is_of_key else str(error)
    return ShownSource(source=one.source, keys=keys, fault=fault)


def _is_faulty(one: ShownSource) -> bool:
    return bool(one.fault or any(key.fault for key in one.keys))


def _lines(one: ShownSource, width: int) -> Iterator[str]:
    from cloudbill.text.table import Head, TableRow, table_lines

    yield f"[sources.{one.source}]"
    if one.fault:
        yield f"Fault: {one.fault}"
    heads = [Head(title="key"), Head(title="value"), Head(title="from")]
    rows = [
        TableRow(
            cells=(key.name, key.value or "-", key.where or str(key.origin)),
            notes=(f"Fault: '{key.name}' {key.fault}",) if key.fault else (),
        )
        for key in one.keys
    ]
    yield from table_lines(heads, [], rows, width=width)
