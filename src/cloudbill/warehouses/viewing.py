"""What the FOCUS views need of a warehouse; a package for each warehouse has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from cloudbill.manifests import ColumnType
from cloudbill.sql import Fragment
from cloudbill.warehouses.view_dialects import FocusDialect

__all__ = ["FoundObject", "Views"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundObject:
    """A table or view of the dataset, and its comment, empty if it has none."""

    is_view: bool
    comment: str


class Views(Protocol):
    """Reads and writes views, and the tables that they need, in one dataset."""

    @property
    def dialect(self) -> FocusDialect:
        """The SQL of the warehouse."""

    @property
    def longest(self) -> int | None:
        """How many characters the query of a view may have."""

    def path(self, *names: str) -> tuple[str, ...]:
        """The full name of the dataset, or of a table in it."""

    def pipelines(self) -> Mapping[str, str]:
        """The newest state of every dlt pipeline of the dataset, as dlt encodes it, by its name.

        Raises:
            LoadError: If the warehouse cannot be read.
        """

    def kinds(self, table: str) -> Mapping[str, ColumnType | str]:
        """The types of a table's columns by name; none where there is no such table.

        A type that cloudbill does not know is the warehouse's own word.

        Raises:
            LoadError: If the warehouse cannot be read.
        """

    def find(self, names: Iterable[str]) -> Mapping[str, FoundObject]:
        """Those of some tables or views that are there, by name. Raises as `kinds`."""

    def replace_view(self, name: str, query: Fragment, comment: str) -> None:
        """Makes a view, or replaces it: a reader finds the old one or the new one.

        Raises:
            LoadError: If the warehouse refuses it.
        """

    def replace_table(self, name: str, query: Fragment, comment: str) -> None:
        """Makes a table of the rows of a query, or replaces it; raises as `replace_view`."""

    def drop_view(self, name: str) -> None:
        """Drops a view; raises as `replace_view`."""

    def rows(self, query: Fragment, *, what: str) -> Sequence[Sequence[object]]:
        """The rows of a query; `what` names it in errors. Raises as `kinds`."""
