"""What one destination was told, and whether it is told anything now.

A reason is told once, again with all others whenever one comes or ends, and once a day while any
lasts. When the last one has ended, that is told once. Without a memory nobody knows what was told,
so every run tells what it finds, and none says that anything is well again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cloudbill.alerts.alert import Alert

__all__ = ["Found", "Memory", "Telling", "decide"]

AGAIN_AFTER: Final = timedelta(hours=20)
"""Less than a day, for a daily load takes longer on some days than on others."""
FORGOTTEN_AFTER: Final = timedelta(days=7)
"""What no command has judged for so long keeps nobody from hearing that all else is well."""
_KEPT_EVENTS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a command found that concerns one destination.

    `judged` are the scopes of which it knows all that there is to tell, and the ages of sources
    (`age_of`) that it judged. `known` are the scopes that
    there are; None if the command does not know.
    """

    lasting: tuple[Alert, ...] = ()
    events: tuple[Alert, ...] = ()
    judged: frozenset[str] = frozenset()
    known: frozenset[str] | None = None

    def is_over(self, alert: Alert) -> bool:
        """Whether an alert that was not found has ended."""
        is_gone = self.known is not None and alert.scope not in self.known
        return is_gone or alert.judged_with in self.judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What a destination was told last: what lasts, and the events that it could not be told."""

    told_at: datetime | None = None
    lasting: Mapping[str, Alert] = field(default_factory=dict)
    untold: tuple[Alert, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What a destination is told now, and the memory after that; nothing if there are no alerts.

    With nothing but `ended`, all is well again.
    """

    alerts: tuple[Alert, ...]
    ended: tuple[Alert, ...]
    new: frozenset[str]
    is_rest_well: bool = False
    """Whether all that lasted has ended, so that nothing but what is told now is left."""
    told: Memory
    """The memory once it was told."""
    untold: Memory
    """The memory where it could not be told."""

    @property
    def is_due(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.alerts or self.ended)


def decide(memory: Memory, found: Found, now: datetime) -> Telling:
    """What a destination is told of what was found; see the module."""
    lasting = {alert.key: alert for alert in found.lasting}
    gone = {key: alert for key, alert in memory.lasting.items() if key not in lasting}
    ended = tuple(alert for alert in gone.values() if found.is_over(alert))
    is_forgotten = memory.told_at is not None and now - memory.told_at > FORGOTTEN_AFTER
    kept = {key: alert for key, alert in gone.items() if not (found.is_over(alert) or is_forgotten)}
    new = frozenset(lasting.keys() - memory.lasting.keys())
    events = _distinct((*memory.untold, *found.events))
    is_old = memory.told_at is None or not timedelta() <= now - memory.told_at < AGAIN_AFTER
    is_due = bool(events or new or (lasting and (ended or is_old)))
    is_well = bool(ended) and not (lasting or kept or events)
    if not (is_due or is_well):
        # What ended while others are not known to have ended is told together with those.
        return Telling(alerts=(), ended=(), new=frozenset(), told=memory, untold=memory)
    return Telling(
        alerts=(*events, *lasting.values()),
        ended=ended,
        new=new | {event.key for event in events},
        is_rest_well=bool(ended) and not (lasting or kept),
        told=Memory(told_at=now, lasting={**kept, **lasting}),
        untold=Memory(
            told_at=memory.told_at, lasting=memory.lasting, untold=events[-_KEPT_EVENTS:]
        ),
    )


def _distinct(alerts: Iterable[Alert]) -> tuple[Alert, ...]:
    return tuple({alert.key: alert for alert in alerts}.values())
