"""What dlt calls the things of a source: its source, its resource, its tracking table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from cloudbill.settings.tables import tracking_name

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings

__all__ = [
    "TRACKED",
    "TRACKING_COLUMNS",
    "resource_name",
    "source_name",
    "tracking_source",
    "tracking_tables",
]

TRACKED: Final = "_load_tracking"
"""What the name of a table's resource ends in."""
TRACKING_COLUMNS: Final[Mapping[str, str]] = {
    "run_id": "text",
    "billing_month": "text",
    "loaded_at": "timestamp",
    "row_count": "bigint",
    "file_count": "bigint",
    "submitted_at": "timestamp",
    "covers_from": "date",
    "covers_to": "date",
    "totals": "text",
    "job_id": "text",
    "manifest_path": "text",
    "sequence": "bigint",
    "rounded_away": "text",
}
"""The columns of the tracking table and their dlt types, in order."""


def source_name(section: str) -> str:
    """dlt's name of the source of a provider's section, under which the state is kept."""
    return f"{section}_source"


def resource_name(settings: SourceSettings) -> str:
    """dlt's name of the resource that fills the tracking table, under which the state is kept."""
    return f"{settings.table_name}{TRACKED}"


def tracking_tables(settings: SourceSettings) -> tuple[str, ...]:
    """The tables that say what was loaded when: the one that is written, then others that may be.

    dlt writes other names than it is given, such as `azure_focus_load_tracking` for `AzureFocus`,
    unless its user asked for the names as they are.
    """
    return tuple(dict.fromkeys((tracking_name(settings.table_name), resource_name(settings))))


def tracking_source(
    settings: SourceSettings, rows: Callable[[], Iterator[dict[str, object]]]
) -> Any:
    """A dlt source with one resource, which appends to the tracking table."""
    import dlt

    @dlt.source(name=source_name(settings.provider.SECTION), section=settings.provider.SECTION)
    def source() -> Any:
        columns: Any = {name: {"data_type": kind} for name, kind in TRACKING_COLUMNS.items()}
        return dlt.resource(
            rows, name=resource_name(settings), write_disposition="append", columns=columns
        )

    return source()
