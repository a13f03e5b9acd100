"""How many examples the tests try, and figures of what they tried: none is typed by hand."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from hypothesis import HealthCheck, settings

__all__ = [
    "EXAMPLES",
    "FIGURES",
    "IN_EVERY_RUN",
    "draws_anew",
    "examples",
    "record_figure",
    "tries",
]

FIGURES: Final = "CLOUDBILL_FIGURES"
"""Names the file that figures are added to, one JSON document a line; without it none are."""
EXAMPLES: Final = "CLOUDBILL_EXAMPLES"
"""Multiplies the full numbers of examples; `just promises` sets it."""
IN_EVERY_RUN: Final = 1 / 5
"""The share of the full numbers that is tried where nothing else is said."""


def record_figure(name: str, count: int = 1) -> None:
    """Adds to a figure; processes may do so at once, since a line is one write."""
    path = os.environ.get(FIGURES)
    if path:
        with Path(path).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"figure": name, "count": count}) + "\n")


def examples(full: int) -> int:
    """How many examples to try of the full number: a fifth, or what `CLOUDBILL_EXAMPLES` says."""
    return max(1, round(full * float(os.environ.get(EXAMPLES, IN_EVERY_RUN))))


def draws_anew() -> bool:
    """Whether long histories are other ones each time, as `just promises` wants them.

    In every other run they are the same, so that one that fails is the work of a change.
    """
    return EXAMPLES in os.environ


def tries(full: int, *, suppress: Iterable[HealthCheck] = ()) -> settings:
    """The settings of a property, and the only place that says how many examples it tries."""
    return settings(
        deadline=None, max_examples=examples(full), suppress_health_check=list(suppress)
    )
