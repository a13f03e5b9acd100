"""Keeps the tracebacks of faults that nobody foresaw, for whoever looks into them.

In the user's state folder: `$XDG_STATE_HOME/cloudbill/faults.log`, else
`~/.local/state/cloudbill/faults.log`. Nobody else may read it, no secret is written to it, and it
is never larger than a megabyte; what was before that is in `faults.log.1`.
"""

from __future__ import annotations

import os
import platform
import stat
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from cloudbill.redaction import redacted

__all__ = ["state_folder", "write_fault"]

_NAME: Final = "faults.log"
_MOST_BYTES: Final = 1_000_000
_MOST_OF_ONE: Final = 100_000
"""A traceback that is longer keeps its end, which says what happened."""


def state_folder() -> Path | None:
    """Where cloudbill keeps what is not a cache, by the XDG specification; None without a home.

    The specification has relative paths ignored.
    """
    named = Path(os.environ.get("XDG_STATE_HOME") or ".")
    if named.is_absolute():
        return named / "cloudbill"
    try:
        return Path.home() / ".local" / "state" / "cloudbill"
    except RuntimeError:  # a user without a home, as in some containers
        return None


def write_fault(error: BaseException) -> Path | None:
    """Adds the traceback of an error to the log; gives its file, or None if it cannot be kept."""
    folder = state_folder()
    if folder is None:
        return None
    head = (
        f"=== {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC, cloudbill {version('cloudbill')}, "
        f"Python {platform.python_version()}, {platform.platform()}\n"
    )
    # The text is redacted whole: a secret may go over several lines.
    trace = redacted("".join(traceback.format_exception(error)))
    entry = f"{head}{trace[-_MOST_OF_ONE:]}\n".encode(errors="backslashreplace")
    try:
        return _append(folder / _NAME, entry)
    except OSError:  # a full disk, or a folder that is not the user's: there is nothing to do
        return None


def _append(file: Path, entry: bytes) -> Path:
    """Adds bytes to a private file.

    Raises:
        OSError: If that cannot be done.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        if file.lstat().st_size + len(entry) > _MOST_BYTES:
            file.replace(file.with_suffix(".log.1"))
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with os.fdopen(os.open(file, flags, 0o600), "ab") as opened:
        status = os.fstat(opened.fileno())
        is_own = not hasattr(os, "getuid") or status.st_uid == os.getuid()
        if not stat.S_ISREG(status.st_mode) or not is_own:
            raise PermissionError(f"{file} is not this user's")
        if hasattr(os, "fchmod"):
            os.fchmod(opened.fileno(), 0o600)
        opened.write(entry)
    return file
