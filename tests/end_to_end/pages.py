"""The Markdown pages of the project, taken apart, and the words of the command line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from cloudbill.cli import app
from end_to_end.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block of a page."""

    page: str
    language: str
    text: str

    @property
    def key(self) -> tuple[str, str]:
        """The page and the first line, by which lists name a block."""
        return self.page, self.text.splitlines()[0]

    def __str__(self) -> str:
        return f"{self.page}: {self.text.splitlines()[0][:60]}"


def name_of(page: Path) -> str:
    """A page's path from the root of the project."""
    return page.relative_to(ROOT).as_posix()


def blocks(language: str) -> list[Block]:
    """Every fenced block of a language, in the order of the pages."""
    return [
        Block(page=name_of(page), language=found[1], text=found[2])
        for page in PAGES
        for found in _FENCE.finditer(page.read_text())
        if found[1] == language
    ]


def without_blocks(text: str) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", text)


def documents_of(script: str) -> Iterator[tuple[str, str]]:
    """The file and the content of every here-document of a script."""
    for found in re.finditer(
        r"cat > (\S+) <<'?(\w+)'?\n(.*?)^\2$", script, re.DOTALL | re.MULTILINE
    ):
        yield found[1], found[3]


def cloudbill_words(script: str) -> Iterator[list[str]]:
    """The words of every `cloudbill` command of a script, without the command itself."""
    bare = re.sub(r"<<'?(\w+)'?\n.*?^\1$", "", script, flags=re.DOTALL | re.MULTILINE)
    bare = bare.replace("\\\n", " ")
    for line in bare.splitlines():
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            continue  # a text over several lines, in which no command begins
        for at, word in enumerate(words):
            if word == "cloudbill" and (at == 0 or words[at - 1] in {"run", "&&", "||", ";"}):
                rest = words[at + 1 :]
                ends = [i for i, other in enumerate(rest) if other in {"&&", "||", ";", "|", ">"}]
                yield rest[: ends[0]] if ends else rest


def unknown_words(words: list[str]) -> list[str]:
    """Those of the words that are no command and no option of one."""
    command: Any = typer.main.get_command(app)
    options = {"--version", "--help", "-h", "--install-completion", "--show-completion"}
    unknown: list[str] = []
    for word in words:
        if word.startswith("-"):
            if word.partition("=")[0] not in options:
                unknown.append(word)
        elif hasattr(command, "commands"):
            command = command.commands.get(word)
            if command is None:
                return [word]
            options |= {
                name for option in command.params for name in (*option.opts, *option.secondary_opts)
            }
    return unknown
