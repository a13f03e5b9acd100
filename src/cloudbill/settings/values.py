"""Reads the value of a key from a file or an environment variable.

A reader takes a TOML value, or the text of a variable. It returns the value, or None if a blank
text means that there is none, and raises `ValueError` that says what the value must be. Its return
type is the type of the key.
"""

from __future__ import annotations

import os
import re
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from cloudbill.errors import ConfigError
from cloudbill.text.paths import fault_of_windows_path, windows_path
from cloudbill.text.times import read_age

__all__ = [
    "LEAST_BYTES",
    "STORAGE_VERSION",
    "fault_of_database_path",
    "read_amount",
    "read_bytes_billed",
    "read_count",
    "read_days",
    "read_duration",
    "read_file",
    "read_flag",
    "read_folder",
    "read_memory",
    "read_scope",
    "read_seconds",
    "read_share",
    "read_storage_version",
    "read_table_name",
    "read_text",
]

_MEMORY: Final = re.compile(r"(?P<number>\d+(\.\d+)?)\s*([KMGT]i?)?B", re.IGNORECASE | re.ASCII)
_STORAGE: Final = re.compile(r"v?(\d+\.\d+)(\.\d+)?", re.ASCII)
_FILE_URL: Final = re.compile(r"file://", re.IGNORECASE)
_LONGEST_S: Final = 24 * 3600
STORAGE_VERSION: Final = "v1.4.0"
"""The oldest version of DuckDB files that the oldest DuckDB which is still kept up reads."""
LEAST_BYTES: Final = 10 * 1024 * 1024
"""What BigQuery bills at least of a query and of each table in it ("On-demand pricing")."""


def read_text(value: object) -> str | None:
    """A text without the spaces around it.

    Raises:
        ValueError: If it is not a text, or contains a NUL, which cannot be stored.
    """
    if not isinstance(value, str | Path) or "\0" in str(value):
        raise ValueError("must be a text")
    return str(value).strip() or None


def read_folder(value: object) -> str:
    """The folder inside a bucket; empty for the bucket itself.

    Raises:
        ValueError: If it is not a text.
    """
    return read_text(value) or ""


def read_scope(value: object) -> str | None:
    """What a provider bills together, as scopes are compared: small letters, no slashes around it.

    Raises:
        ValueError: If it is not a text.
    """
    return (read_text(value) or "").strip("/").lower() or None


def read_file(value: object) -> Path | None:
    """A file on disk, also as a URL, with `~` replaced by the user's home folder.

    Raises:
        ValueError: If it is not a text, is not on this machine, or begins with a `~` that is
            nobody's.
    """
    text = read_text(value)
    if text is None:
        return None
    windows = windows_path(text)
    fault = windows and fault_of_windows_path(windows)
    if fault:
        raise ValueError(f"must be a file on this machine: what is there {fault}")
    path = windows or _FILE_URL.sub("", text, count=1)
    if "://" in path:
        raise ValueError("must be a file on this machine")
    if path.startswith(":memory:"):
        raise ValueError("must be a file: what is in memory is gone when the command ends")
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ValueError("must be a file; its ~ is the home of nobody here") from error


def fault_of_database_path(path: Path) -> str | None:
    """Why DuckDB cannot keep a file under a path; None if it can. The path need not be there."""
    # DuckDB takes what follows the first for options, and the second for a slash.
    unfit = "?" if os.sep == "\\" else "?\\"
    found = next((sign for sign in unfit if sign in str(path)), None)
    if found is None:
        return None
    return f"DuckDB cannot keep a file under {path}, for '{found}' is in its path"


def read_table_name(value: object) -> str | None:
    """The name of a table that does not look like one of dlt's own.

    Raises:
        ValueError: If it does, or is not a text.
    """
    name = read_text(value)
    if name is not None and name.lower().startswith("_dlt"):
        raise ValueError("must not begin with _dlt, like the names of dlt's own tables")
    return name


def read_flag(value: object) -> bool:
    """True or false.

    Raises:
        ValueError: If it is neither.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
        return value.strip().lower() == "true"
    raise ValueError("must be true or false")


def read_memory(value: object) -> str:
    """A size of memory, in DuckDB's notation.

    Raises:
        ValueError: If it is not one.
    """
    match = _MEMORY.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or not float(match["number"]):
        raise ValueError("must be a size above zero, such as 512MB or 4GB")
    return match[0]


def read_storage_version(value: object) -> str:
    """A version of DuckDB as DuckDB spells it, or `latest`; DuckDB knows which there are.

    Raises:
        ValueError: If it is not one.
    """
    text = str(value).strip().lower()
    if text == "latest":
        return text
    match = _STORAGE.fullmatch(text)
    if match is None:
        raise ValueError("must be a version of DuckDB, such as v1.4.0 or v1.2.0, or latest")
    return f"v{match[1]}{match[2] or '.0'}"


def read_share(value: object) -> Decimal:
    """A share of a whole, from 0 to 1.

    Raises:
        ValueError: If it is not one.
    """
    share = _read_number(value)
    if share is None or not 0 <= share <= 1:
        raise ValueError("must be a number from 0 to 1")
    return share


def read_amount(value: object) -> Decimal:
    """An amount of money, which is not negative.

    Raises:
        ValueError: If it is not one.
    """
    amount = _read_number(value)
    if amount is None or amount < 0:
        raise ValueError("must be a number that is not negative")
    return amount


def _read_number(value: object) -> Decimal | None:
    """A finite number, or None if the value is none."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and not isinstance(value, bool) else None


def read_count(value: object) -> int:
    """A whole number of at least 1.

    Raises:
        ValueError: If it is not one.
    """
    try:
        number = int(str(value))
    except ValueError:
        number = 0
    if isinstance(value, bool) or number < 1:
        raise ValueError("must be a whole number of at least 1")
    return number


def read_bytes_billed(value: object) -> int | None:
    """A number of bytes that a query may bill; no text is no value.

    Raises:
        ValueError: If it is not one, or less than any query bills.
    """
    limit = read_days(value)
    if limit is not None and limit < LEAST_BYTES:
        raise ValueError(f"must be at least {LEAST_BYTES}, for BigQuery bills that of any query")
    return limit


def read_days(value: object) -> int | None:
    """A whole number of days of at least 1; no text is no value.

    Raises:
        ValueError: If it is not one.
    """
    if isinstance(value, str) and not value.strip():
        return None
    return read_count(value)


def read_seconds(value: object) -> float:
    """A number of seconds, at most one day.

    Raises:
        ValueError: If it is not one.
    """
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = -1.0
    if isinstance(value, bool) or not 0 <= seconds <= _LONGEST_S:
        raise ValueError(f"must be a number of seconds from 0 to {_LONGEST_S}")
    return seconds


def read_duration(value: object) -> timedelta | None:
    """A number of minutes, hours or days with its unit: `90m`, `36h`, `1d`.

    Raises:
        ValueError: If it is not one, or is zero.
    """
    problem = "must be a text with a number of minutes, hours or days, such as 90m, 36h or 1d"
    if not isinstance(value, str):
        raise ValueError(problem)  # noqa: TRY004 - every reader raises the same error
    if not value.strip():
        return None
    try:
        return read_age(value)
    except ConfigError as error:
        raise ValueError(problem) from error
