"""Months whose parts went away while they were loaded, and the second look at them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

from cloudbill.errors import CloudbillError, PartMissingError
from cloudbill.loading.events import Event, LoadFinished, LoadStarted, Progressed
from cloudbill.loading.outcome import Outcome
from cloudbill.loading.stopping import Stop
from cloudbill.models import LoadFailure, Skip
from cloudbill.periods import BillingPeriod
from cloudbill.planning import Selection

__all__ = ["but_vanished", "look_again"]

_Listener = Callable[[Event], None]
_Vanished = Mapping[BillingPeriod, LoadFailure]


class _Load(Protocol):
    """Loads the months of a source, once."""

    def __call__(self, selection: Selection, listen: _Listener) -> Outcome: ...


def look_again(
    first: Outcome, load: _Load, selection: Selection, listen: _Listener, *, stop: Stop
) -> Outcome:
    """Discovers and plans the months a second time whose parts went away, and loads them.

    An export that overwrites its runs takes parts away while they are loaded.
    """
    vanished = _vanished_of(first)
    if not vanished:
        return first
    second = Outcome(settings=first.settings)
    try:
        if not stop.is_asked:
            again = replace(selection, periods=frozenset(vanished))
            second = load(again, _only_these(vanished, listen))
    except CloudbillError as error:
        second = Outcome(settings=first.settings, error=error)
    return _merged(first, second, vanished, listen)


def _vanished_of(outcome: Outcome) -> _Vanished:
    """The failures of months of which a part was gone."""
    return {
        failure.planned.period: failure for failure in outcome.failures if _is_vanished(failure)
    }


def but_vanished(listen: _Listener) -> _Listener:
    """A listener that hears nothing yet of such failures: the second look may end well."""

    def listen_to_others(event: Event) -> None:
        if not _is_vanished(event):
            listen(event)

    return listen_to_others


def _only_these(vanished: _Vanished, listen: _Listener) -> _Listener:
    """A listener that hears of these months alone, for it has heard of all others."""

    def listen_to_these(event: Event) -> None:
        match event:
            case Skip(manifest=manifest) if manifest.period in vanished:
                listen(event)
            case LoadStarted() | Progressed() | LoadFinished() | LoadFailure():
                listen(event)
            case _:
                pass

    return listen_to_these


def _merged(first: Outcome, second: Outcome, vanished: _Vanished, listen: _Listener) -> Outcome:
    """Both looks as one; `listen` hears of the months of which the second found nothing."""
    skips = tuple(skip for skip in second.skips if skip.manifest.period in vanished)
    found = {skip.manifest.period for skip in skips}
    found |= {result.planned.period for result in second.results}
    found |= {failure.planned.period for failure in second.failures}
    lost = tuple(failure for period, failure in vanished.items() if period not in found)
    for failure in lost:
        listen(failure)
    others = (failure for failure in first.failures if failure.planned.period not in vanished)
    earlier = (skip for skip in first.skips if skip.manifest.period not in vanished)
    return replace(
        first,
        results=(*first.results, *second.results),
        skips=(*earlier, *skips),
        failures=(*others, *second.failures, *lost),
        reasons=(*first.reasons, *(one for one in second.reasons if one.period in vanished)),
        error=first.error or second.error,
    )


def _is_vanished(event: Event) -> bool:
    return isinstance(event, LoadFailure) and isinstance(event.error, PartMissingError)
