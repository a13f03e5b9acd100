"""Ends the running statement of a connection when its user stops, but never a commit."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cloudbill.errors import StoppedError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["Interruption"]


class Interruption:
    """A user's request to stop, as one connection follows it.

    A commit that is interrupted may raise and have committed all the same: nobody could then say
    whether the month was replaced. So a request that comes during a commit waits for it.
    """

    def __init__(self, connection: DuckDBPyConnection) -> None:
        self._connection = connection
        self._is_asked = False
        self._commits = threading.Lock()

    def is_asked(self) -> bool:
        """Whether the user wants the load to end."""
        return self._is_asked

    def ask(self) -> None:
        """Ends the running statement, and lets no further month be committed."""
        self._is_asked = True
        with self._commits:
            self._connection.interrupt()

    @contextmanager
    def held_off(self) -> Iterator[None]:
        """While the block runs, no statement is interrupted.

        Raises:
            StoppedError: If the user asked before.
        """
        with self._commits:
            self.require_none()
            yield

    def require_none(self) -> None:
        """Lets a load go on that nobody wants to end.

        Raises:
            StoppedError: If the user asked to end it.
        """
        if self._is_asked:
            raise StoppedError("The load was stopped")
