"""How far the load of a month is, reported while it runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Progress", "ProgressListener", "Stage", "progress_told"]

_EVERY_S = 0.2


class Stage(StrEnum):
    """What is being done for a month; users see these words."""

    STARTING = "starting"
    FETCHING = "fetching"
    """Parts are downloaded to this machine."""
    COUNTING = "counting"
    """Rows and totals of the parts are read."""
    INSERTING = "inserting"
    CHECKING = "checking"
    """The rows and totals of the table are compared with those of the parts."""
    STAGING = "staging"
    """Parts are uploaded from this machine into a staging table."""
    LOADING = "loading"
    """The warehouse reads the store itself."""
    COPYING = "copying"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a stage is; `done` and `total` are bytes, None if they are unknown.

    `part` counts finished parts, `rows` is what the month will have, `state` is the warehouse's
    word for the state of its job.
    """

    stage: Stage
    part: int | None = None
    parts: int | None = None
    done: int | None = None
    total: int | None = None
    rows: int | None = None
    state: str | None = None


ProgressListener = Callable[[Progress], None]
"""Receives progress from any thread."""


@contextmanager
def progress_told(listen: ProgressListener | None, look: Callable[[], Progress]) -> Iterator[None]:
    """Reports the result of `look`, now and in short intervals until the block ends.

    The code in the block knows nothing of the listener, so it is the same without one.
    """
    if listen is None:
        yield
        return
    ended = threading.Event()
    listen(look())

    def look_again() -> None:
        while not ended.wait(_EVERY_S):
            listen(look())

    teller = threading.Thread(target=look_again, name="progress", daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()
