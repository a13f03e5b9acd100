"""The streams of a process: what happens where nobody reads them, or they take no more."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TextIO, cast

__all__ = ["guard_output", "lost_output", "progress_of"]

_STREAMS: Final = ("stdin", "stdout", "stderr")


class _Output:
    """A stream that goes on without a text that cannot be written, and remembers why.

    A full disk under a log must not keep months from being loaded. Where the reader has left, as
    `head` does, the command ends, so a `BrokenPipeError` is raised once.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lost: OSError | None = None

    def write(self, text: str) -> int:
        """Writes, unless the stream takes nothing."""
        try:
            self._stream.write(text)
        except OSError as error:
            self._lose(error)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Writes each of the lines."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Hands over what was written, unless the stream takes nothing."""
        try:
            self._stream.flush()
        except OSError as error:
            self._lose(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _lose(self, error: OSError) -> None:
        is_first = self.lost is None
        self.lost = self.lost or error
        # What is in the buffer would be tried again, in the end by Python itself.
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, self._stream.fileno())
        os.close(nothing)
        if is_first and isinstance(error, BrokenPipeError):
            raise error


def guard_output() -> None:
    """Lets stdout and stderr be closed or full without a fault in whatever prints."""
    for number, name in enumerate(_STREAMS):
        stream = getattr(sys, name)
        if stream is None:
            stream = _opened(number)
        if number and not isinstance(stream, _Output):
            stream = cast("TextIO", _Output(stream))
        setattr(sys, name, stream)


def lost_output() -> OSError | None:
    """Why output could not be written; None if all of it was."""
    found = None
    for stream in (sys.stdout, sys.stderr):
        with suppress(BrokenPipeError):
            stream.flush()
        if isinstance(stream, _Output):
            found = found or stream.lost
    return found


@contextmanager
def progress_of(title: str) -> Iterator[Callable[[int, int], None]]:
    """Shows on stderr how many of how many are done, if that is a terminal; yields who to tell."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield lambda done, total: None  # noqa: ARG005
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(title, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def _opened(number: int) -> TextIO:
    """A stream to nowhere, in the place of one that the process was started without.

    It takes the free number, or the next file would get it, such as the database, and with it what
    others print.
    """
    opened = os.open(os.devnull, os.O_RDWR)
    return os.fdopen(opened, "w" if number else "r", encoding="utf-8", closefd=False)
