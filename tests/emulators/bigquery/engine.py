"""DuckDB beneath the emulator, safe to ask from several threads."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from bqemulator.storage.engine import DuckDBEngine

if TYPE_CHECKING:
    import duckdb
    from bqemulator.config import Settings


class Engine(DuckDBEngine):
    """Gives every thread a connection of its own.

    The emulator asks one connection from the thread of its event loop and from those of its
    thread pool. DuckDB 2 refuses the second call, and earlier versions mix up their results.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._home: threading.Thread | None = None
        self._spare: duckdb.DuckDBPyConnection | None = None
        self._spare_lock = threading.Lock()
        self._of_thread = threading.local()

    async def start(self) -> None:
        """Open the database; this thread keeps the first connection."""
        await super().start()
        # Its tables have a few rows: to share them out takes longer than to read them.
        super().connection.execute("SET threads = 1")
        self._home = threading.current_thread()
        self._spare = super().connection.cursor()

    async def stop(self) -> None:
        """Close the database."""
        if self._spare is not None:
            self._spare.close()
        await super().stop()

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The connection of the calling thread."""
        if self._home in (None, threading.current_thread()):
            return super().connection
        if not hasattr(self._of_thread, "connection"):
            self._of_thread.connection = self.new_connection()
        own: duckdb.DuckDBPyConnection = self._of_thread.connection
        return own

    def new_connection(self) -> duckdb.DuckDBPyConnection:
        """A connection of whoever asks, who closes it."""
        if self._spare is None:
            raise RuntimeError("The engine has not started")
        with self._spare_lock:
            connection = self._spare.cursor()
        connection.execute("SET TimeZone = 'UTC'")
        return connection

    def _load_spatial(self) -> None:
        """Leave GEOGRAPHY out, whose extension would be downloaded."""
