"""Ctrl-C and SIGTERM: the first ends a load in good order, the second ends it at once.

Each of them ends any other command at once, and what it wrote for itself is removed.

While the process starts and ends, `cloudbill.__main__` has Ctrl-C end it without a word more.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cloudbill.loading.stopping import Stop

__all__ = ["interruptible", "stopped_by_signals", "was_interrupted"]

_AGAIN_AFTER_S: Final = 0.005
_IMPORTING: Final = "<frozen importlib._bootstrap>"
_APPLICATION: Final = "cloudbill.cli.app"
_interrupts: list[int] = []


@contextmanager
def interruptible() -> Iterator[None]:
    """While the block runs, a signal raises a `KeyboardInterrupt`, unless it is ignored."""
    _interrupts.clear()
    known = {number: signal.getsignal(number) for number in _signals()}
    kept = (None, signal.SIG_IGN)
    before = {number: handler for number, handler in known.items() if handler not in kept}
    for number in before:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def was_interrupted() -> bool:
    """Whether Ctrl-C interrupted the command: DuckDB makes an error of its own of that."""
    return bool(_interrupts)


@contextmanager
def stopped_by_signals(stop: Stop) -> Iterator[None]:
    """While the block runs, a signal asks the load to stop, if the load can stop.

    Raises:
        KeyboardInterrupt: If the load cannot stop, or the user asks a second time.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        if not stop.ask():
            _interrupt(number, frame)

    before = {number: signal.signal(number, handle) for number in _signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raises a `KeyboardInterrupt`; after an import, if there is one going on.

    DuckDB and others call Python while they are imported, and a process whose import of them is
    interrupted aborts.
    """
    if _is_in_import(frame):
        again = threading.Timer(_AGAIN_AFTER_S, _send_again, (number,))
        again.daemon = True
        again.start()
        return
    _interrupts.append(number)
    raise KeyboardInterrupt


def _send_again(number: int) -> None:
    if sys.platform == "win32":
        signal.raise_signal(number)
    else:  # to the process, for the main thread may wait, and only this wakes it
        os.kill(os.getpid(), number)


def _is_in_import(frame: FrameType | None) -> bool:
    """Whether the command imports something; it may itself be called from what is imported."""
    while frame is not None and frame.f_globals.get("__name__") != _APPLICATION:
        if frame.f_code.co_filename == _IMPORTING:
            return True
        frame = frame.f_back
    return False


def _signals() -> tuple[signal.Signals, ...]:
    # Windows ends a process without sending a signal.
    if sys.platform == "win32":
        return (signal.SIGINT,)
    return signal.SIGINT, signal.SIGTERM
