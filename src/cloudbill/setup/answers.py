"""Makes the configuration of a source from answers: finds exports, checks, and writes it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from cloudbill.errors import ConfigError
from cloudbill.providers import PROVIDERS, Provider
from cloudbill.settings import SourceSettings, dlt_providers, read_sources
from cloudbill.settings.keys import KEYS, key_named
from cloudbill.setup.config_file import TomlValues, with_section, write_config
from cloudbill.setup.export_search import Finding, find_exports
from cloudbill.store import open_store
from cloudbill.store.address import parse_address
from cloudbill.store.credentials import bigquery_advice, store_advice
from cloudbill.store.folders import open_browser

__all__ = [
    "Answers",
    "Change",
    "credentials_advice",
    "look_for_exports",
    "plan_change",
    "plan_changes",
    "read_bucket",
    "read_database",
    "read_provider",
    "write_changes",
]

_LOOK_FOR_S: Final = 20.0
"""A person waits for the answer, and can name the export instead."""
_CLOUDS: Final = {"s3": "aws", "az": "azure"}
"""Whose section most likely has the credentials of a store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """A source to configure: the answers for its keys, and `name` for another export.

    None leaves a key out. `is_read` says that the bucket was listed, so that credentials work.
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
    is_read: bool = False

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
    answers: Answers
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


def read_database(answer: str) -> str:
    """The DuckDB file.

    Raises:
        ConfigError: If it is empty, or is not a file on this machine.
    """
    try:
        found = key_named("database").read(answer)
    except ValueError as error:
        raise ConfigError(f"{answer!r} cannot be the database: it {error}") from error
    if found is None:
        raise ConfigError("It cannot be empty")
    return answer.strip()


def look_for_exports(bucket: str, prefix: str, provider: str | None) -> Finding:
    """The exports below a prefix of a bucket, of one provider or cloud, or of all.

    Raises:
        ConfigError: If the bucket cannot be opened.
        StoreError: If it cannot be listed.
    """
    chosen = [
        one for one in PROVIDERS.values() if provider is None or provider in {one.NAME, one.CLOUD}
    ]
    sections = _sections_for(bucket, chosen, is_named=provider is not None)
    store = open_store(bucket, sections=sections, retry_for_s=_LOOK_FOR_S)
    browser = open_browser(store, sections=sections, retry_for_s=_LOOK_FOR_S)
    return find_exports(store, browser, prefix, providers=chosen)


def _sections_for(bucket: str, chosen: Sequence[Provider], *, is_named: bool) -> tuple[str, ...]:
    """Where credentials are: in the section of a source, or in an outer section."""
    cloud = _CLOUDS.get(parse_address(bucket).scheme)
    for provider in sorted(chosen, key=lambda one: cloud != one.CLOUD):
        section = ("sources", provider.SECTION)
        if _has_credentials(section):
            return section
    return ("sources", chosen[0].SECTION) if is_named else ("sources",)


def _has_credentials(section: tuple[str, ...]) -> bool:
    variable = "__".join((*section, "credentials")).upper()
    in_files = (one.get_value("credentials", dict, None, *section) for one in dlt_providers())
    return any(name.startswith(variable) for name in os.environ) or any(
        value is not None for value, _ in in_files
    )


def credentials_advice(changes: Sequence[Change]) -> tuple[str, ...]:
    """Lines that say which credentials are needed, where nothing shows that they work."""
    answers = changes[0].answers
    scheme = parse_address(answers.bucket).scheme
    used = _credentials_used(changes)
    works = answers.is_read and all(one.answers.section[: len(used)] == used for one in changes)
    # Credentials in [sources.credentials] are for all sources.
    source = answers.source if len(changes) == 1 else ""
    lines = () if works else store_advice(scheme, source)
    # The login that lists gs:// is that of BigQuery, unless the bucket has credentials of its own.
    is_login = works and scheme == "gs" and not _has_credentials(used)
    return lines + (bigquery_advice() if answers.project_id and not is_login else ())


def _credentials_used(changes: Sequence[Change]) -> tuple[str, ...]:
    """The section whose credentials list the bucket; the outermost where a login does."""
    clouds = {PROVIDERS[one.answers.provider].CLOUD for one in changes}
    alike = [provider for provider in PROVIDERS.values() if provider.CLOUD in clouds]
    return _sections_for(changes[0].answers.bucket, alike, is_named=False)


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
    return Change(
        file=file, before=before, after=after, answers=answers, values=values, settings=settings
    )


def plan_changes(file: Path, before: str, several: Sequence[Answers]) -> tuple[Change, ...]:
    """The changes for several sources, each after the one before it.

    Raises:
        SectionThereError: If a section exists.
        ConfigError: If the configuration would be wrong, or would not have the answered values.
    """
    changes: list[Change] = []
    for answers in several:
        changes.append(plan_change(file, changes[-1].after if changes else before, answers))
    return tuple(changes)


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


def write_changes(changes: Sequence[Change]) -> None:
    """Writes changes that follow each other, and reads the sources as every later command does.

    Raises:
        ConfigError: If the file cannot be written, was changed meanwhile, or does not give the
            sources.
    """
    from dlt.common.configuration.container import Container
    from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

    first, last = changes[0], changes[-1]
    is_there = first.file.exists()
    if (first.file.read_bytes().decode() if is_there else "") != first.before:
        raise ConfigError(f"{first.file} was changed meanwhile; nothing was written. Run again")
    write_config(first.file, last.after)
    # dlt reads its files once for each process.
    Container()[PluggableRunContext].reload()
    sources = read_sources(dlt_providers(), os.environ)
    for change in changes:
        _require_as_answered(_source_of(sources, change.answers), change.answers, change.values)
