"""Where alerts are sent: what one destination is, and what of its address may be shown.

The address of a webhook is a secret, like a password: whoever has it can write there. So nothing
but `title` of a destination may reach a terminal, a log or a message.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePath
from typing import Final
from urllib.parse import unquote, urlsplit

__all__ = ["Destination", "DestinationKind", "read_destinations"]

_SCHEME: Final = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://[^\s]", re.IGNORECASE)
_COMMAND: Final = "command:"
_WEB: Final = frozenset({"http", "https"})
_LEAST_SECRET: Final = 4
"""Shorter words of an address are not hidden in what others say: they are no secrets."""


class DestinationKind(StrEnum):
    """Who brings a message there."""

    WEB = "web"
    """One JSON document is posted."""
    COMMAND = "command"
    """A program gets the JSON document as its input."""
    APPRISE = "apprise"
    """The library apprise sends title and text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """One place that alerts are sent to; `address` is a secret."""

    kind: DestinationKind
    address: str = field(repr=False)

    @property
    def title(self) -> str:
        """What may be shown of it: scheme and host, or the name of the program.

        What other services have in the place of a host may be a token, so of those it is the scheme
        alone.
        """
        if self.kind is DestinationKind.COMMAND:
            return f"{_COMMAND}{PurePath(self.command[0]).name}"
        scheme, _, _ = self.address.partition("://")
        if self.kind is DestinationKind.APPRISE:
            return f"{scheme.lower()}://"
        return f"{scheme.lower()}://{urlsplit(self.address).hostname}"

    @property
    def command(self) -> list[str]:
        """The program and its arguments."""
        return shlex.split(self.address.removeprefix(_COMMAND))

    def without_secrets(self, text: str) -> str:
        """What somebody else said about it, without any word of its address."""
        text = text.replace(self.address, self.title)
        for word in sorted(self._secret_words(), key=len, reverse=True):
            text = text.replace(word, "[redacted]")
        return text

    def _secret_words(self) -> Iterator[str]:
        if self.kind is DestinationKind.COMMAND:
            words = self.command[1:]
        else:
            _, _, rest = self.address.partition("://")
            words = [rest, *re.split(r"[/?#&=:@,;]+", rest)]
        host = urlsplit(self.address).hostname if self.kind is DestinationKind.WEB else None
        for word in words:
            if len(word) >= _LEAST_SECRET and word.lower() != host:
                yield from {word, unquote(word)}


def read_destinations(value: object) -> tuple[Destination, ...]:
    """One destination or several: a text, or a list of texts, which a variable has as JSON.

    The errors do not quote the value, for it is a secret.

    Raises:
        ValueError: If one is neither a URL nor `command:` and a program.
    """
    found: object = value
    if isinstance(value, str) and value.strip().startswith("["):
        try:
            found = json.loads(value)
        except ValueError as error:
            raise ValueError("begins with [ and is no list of texts as JSON has them") from error
    texts = found if isinstance(found, list | tuple) else [found]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("must be a text, or a list of texts")
    named = [str(text).strip() for text in texts if str(text).strip()]
    # Two that are alike would get every message twice.
    return tuple(dict.fromkeys(_read(text, number) for number, text in enumerate(named, 1)))


def _read(text: str, number: int) -> Destination:
    if text.startswith(_COMMAND):
        try:
            words = shlex.split(text.removeprefix(_COMMAND))
        except ValueError as error:
            raise ValueError(f"has a command with an open quote (destination {number})") from error
        if not words:
            raise ValueError(f"has no program after 'command:' (destination {number})")
        return Destination(kind=DestinationKind.COMMAND, address=text)
    match = _SCHEME.match(text)
    if match is None or any(character.isspace() for character in text):
        raise ValueError(
            "must have URLs, such as https://... or slack://..., or 'command:' and a program "
            f"(destination {number} is neither)"
        )
    if match["scheme"].lower() in _WEB:
        return Destination(kind=DestinationKind.WEB, address=_with_host(text, number))
    return Destination(kind=DestinationKind.APPRISE, address=text)


def _with_host(text: str, number: int) -> str:
    try:
        parts = urlsplit(text)
        is_whole = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_whole = False
    if not is_whole:
        raise ValueError(f"has a URL without a host, or with a wrong port (destination {number})")
    return text
