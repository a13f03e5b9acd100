"""The wish of a user that a load ends early, and when it is heeded."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Stop"]


class Stop:
    """Is asked for once, from a signal; heeded while months are being replaced.

    Before and after, nothing is at stake, so the process may end wherever it is.
    """

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._is_heeded = False

    @property
    def is_asked(self) -> bool:
        """Whether the user wants the load to end."""
        return self._asked.is_set()

    def ask(self) -> bool:
        """Asks for the end; False where nobody heeds it, or it was asked for before."""
        if self.is_asked or not self._is_heeded:
            return False
        self._asked.set()
        return True

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """While the block runs, whoever asks can trust that it ends soon."""
        self._is_heeded = True
        try:
            yield
        finally:
            self._is_heeded = False
