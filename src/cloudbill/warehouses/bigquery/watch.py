"""What state a job of BigQuery is in, as the wait for it learns."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from cloudbill.progress import Progress, Stage, Tell, watched

if TYPE_CHECKING:
    from cloudbill.models import Manifest

__all__ = ["JobWatch", "Watching"]

Watching = Callable[[Any], AbstractContextManager[None]]
"""Watches a job as long as the block runs that waits for it."""


class JobWatch:
    """Tells how far the jobs for one run are; asks BigQuery nothing by itself."""

    def __init__(self, manifest: Manifest, tell: Tell | None) -> None:
        self._manifest = manifest
        self._tell = tell

    def at(self, stage: Stage, *, rows: int | None = None) -> Watching:
        """Watches the jobs of a stage, whose state the wait for them brings up to date."""

        def watching(job: Any) -> AbstractContextManager[None]:
            return watched(self._tell, lambda: self._progress(stage, rows=rows, state=job.state))

        return watching

    def tell(self, stage: Stage, *, part: int | None = None, done: int | None = None) -> None:
        """Tells what begins now, or how many parts and bytes of it are done."""
        if self._tell is not None:
            self._tell(self._progress(stage, part=part, done=done))

    @property
    def listener(self) -> Tell | None:
        """Whoever looks, if anybody does."""
        return self._tell

    def _progress(
        self,
        stage: Stage,
        *,
        part: int | None = None,
        done: int | None = None,
        rows: int | None = None,
        state: object = None,
    ) -> Progress:
        return Progress(
            stage=stage,
            part=part,
            parts=len(self._manifest.parts),
            done=done,
            total=self._manifest.size,
            rows=self._manifest.rows if rows is None else rows,
            state=None if state is None else str(state).lower(),
        )
