"""Writes the pages that come from the code: docs/cli.md, docs/configuration.md, docs/errors.md.

    uv run python scripts/reference.py [--check]

With `--check` it writes nothing, and fails if a page is out of date.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import typer

from cloudbill.cli import app
from cloudbill.cli.commands import PANELS
from cloudbill.providers import PROVIDERS
from cloudbill.settings.keys import KEYS
from cloudbill.text.explanations import (
    EXIT_CODES,
    EXPLANATIONS,
    WORDS,
    explanations_of_code,
)

DOCS = Path(__file__).parent.parent / "docs"
PANEL = "rich_help_panel"


def main() -> None:
    """Writes the pages, or only compares them."""
    configuration = DOCS / "configuration.md"
    pages = {
        DOCS / "cli.md": "\n".join(cli_page()),
        DOCS / "errors.md": "\n".join(errors_page()),
        configuration: with_keys(configuration.read_text()),
    }
    late = [page for page, text in pages.items() if not page.exists() or page.read_text() != text]
    if "--check" in sys.argv:
        if late:
            names = ", ".join(f"docs/{page.name}" for page in late)
            raise SystemExit(f"{names} are out of date: run `just docs`")
        return
    for page in late:
        page.write_text(pages[page])


def errors_page() -> Iterator[str]:
    """The page of exit codes and errors."""
    yield "# Errors and exit codes"
    yield ""
    yield "Made from the code by `just docs`. `cloudbill explain LoadError` prints the same in a"
    yield "terminal, and so does `cloudbill explain 5`. A message says what happened, where, and"
    yield "what to do next; `-v` adds the traceback."
    yield ""
    yield from table(
        ("exit code", "means", "errors"),
        (
            (
                str(code.code),
                code.means,
                ", ".join(
                    f"[{known.name}](#{known.name.lower()})"
                    for known in explanations_of_code(code.code)
                ),
            )
            for code in EXIT_CODES
        ),
    )
    yield ""
    yield "If several things went wrong, the exit code is the highest of their codes; a failure"
    yield "goes before a held run."
    for known in EXPLANATIONS:
        yield ""
        yield f"## {known.name}"
        yield ""
        yield f"Exit code {known.exit_code}. {known.means}"
        yield ""
        yield "Common causes:"
        yield ""
        yield from (f"- {cause}" for cause in known.causes)
        yield ""
        yield "What to do:"
        yield ""
        yield from (f"- {linked(remedy)}" for remedy in known.remedies)
    yield ""
    yield "## Words of runs and months"
    yield ""
    yield "What the commands and their JSON say of runs and months; `cloudbill explain superseded`"
    yield "prints the same."
    yield ""
    yield from table(
        ("word", "means"), ((f"`{word}`", in_cell(means)) for word, means in WORDS.items())
    )
    yield ""


def linked(text: str) -> str:
    """A text for a terminal, with links to the pages that it names."""
    return re.sub(r"\bdocs/(\w+\.md)", r"[\1](\1)", text)


def cli_page() -> Iterator[str]:
    """The page of commands."""
    root: Any = typer.main.get_command(app)
    commands = list(walk("cloudbill", root))
    # The commands of one module stay together.
    commands.sort(
        key=lambda named: (PANELS.index(getattr(named[1], PANEL)), named[1].callback.__module__)
    )
    yield "# The command line"
    yield ""
    yield "Made from the code by `just docs`. Every command also has `--help`."
    for panel in PANELS:
        yield ""
        yield f"**{panel}**"
        yield ""
        yield from table(
            ("command", "what it does"),
            (
                (f"[`{name}`](#{name.replace(' ', '-')})", in_cell(command.help))
                for name, command in commands
                if getattr(command, PANEL) == panel
            ),
        )
    yield ""
    yield "What the exit codes mean: [errors.md](errors.md)."
    for name, command in commands:
        yield ""
        yield f"## {name}"
        yield ""
        yield command.help.strip()
        yield ""
        context = command.make_context(name, [], resilient_parsing=True)
        yield "```text"
        yield " ".join([name, *command.collect_usage_pieces(context)])
        yield "```"
        yield ""
        rows = [row for option in command.params for row in described(option, context)]
        yield from table(("argument or option", "what it is"), rows)
    yield ""


def walk(name: str, group: Any) -> Iterator[tuple[str, Any]]:
    """Every command that can be run, in the order of the help, with the words that run it."""
    for word, command in group.commands.items():
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            for inner, found in walk(f"{name} {word}", command):
                setattr(found, PANEL, getattr(command, PANEL))
                yield inner, found
        else:
            yield f"{name} {word}", command


def described(option: Any, context: Any) -> Iterator[tuple[str, str]]:
    """The row of an argument or an option, from its help; none if it is hidden."""
    record = option.get_help_record(context)
    if record is None or getattr(option, "hidden", False):
        return
    label, text = record
    if option.param_type_name == "argument":
        label = re.sub(r" <\w[\w ]*>$", "", label)
    escaped = label.replace("|", "\\|")
    yield f"`{escaped}`", in_cell(text)


def with_keys(text: str) -> str:
    """The page of the configuration, with the parts from the code between their marks."""
    parts = {
        "keys": table(
            ("key", "default", "example", "environment variable of Azure's", "what it is"),
            (
                (
                    f"`{key.name}`",
                    key.shown_default,
                    f"`{key.name} = {key.example}`",
                    f"`SOURCES__AZURE_BILLING__{key.name.upper()}`",
                    key.description,
                )
                for key in KEYS
            ),
        ),
        "sections": table(
            ("provider", "section", "variables begin with", "`table_name` by default"),
            (
                (
                    f"{provider.TITLE} (`{provider.NAME}`)",
                    f"`[sources.{provider.SECTION}]`",
                    f"`SOURCES__{provider.SECTION.upper()}__`",
                    f"`{provider.DEFAULT_TABLE}`",
                )
                for provider in PROVIDERS.values()
            ),
        ),
    }
    for name, lines in parts.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise SystemExit(f"docs/configuration.md has no place for the {name}")
        text = "\n".join([before + begin.rstrip(), *lines, end + after])
    return text


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """A table in Markdown."""
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def in_cell(text: str) -> str:
    """A text that does not end a cell."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    main()
