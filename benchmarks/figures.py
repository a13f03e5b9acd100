"""What a benchmark tells."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.processes import Measured, Spread
from benchmarks.targets import TARGETS

__all__ = ["Figure", "Options", "as_json", "resources", "times"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How large, how often, and where the data is kept."""

    rows: int
    aws_rows: int
    runs: int
    objects: int
    months: int
    runs_per_month: int
    peer_rows: int
    slow_peer_rows: int
    memory_rows: tuple[int, int]
    remote_rows: int
    backfill_rows: int
    scratch: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number with its ends, and what stands behind it.

    `exact` says whether the totals of what was loaded are the sample's to the last digit, or None
    where nothing was loaded. `about` holds sizes and the like, `runs` what each side took.
    """

    name: str
    value: Spread
    about: Mapping[str, str | int | float] = field(default_factory=dict)
    exact: bool | None = None
    runs: Mapping[str, Mapping[str, Spread]] = field(default_factory=dict)


def resources(measured: Sequence[Measured]) -> dict[str, Spread]:
    """What a command took over its runs."""
    return {
        "wall_s": Spread.of([run.wall_s for run in measured]),
        "cpu_s": Spread.of([run.cpu_s for run in measured]),
        "peak_bytes": Spread.of([run.peak_bytes for run in measured]),
    }


def times(measured: Sequence[Measured], less: Sequence[Measured] = ()) -> list[float]:
    """Wall seconds of each run, less the median of another command.

    At tiny sizes nothing but noise would be left, so a twentieth of the run is always kept.
    """
    base = statistics.median(run.wall_s for run in less) if less else 0.0
    return [max(run.wall_s - base, run.wall_s / 20) for run in measured]


def as_json(figure: Figure) -> dict[str, Any]:
    """The figure and whether its target is met."""
    target = TARGETS.get(figure.name)
    told = asdict(figure)
    if target is not None:
        told["target"] = {"sign": target.sign, "bound": target.bound, "unit": target.unit}
        is_met = target.is_met(figure.value.median)
        told["met"] = is_met and figure.exact is not False
    return told
