"""What tells one installation from another one: its warehouse and its exports, wherever it runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cloudbill.errors import ConfigError
from cloudbill.providers import PROVIDERS
from cloudbill.settings.keys import key_named
from cloudbill.settings.lookup import Lookup, ValueProvider

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings

__all__ = ["identity_of", "values_without_settings", "warehouse_of"]

_OF_EXPORT: Final = ("bucket", "prefix", "export_name", "scope")
_OF_WAREHOUSE: Final = ("project_id", "dataset", "database")


def warehouse_of(settings: SourceSettings | Mapping[str, object]) -> str:
    """The warehouse for people: `project.dataset`, or `folder/file dataset` for DuckDB."""
    values = _values(settings, _OF_WAREHOUSE)
    if values["project_id"]:
        return f"{values['project_id']}.{values['dataset']}"
    file = Path(str(values["database"])).absolute()
    return f"{file.parent.name}/{file.name} {values['dataset']}"


def identity_of(
    settings: SourceSettings | Mapping[str, object], *, with_export: bool = True
) -> str:
    """All that a warehouse, and the export of a source, is known by: the same on every machine.

    A file or a folder is known by its whole path, for nothing else tells it from another.
    """
    values = _values(settings, _OF_WAREHOUSE)
    if values["project_id"]:
        del values["database"]
    elif values["database"]:
        values["database"] = Path(str(values["database"])).absolute()
    if with_export:
        values |= _values(settings, _OF_EXPORT)
        bucket = str(values["bucket"] or "")
        if bucket.startswith("."):
            values["bucket"] = Path(bucket).absolute()
    return json.dumps({name: str(value or "") for name, value in values.items()})


def values_without_settings(
    source: str, providers: Sequence[ValueProvider]
) -> Mapping[str, object]:
    """The values that these functions need, of a source whose other settings may be broken."""
    section, _, _ = source.partition(".")
    provider = next((one for one in PROVIDERS.values() if section == one.SECTION), None)
    lookup = Lookup(source=source, providers=providers, given={}, fallback={})
    found: dict[str, object] = {}
    for name in (*_OF_EXPORT, *_OF_WAREHOUSE):
        key = key_named(name)
        try:
            value = lookup.read(key)
        except ConfigError:
            value = None
        found[name] = key.default_for(provider) if value is None and provider else value
    return found


def _values(
    settings: SourceSettings | Mapping[str, object], names: Sequence[str]
) -> dict[str, object]:
    if isinstance(settings, Mapping):
        return {name: settings.get(name) for name in names}
    return {name: getattr(settings, name) for name in names}
