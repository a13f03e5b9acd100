"""Keeps what cloudbill writes beside a configuration out of the history of git."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from cloudbill.disk.exchanging import write_in_one_step

__all__ = ["ignore_in_git"]

_FILE: Final = ".gitignore"
_WRITTEN: Final = (".dlt/secrets.toml", "report.html")


def ignore_in_git(folder: Path, databases: Sequence[Path]) -> tuple[str, ...]:
    """Adds secrets, the page of `report` and databases to `.gitignore`; gives the added lines.

    Nothing is added outside of a repository, or where a pattern there names the file already.
    """
    root = next((one for one in (folder, *folder.parents) if (one / ".git").exists()), None)
    if root is None:
        return ()
    relative = [str(one) for one in dict.fromkeys(databases) if not one.is_absolute()]
    wanted = [*_WRITTEN, *(f"{one}{end}" for one in relative for end in ("", ".wal"))]
    with suppress(OSError, UnicodeDecodeError):  # it is only for convenience
        patterns = [
            pattern
            for one in (folder, *folder.parents)
            if one == root or root in one.parents
            for pattern in _read(one / _FILE).splitlines()
        ]
        added = tuple(one for one in wanted if not _is_ignored(one, patterns))
        if added:
            before = _read(folder / _FILE)
            gap = "" if before.endswith("\n") or not before else "\n"
            lines = "".join(f"{one}\n" for one in added)
            write_in_one_step(folder / _FILE, f"{before}{gap}{lines}".encode())
        return added
    return ()


def _read(file: Path) -> str:
    return file.read_bytes().decode() if file.exists() else ""


def _is_ignored(file: str, patterns: Sequence[str]) -> bool:
    """Whether a pattern names a file, or the folder that it is in, in the simple ways."""
    names = {file, file.rpartition("/")[2], file.partition("/")[0]}
    return any(fnmatch(name, pattern.strip().strip("/")) for name in names for pattern in patterns)
