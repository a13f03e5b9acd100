"""Writes a file in one step: a reader sees what was there before or all of the new content."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["put_in_place", "write_in_one_step"]

_NEW_FILE_MODE: Final = 0o666


def write_in_one_step(file: Path, content: bytes, *, least_mode: int = 0) -> None:
    """Replaces a file, or creates it, with its folders; the mode of a replaced file stays.

    `least_mode` are permissions that it gets in any case.

    Raises:
        OSError: If it cannot be written; then the file is unchanged.
    """
    if file.exists() and not file.is_file():
        # A pipe or a terminal, such as /dev/stdout, holds nothing that could be half written.
        file.write_bytes(content)
        return
    target = file.resolve()  # a link stays a link
    target.parent.mkdir(parents=True, exist_ok=True)
    # In the same folder, because a file can replace another in one step only within one disk.
    handle, name = tempfile.mkstemp(prefix=f"{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        put_in_place(Path(name), target, least_mode=least_mode)
    finally:
        with suppress(FileNotFoundError):
            Path(name).unlink()


def put_in_place(made: Path, target: Path, *, least_mode: int = 0) -> None:
    """Gives a file of the same disk its name in one step, for good; may replace another.

    The mode of a replaced file stays, a new one gets that of new files; both get `least_mode`.

    Raises:
        OSError: If that is not possible; then both are unchanged.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    mode = target.stat().st_mode & 0o7777 if target.exists() else _NEW_FILE_MODE & ~_umask()
    with made.open("rb+") as stream:
        os.fsync(stream.fileno())
    made.chmod(mode | least_mode)
    made.replace(target)


def _umask() -> int:
    """Which permissions new files of this process do not get."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
