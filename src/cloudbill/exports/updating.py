"""Whether AWS is writing a report for Athena at this moment, as the report's own status file says.

Such a report overwrites the files of a month one after the other, so that in between a month is a
mixture of two runs (AWS, "Cost and Usage Reports User Guide", creating the status table).
"""

from __future__ import annotations

import io
from datetime import datetime
from typing import TYPE_CHECKING, Final

from cloudbill.errors import StoreError
from cloudbill.providers import Listing

if TYPE_CHECKING:
    from cloudbill.store import Store

__all__ = ["is_status", "updating_since"]

_STATUS: Final = "cost_and_usage_data_status"
_FILE: Final = f"/{_STATUS}/{_STATUS}.parquet"
_UPDATING: Final = "UPDATING"
_MAX_BYTES: Final = 1024 * 1024
"""One column with one word; a larger file is something else."""


def is_status(path: str) -> bool:
    """Whether a file is such a status file, which no manifest lists."""
    return f"/{path}".endswith(_FILE)


def updating_since(store: Store, listing: Listing) -> datetime | None:
    """When the update began, or None where none is under way or nothing says so.

    A status that cannot be read says nothing: sizes and times are compared all the same.
    """
    stored = next((one for path, one in listing.items() if is_status(path)), None)
    if stored is None or stored.fault is not None or stored.size > _MAX_BYTES:
        return None
    try:
        content = store.read(stored.path)
    except StoreError:
        return None
    return stored.modified_at if _UPDATING in _words(content) else None


def _words(content: bytes) -> set[str]:
    """The texts of a Parquet file; none of a damaged one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(content))
    except (pa.ArrowException, OSError):
        return set()
    return {str(value).strip().upper() for column in table.columns for value in column.to_pylist()}
