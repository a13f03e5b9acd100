"""The command that shows the configuration as it is read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from cloudbill.cli.console import AsJson, Console, SourceName, Verbose
from cloudbill.cli.each_source import attempt

if TYPE_CHECKING:
    from cloudbill.settings import Misconfigured, SourceSettings
    from cloudbill.settings.origins import ShownKey
    from cloudbill.text.failures import SourceFailure

__all__ = ["config"]

config = typer.Typer(no_args_is_help=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """A source with its keys, and what is wrong with more than one of them."""

    source: str
    keys: tuple[ShownKey, ...]
    fault: str | None


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
    shown: list[_Shown] = []

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
        console.document(_json(shown, failures))
    console.close(failures, [2 for one in shown if _is_faulty(one)])


def _read(one: SourceSettings | Misconfigured) -> _Shown:
    from cloudbill.errors import ConfigError
    from cloudbill.settings import Misconfigured, dlt_providers
    from cloudbill.settings.origins import shown_keys

    error = one.error if isinstance(one, Misconfigured) else None
    if one.source is None or one.provider is None:  # a mistake of which nobody knows the source
        raise error or ConfigError("No source")
    keys = shown_keys(one.source, one.provider, dlt_providers(), os.environ)
    # What is wrong with one key is said there.
    is_of_key = any(key.fault and str(error).startswith(f"'{key.name}' of ") for key in keys)
    fault = None if error is None or is_of_key else str(error)
    return _Shown(source=one.source, keys=keys, fault=fault)


def _is_faulty(one: _Shown) -> bool:
    return bool(one.fault or any(key.fault for key in one.keys))


def _lines(one: _Shown, width: int) -> Iterator[str]:
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


def _json(shown: Sequence[_Shown], failures: Sequence[SourceFailure]) -> str:
    from cloudbill.text.failures import failures_json

    sources = [
        {
            "source": one.source,
            "fault": one.fault,
            "keys": [
                {
                    "key": key.name,
                    "value": key.value,
                    "from": key.origin,
                    "where": key.where or None,
                    "fault": key.fault,
                }
                for key in one.keys
            ],
        }
        for one in shown
    ]
    return json.dumps({"sources": sources, "failures": failures_json(failures)}, indent=2)
