"""Writes finished loads into the ledger while others still run, so that a kill repeats little."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from cloudbill.errors import CloudbillError

if TYPE_CHECKING:
    from cloudbill.ledger import Ledger
    from cloudbill.models import LoadResult

__all__ = ["Recorder"]

_RECORD_AFTER_S: Final = 20.0
"""A process that is killed repeats at most finished loads that took this long together."""


class Recorder:
    """Writes finished loads into the ledger every now and then, and at the end whatever ends it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._unrecorded: list[LoadResult] = []
        self.error: CloudbillError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._record()

    def add(self, result: LoadResult) -> None:
        """Keeps a load, and writes what is kept once it was work enough."""
        self._unrecorded.append(result)
        if sum(result.seconds for result in self._unrecorded) >= _RECORD_AFTER_S:
            self._record()

    def _record(self) -> None:
        if not self._unrecorded:
            return
        try:
            self._ledger.record(self._unrecorded)
        except CloudbillError as error:
            # Kept until the end: the months that are still to be loaded do not suffer from it.
            self.error = error
        else:
            self._unrecorded.clear()
            self.error = None
