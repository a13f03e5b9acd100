"""Keeps what users set for dlt pipelines of their own away from the one that writes the ledger.

`DEV_MODE`, `DATASET_NAME_LAYOUT`, `SCHEMA__NAMING`, `PROGRESS` and a hundred more would move the
ledger to another dataset or table, or end the process that writes it. So dlt finds no settings at
all in the threads that write; what the ledger needs, it is given.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.config_providers_context import ConfigProvidersContainer
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

if TYPE_CHECKING:
    from dlt.common.configuration.providers.provider import ConfigProvider

__all__ = ["without_settings"]

_LOCK: Final = threading.Lock()
_WRITERS: Final[set[tuple[int, str]]] = set()
"""The threads that write a ledger now, and what the names of those begin with that dlt starts."""


@contextmanager
def without_settings() -> Iterator[None]:
    """In this thread, and those that dlt starts for it, dlt finds no settings and logs nothing.

    What dlt would log is in the error that it raises. All other threads go on as before.
    """
    context = Container()[PluggableRunContext]
    writer = threading.get_ident(), Container.thread_pool_prefix()
    log = logging.getLogger("dlt")
    with _LOCK:
        _WRITERS.add(writer)
        if not isinstance(context.providers, _Unseen):
            context.providers = _Unseen(context.providers)
        log.addFilter(_is_of_others)
    try:
        yield
    finally:
        with _LOCK:
            _WRITERS.discard(writer)
            if not _WRITERS:
                log.removeFilter(_is_of_others)
                if isinstance(context.providers, _Unseen):
                    context.providers = context.providers.seen


def _is_writing() -> bool:
    ident, name = threading.get_ident(), threading.current_thread().name
    return any(ident == writer or name.startswith(prefix) for writer, prefix in tuple(_WRITERS))


def _is_of_others(_: logging.LogRecord) -> bool:
    return not _is_writing()


class _Unseen(ConfigProvidersContainer):
    """The places of configuration, which a thread that writes a ledger does not see."""

    def __init__(self, seen: ConfigProvidersContainer) -> None:
        # Not the constructor of dlt, which would set `providers`.
        self.seen = seen
        self.context_provider = seen.context_provider

    @property
    def providers(self) -> list[ConfigProvider]:  # type: ignore[override]
        """None for a writer, else those that there are."""
        return [] if _is_writing() else self.seen.providers

    def add_extras(self) -> None:
        """As dlt does it."""
        self.seen.add_extras()
