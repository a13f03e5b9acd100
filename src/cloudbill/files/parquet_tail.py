"""The end of a Parquet file, which describes its columns and rows.

Source: Apache Parquet, "File format": a file ends in the footer, its length in four bytes, and
`PAR1`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from cloudbill.disk.spool import room_for
from cloudbill.errors import StoreError
from cloudbill.files.damage import AGAIN

if TYPE_CHECKING:
    from cloudbill.store import Store

__all__ = ["PARQUET_MAGIC", "read_parquet_tail", "write_footer"]

PARQUET_MAGIC: Final = b"PAR1"
_FIRST_READ_BYTES: Final = 64 * 1024
_MAX_FOOTER_BYTES: Final = 64 * 1024 * 1024
_TRAILER_BYTES: Final = 8


def read_parquet_tail(store: Store, path: str) -> bytes:
    """The last bytes of a part, which contain at least its footer.

    Raises:
        StoreError: If the part cannot be read or is not a Parquet file.
    """
    address = store.uri(path)
    # One request is enough for most parts. Asking for the length first would always take two.
    tail = store.read_tail(path, _FIRST_READ_BYTES)
    if len(tail) < _TRAILER_BYTES or not tail.endswith(PARQUET_MAGIC):
        raise StoreError(
            f"{address} is not a Parquet file, or was cut off. {AGAIN}", is_of_run=True
        )
    length = tail[-_TRAILER_BYTES : -len(PARQUET_MAGIC)]
    needed = int.from_bytes(length, "little") + _TRAILER_BYTES
    if needed > _MAX_FOOTER_BYTES:
        raise StoreError(
            f"{address} is damaged: it states a footer of {needed} bytes. {AGAIN}", is_of_run=True
        )
    return store.read_tail(path, needed) if needed > len(tail) else tail


def write_footer(tail: bytes, file: Path, address: str) -> None:
    """Writes the end of a part as a file whose footer DuckDB can read.

    Raises:
        LoadError: If there is no room for it.
    """
    with room_for(f"The footer of {address}", file, needed=len(tail)):
        file.write_bytes(PARQUET_MAGIC + tail)
