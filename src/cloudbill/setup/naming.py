"""Names for the sections and tables of several exports at once; what is configured stays."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cloudbill.providers import PROVIDERS
from cloudbill.settings import Misconfigured, SourceSettings
from cloudbill.settings.sections import is_source_name
from cloudbill.settings.tables import tracking_name
from cloudbill.setup.answers import Answers
from cloudbill.setup.config_file import has_section
from cloudbill.store.address import parse_address

__all__ = ["Named", "named_apart"]

_LONGEST: Final = 60
_OTHER_CHARACTERS: Final = re.compile(r"[^a-z0-9]+")

Configured = SourceSettings | Misconfigured


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """The new sources with a section and a table each, and those that are configured already."""

    answers: tuple[Answers, ...]
    known: tuple[tuple[Answers, str], ...]
    """An export, and the source that has it."""


def named_apart(
    wanted: Sequence[Answers], configured: Sequence[Configured], text: str, file: Path
) -> Named:
    """Gives each export a section that the configuration does not have, and a table of its own.

    The first of a provider gets the section of the provider, if that is free, and others a name
    after that of the export. `text` is the content of the configuration file.

    Raises:
        ConfigError: If the text is not valid TOML.
    """
    sections = {one.source.lower() for one in configured if one.source}
    tables = set[str]()
    for one in configured:
        if isinstance(one, SourceSettings):
            tables |= _tables(one.table_name)
    answers: list[Answers] = []
    known: list[tuple[Answers, str]] = []
    for export in wanted:
        source = next((one.source for one in configured if _is_of(one, export)), None)
        if source is not None:
            known.append((export, source))
            continue
        named = _with_section(export, sections, text, file)
        named = _with_table(named, tables)
        sections.add(named.source.lower())
        tables |= _tables(_table(named))
        answers.append(named)
    return Named(answers=tuple(answers), known=tuple(known))


def _is_of(source: Configured, export: Answers) -> bool:
    return (
        isinstance(source, SourceSettings)
        and export.provider == source.provider.NAME
        and source.export_name.strip("/") == export.export_name.strip("/")
        and source.prefix.strip("/") == export.prefix.strip("/")
        and _place(source.bucket) == _place(export.bucket)
    )


def _place(bucket: str) -> tuple[str, str]:
    address = parse_address(bucket)
    if address.scheme == "file":
        return address.scheme, str(Path(address.place).expanduser().absolute())
    return address.scheme, address.place.strip("/")


def _with_section(export: Answers, taken: set[str], text: str, file: Path) -> Answers:
    outer = f"{PROVIDERS[export.provider].SECTION}."
    has_inner = any(source.startswith(outer) for source in taken)

    def is_free(answers: Answers) -> bool:
        if answers.source.lower() in taken or has_section(text, answers.section, file=file):
            return False
        # A section inside it would take over the keys that it has not.
        return answers.name is not None or not has_inner

    names = (replace(export, name=name) for name in (None, *_names(export.export_name)))
    return next(filter(is_free, itertools.chain(names, _numbered(export))))


def _names(export_name: str) -> tuple[str, ...]:
    """A legal name of a source that is like the name of an export."""
    name = _OTHER_CHARACTERS.sub("_", export_name.lower())[:_LONGEST].strip("_")
    if is_source_name(name):
        return (name,)
    return (f"export_{name}".rstrip("_"),)


def _numbered(export: Answers) -> Iterator[Answers]:
    (name,) = _names(export.export_name)
    return (replace(export, name=f"{name}_{number}") for number in itertools.count(2))


def _with_table(answers: Answers, taken: set[str]) -> Answers:
    default = PROVIDERS[answers.provider].DEFAULT_TABLE
    (name,) = _names(answers.export_name)
    own = f"{default}_{answers.name or name}"
    candidates = itertools.chain(
        [_table(answers), own], (f"{own}_{number}" for number in itertools.count(2))
    )
    table = next(one for one in candidates if not _tables(one) & taken)
    return answers if table == _table(answers) else replace(answers, table_name=table)


def _table(answers: Answers) -> str:
    return answers.values["table_name"] or ""


def _tables(table: str) -> set[str]:
    """The tables that a source with this one writes."""
    return {table.lower(), tracking_name(table).lower()}
