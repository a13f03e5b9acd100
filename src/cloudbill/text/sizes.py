"""Sizes in bytes as text, spelt in one way everywhere: in powers of 1,000."""

from __future__ import annotations

from typing import Final

from cloudbill.text.counts import counted

__all__ = ["shown_size"]

_UNITS: Final = ("kB", "MB", "GB", "TB", "PB")
_THOUSAND: Final = 1000
_ROUNDED_UP: Final = 999.95
"""From here on a number with one decimal has four digits before it."""


def shown_size(size: int | None) -> str:
    """Bytes as people read them: `86.1 MB`."""
    if size is None:
        return "unknown size"
    if size < _THOUSAND:
        return counted(size, "byte")
    scaled, units = size / _THOUSAND, iter(_UNITS)
    unit = next(units)
    while scaled >= _ROUNDED_UP and unit != _UNITS[-1]:
        scaled, unit = scaled / _THOUSAND, next(units)
    return f"{scaled:.1f} {unit}"
