"""Where the value of each key of a source comes from, for people who look for it; no secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cloudbill.providers import Provider
from cloudbill.redaction import redacted
from cloudbill.settings.credentials import CREDENTIALS, written_keys
from cloudbill.settings.keys import KEYS, Key
from cloudbill.settings.lookup import Lookup, Place, ValueProvider
from cloudbill.text.failures import SourceFailure, failures_json

__all__ = ["HIDDEN", "Origin", "ShownKey", "ShownSource", "shown_json", "shown_keys"]

HIDDEN: Final = "[redacted]"
_SECRETS: Final = "secrets.toml"
# A shared access signature, whose parts are many and have no names that say so.
_QUERY: Final = re.compile(r"[?&].*", re.DOTALL)


class Origin(StrEnum):
    """What gives a value; the values appear in JSON output."""

    ENVIRONMENT = "environment"
    FILE = "file"
    DEFAULT = "default"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownKey:
    """A key of a source: its value as text, None for none, and where that comes from.

    `where` is a variable, or a file and a section in it; empty for what nobody set.
    """

    name: str
    value: str | None
    origin: Origin
    where: str = ""
    fault: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSource:
    """A source with its keys, and what is wrong with more than one of them."""

    source: str
    keys: tuple[ShownKey, ...]
    fault: str | None


def shown_keys(
    source: str, provider: Provider, providers: Sequence[ValueProvider], env: Mapping[str, str]
) -> tuple[ShownKey, ...]:
    """Every key of a source, in the order of the documentation, then the names of credentials."""
    lookup = Lookup(source=source, providers=providers, given={}, fallback={})
    keys = (_shown(key, provider, lookup.find(key.name)) for key in KEYS)
    return (*keys, *_credentials(lookup, env))


def _shown(key: Key, provider: Provider, place: Place | None) -> ShownKey:
    if place is None:
        if key.is_required:
            return ShownKey(name=key.name, value=None, origin=Origin.MISSING, fault="is missing")
        return ShownKey(name=key.name, value=_default(key, provider), origin=Origin.DEFAULT)
    fault = None
    try:
        # An empty text stands for no value, for example for the one of an outer section.
        is_missing = key.read(place.value) is None and key.is_required
    except ValueError as error:
        fault = str(error)
    else:
        fault = "is missing" if is_missing else None
    is_file = place.provider.endswith(".toml")
    return ShownKey(
        name=key.name,
        value=HIDDEN if key.is_secret else _text(place),
        origin=Origin.FILE if is_file else Origin.ENVIRONMENT,
        where=f"{place.file}, [{'.'.join(place.sections)}]" if is_file else place.full_name,
        fault=fault,
    )


def _default(key: Key, provider: Provider) -> str | None:
    text = key.default if key.default_of is None else key.default_of(provider)
    return text or None


def _text(place: Place) -> str:
    if place.provider == _SECRETS:
        return HIDDEN
    text = str(place.value).lower() if isinstance(place.value, bool) else str(place.value)
    return redacted(_QUERY.sub(f"?{HIDDEN}", text))


def _credentials(lookup: Lookup, env: Mapping[str, str]) -> Iterator[ShownKey]:
    """What is configured of credentials: the names alone."""
    for key in written_keys(lookup, env, lookup.sections()):
        yield ShownKey(
            name=f"{CREDENTIALS}.{key.name}",
            value=HIDDEN,
            origin=Origin.ENVIRONMENT if key.variable else Origin.FILE,
            where=key.variable or f"{key.file}, [{key.section}]",
        )


def shown_json(shown: Sequence[ShownSource], ended: Sequence[SourceFailure] = ()) -> str:
    """The JSON document."""
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
    return json.dumps({"sources": sources, "failures": failures_json(ended)}, indent=2)
