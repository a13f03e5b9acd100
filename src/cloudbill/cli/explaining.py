"""The command that explains errors and exit codes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cloudbill.cli.console import Console

if TYPE_CHECKING:
    from cloudbill.text.explanations import Explanation

__all__ = ["explain"]

_WIDTH: Final = 80


def explain(
    name: Annotated[
        str | None,
        typer.Argument(
            help="An error, such as LoadError, a word that is said of a run or a month, such as "
            "held or superseded, or an exit code; without it, all exit codes.",
            metavar="NAME|CODE",
        ),
    ] = None,
) -> None:
    """Say what an error or an exit code means, or a word, and what to do."""
    from cloudbill.errors import ConfigError

    console = Console()
    if name is None:
        console.say("\n".join(_overview()))
        return
    found = _find(name)
    if not found:
        console.end(ConfigError(_unknown(name)))
    console.say("\n\n".join("\n".join(lines) for lines in found))


def _find(name: str) -> Sequence[list[str]]:
    from cloudbill.text.explanations import (
        EXIT_CODES,
        WORDS,
        explanation_of,
        explanations_of_code,
    )

    if name.isdecimal():
        means = [code.means for code in EXIT_CODES if code.code == int(name)]
        heads = [[f"Exit code {int(name)}", "", *_wrapped(text)] for text in means]
        return [*heads, *(_explained(known) for known in explanations_of_code(int(name)))]
    word, explanation = name.lower(), explanation_of(name)
    heads = [[word, "", *_wrapped(WORDS[word])]] if word in WORDS else []
    return heads if explanation is None else [*heads, _explained(explanation)]


def _explained(explanation: Explanation) -> list[str]:
    lines = [f"{explanation.name} (exit code {explanation.exit_code})", ""]
    lines += _wrapped(explanation.means)
    for title, items in (
        ("Common causes:", explanation.causes),
        ("What to do:", explanation.remedies),
    ):
        lines += ["", title]
        for item in items:
            lines += _wrapped(item, first="  - ", then="    ")
    return lines


def _overview() -> Iterator[str]:
    from cloudbill.text.explanations import EXIT_CODES, explanations_of_code

    yield "Exit codes:"
    for code in EXIT_CODES:
        yield ""
        yield from _wrapped(code.means, first=f"{code.code:>5}  ", then=" " * 7)
        names = ", ".join(known.name for known in explanations_of_code(code.code))
        if names:
            yield from _wrapped(names, first=" " * 7, then=" " * 7)
    yield ""
    yield "More of one: cloudbill explain LoadError, or cloudbill explain 5"


def _wrapped(text: str, first: str = "", then: str = "") -> list[str]:
    import textwrap

    # People copy a command from its line, so it is never broken at a hyphen.
    return textwrap.wrap(
        text, _WIDTH, initial_indent=first, subsequent_indent=then, break_on_hyphens=False
    )


def _unknown(name: str) -> str:
    import difflib

    from cloudbill.text.explanations import EXIT_CODES, EXPLANATIONS, WORDS

    if name.isdecimal():
        known = ", ".join(str(code.code) for code in EXIT_CODES)
        return f"There is no exit code {name}. Known are {known}"
    names = {explanation.name.lower(): explanation.name for explanation in EXPLANATIONS}
    names |= {word: word for word in WORDS}
    near = difflib.get_close_matches(name.lower(), names, n=1)
    hint = f"Did you mean '{names[near[0]]}'?" if near else f"Known are {', '.join(names.values())}"
    return f"There is no error or word '{name}'. {hint}"
