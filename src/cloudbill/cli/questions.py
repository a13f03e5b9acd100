"""Questions on a terminal, each asked until its answer can be used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from cloudbill.cli.console import Console
from cloudbill.settings.keys import key_named

__all__ = ["Questions", "read_any", "read_numbers", "read_some", "read_warehouse"]

_YES = {"", "y", "yes"}
_NO = {"n", "no"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """Asks for what the options do not say, where there is a terminal."""

    console: Console
    may_ask: bool

    def ask_for(self, key: str, check: Callable[[str], str], *, more: str = "") -> str:
        """Asks for a key of the configuration; the enter key gives its default."""
        row = key_named(key)
        return self.ask(f"{row.title}{more}", check, default=row.default)

    def ask(self, question: str, check: Callable[[str], str], *, default: str | None = None) -> str:
        """Asks until the answer can be used, and says why an answer cannot."""
        from cloudbill.errors import ConfigError

        shown = f" [{default}]" if default else ""
        while True:
            answer = input(f"{question}{shown}: ").strip() or (default or "")
            try:
                return check(answer)
            except ConfigError as error:
                self.console.warn(f"  {error}")

    def ask_yes(self, question: str) -> bool:
        """Asks for yes or no, and shows by its capital that the enter key says yes."""

        def check(answer: str) -> str:
            read_yes(answer)
            return answer

        return read_yes(self.ask(f"{question} [Y/n]", check))

    def missing(self, option: str) -> NoReturn:
        """Refuses to go on without an option.

        Raises:
            ConfigError: Always.
        """
        from cloudbill.errors import ConfigError

        raise ConfigError(f"--{option} is missing, and there is no terminal to ask for it")


def read_any(answer: str) -> str:
    """The answer as it is."""
    return answer


def read_some(answer: str) -> str:
    """The answer, unless it is empty.

    Raises:
        ConfigError: If it is.
    """
    from cloudbill.errors import ConfigError

    if not answer:
        raise ConfigError("It cannot be empty")
    return answer


def read_warehouse(answer: str) -> str:
    """The kind of a warehouse, in lower case.

    Raises:
        ConfigError: If there is no such kind.
    """
    from cloudbill.errors import ConfigError

    if answer.lower() not in {"duckdb", "bigquery"}:
        raise ConfigError(f"'{answer}' is neither duckdb nor bigquery")
    return answer.lower()


def read_yes(answer: str) -> bool:
    """Whether the answer is yes; that is what the enter key says.

    Raises:
        ConfigError: If it is neither yes nor no.
    """
    from cloudbill.errors import ConfigError

    if answer.lower() not in _YES | _NO:
        raise ConfigError("Type y or n")
    return answer.lower() in _YES


def read_numbers(answer: str, most: int) -> tuple[int, ...]:
    """Some numbers from 1 on, such as `1 3` or `1,3`, without repetition; or `all` of them.

    Raises:
        ConfigError: If a word is not one of them.
    """
    from cloudbill.errors import ConfigError

    if answer.lower() == "all":
        return tuple(range(1, most + 1))
    numbers: dict[int, None] = {}
    for word in answer.replace(",", " ").split():
        if not (word.isascii() and word.isdecimal() and 1 <= int(word) <= most):
            raise ConfigError(
                f"'{word}' is not one of them; type numbers from 1 to {most}, such as 1,{most}, or "
                "all"
            )
        numbers[int(word)] = None
    if not numbers:
        raise ConfigError(f"Type numbers from 1 to {most}, or all")
    return tuple(numbers)
