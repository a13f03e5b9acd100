"""The progress of a DuckDB statement, asked for by another thread while it runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from cloudbill.progress import Progress, ProgressListener, Stage, progress_told

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from cloudbill.manifests import Manifest

__all__ = ["QueryProgress"]


class QueryProgress:
    """Reports the progress of the statements for one run; does nothing without a listener."""

    def __init__(
        self, connection: DuckDBPyConnection, manifest: Manifest, listen: ProgressListener | None
    ) -> None:
        self._connection = connection
        self._manifest = manifest
        self._listen = listen
        if listen is not None:
            # DuckDB computes progress only if its bar is on; the bar itself is not printed.
            connection.execute("SET enable_progress_bar = true")
            connection.execute("SET enable_progress_bar_print = false")

    def at(
        self,
        stage: Stage,
        *,
        rows: int | None = None,
        before: Callable[[], Progress | None] = lambda: None,
    ) -> AbstractContextManager[None]:
        """Reports the statements of a stage, as a share of the bytes of the parts.

        As long as `before` returns progress, that is reported instead.
        """
        size = self._manifest.size

        def look() -> Progress:
            awaited = before()
            if awaited is not None:
                return awaited
            percent = self._connection.query_progress()
            # -1 means unknown, and between statements there is no progress.
            is_known = size is not None and percent > 0
            return Progress(
                stage=stage,
                parts=len(self._manifest.parts),
                done=None if size is None or not is_known else int(size * percent / 100),
                total=size,
                rows=self._manifest.rows if rows is None else rows,
            )

        return progress_told(self._listen, look)
