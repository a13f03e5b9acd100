"""The configuration, read once from dlt's files and the environment into frozen values."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from cloudbill.errors import ConfigError
from cloudbill.providers import PROVIDERS, Provider
from cloudbill.settings.keys import KEYS
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


# Tables inside a section that belong to dlt, and so are not exports of their own.
_DLT_TABLES: Final = frozenset({"client_kwargs", "config_kwargs", "credentials", "kwargs"})
_SOURCE_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
_MEMORY_LIMIT: Final = re.compile(r"\d+(\.\d+)?\s*([KMGT]i?)?B", re.IGNORECASE | re.ASCII)
_LONGEST_S: Final = 24 * 3600
_DUCKDB_NAME: Final = "cloudbill.duckdb"

_T = TypeVar("_T")


class ValueProvider(Protocol):
    """The part of dlt's configuration providers that is read here."""

    @property
    def name(self) -> str:
        """What messages call it: `config.toml`."""

    def get_value(
        self, key: str, hint: type[Any], pipeline_name: str | None, *sections: str
    ) -> tuple[Any, str]:
        """The value of a key below sections, or None, and the key's full name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """One export and the table that it is loaded into.

    `source` is the section below `sources`: `azure_billing`, or `azure_billing.<name>` for a
    further export. `project_id` is None where the warehouse is DuckDB.
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
    """Whether anything but the default names the DuckDB file."""
    totals: bool
    memory_limit: str
    max_row_drop: Decimal
    parallel_loads: int
    lock_timeout_s: float = 60.0
    retry_for_s: float = 240.0
    cache: bool = True

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
        """What the warehouse of this source needs to know."""
        names = (field.name for field in fields(WarehouseSettings))
        return WarehouseSettings(**{name: getattr(self, name) for name in names})

    @property
    def physical_table(self) -> tuple[str, ...]:
        """What identifies the table, wherever it stands."""
        warehouse = self.project_id or str(self.database.absolute())
        return warehouse, self.dataset.lower(), self.table_name.lower()


def read_sources(
    providers: Sequence[ValueProvider], env: Mapping[str, str]
) -> tuple[SourceSettings, ...]:
    """Every configured source, in the order of the providers, then by name.

    Raises:
        ConfigError: If a value is missing or unknown, or if two sources share a table.
    """
    _refuse_misspelt_sections(providers)
    sources: list[SourceSettings] = []
    for provider in PROVIDERS.values():
        sources.extend(
            read_source(source, provider, providers)
            for source in _configured(provider.SECTION, providers, env)
        )
    _refuse_shared_tables(sources)
    require_separate_tables(sources)
    return tuple(sources)


def dlt_providers() -> tuple[ValueProvider, ...]:
    """dlt's own places of configuration: the environment, secrets.toml, config.toml."""
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

    `given` holds values that go before all configuration, `fallback` those that come after it.

    Raises:
        ConfigError: If a value is missing or cannot be read.
    """
    read = _Reader(source=source, providers=providers, given=given or {}, fallback=fallback or {})
    return SourceSettings(
        source=source,
        provider=provider,
        bucket=read.required("bucket"),
        prefix=read.text("prefix") or "",
        export_name=read.required("export_name"),
        table_name=_table_name(read.text("table_name") or provider.DEFAULT_TABLE),
        project_id=read.text("project_id"),
        dataset=read.text("dataset") or "billing",
        location=read.text("location"),
        database=Path(read.text("database") or _DUCKDB_NAME).expanduser(),
        is_database_given=read.text("database") is not None,
        totals=read.parsed("totals", _parse_bool, default=True),
        memory_limit=read.parsed("memory_limit", _parse_memory, default="1GB"),
        max_row_drop=read.parsed("max_row_drop", _parse_share, default=Decimal("0.5")),
        parallel_loads=read.parsed("parallel_loads", _parse_parallel, default=8),
        lock_timeout_s=read.parsed("lock_timeout_s", _parse_seconds, default=60.0),
        retry_for_s=read.parsed("retry_for_s", _parse_seconds, default=240.0),
        cache=read.parsed("cache", _parse_bool, default=True),
    )


def select_sources(sources: Sequence[SourceSettings], name: str) -> tuple[SourceSettings, ...]:
    """The sources that `all`, a provider, or the name of a source stands for.

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
        raise ConfigError(
            f"No source is configured for '{name}': .dlt/config.toml (looked for in the current "
            f"folder) has no section [sources.{wanted}] with 'bucket' and 'export_name'"
        )
    known = ["all", *PROVIDERS, *(settings.source for settings in sources)]
    raise ConfigError(f"There is no source '{name}'.{_suggestion(name, known)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """Looks a key up the way dlt does: provider by provider, each from the inner section out."""

    source: str
    providers: Sequence[ValueProvider]
    given: Mapping[str, object]
    fallback: Mapping[str, object]

    def value(self, name: str) -> object:
        if self.given.get(name) is not None:
            return self.given[name]
        for provider in self.providers:
            for sections in self._sections():
                value, _ = provider.get_value(name, str, None, *sections)
                if value is not None:
                    return value
        return self.fallback.get(name)

    def text(self, name: str) -> str | None:
        value = self.value(name)
        if value is None:
            return None
        if not isinstance(value, str | Path) or "\0" in str(value):
            raise ConfigError(f"'{name}' of [sources.{self.source}] must be a text, not {value!r}")
        return str(value).strip() or None

    def required(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            places = [
                f"{provider.name}: {self._key(provider, name)}" for provider in self.providers
            ]
            listed = "".join(f"\n  {place}" for place in places)
            raise ConfigError(f"'{name}' of source {self.source} is missing. Looked for in{listed}")
        return value

    def parsed(self, name: str, parse: Callable[[object], _T], *, default: _T) -> _T:
        value = self.value(name)
        if value is None:
            return default
        try:
            return parse(value)
        except ValueError as error:
            raise ConfigError(
                f"'{name}' of [sources.{self.source}] {error}, not {value!r}"
            ) from error

    def _sections(self) -> Iterator[tuple[str, ...]]:
        sections = ("sources", *self.source.split("."))
        for length in range(len(sections), 0, -1):
            yield sections[:length]

    def _key(self, provider: ValueProvider, name: str) -> str:
        keys = [provider.get_value(name, str, None, *at)[1] for at in self._sections()]
        return ", ".join(keys)


def _configured(
    section: str, providers: Sequence[ValueProvider], env: Mapping[str, str]
) -> Iterator[str]:
    """The section itself where it names an export, and every table inside it that is one."""
    keys: set[str] = set()
    for provider in providers:
        node, _ = provider.get_value(section, dict, None, "sources")
        if isinstance(node, dict):
            keys |= set(_node_keys(node))
    spelt = {key.partition(".")[0].lower(): key.partition(".")[0] for key in keys if "." in key}
    for key in _env_keys(section, env):
        # The names of variables have no case, so an export keeps the one that a file gives it.
        name, dot, inner = key.partition(".")
        keys.add(f"{spelt.get(name, name)}.{inner}" if dot else key)
    for name in sorted({key.partition(".")[0] for key in keys if "." in key} - _DLT_TABLES):
        if not _SOURCE_NAME.fullmatch(name):
            raise ConfigError(
                f"[sources.{section}.{name}] is no name for a source; use letters, digits and _"
            )
    names = sorted({key.partition(".")[0] for key in keys if "." in key} - _DLT_TABLES)
    own = {key for key in keys if "." not in key}
    _refuse_unknown(section, own - _DLT_TABLES)
    for name in names:
        _refuse_unknown(
            f"{section}.{name}",
            {key.removeprefix(f"{name}.") for key in keys if key.startswith(f"{name}.")}
            - _DLT_TABLES,
        )
    if "export_name" in own or (own and not names):
        yield section
    for name in names:
        yield f"{section}.{name}"


def _node_keys(node: Mapping[str, object]) -> Iterator[str]:
    for key, value in node.items():
        if isinstance(value, Mapping) and key not in _DLT_TABLES:
            yield from (f"{key}.{inner}" for inner in value)
        else:
            yield key


def _env_keys(section: str, env: Mapping[str, str]) -> Iterator[str]:
    prefix = f"SOURCES__{section.upper()}__"
    for variable in env:
        if variable.startswith(prefix):
            first, *rest = variable.removeprefix(prefix).lower().split("__")
            yield f"{first}.{rest[0]}" if rest and first not in _DLT_TABLES else first


def _refuse_unknown(section: str, keys: Iterable[str]) -> None:
    known = [key.name for key in KEYS]
    for key in sorted(set(keys) - set(known)):
        raise ConfigError(f"Unknown key '{key}' in [sources.{section}].{_suggestion(key, known)}")


def _refuse_misspelt_sections(providers: Sequence[ValueProvider]) -> None:
    """Other sections below `sources` belong to other dlt sources, unless they look like ours."""
    known = [provider.SECTION for provider in PROVIDERS.values()]
    for provider in providers:
        node, _ = provider.get_value("sources", dict, None)
        for name, value in node.items() if isinstance(node, dict) else ():
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
            if isinstance(value, Mapping) and name not in known and near:
                raise ConfigError(f"Unknown section [sources.{name}]. Did you mean '{near[0]}'?")
            keys = [key.name for key in KEYS]
            near = difflib.get_close_matches(name, keys, n=1, cutoff=0.85)
            if not isinstance(value, Mapping) and name not in keys and near:
                raise ConfigError(f"Unknown key '{name}' in [sources]. Did you mean '{near[0]}'?")


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


def _suggestion(word: str, known: Iterable[str]) -> str:
    known = list(dict.fromkeys(known))
    near = difflib.get_close_matches(word, known, n=1)
    return f" Did you mean '{near[0]}'?" if near else f" Known are {', '.join(known)}"


def _table_name(name: str) -> str:
    if name.lower().startswith("_dlt"):
        raise ConfigError(f"'table_name' must not be '{name}': dlt keeps its own tables so")
    return name


def _parse_bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
        return value.strip().lower() == "true"
    raise ValueError("must be true or false")


def _parse_memory(value: object) -> str:
    if isinstance(value, str) and _MEMORY_LIMIT.fullmatch(value.strip()):
        return value.strip()
    raise ValueError("must be a size such as 512MB or 4GB")


def _parse_share(value: object) -> Decimal:
    problem = "must be a number from 0 to 1"
    try:
        share = Decimal(str(value))
    except InvalidOperation as error:
        raise ValueError(problem) from error
    if isinstance(value, bool) or not share.is_finite() or not 0 <= share <= 1:
        raise ValueError(problem)
    return share


def _parse_parallel(value: object) -> int:
    try:
        number = int(str(value))
    except ValueError:
        number = 0
    if isinstance(value, bool) or number < 1:
        raise ValueError("must be a whole number of at least 1")
    return number


def _parse_seconds(value: object) -> float:
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = -1.0
    if isinstance(value, bool) or not 0 <= seconds <= _LONGEST_S:
        raise ValueError(f"must be a number of seconds from 0 to {_LONGEST_S}")
    return seconds
