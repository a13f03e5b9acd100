"""A process that loads a month and is killed as soon as its job has begun."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cloudbill.doctor.smoke_statements import MOST_BYTES
from cloudbill.doctor.smoke_trial import own_state
from cloudbill.loading.events import Event, Progressed
from cloudbill.periods import BillingPeriod
from cloudbill.pipeline import load_source
from cloudbill.planning import Selection
from cloudbill.progress import Stage
from cloudbill.warehouses.bigquery.client import billing_at_most

if TYPE_CHECKING:
    from cloudbill.doctor.smoke_place import Place

__all__ = ["kill_a_load"]

_LONGEST_S: Final = 300.0


def kill_a_load(place: Place, name: str, export: str, *, month: str, home: Path) -> int | None:
    """Lets a process load a month until it dies; gives what it ended with, None if it did not.

    A process that a signal ended has the negative number of the signal.
    """
    process = multiprocessing.get_context("spawn").Process(
        target=_load_and_die, args=(place, name, export, month, home), daemon=True
    )
    process.start()
    try:
        process.join(_LONGEST_S)
        return process.exitcode
    finally:
        process.kill()
        process.join()


def _load_and_die(place: Place, name: str, export: str, month: str, home: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits for this
    selection = Selection(periods=frozenset([BillingPeriod.parse(month)]))
    with own_state(home), billing_at_most(MOST_BYTES):
        load_source(place.settings(name, export), selection, _die_when_told, wants_progress=True)


def _die_when_told(event: Event) -> None:
    """Kills this process as soon as it says that its job has begun: nothing is put in order."""
    if isinstance(event, Progressed) and event.progress.stage is Stage.LOADING:
        # Windows has no such signal, and ends a process at once by any other.
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
