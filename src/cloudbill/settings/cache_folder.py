"""Where caches of cloudbill lie, and what in there may be believed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

__all__ = ["cache_folder", "is_private"]


def cache_folder() -> Path | None:
    """Where caches of cloudbill lie, by the XDG Base Directory Specification; None without a home.

    The specification has relative paths ignored.
    """
    named = Path(os.environ.get("XDG_CACHE_HOME") or ".")
    if named.is_absolute():
        return named / "cloudbill"
    try:
        return Path.home() / ".cache" / "cloudbill"
    except RuntimeError:  # a user without a home, as in some containers
        return None


def is_private(status: os.stat_result, *, is_folder: bool = False) -> bool:
    """Whether nobody but this user can have written it."""
    others_write = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    is_kind = stat.S_ISDIR if is_folder else stat.S_ISREG
    if not hasattr(os, "getuid"):  # Windows, where the profile of a user is the user's alone
        return is_kind(status.st_mode)
    return is_kind(status.st_mode) and not others_write and status.st_uid == os.getuid()
