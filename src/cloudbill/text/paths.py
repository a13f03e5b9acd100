"""Paths of Windows, as people write them: with a drive, as a share, or as the URL of a file."""

from __future__ import annotations

import re
import sys
from typing import Final

__all__ = ["IS_WINDOWS", "fault_of_windows_path", "toml_hint", "windows_path"]

IS_WINDOWS: Final = sys.platform == "win32"
_DRIVE: Final = re.compile(r"[a-z]:[\\/]", re.IGNORECASE)
_SHARE: Final = re.compile(r"\\\\[^\\/]")
_URL: Final = re.compile(rf"file:/*(?={_DRIVE.pattern})", re.IGNORECASE)
# What TOML makes in double quotes of C:\bills, C:\temp, C:\new, C:\finance and C:\reports.
_UNESCAPED: Final = re.compile(r"[a-z]:[\b\t\n\f\r]", re.IGNORECASE)
_QUOTED: Final = (
    'write a path of Windows in single quotes, or with /: in "" TOML reads \\ otherwise'
)
_IN_DOUBLE_QUOTES: Final = re.compile(r'"(?:[a-z]:\\|\\\\)', re.IGNORECASE)
_LINE: Final = re.compile(r"at line (\d+)")


def windows_path(text: str) -> str | None:
    """The path of Windows that a text is, also as a URL of a file; None if it is none."""
    path = _URL.sub("", text, count=1)
    found = any(form.match(path) for form in (_DRIVE, _SHARE, _UNESCAPED))
    return path if found else None


def fault_of_windows_path(path: str, *, is_windows: bool = IS_WINDOWS) -> str | None:
    """Why this machine cannot use a path of Windows, as the end of a sentence about it."""
    if _UNESCAPED.match(path):
        return f"has a character that no path has; {_QUOTED}"
    if not is_windows:
        return (
            "is a path of Windows, and this machine has no such paths; write it as it is called "
            "here, such as ./bills, or /mnt/c/bills in WSL"
        )
    return None


def toml_hint(problem: str, text: str) -> str:
    """What to say after a problem of TOML whose line has a path of Windows in double quotes."""
    line = _LINE.search(problem)
    lines = text.splitlines()[int(line[1]) - 1 : int(line[1])] if line else []
    return f" ({_QUOTED})" if any(map(_IN_DOUBLE_QUOTES.search, lines)) else ""
