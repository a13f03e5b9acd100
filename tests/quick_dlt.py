"""What dlt finds out about its own classes again and again, remembered; and it waits less.

Of each class of its configuration and of each kind of table dlt asks the fields and their types,
some thousand times in a run, and gets the same answer: a sixth of what a load computes.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import sleep
from typing import TYPE_CHECKING, Any, Final

import dlt.common.validation
import dlt.extract.concurrency
from dlt.common.configuration.specs.base_configuration import BaseConfiguration
from dlt.common.configuration.specs.config_providers_context import ConfigProvidersContainer

if TYPE_CHECKING:
    from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

__all__ = ["read_settings_of", "remember_types"]

_hints: Final[dict[Any, dict[str, Any]]] = {}
_fields: Final[dict[type, dict[str, Any]]] = {}
_names: Final[dict[type, tuple[str, ...]]] = {}


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

    def names_in(self: BaseConfiguration) -> Iterator[str]:
        cls = type(self)
        if cls not in _names:
            _names[cls] = tuple(find_names(self))
        return iter(_names[cls])

    # After the last row dlt waits before it asks whether there are more, twice in a load.
    pools: Any = dlt.extract.concurrency
    pools.sleep = lambda _: sleep(0.001)
    validation.get_type_hints = hints_of
    configuration.get_resolvable_fields = classmethod(fields_of)
    configuration.__iter__ = names_in


def read_settings_of(folder: str, plugged: PluggableRunContext) -> None:
    """Makes dlt read the settings of a folder; dlt's `reload` reads all of them twice."""
    plugged.before_remove()
    plugged._plug(folder)  # noqa: SLF001
    plugged.providers = ConfigProvidersContainer(plugged.context.initial_providers())
    plugged.add_extras()
