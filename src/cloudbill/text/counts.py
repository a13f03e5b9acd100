"""Counted things as text: `1 row`, `2 rows`."""

from __future__ import annotations

__all__ = ["counted"]


def counted(number: float, noun: str, form: str = "", *, plural: str = "") -> str:
    """A number with its noun, which gets an `s` or is `plural` for any number but 1.

    `form` is how the number is written, as in a format: `,` with commas between thousands.
    """
    return f"{number:{form}} {noun if number == 1 else plural or f'{noun}s'}"
