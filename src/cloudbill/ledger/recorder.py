"""Records finished loads while others still run, so little is repeated if the process is killed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from cloudbill.errors import CloudbillError

if TYPE_CHECKING:
    from cloudbill.ledger import Ledger
    from cloudbill.models import LoadResult

__all__ = ["Recorder"]

_RECORD_AFTER_S: Final = 20.0
"""After a kill, the next run repeats at most finished loads that took this long together."""


class Recorder:
    """Writes finished loads into the ledger from time to time, and always at the end."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._unrecorded: list[LoadResult] = []
        self.error: CloudbillError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._record()

    def add(self, result: LoadResult) -> None:
        """Keeps a load, and writes the kept loads once they took long enough."""
        self._unrecorded.append(result)
        if sum(result.seconds for result in self._unrecorded) >= _RECORD_AFTER_S:
            self._record()

    def _record(self) -> None:
        if not self._unrecorded:
            return
        try:
            self._ledger.record(self._unrecorded)
        except CloudbillError as error:
            # Kept until the end, so that it does not stop the months that are still to be loaded.
            self.error = error
        else:
            self._unrecorded.clear()
            self.error = None
