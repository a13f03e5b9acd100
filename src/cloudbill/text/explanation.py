"""What is said of one kind of error."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Explanation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One kind of error: `name` is its class in `cloudbill.errors`, or `UsageError`.

    `causes` are the common ones, the likeliest first; `remedies` are in the order to try them.
    """

    name: str
    exit_code: int
    means: str
    causes: tuple[str, ...]
    remedies: tuple[str, ...]
