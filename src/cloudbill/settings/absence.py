"""What is said where no source is configured: how to begin, and which folders have one."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final

from cloudbill.errors import ConfigError
from cloudbill.providers import PROVIDERS, Provider
from cloudbill.settings.files import dlt_context
from cloudbill.settings.keys import KEYS

__all__ = ["not_configured_error", "nothing_configured_error"]

_FILE: Final = Path(".dlt", "config.toml")
_MOST_FOLDERS: Final = 500
"""How many folders are looked into below the current one, which may be a home full of files."""


def nothing_configured_error() -> ConfigError:
    """The error where there is no source at all: names the commands that begin, and folders."""
    here = Path(dlt_context().context.run_dir).absolute()
    found = "names none" if (here / _FILE).exists() else "is not there"
    begin = (
        f"No source is configured: {here / _FILE} {found}. Run `cloudbill init` to find your "
        "exports and write it, or `cloudbill demo` to try it with an invented bill"
    )
    near = [f"{one} has one: run cloudbill in that folder" for one in _folders_near(here)]
    return ConfigError("\n".join([begin, *near]))


def not_configured_error(name: str, wanted: Sequence[Provider]) -> ConfigError:
    """The error where other sources are configured, but none of a provider."""
    sections = " or ".join(provider.SECTION for provider in wanted)
    required = " and ".join(f"'{key.name}'" for key in KEYS if key.is_required)
    return ConfigError(
        f"No source is configured for '{name}': {_FILE.as_posix()} has no section "
        f"[sources.{sections}] with {required}. `cloudbill init` finds exports and adds it"
    )


def _folders_near(here: Path) -> Iterator[Path]:
    """The nearest folder above with a source in its configuration, and those one or two below."""
    yield from islice(filter(_has_source, here.parents), 1)
    yield from filter(_has_source, islice(_folders_below(here), _MOST_FOLDERS))


def _folders_below(here: Path) -> Iterator[Path]:
    children = _folders_in(here)
    yield from children
    for child in children:
        yield from _folders_in(child)


def _folders_in(folder: Path) -> list[Path]:
    with suppress(OSError), os.scandir(folder) as entries:
        return sorted(
            Path(entry.path)
            for entry in entries
            if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
        )
    return []


def _has_source(folder: Path) -> bool:
    """Whether the configuration of a folder can be read and has a section of ours."""
    with suppress(OSError, ValueError):  # TOML and UTF-8 that are none raise a ValueError
        sources = tomllib.loads((folder / _FILE).read_bytes().decode()).get("sources")
        sections = {provider.SECTION for provider in PROVIDERS.values()}
        return isinstance(sources, Mapping) and not sections.isdisjoint(sources)
    return False
