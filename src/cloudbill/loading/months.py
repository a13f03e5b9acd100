"""Replaces months, as many at once as the warehouse allows, until all are done or a user stops."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from cloudbill.errors import CloudbillError, HeldError, OvertakenError, StoppedError
from cloudbill.loading.events import Event, LoadFinished, LoadStarted, Progressed, Stopping
from cloudbill.loading.next_month import FetchingStore
from cloudbill.loading.rivals import Readers, with_rival_to_sum, with_rivals_counted
from cloudbill.loading.stopping import Stop
from cloudbill.models import LoadFailure, LoadResult, PlannedLoad, Skip, SkipReason
from cloudbill.progress import Progress

if TYPE_CHECKING:
    from cloudbill.store import Store
    from cloudbill.warehouses import Warehouse

__all__ = ["load_planned"]

_HEED_EVERY_S: Final = 0.2
_GRACE_S: Final = 5.0
"""How long a stopped load waits for months that are about to finish."""

_Outcome = LoadResult | LoadFailure | Skip


def load_planned(
    warehouse: Warehouse,
    store: Store,
    loads: Sequence[PlannedLoad],
    listen: Callable[[Event], None],
    *,
    stop: Stop | None = None,
    wants_progress: bool = False,
    readers: Readers | None = None,
) -> Iterator[LoadResult | LoadFailure | Skip]:
    """Replaces months, as many at once as the warehouse allows; yields the results as they come.

    If a guard holds a run once it is read, its result is a skip; if a run fails for a lasting
    reason, its result is a failure. In both cases the next older run is loaded as well. Rivals
    are read by `readers`; without them they remain unknown. If another process wrote the
    month meanwhile, the result is also a skip. With `wants_progress`, `listen` receives the
    progress of each month. After `stop`, no more months begin, and every month that is not replaced
    fails with a `StoppedError`. If the warehouse replaces one month at a time, remote parts of the
    next month are downloaded meanwhile.
    """
    stop = stop or Stop()
    ahead: FetchingStore | None = None
    if warehouse.parallel_loads == 1 and store.local_path("") is None:
        store = ahead = FetchingStore(store)
    # Newest first, so a load that is stopped early has the months that people look at. The list
    # is reversed, because `pop` takes the last.
    replace_month = partial(
        _replace,
        warehouse,
        store,
        listen,
        wants_progress=wants_progress,
        readers=readers,
    )
    waiting = list(reversed(loads))
    running: dict[Future[_Outcome], PlannedLoad] = {}
    workers = ThreadPoolExecutor(warehouse.parallel_loads, thread_name_prefix="load")
    try:
        stop.heed()
        while (waiting or running) and not stop.is_asked:
            while waiting and len(running) < warehouse.parallel_loads:
                planned = waiting.pop()
                if ahead is not None:
                    ahead.begin(planned.manifest, waiting[-1].manifest if waiting else None)
                running[workers.submit(replace_month, planned)] = planned
            # With a timeout, because a signal only sets `stop` and cannot end a wait.
            for future in wait(running, _HEED_EVERY_S, FIRST_COMPLETED).done:
                planned, outcome = running.pop(future), future.result()
                # The run is held, or fails for good, only now that it is read: the next run of
                # the same month is loaded at once, before any other month.
                if planned.otherwise and _is_passed_over(outcome):
                    waiting.append(planned.otherwise)
                listen(_event_of(outcome))
                yield outcome
        if stop.is_asked:
            yield from _stopped(warehouse, running, waiting[::-1], listen)
    finally:
        workers.shutdown(wait=not stop.is_asked, cancel_futures=True)
        if ahead is not None:
            ahead.close(wait=not stop.is_asked)


def _replace(
    warehouse: Warehouse,
    store: Store,
    listen: Callable[[Event], None],
    planned: PlannedLoad,
    *,
    wants_progress: bool,
    readers: Readers | None,
) -> _Outcome:
    listen(LoadStarted(planned=planned, store_title=store.title))

    def tell(progress: Progress) -> None:
        listen(Progressed(planned=planned, progress=progress))

    try:
        if readers is not None:
            planned = with_rivals_counted(planned, readers.count_rows)
            planned = with_rival_to_sum(planned, readers)
        result = warehouse.replace_period(planned, store, tell if wants_progress else None)
    except HeldError as error:
        return Skip(
            manifest=planned.manifest,
            reason=SkipReason.HELD,
            detail=str(error),
            guard=error.guard,
            is_late=True,
        )
    except OvertakenError as error:
        return Skip(manifest=planned.manifest, reason=SkipReason.SUPERSEDED, detail=str(error))
    except CloudbillError as error:
        return LoadFailure(planned=planned, error=error)
    return replace(result, planned=planned)


def _is_passed_over(outcome: _Outcome) -> bool:
    """Whether the next run of the month is loaded instead: this one will not do as it is."""
    if isinstance(outcome, Skip):
        return outcome.is_held
    return isinstance(outcome, LoadFailure) and outcome.error.is_of_run


def _event_of(outcome: _Outcome) -> Event:
    return LoadFinished(result=outcome) if isinstance(outcome, LoadResult) else outcome


def _stopped(
    warehouse: Warehouse,
    running: dict[Future[_Outcome], PlannedLoad],
    waiting: Sequence[PlannedLoad],
    listen: Callable[[Event], None],
) -> Iterator[LoadResult | LoadFailure | Skip]:
    """Interrupts the running months, waits a moment, and yields the result of every month."""
    listen(Stopping())
    warehouse.interrupt()
    ended = wait(running, _GRACE_S).done
    for future, planned in running.items():
        if future not in ended:
            problem = "stopped; a job may still finish, and the next run finds it"
            outcome: _Outcome = LoadFailure(planned=planned, error=StoppedError(problem))
        else:
            outcome = future.result()
            # What failed for a reason of its own did not end because somebody stopped it.
            if isinstance(outcome, LoadFailure) and isinstance(outcome.error, StoppedError):
                problem = "stopped; the month stays as it was"
                outcome = replace(outcome, error=StoppedError(problem))
        listen(_event_of(outcome))
        yield outcome
    for planned in waiting:
        yield LoadFailure(planned=planned, error=StoppedError("not begun"))
