"""Which tables the sources write, and that no two of them write the same one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from cloudbill.errors import ConfigError

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings

__all__ = ["require_separate_tables", "tracking_name"]

_DLT: Final = "_dlt"
_LONGEST: Final = 220
"""dlt names files after the table: with an id and an ending, they must stay below 255 bytes."""


def tracking_name(table_name: str) -> str:
    """The tracking table of a table, by the name that dlt gives it."""
    from dlt.common.normalizers.naming.snake_case import NamingConvention

    return NamingConvention().normalize_tables_path(f"{table_name}_load_tracking")


def require_separate_tables(sources: Sequence[SourceSettings]) -> None:
    """Refuses tables that cannot have a ledger, or whose ledger another source would write.

    Raises:
        ConfigError: If a name is dlt's own or too long, or a tracking table is another's table.
    """
    trackers: dict[tuple[str, ...], SourceSettings] = {}
    for settings in sources:
        _require_usable(settings)
        # As dlt writes it; a warehouse that keeps the case of names may have an older one, too.
        for name in {tracking_name(settings.table_name), f"{settings.table_name}_load_tracking"}:
            owner = trackers.setdefault(_place(settings, name), settings)
            if owner is not settings:
                raise ConfigError(
                    f"[sources.{owner.source}] and [sources.{settings.source}] would both keep "
                    f"their ledger in {settings.dataset}.{name}, for their tables "
                    f"'{owner.table_name}' and '{settings.table_name}' are one name to dlt. Give "
                    "one of them another 'table_name'"
                )
    for settings in sources:
        owner = trackers.get(_place(settings, settings.table_name), settings)
        if _place(settings, settings.table_name) in trackers:
            raise ConfigError(
                f"'table_name' of [sources.{settings.source}] must not be "
                f"'{settings.table_name}': [sources.{owner.source}] keeps its ledger in that table"
            )


def _require_usable(settings: SourceSettings) -> None:
    name = tracking_name(settings.table_name)
    if name.startswith(_DLT):
        raise ConfigError(
            f"'table_name' of [sources.{settings.source}] must not be '{settings.table_name}': "
            f"its ledger would be {name}, and dlt keeps its own tables so"
        )
    if len(name) > _LONGEST:
        raise ConfigError(
            f"'table_name' of [sources.{settings.source}] is too long: its ledger would be "
            f"{name[:20]}…, with {len(name)} characters, and dlt writes no more than {_LONGEST}"
        )


def _place(settings: SourceSettings, table: str) -> tuple[str, ...]:
    return *settings.physical_table[:-1], table.lower()
