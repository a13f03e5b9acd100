"""What is said where a disk is full: which one, how much is free, and how much is needed.

A full disk shows in many ways: as an error of the system, as text in the error of a client, or as
the cause of either. A file that may not grow, by a limit of the process or of its file system, is
the same to whoever has to mend it.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cloudbill.text.sizes import shown_size

__all__ = [
    "MOUNTED_READ_ONLY",
    "duckdb_needs",
    "existing_folder",
    "full_disk_of",
    "is_disk_full",
    "is_read_only",
    "not_written",
]

MOUNTED_READ_ONLY: Final = (
    "mount its file system so that it can be written, or set 'database' to a file on another disk"
)
"""What helps where a DuckDB file is on a disk that is read-only; a permission does not."""

_TIMES: Final = 4
"""A DuckDB file is 1.76 times its Parquet, as measured, and up to twice that during a load."""
_LEAST_BYTES: Final = 4_000_000
"""A month of some rows in 100 columns takes 1.6 MB, as measured, and up to twice that likewise."""

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# The words of Linux and macOS, of Windows, and of SQLite; clients quote them.
_WORDS: Final = re.compile(
    r"No space left on device|Disk quota exceeded|(?P<limit>File too large)"
    r"|not enough space on the disk|database or disk is full",
    re.IGNORECASE,
)
_READ_ONLY: Final = re.compile(r"Read-only file system", re.IGNORECASE)
_FILE: Final = re.compile(r"file \"(?P<duckdb>/[^\"\n]+)\"|: '(?P<system>/[^'\n]+)'")


def is_disk_full(error: BaseException) -> bool:
    """Whether an error, or what it was caused by, is that of a full disk."""
    return any(_is_full(one) for one in _chain(error))


def is_read_only(place: Path, error: BaseException | None = None) -> bool:
    """Whether the disk of a file is read-only, as it is mounted or as an error says."""
    if error is not None and any(_READ_ONLY.search(str(one)) for one in _chain(error)):
        return True
    try:
        return bool(os.statvfs(existing_folder(place)).f_flag & os.ST_RDONLY)
    except (AttributeError, OSError):  # Windows has no such call
        return False


def not_written(error: OSError, place: Path, *, needed: int | None = None, remedy: str) -> str:
    """Why a file that its user named cannot be written, and what else helps; see `full_disk_of`."""
    full = full_disk_of(error, place, needed=needed, remedy=remedy)
    return full or f"{error.strerror or error}. Or {remedy}"


def full_disk_of(
    error: BaseException, place: Path, *, needed: int | None = None, remedy: str
) -> str | None:
    """What is said of a full disk, as the end of a message; None where the error is another one.

    `place` is the file or folder that is named where the error names none, `needed` how many bytes
    have to fit there, None where nobody knows. `remedy` says what else helps than to make room.
    """
    full = next((one for one in _chain(error) if _is_full(one)), None)
    if full is None:
        return None
    folder = existing_folder(_named_in(error) or place)
    if _is_limit(full):
        return (
            f"a file in {folder} may not grow any more, by a limit of this process (`ulimit -f`) "
            f"or of its file system. Raise the limit, or {remedy}"
        )
    free, mount = shutil.disk_usage(folder).free, _mount_of(folder)
    # What could not be written is given back by now, so more may be free than was.
    is_known = needed is not None and needed > free
    wanted = f"about {shown_size(needed or 0)} are needed" if is_known else "more is needed"
    return (
        f"there is no room on the disk of {folder}"
        f"{'' if mount == folder else f' (mounted at {mount})'}: {shown_size(free)} are free, and "
        f"{wanted}. Make room there, or {remedy}"
    )


def duckdb_needs(size: int) -> int:
    """The bytes that a DuckDB file may grow by while parts of so many bytes are loaded."""
    return size * _TIMES + _LEAST_BYTES if size else 0


def existing_folder(place: Path) -> Path:
    """The folder that a file lies in or will be made in, as far up as there is one."""
    place = place.absolute()
    return next(folder for folder in (place, *place.parents) if os.path.isdir(folder))  # noqa: PTH112


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error, its cause, the cause of that, and so on."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or following.__context__


def _is_full(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    return _WORDS.search(str(error)) is not None


def _is_limit(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno == errno.EFBIG
    found = _WORDS.search(str(error))
    return found is not None and found["limit"] is not None


def _named_in(error: BaseException) -> Path | None:
    """The file that could not be written, if anything names it."""
    for one in _chain(error):
        if isinstance(one, OSError) and isinstance(one.filename, str):
            return Path(one.filename)
        found = _FILE.search(str(one)) if _is_full(one) else None
        if found is not None:
            return Path(found["duckdb"] or found["system"])
    return None


def _mount_of(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.is_mount() or not place.name)
