"""Looks up the value of a key, in the order of dlt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cloudbill.errors import ConfigError
from cloudbill.settings.keys import Key

__all__ = ["Lookup", "Place", "ValueProvider"]


class ValueProvider(Protocol):
    """The part of dlt's configuration providers that is used here."""

    @property
    def name(self) -> str:
        """The name for messages: `config.toml`."""

    def get_value(
        self, key: str, hint: type[Any], pipeline_name: str | None, *sections: str
    ) -> tuple[Any, str]:
        """The value of a key below sections, or None, and the key's full name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a value is: with whom, below which sections, and by which full name.

    `file` is that of a provider that reads files.
    """

    provider: str
    file: str
    sections: tuple[str, ...]
    full_name: str
    value: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """Looks up a key the way dlt does: provider by provider, each from the inner section out.

    `given` has values that override the configuration, `fallback` values that it overrides.
    """

    source: str
    providers: Sequence[ValueProvider]
    given: Mapping[str, object]
    fallback: Mapping[str, object]

    def read(self, key: Key) -> object:
        """The configured value, or None.

        Raises:
            ConfigError: If the key may not have this value.
        """
        value = self._find(key.name)
        if value is None:
            return None
        try:
            return key.read(value)
        except ValueError as error:
            quoted = "" if key.is_secret else f", not {value!r}"
            raise ConfigError(f"'{key.name}' of [sources.{self.source}] {error}{quoted}") from error

    def missing_error(self, key: Key) -> ConfigError:
        """The error for a missing value; it names the places where it could be."""
        places = "".join(
            f"\n  {provider.name}: {self._full_names(provider, key.name)}"
            for provider in self.providers
        )
        return ConfigError(
            f"'{key.name}' of source {self.source} is missing. Looked for in{places}"
        )

    def find(self, name: str) -> Place | None:
        """The first place with a value, in the order of dlt; None if there is none."""
        for provider in self.providers:
            for sections in self.sections():
                place = _place(provider, name, str, sections)
                if place is not None:
                    return place
        return None

    def places(self, name: str, hint: type[Any], sections: tuple[str, ...]) -> Iterator[Place]:
        """Every place with a value for a name below the same sections."""
        found = (_place(provider, name, hint, sections) for provider in self.providers)
        return (place for place in found if place is not None)

    def sections(self) -> Iterator[tuple[str, ...]]:
        """The sections that are looked into, from the inner one out."""
        sections = ("sources", *self.source.split("."))
        for length in range(len(sections), 0, -1):
            yield sections[:length]

    def _find(self, name: str) -> object:
        if self.given.get(name) is not None:
            return self.given[name]
        place = self.find(name)
        return self.fallback.get(name) if place is None else place.value

    def _full_names(self, provider: ValueProvider, name: str) -> str:
        return ", ".join(provider.get_value(name, str, None, *at)[1] for at in self.sections())


def _place(
    provider: ValueProvider, name: str, hint: type[Any], sections: tuple[str, ...]
) -> Place | None:
    value, full_name = provider.get_value(name, hint, None, *sections)
    if value is None:
        return None
    locate = getattr(provider, "get_value_location", None)
    return Place(
        provider=provider.name,
        # dlt reads a file of this name in its global folder, too, and then says so.
        file=(locate and locate(name, None, *sections)) or provider.name,
        sections=sections,
        full_name=full_name,
        value=value,
    )
