"""Answers SQL from the warehouse of a source; nothing that the SQL says changes anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from cloudbill.warehouses import open_warehouse

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings
    from cloudbill.warehouses.asking import Answer, ScanListener

__all__ = ["answered"]


@contextmanager
def answered(settings: SourceSettings, sql: str, tell: ScanListener) -> Iterator[Answer]:
    """The answer to one SELECT; `tell` hears what it scans where that is billed.

    Raises:
        ConfigError: If nothing is loaded yet.
        QueryError: If the SQL has a mistake, or is anything but a SELECT.
        LoadError: If the warehouse fails.
    """
    with closing(open_warehouse(settings.warehouse, read_only=True)) as warehouse:
        yield warehouse.questions().ask(sql, tell)
