"""Ctrl-C and SIGTERM: the first ends a load in good order, the second ends it at once."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloudbill.loading.stopping import Stop

__all__ = ["stopped_by_signals"]


@contextmanager
def stopped_by_signals(stop: Stop) -> Iterator[None]:
    """While the block runs, a signal asks the load to stop, if the load can stop.

    Raises:
        KeyboardInterrupt: If the load cannot stop, or the user asks a second time.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        del number, frame
        if not stop.ask():
            raise KeyboardInterrupt

    before = {number: signal.signal(number, handle) for number in _signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _signals() -> tuple[signal.Signals, ...]:
    # Windows ends a process without sending a signal.
    if sys.platform == "win32":
        return (signal.SIGINT,)
    return signal.SIGINT, signal.SIGTERM
