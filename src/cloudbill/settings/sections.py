"""Finds the sources in the sections of the configuration, and mistakes in them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from cloudbill.errors import ConfigError
from cloudbill.providers import PROVIDERS
from cloudbill.settings.keys import KEYS
from cloudbill.settings.lookup import ValueProvider
from cloudbill.settings.names import read_source_name

__all__ = ["configured_sources", "is_source_name", "suggestion", "unknown_sections"]

_SHOWN: Final = 40
_KEYS: Final = frozenset(key.name for key in KEYS)
# Tables inside a section that belong to dlt, so they are not exports.
_DLT_TABLES: Final = frozenset({"client_kwargs", "config_kwargs", "credentials", "kwargs"})


def configured_sources(
    section: str, providers: Sequence[ValueProvider], env: Mapping[str, str]
) -> Iterator[tuple[str, ConfigError | None]]:
    """The section itself if it names an export, and every table inside it that does.

    With each comes what is wrong with its section: an unknown key, or a name that no source may
    have. A mistake in the section itself is one of every table inside it, too.
    """
    keys: set[str] = set()
    for provider in providers:
        node, _ = provider.get_value(section, dict, None, "sources")
        if isinstance(node, Mapping):
            keys |= set(_node_keys(node))
        elif node is not None:
            yield (
                section,
                ConfigError(
                    f"'{section}' in [sources] is {_shown(node)}, and must be a section: write "
                    f"[sources.{section}], and its keys below it"
                ),
            )
            return
    spelt = {key.partition(".")[0].lower(): key.partition(".")[0] for key in keys if "." in key}
    for key in _env_keys(section, env):
        # Variable names have no case, so an export keeps the case from a file.
        name, dot, inner = key.partition(".")
        keys.add(f"{spelt.get(name, name)}.{inner}" if dot else key)
    names = sorted({key.partition(".")[0] for key in keys if "." in key} - _DLT_TABLES)
    own = {key for key in keys if "." not in key}
    shared = _unknown_key(section, own - _DLT_TABLES)
    if "export_name" in own or (own and not names):
        yield section, shared
    for name in names:
        below = {key.removeprefix(f"{name}.") for key in keys if key.startswith(f"{name}.")}
        source = f"{section}.{name}"
        yield (
            source,
            shared or _illegal_name(section, name) or _unknown_key(source, below - _DLT_TABLES),
        )


def unknown_sections(providers: Sequence[ValueProvider]) -> Iterator[ConfigError]:
    """Every section below `sources` that looks like a misspelt one of ours.

    Raises:
        ConfigError: If a key there looks like one of ours: what it was meant for is unknown to
            every source.
    """
    known = [provider.SECTION for provider in PROVIDERS.values()]
    keys = [key.name for key in KEYS]
    for provider in providers:
        node, _ = provider.get_value("sources", dict, None)
        for name, value in node.items() if isinstance(node, dict) else ():
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
            if isinstance(value, Mapping) and name not in known and near:
                yield ConfigError(f"Unknown section [sources.{name}]. Did you mean '{near[0]}'?")
            near = difflib.get_close_matches(name, keys, n=1, cutoff=0.85)
            if not isinstance(value, Mapping) and name not in keys and near:
                raise ConfigError(f"Unknown key '{name}' in [sources]. Did you mean '{near[0]}'?")


def is_source_name(name: str) -> bool:
    """Whether a section inside that of a provider may be called so, and is taken for a source."""
    return _illegal_name("", name) is None and name not in _KEYS | _DLT_TABLES


def suggestion(word: str, known: Iterable[str]) -> str:
    """The nearest known word, or all of them, as the end of a message."""
    known = list(dict.fromkeys(known))
    near = difflib.get_close_matches(word, known, n=1)
    return f" Did you mean '{near[0]}'?" if near else f" Known are {', '.join(known)}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _node_keys(node: Mapping[str, object]) -> Iterator[str]:
    for key, value in node.items():
        if isinstance(value, Mapping) and key not in _DLT_TABLES | _KEYS:
            yield from (f"{key}.{inner}" for inner in value)
        else:
            yield key


def _env_keys(section: str, env: Mapping[str, str]) -> Iterator[str]:
    prefix = f"SOURCES__{section.upper()}__"
    for variable in env:
        if variable.startswith(prefix):
            first, *rest = variable.removeprefix(prefix).lower().split("__")
            yield f"{first}.{rest[0]}" if rest and first not in _DLT_TABLES else first


def _unknown_key(section: str, keys: Iterable[str]) -> ConfigError | None:
    known = [key.name for key in KEYS]
    for key in sorted(set(keys) - set(known)):
        return ConfigError(f"Unknown key '{key}' in [sources.{section}].{suggestion(key, known)}")
    return None


def _illegal_name(section: str, name: str) -> ConfigError | None:
    try:
        read_source_name(name)
    except ConfigError as error:
        return ConfigError(f"[sources.{section}.{name}]: {error}")
    return None
