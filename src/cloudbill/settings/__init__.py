"""The configuration, read once from dlt's files and the environment into frozen values.

`keys` has a row for each key, `values` has the readers of values, `names` says which names are
legal, `sections` finds the sources, `lookup` finds the values, and `warehouse` has the part that a
warehouse gets. dlt is imported when its files are read.

Pure: names.
May import: providers, text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from cloudbill.errors import ConfigError
from cloudbill.providers import PROVIDERS, Provider
from cloudbill.settings.keys import KEYS
from cloudbill.settings.lookup import Lookup, ValueProvider
from cloudbill.settings.sections import configured_sources, require_known_sections, suggestion
from cloudbill.settings.tables import require_separate_tables
from cloudbill.settings.warehouse import WarehouseSettings

__all__ = [
    "SourceSettings",
    "ValueProvider",
    "dlt_providers",
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
    table_name: str
    project_id: str | None
    dataset: str
    location: str | None
    database: Path
    is_database_given: bool
    """Whether the DuckDB file is not the default one."""
    totals: bool
    memory_limit: str
    max_row_drop: Decimal
    max_cost_drop: Decimal
    cost_trifle: Decimal
    max_wait: timedelta
    max_age: timedelta | None
    parallel_loads: int
    retry_for_s: float
    lock_timeout_s: float
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

    @property
    def physical_table(self) -> tuple[str, ...]:
        """The identity of the table, in any warehouse."""
        warehouse = self.project_id or str(self.database.absolute())
        return warehouse, self.dataset.lower(), self.table_name.lower()


def read_sources(
    providers: Sequence[ValueProvider], env: Mapping[str, str]
) -> tuple[SourceSettings, ...]:
    """Every configured source, in the order of the providers, then by name.

    Raises:
        ConfigError: If a value is missing or unknown, or if two sources share a table.
    """
    require_known_sections(providers)
    sources: list[SourceSettings] = []
    for provider in PROVIDERS.values():
        sources.extend(
            read_source(source, provider, providers)
            for source in configured_sources(provider.SECTION, providers, env)
        )
    _refuse_shared_tables(sources)
    require_separate_tables(sources)
    return tuple(sources)


def dlt_providers() -> tuple[ValueProvider, ...]:
    """dlt's places for configuration: the environment, secrets.toml, config.toml."""
    from dlt.common.configuration.container import Container
    from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

    return tuple(Container()[PluggableRunContext].providers.providers)


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
    return SourceSettings(
        source=source,
        provider=provider,
        is_database_given=configured["database"] is not None,
        **values,
    )


def select_sources(sources: Sequence[SourceSettings], name: str) -> tuple[SourceSettings, ...]:
    """The sources that `all`, a provider, or the name of a source means.

    Raises:
        ConfigError: If nothing of that name is configured.
    """
    chosen = tuple(
        settings
        for settings in sources
        if name in {"all", settings.provider.NAME, settings.source}
        or name == settings.provider.SECTION
    )
    if chosen:
        return chosen
    if name in PROVIDERS or name == "all":
        sections = [provider.SECTION for provider in PROVIDERS.values()]
        wanted = PROVIDERS[name].SECTION if name in PROVIDERS else " or ".join(sections)
        required = " and ".join(f"'{key.name}'" for key in KEYS if key.is_required)
        raise ConfigError(
            f"No source is configured for '{name}': .dlt/config.toml (looked for in the current "
            f"folder) has no section [sources.{wanted}] with {required}"
        )
    known = ["all", *PROVIDERS, *(settings.source for settings in sources)]
    raise ConfigError(f"There is no source '{name}'.{suggestion(name, known)}")


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
