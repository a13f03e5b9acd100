"""The command that answers SQL, and changes nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cloudbill.cli.console import AsJson, Console, Exact, Verbose
from cloudbill.cli.each_source import attempt

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings
    from cloudbill.text.failures import SourceFailure

__all__ = ["query"]


def query(
    sql: Annotated[
        str | None,
        typer.Argument(
            help="The SELECT; - reads it from stdin, and -- goes before one that begins with a "
            "comment.",
            metavar="SQL",
            show_default=False,
        ),
    ] = None,
    *,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="A file with the SELECT.", dir_okay=False)
    ] = None,
    source: Annotated[
        str,
        typer.Option("--source", help="Whose warehouse and dataset to ask, if there are several."),
    ] = "all",
    rows: Annotated[
        int, typer.Option("--rows", help="How many rows the table on the terminal has.", min=1)
    ] = 100,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV: all rows, every digit.")
    ] = False,
    exact: Exact = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Answer SQL from the warehouse: the view `focus` and the tables by name; change nothing."""
    from cloudbill.looking.answer_words import answer_lines, csv_pieces, json_pieces
    from cloudbill.looking.answering import answered
    from cloudbill.text.sizes import shown_size

    console = Console(as_json=as_json or as_csv, verbose=verbose)
    failures: list[SourceFailure] = []

    def scans(size: int) -> None:
        console.warn(f"The query scans {shown_size(size)}")

    def answer() -> None:
        text = _text_of(sql, file, is_csv_and_json=as_csv and as_json)
        settings = _warehouse_of(source)
        with answered(settings, text, scans) as found:
            if as_csv or as_json:
                pieces = csv_pieces(found) if as_csv else json_pieces(found)
            else:
                pieces = answer_lines(found, most=rows, width=console.width, exact=exact)
            for piece in pieces:
                if console.as_json:
                    console.document(piece)
                else:
                    console.say(piece)

    attempt(None, answer, failures.append)
    console.close(failures)


def _text_of(sql: str | None, file: Path | None, *, is_csv_and_json: bool) -> str:
    """The SQL of the command line, of a file, or of stdin.

    Raises:
        ConfigError: If it is not said where it is, or it cannot be read.
    """
    from cloudbill.errors import ConfigError

    if is_csv_and_json:
        raise ConfigError("--csv and --json are two forms of one answer: choose one")
    if (sql is None) == (file is None):
        raise ConfigError(
            "Give the SELECT as an argument, as - for stdin, or as --file: one of them"
        )
    place = str(file or ("stdin" if sql == "-" else "the argument"))
    try:
        if file is not None:
            return file.read_text(encoding="utf-8-sig")
        if sql == "-":
            return sys.stdin.buffer.read().decode("utf-8-sig")
        # What is not UTF-8 in an argument, Python keeps as half a character.
        return os.fsencode(str(sql)).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The SQL cannot be read from {place}: {error}") from error


def _warehouse_of(name: str) -> SourceSettings:
    """A source of the only dataset that some sources are in.

    Raises:
        ConfigError: If they are in several, or none of them can be read.
    """
    from cloudbill.errors import ConfigError
    from cloudbill.settings import (
        Misconfigured,
        SourceSettings,
        dlt_providers,
        read_each_source,
        select_sources,
    )

    found = select_sources(read_each_source(dlt_providers(), os.environ), name)
    by_dataset: dict[tuple[str, ...], list[SourceSettings]] = {}
    for one in found:
        if isinstance(one, SourceSettings):
            by_dataset.setdefault(one.physical_table[:-1], []).append(one)
    broken = [one.error for one in found if isinstance(one, Misconfigured)]
    if not by_dataset:
        raise broken[0]
    if len(by_dataset) > 1:
        places = "; ".join(
            f"{', '.join(one.source for one in group)} in {'.'.join(place)}"
            for place, group in by_dataset.items()
        )
        raise ConfigError(f"The sources are in several datasets: {places}. Choose with --source")
    (group,) = by_dataset.values()
    return group[0]
