"""The state of a BigQuery job, as seen while the load waits for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from cloudbill.progress import Progress, ProgressListener, Stage, progress_told

if TYPE_CHECKING:
    from cloudbill.manifests import Manifest

__all__ = ["JobProgress", "WhileJobRuns"]

WhileJobRuns = Callable[[Any], AbstractContextManager[None]]
"""Reports the progress of a job while the block that waits for it runs."""


class JobProgress:
    """Reports the progress of the jobs for one run; sends no request to BigQuery itself."""

    def __init__(self, manifest: Manifest, listen: ProgressListener | None) -> None:
        self._manifest = manifest
        self._listen = listen

    def at(self, stage: Stage, *, rows: int | None = None) -> WhileJobRuns:
        """Reports the jobs of a stage, whose state is updated by the wait for them."""

        def while_job_runs(job: Any) -> AbstractContextManager[None]:
            return progress_told(
                self._listen, lambda: self._progress(stage, rows=rows, state=job.state)
            )

        return while_job_runs

    def say(self, stage: Stage, *, part: int | None = None, done: int | None = None) -> None:
        """Reports the beginning of a stage, or the parts and bytes that are done."""
        if self._listen is not None:
            self._listen(self._progress(stage, part=part, done=done))

    @property
    def listener(self) -> ProgressListener | None:
        """The listener, if there is one."""
        return self._listen

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
