"""The configuration, read once from dlt's files and the environment into frozen values.

`keys` has a row for each key, `values` has the readers of values, `destinations` that of `notify`,
`names` says which names are legal, `files` opens dlt's files, `sections` finds the sources,
`lookup` finds the values, `credentials` the names of their keys, `origins` says where they come
from, `absence` says what to do where there is no source, `tables` says which tables a source
writes, `deployments` what tells one installation from another, and `warehouse` has the part that a
warehouse gets. dlt is imported when its files are read.

Pure: names.
May import: providers, text.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from cloudbill.errors import ConfigError
from cloudbill.periods import BillingPeriod
from cloudbill.providers import PROVIDERS, Provider
from cloudbill.settings.absence import not_configured_error, nothing_configured_error
from cloudbill.settings.credentials import unknown_credential
from cloudbill.settings.destinations import Destination, read_destinations
from cloudbill.settings.files import dlt_context
from cloudbill.settings.keys import KEYS
from cloudbill.settings.lookup import Lookup, ValueProvider
from cloudbill.settings.sections import configured_sources, suggestion, unknown_sections
from cloudbill.settings.tables import require_separate_tables
from cloudbill.settings.values import fault_of_database_path
from cloudbill.settings.warehouse import WarehouseSettings

__all__ = [
    "Misconfigured",
    "SourceSettings",
    "ValueProvider",
    "destinations_of",
    "dlt_providers",
    "read_each_source",
    "read_source",
    "read_sources",
    "select_sources",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """One export and its table; every key of `keys` is a field.

    `source` is the section below `sources`: `azure_billing`, or `azure_billing.<name>` for another
    export. `project_id` is None if the warehouse is DuckDB.
    """

    source: str
    provider: Provider
    bucket: str
    prefix: str
    export_name: str
    scope: str | None
    table_name: str
    project_id: str | None
    dataset: str
    location: str | None
    database: Path
    is_database_given: bool
    """Whether the DuckDB file is not the default one."""
    storage_version: str
    totals: bool
    memory_limit: str
    max_row_drop: Decimal
    max_cost_drop: Decimal
    cost_trifle: Decimal
    max_wait: timedelta
    max_age: timedelta | None
    notify: tuple[Destination, ...]
    parallel_loads: int
    partition_expiration_days: int | None
    maximum_bytes_billed: int | None
    retry_for_s: float
    lock_timeout_s: float
    in_focus: bool
    focus: bool
    cache: bool

    @property
    def sections(self) -> tuple[str, ...]:
        """Where dlt looks for this source's own configuration, such as credentials."""
        return ("sources", *self.source.split("."))

    @property
    def pipeline_name(self) -> str:
        """The name of the dlt pipeline that keeps the ledger."""
        return f"{self.source.replace('.', '_')}_pipeline"

    @property
    def warehouse(self) -> WarehouseSettings:
        """The settings for the warehouse of this source."""
        names = (field.name for field in fields(WarehouseSettings))
        return WarehouseSettings(**{name: getattr(self, name) for name in names})

    def kept_from(self, now: datetime) -> BillingPeriod | None:
        """The first month that the table keeps; None where it keeps all.

        A partition expires at its end plus the days ("Managing partitioned tables").
        """
        if self.partition_expiration_days is None or self.project_id is None:
            return None
        return BillingPeriod.of(now - timedelta(days=self.partition_expiration_days))

    @property
    def physical_table(self) -> tuple[str, ...]:
        """The identity of the table, in any warehouse."""
        warehouse = self.project_id or str(self.database.absolute())
        return warehouse, self.dataset.lower(), self.table_name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Misconfigured:
    """A source whose settings cannot be read, and why; `source` is None if nobody knows which."""

    source: str | None
    error: ConfigError
    provider: Provider | None = None


_Source = TypeVar("_Source", SourceSettings, Misconfigured, SourceSettings | Misconfigured)


def read_each_source(
    providers: Sequence[ValueProvider], env: Mapping[str, str]
) -> tuple[SourceSettings | Misconfigured, ...]:
    """Every configured source, in the order of the providers, then by name.

    A mistake of one source does not hide the others.

    Raises:
        ConfigError: If a mistake concerns every source.
    """
    found: list[SourceSettings | Misconfigured] = [
        Misconfigured(source=None, error=error) for error in unknown_sections(providers)
    ]
    for provider in PROVIDERS.values():
        for source, error in configured_sources(provider.SECTION, providers, env):
            found.append(_read_or_say_why(source, provider, providers, env, error))
    return _without_conflicts(found)


def _read_or_say_why(
    source: str,
    provider: Provider,
    providers: Sequence[ValueProvider],
    env: Mapping[str, str],
    error: ConfigError | None,
) -> SourceSettings | Misconfigured:
    try:
        if error is None:
            settings = read_source(source, provider, providers)
            error = unknown_credential(
                Lookup(source=source, providers=providers, given={}, fallback={}),
                env,
                scheme=settings.bucket.partition("://")[0],
                is_bigquery=settings.project_id is not None,
            )
            if error is None:
                return settings
    except ConfigError as raised:
        error = raised
    return Misconfigured(source=source, error=error, provider=provider)


def _without_conflicts(
    found: Sequence[SourceSettings | Misconfigured],
) -> tuple[SourceSettings | Misconfigured, ...]:
    """The sources; of two that would write one table, neither is usable."""
    refused: dict[str, ConfigError] = {}

    def check(*sources: SourceSettings) -> None:
        try:
            _refuse_shared_tables(sources)
            require_separate_tables(sources)
        except ConfigError as error:
            for settings in sources:
                refused.setdefault(settings.source, error)

    usable = [one for one in found if isinstance(one, SourceSettings)]
    for settings in usable:
        check(settings)
    # One that is refused alone takes no other with it.
    for first, second in itertools.combinations(
        [settings for settings in usable if settings.source not in refused], 2
    ):
        check(first, second)
    return tuple(
        Misconfigured(source=one.source, error=refused[one.source], provider=one.provider)
        if isinstance(one, SourceSettings) and one.source in refused
        else one
        for one in found
    )


def read_sources(
    providers: Sequence[ValueProvider], env: Mapping[str, str]
) -> tuple[SourceSettings, ...]:
    """Every configured source, as `read_each_source`, as long as all can be read.

    Raises:
        ConfigError: If a value is missing or unknown, or if two sources share a table.
    """
    sources: list[SourceSettings] = []
    for one in read_each_source(providers, env):
        if isinstance(one, Misconfigured):
            raise one.error
        sources.append(one)
    return tuple(sources)


def dlt_providers() -> tuple[ValueProvider, ...]:
    """dlt's places for configuration: the environment, secrets.toml, config.toml.

    Raises:
        ConfigError: If dlt cannot read one of its files; names the file and the line.
    """
    return tuple(dlt_context().providers.providers)


def destinations_of(
    source: str | None, providers: Sequence[ValueProvider]
) -> tuple[Destination, ...]:
    """Who is told of a source whose other settings may be broken, or of what is of no source.

    A value that cannot be read names nobody; that it cannot is told where the source is read.
    """
    lookup = Lookup(source=source or "", providers=providers, given={}, fallback={})
    if source is None:
        place = next(lookup.places("notify", str, ("sources",)), None)
    else:
        place = lookup.find("notify")
    try:
        return () if place is None else read_destinations(place.value)
    except ValueError:
        return ()


def read_source(
    source: str,
    provider: Provider,
    providers: Sequence[ValueProvider],
    given: Mapping[str, object] | None = None,
    fallback: Mapping[str, object] | None = None,
) -> SourceSettings:
    """The settings of one source.

    `given` has values that override the configuration, `fallback` values that it overrides.

    Raises:
        ConfigError: If a value is missing or cannot be read.
    """
    lookup = Lookup(source=source, providers=providers, given=given or {}, fallback=fallback or {})
    configured = {key.name: lookup.read(key) for key in KEYS}
    # The rows know their types, but mypy does not see them here: a test compares rows and fields.
    values: dict[str, Any] = {}
    for key in KEYS:
        value = configured[key.name]
        if value is None and key.is_required:
            raise lookup.missing_error(key)
        values[key.name] = key.default_for(provider) if value is None else value
    settings = SourceSettings(
        source=source,
        provider=provider,
        is_database_given=configured["database"] is not None,
        **values,
    )
    # The folder that it is run in counts only where the file is opened.
    fault = None if settings.project_id else fault_of_database_path(settings.database)
    if fault is not None:
        raise ConfigError(
            f"'database' of [sources.{source}]: {fault}; choose a name and folders without it"
        )
    return settings


def select_sources(sources: Sequence[_Source], name: str) -> tuple[_Source, ...]:
    """The sources that `all`, a provider, or the name of a source stands for.

    Mistakes of which nobody knows what source they are of belong to every selection.

    Raises:
        ConfigError: If nothing of that name is configured.
    """
    if not sources:
        raise nothing_configured_error()
    chosen = tuple(one for one in sources if _is_called(one, name))
    if chosen:
        return chosen
    providers = [one for one in PROVIDERS.values() if name in {one.CLOUD, one.NAME}]
    if providers:
        raise not_configured_error(name, providers)
    known = ["all", *PROVIDERS, *(one.source for one in sources if one.source)]
    raise ConfigError(f"There is no source '{name}'.{suggestion(name, known)}")


def _is_called(one: SourceSettings | Misconfigured, name: str) -> bool:
    """Whether a name stands for a source; any name does where nobody knows which source it is."""
    provider = one.provider
    return provider is None or name in {
        "all",
        one.source,
        provider.CLOUD,
        provider.NAME,
        provider.SECTION,
    }


def _refuse_shared_tables(sources: Iterable[SourceSettings]) -> None:
    owners: dict[tuple[str, ...], str] = {}
    for settings in sources:
        owner = owners.setdefault(settings.physical_table, settings.source)
        if owner != settings.source:
            raise ConfigError(
                f"[sources.{owner}] and [sources.{settings.source}] both load the table "
                f"{settings.dataset}.{settings.table_name}, so the month of one would replace the "
                f"month of the other. Give each its own 'table_name'"
            )
