"""Reads JSON from outside; every error names the file and the key inside it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from cloudbill.errors import ManifestError
from cloudbill.text.times import parse_time

__all__ = [
    "JsonObject",
    "MAX_DOCUMENT_BYTES",
]

MAX_DOCUMENT_BYTES: Final = 64 * 1024 * 1024
"""A manifest of 10,000 parts takes about 3 MB; a larger file is not a manifest."""

_SHOWN_CHARACTERS: Final = 80
_MAX_COUNT: Final = 2**63 - 1
# Control characters could forge lines in logs; lone surrogates cannot be printed.
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class JsonObject:
    """A JSON object, its key, and its file."""

    values: dict[str, object]
    path: str
    key: str = ""

    @classmethod
    def parse(cls, content: bytes, *, path: str) -> JsonObject:
        """Reads a whole document, with or without a byte order mark.

        Raises:
            ManifestError: If it is not a JSON object, is nested too deeply, or is not UTF-8.
        """
        try:
            document = json.loads(content.decode("utf-8-sig"), parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            reason = str(error) or type(error).__name__
            raise ManifestError(f"This is not JSON ({reason}):", path=path) from error
        if not isinstance(document, dict):
            raise ManifestError("A JSON object is expected in", path=path)
        return cls(values=document, path=path)

    def _at(self, name: str) -> str:
        return f"{self.key}.{name}" if self.key else name

    def error(self, problem: str, name: str) -> ManifestError:
        """An error for one value of this object."""
        return ManifestError(problem, path=self.path, key=self._at(name))

    def child(self, name: str) -> JsonObject | None:
        """The object under a name, or None if it is absent or null."""
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.error("An object is expected in", name)
        return JsonObject(values=value, path=self.path, key=self._at(name))

    def children(self, name: str) -> Iterator[JsonObject]:
        """The objects of a list under a name; none if it is absent or null."""
        for index, value in enumerate(self._list(name)):
            if not isinstance(value, dict):
                raise self.error("An object is expected in", f"{name}[{index}]")
            yield JsonObject(values=value, path=self.path, key=self._at(f"{name}[{index}]"))

    def texts(self, name: str) -> tuple[str, ...]:
        """The texts of a list under a name; none if it is absent or null."""
        texts: list[str] = []
        for index, value in enumerate(self._list(name)):
            texts.append(self._text(value, f"{name}[{index}]"))
        return tuple(texts)

    def _list(self, name: str) -> list[object]:
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.error("A list is expected in", name)
        return value

    def text(self, name: str) -> str | None:
        """A text without surrounding spaces, or None if it is absent, null or empty."""
        value = self.values.get(name)
        if value is None:
            return None
        return self._text(value, name) or None

    def _text(self, value: object, name: str) -> str:
        if not isinstance(value, str):
            raise self.error("A text is expected in", name)
        if _UNPRINTABLE.search(value):
            raise self.error(f"A text is expected, not {_shown(value)}, in", name)
        return value.strip()

    def count(self, name: str) -> int | None:
        """A count of at least zero, or None if it is absent or null: unknown, not zero."""
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_COUNT:
            raise self.error(f"A count is expected, not {_shown(value)}, in", name)
        return value

    def time(self, name: str) -> datetime | None:
        """A time, aware and in UTC, or None if it is absent; without a zone it is UTC."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return parse_time(text)
        except ValueError as error:
            raise self.error(f"A time is expected, not {_shown(text)}, in", name) from error

    def required(self, name: str, read: Callable[[str], _T | None]) -> _T:
        """A required value, read by one of the methods above."""
        value = read(name)
        if value is None:
            raise self.error("Missing required value in", name)
        return value


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
