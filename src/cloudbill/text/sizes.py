"""Sizes in bytes as text, and text as sizes."""

from __future__ import annotations

from typing import Final

__all__ = ["in_bytes", "shown_size"]

_THOUSAND = 1000


def shown_size(size: int | None) -> str:
    """Bytes as people read them: `86.1 MB`."""
    if size is None:
        return "unknown size"
    scaled, unit = float(size), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if scaled < _THOUSAND:
            break
        scaled, unit = scaled / _THOUSAND, larger
    return f"{size} bytes" if unit == "bytes" else f"{scaled:.1f} {unit}"


_UNITS: Final = ("B", "KB", "MB", "GB", "TB")


def in_bytes(size: int) -> str:
    """A size for people, in powers of 1,000."""
    value, unit = float(size), 0
    while value >= 1000 and unit < len(_UNITS) - 1:  # noqa: PLR2004
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"
