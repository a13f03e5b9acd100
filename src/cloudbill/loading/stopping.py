"""A user's request to end a load early, and when the load can follow it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Stop"]


class Stop:
    """A request to stop, made once, from a signal; the load follows it while it replaces months.

    Until they are recorded, it is kept, and no more months begin. Before and after that nothing can
    be left half done, so the process may end at any point.
    """

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._is_heeded = False

    @property
    def is_asked(self) -> bool:
        """Whether the user wants the load to end."""
        return self._asked.is_set()

    def ask(self) -> bool:
        """Asks the load to stop; False if it cannot stop now, or was asked before."""
        if self.is_asked or not self._is_heeded:
            return False
        self._asked.set()
        return True

    def heed(self) -> None:
        """From now on, until the source is done, a request is kept."""
        self._is_heeded = True

    @contextmanager
    def for_a_source(self) -> Iterator[None]:
        """While the block runs, a source is loaded; when it ends, nothing is left half done."""
        try:
            yield
        finally:
            self._is_heeded = False
