"""What dlt finds out about its own classes again and again, remembered; and it waits less.

Of each class of its configuration and of each kind of table dlt asks the fields and their types,
some thousand times in a run, and gets the same answer: a sixth of what a load computes.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from time import sleep
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import dlt.common.destination.client
import dlt.common.schema.schema
import dlt.common.typing
import dlt.common.validation
import dlt.extract.concurrency
import dlt.extract.extract
import yaml  # type: ignore[import-untyped]
from dlt.common.configuration.specs.base_configuration import BaseConfiguration
from dlt.common.configuration.specs.config_providers_context import ConfigProvidersContainer
from dlt.common.storages.live_schema_storage import LiveSchemaStorage
from dlt.destinations.impl.duckdb.configuration import DuckDbBaseCredentials

if TYPE_CHECKING:
    from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

__all__ = ["read_settings_of", "remember_types"]

_hints: Final[dict[Any, dict[str, Any]]] = {}
_fields: Final[dict[type, dict[str, Any]]] = {}
_names: Final[dict[type, tuple[str, ...]]] = {}
_valid: Final[set[Any]] = set()
_texts: Final[dict[str, str]] = {}
_MOST: Final = 10_000
_OF_TYPES_ALONE: Final = (
    "extract_inner_type",
    "extract_type_if_modifier",
    "is_generic_alias",
    "is_literal_type",
    "is_optional_type",
    "is_subclass",
    "is_union_type",
)
"""Functions that say something of a type."""


def remember_types() -> None:
    """Puts functions that remember in the place of those of dlt; a second time it does nothing."""
    validation: Any = dlt.common.validation
    configuration: Any = BaseConfiguration
    find_hints = validation.get_type_hints
    find_fields = configuration.get_resolvable_fields.__func__
    find_names = configuration.__iter__
    if find_hints.__module__ == __name__:
        return

    def hints_of(spec: Any, globalns: Any = None) -> dict[str, Any]:
        if spec not in _hints:
            _hints[spec] = find_hints(spec, globalns=globalns)
        return _hints[spec]

    def fields_of(cls: type) -> dict[str, Any]:
        if cls not in _fields:
            _fields[cls] = find_fields(cls)
        return _fields[cls].copy()

    def names_of(self: BaseConfiguration) -> tuple[str, ...]:
        cls = type(self)
        if cls not in _names:
            _names[cls] = tuple(find_names(self))
        return _names[cls]

    for name in _OF_TYPES_ALONE:
        _replace(getattr(dlt.common.typing, name))
    _validate_once()
    # After the last row dlt waits before it asks whether there are more, twice in a load.
    pools: Any = dlt.extract.concurrency
    pools.sleep = lambda _: sleep(0.001)
    _read_schemas_once()
    _ask_for_nothing_given()
    validation.get_type_hints = hints_of
    configuration.get_resolvable_fields = classmethod(fields_of)
    configuration.__iter__ = lambda self: iter(names_of(self))
    configuration.__len__ = lambda self: len(names_of(self))
    # As where it cannot be read; it is asked for four times in a load, and shown to nobody.
    credentials: Any = DuckDbBaseCredentials
    credentials._external_conn_database = staticmethod(lambda _: ":external:")  # noqa: SLF001


def _replace(function: Callable[..., Any]) -> None:
    """Replaces a function in every module of dlt that has it by one that remembers."""
    cached = functools.lru_cache(_MOST)(function)

    @functools.wraps(function)
    def remembered(*arguments: Any, **options: Any) -> Any:
        try:
            return cached(*arguments, **options)
        except TypeError:  # for types that cannot be hashed
            return function(*arguments, **options)

    for module_name, module in tuple(sys.modules.items()):
        if module_name.startswith("dlt"):
            for name, value in tuple(vars(module).items()):
                if value is function:
                    setattr(module, name, remembered)


def _validate_once() -> None:
    """Looks once at hints and settings of a schema that are always the same."""
    schemas: Any = dlt.common.schema.schema
    validate = schemas.validate_dict

    def validate_once(spec: Any, doc: Any, path: str, *others: Any, **options: Any) -> None:
        # What was made for this call may say another thing of the same document.
        made = [one for one in (*others, *options.values()) if getattr(one, "__closure__", None)]
        key = (spec, path, repr(doc), *others, *options.values())
        if made or key not in _valid:
            validate(spec, doc, path, *others, **options)
            if not made and len(_valid) < _MOST:
                _valid.add(key)

    schemas.validate_dict = validate_once
    dump = yaml.dump

    def dump_once(document: Any, **options: Any) -> str:
        key = repr((document, options))
        if key not in _texts:
            _texts[key] = dump(document, **options)
        return _texts[key]

    # For the trace of a load, which nobody reads here.
    extracting: Any = dlt.extract.extract
    extracting.yaml = SimpleNamespace(dump=dump_once)


def _read_schemas_once() -> None:
    """Reads a schema that is in memory again only where its file is another one by now.

    dlt reads it nine times in a load, and each time makes all of it twice.
    """
    storage: Any = LiveSchemaStorage
    read = storage.__getitem__

    def read_changed(self: Any, name: str) -> Any:
        seen = self.__dict__.setdefault("_seen", {})
        try:
            file = self.storage.make_full_path(self._file_name_in_store(name, "json"))
            status = Path(file).stat()
        except FileNotFoundError:
            return read(self, name)
        mark = status.st_ino, status.st_mtime_ns, status.st_size
        known = self.live_schemas.get(name)
        if known is None or seen.get(name) != (mark, id(known)) or known.is_modified:
            known = read(self, name)
            seen[name] = mark, id(known)
        return known

    storage.__getitem__ = read_changed


def _ask_for_nothing_given() -> None:
    """Calls with all their arguments what dlt calls with all of them, and looks up none."""
    schemas: Any = dlt.common.schema.schema
    schemas.import_normalizers = schemas.import_normalizers.__wrapped__
    clients: Any = dlt.common.destination.client
    clients.prepare_load_table = clients.prepare_load_table.__wrapped__


def read_settings_of(folder: str, plugged: PluggableRunContext) -> None:
    """Makes dlt read the settings of a folder; dlt's `reload` reads all of them twice.

    Nor does it look whether Airflow or a vault has more of them, which takes a third of the time.
    """
    plugged.before_remove()
    plugged._plug(folder)  # noqa: SLF001
    plugged.providers = ConfigProvidersContainer(plugged.context.initial_providers())
    plugged.initialize_runtime()
    plugged.context.plug()
