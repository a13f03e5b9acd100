"""A point of the smoke test: what is expected of the real service, and what it did."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from cloudbill.warehouses.bigquery.client import bigquery_errors

if TYPE_CHECKING:
    from cloudbill.doctor.smoke_trial import Trial
    from cloudbill.errors import CloudbillError
    from cloudbill.text.failures import SourceFailure

__all__ = ["Attempt", "Finding", "Point", "Seen", "Verdict", "find", "one_line"]


Attempt = Callable[
    [str | None, Callable[[], object], "Callable[[SourceFailure], None]"],
    None,
]
"""Does something, and tells what ended it, as `attempt` of the command line."""
_SHOWN: Final = 400


def one_line(text: str) -> str:
    """A message of the service in one line, as far as it is not too long."""
    return " ".join(text.split())[:_SHOWN]


class Verdict(StrEnum):
    """What became of a point; the values appear in the JSON."""

    AS_EXPECTED = "as_expected"
    DIFFERENT = "different"
    FAILED = "failed"
    """An error ended it; what was seen before is kept."""
    NOT_TRIED = "not_tried"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One thing that the service did, in words; `is_expected` is None where any answer is right."""

    text: str
    is_expected: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One thing to try; `run` yields what it sees, so that an error loses none of it."""

    number: int
    title: str
    expected: str
    run: Callable[[Trial], Iterator[Seen]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A point and what was seen of it; `error` is what ended it, if anything did."""

    point: Point
    seen: tuple[Seen, ...]
    seconds: float
    error: CloudbillError | None = None

    @property
    def verdict(self) -> Verdict:
        """What became of the point."""
        if self.error is not None:
            return Verdict.FAILED
        judged = {one.is_expected for one in self.seen} - {None}
        if not judged:
            return Verdict.NOT_TRIED
        return Verdict.DIFFERENT if False in judged else Verdict.AS_EXPECTED


def find(point: Point, trial: Trial, attempt: Attempt) -> Finding:
    """Tries a point; `attempt` says what ended it, and what was seen before is kept."""
    seen: list[Seen] = []
    failures: list[SourceFailure] = []

    def look() -> None:
        with bigquery_errors(point.title):
            for one in point.run(trial):
                seen.append(one)  # noqa: PERF402 - what came before an error is kept

    began = time.monotonic()
    attempt(None, look, failures.append)
    return Finding(
        point=point,
        seen=tuple(seen),
        seconds=time.monotonic() - began,
        error=failures[0].error if failures else None,
    )
