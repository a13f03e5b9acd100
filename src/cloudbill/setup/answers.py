"""Makes the configuration of a source from answers: finds exports, checks, and writes it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from cloudbill.errors import ConfigError
from cloudbill.providers import PROVIDERS, Provider
from cloudbill.settings import SourceSettings, dlt_providers, read_sources
from cloudbill.settings.keys import KEYS, key_named
from cloudbill.setup.config_file import TomlValues, with_section, write_config
from cloudbill.setup.export_search import Finding, FoundExport, find_exports
from cloudbill.store import open_store
from cloudbill.store.address import parse_address
from cloudbill.store.folders import open_browser

__all__ = [
    "Answers",
    "Change",
    "found_line",
    "look_for_exports",
    "no_choice_error",
    "plan_change",
    "read_bucket",
    "read_provider",
    "write_change",
]

_LOOK_FOR_S: Final = 20.0
"""A person waits for the answer, and can name the export instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """A source to configure: the answers for its keys, and `name` for another export.

    None leaves a key out.
    """

    provider: str
    bucket: str
    prefix: str
    export_name: str
    name: str | None = None
    scope: str | None = None
    table_name: str | None = None
    project_id: str | None = None
    dataset: str | None = None
    location: str | None = None
    database: str | None = None

    @property
    def source(self) -> str:
        """The section below `sources`."""
        section = PROVIDERS[self.provider].SECTION
        return section if self.name is None else f"{section}.{self.name}"

    @property
    def section(self) -> tuple[str, ...]:
        """The full path of the section."""
        return ("sources", *self.source.split("."))

    @property
    def values(self) -> dict[str, str | None]:
        """The keys of the section in the order in which they are written.

        An empty `prefix` is also written, or the prefix of an outer section would be used.
        """
        answered = {field.name for field in fields(self)}
        table = PROVIDERS[self.provider].DEFAULT_TABLE
        own = self.table_name or (f"{table}_{self.name}" if self.name else table)
        given = {key.name: getattr(self, key.name) for key in KEYS if key.name in answered}
        return {**given, "table_name": own}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A configuration file before and after the change, and the source that it then has."""

    file: Path
    before: str
    after: str
    values: dict[str, str | None]
    settings: SourceSettings


def read_provider(answer: str) -> str:
    """The name of a provider.

    Raises:
        ConfigError: If there is no such provider.
    """
    name = answer.strip().lower()
    if name not in PROVIDERS:
        raise ConfigError(f"'{answer}' is not a provider; known are {', '.join(PROVIDERS)}")
    return name


def read_bucket(answer: str) -> str:
    """A bucket name, a URL or a path, without credentials in it.

    Raises:
        ConfigError: If it is none of them, or would put a secret into a configuration file.
    """
    bucket = answer.strip()
    parse_address(bucket)
    return bucket


def look_for_exports(bucket: str, prefix: str, provider: str | None) -> Finding:
    """The exports below a prefix of a bucket, of one provider or of all.

    Raises:
        ConfigError: If the bucket cannot be opened.
        StoreError: If it cannot be listed.
    """
    chosen: Sequence[Provider] = (
        tuple(PROVIDERS.values()) if provider is None else (PROVIDERS[provider],)
    )
    # Credentials are in the section of a source, or in an outer section.
    sections = ("sources", chosen[0].SECTION) if provider else ("sources",)
    store = open_store(bucket, sections=sections, retry_for_s=_LOOK_FOR_S)
    browser = open_browser(store, sections=sections, retry_for_s=_LOOK_FOR_S)
    return find_exports(store, browser, prefix, providers=chosen)


def found_line(export: FoundExport) -> str:
    """A found export in one line."""
    months = f"{export.months} month{'' if export.months == 1 else 's'}"
    manifests = f"{export.manifests} manifest{'' if export.manifests == 1 else 's'}"
    where = f" in {export.prefix}" if export.prefix else ""
    return (
        f"{export.provider.NAME}: {export.export_name}{where} - {months}, {manifests}, "
        f"newest {export.newest_at:%Y-%m-%d %H:%M} UTC"
    )


def no_choice_error(finding: Finding, bucket: str, prefix: str) -> ConfigError:
    """The error if no export, or more than one, was found."""
    where = f"{bucket}, folder '{prefix}'" if prefix else bucket
    rest = (
        ""
        if finding.is_whole
        else " That was not the whole bucket; give --prefix to say where to look."
    )
    if not finding.exports:
        return ConfigError(
            f"No export was found in {where} ({finding.folders} folders were searched).{rest} "
            "Give --provider, --prefix and --export-name if its first run has not arrived yet"
        )
    lines = "".join(f"\n  {_options(export)}  ({found_line(export)})" for export in finding.exports)
    return ConfigError(
        f"{len(finding.exports)} exports are in {where}.{rest} Choose one by its options:{lines}"
    )


def _options(export: FoundExport) -> str:
    return shlex.join(
        [
            *("--provider", export.provider.NAME),
            *("--prefix", export.prefix),
            *("--export-name", export.export_name),
        ]
    )


def plan_change(file: Path, before: str, answers: Answers, *, replace: bool = False) -> Change:
    """The changed file, and the source as it will be read from it.

    Raises:
        SectionThereError: If the section exists, and `replace` is not given.
        ConfigError: If the configuration would be wrong, or would not have the answered values.
    """
    values = answers.values
    settings, after = _read_back(file, before, answers, values, replace=replace)
    # An outer section may have one; an empty value keeps this source in DuckDB, or of any scope.
    inherited = [
        name
        for name in ("project_id", "scope")
        if getattr(settings, name) is not None and getattr(answers, name) is None
    ]
    if inherited:
        values |= dict.fromkeys(inherited, "")
        settings, after = _read_back(file, before, answers, values, replace=replace)
    _require_as_answered(settings, answers, values)
    return Change(file=file, before=before, after=after, values=values, settings=settings)


def _read_back(
    file: Path, before: str, answers: Answers, values: dict[str, str | None], *, replace: bool
) -> tuple[SourceSettings, str]:
    after = with_section(before, answers.section, values, file=file, replace=replace)
    changed = TomlValues(after, file)
    providers = [changed if p.name == changed.name else p for p in dlt_providers()]
    return _source_of(read_sources(providers, os.environ), answers), after


def _source_of(sources: Sequence[SourceSettings], answers: Answers) -> SourceSettings:
    return next(settings for settings in sources if settings.source == answers.source)


def _require_as_answered(
    settings: SourceSettings, answers: Answers, values: dict[str, str | None]
) -> None:
    for name, wanted in values.items():
        read = getattr(settings, name)
        if wanted is not None and (read or None) != (key_named(name).read(wanted) or None):
            raise ConfigError(
                f"'{name}' of [sources.{answers.source}] would be {str(read)!r}, not {wanted!r}: "
                "the environment or .dlt/secrets.toml has another value. Nothing was written"
            )


def write_change(change: Change, answers: Answers) -> SourceSettings:
    """Writes a change, and reads the source the way every later command reads it.

    Raises:
        ConfigError: If the file cannot be written, was changed meanwhile, or does not give the
            source.
    """
    from dlt.common.configuration.container import Container
    from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

    is_there = change.file.exists()
    if (change.file.read_bytes().decode() if is_there else "") != change.before:
        raise ConfigError(f"{change.file} was changed meanwhile; nothing was written. Run again")
    write_config(change.file, change.after)
    # dlt reads its files once for each process.
    Container()[PluggableRunContext].reload()
    settings = _source_of(read_sources(dlt_providers(), os.environ), answers)
    _require_as_answered(settings, answers, change.values)
    return settings
