"""Tries calls again that failed for a passing reason: with growing pauses, in bounded time, logged.

Built on tenacity, which every installation already has because of dlt. Stamina, the alternative, is
a layer above it with fixed bounds for each decorated function; here the bounds are configured.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import tenacity

from cloudbill.redaction import redacted

__all__ = ["Patience", "persist"]

_log = logging.getLogger(__name__)

_TOTAL_S: Final = 240.0
_SHOWN_CHARACTERS: Final = 300
_SLOWEST_BYTES_PER_S: Final = 1024 * 1024
"""A transfer that is slower than this is taken for one that hangs."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one call to a cloud is tried (`retry_for_s`); all other times derive from it.

    With the default of 240 s, one attempt may take 60 s, the pauses grow from 1 s to 30 s, and the
    call has failed for good after 300 s. With 2 s it takes 2.5 s, which keeps tests fast.
    """

    total_s: float = _TOTAL_S

    @property
    def attempt_s(self) -> float:
        """How long one attempt may take, or go without an answer."""
        return self.total_s / 4

    def stretch(self, size: int) -> float:
        """How many times longer a call that moves so many bytes may take than a small one."""
        return 1 + size / _SLOWEST_BYTES_PER_S / max(self.attempt_s, 1.0)

    @property
    def first_pause_s(self) -> float:
        """The pause after the first attempt, before jitter; it doubles with each further one."""
        return min(1.0, self.total_s / 240)

    @property
    def longest_pause_s(self) -> float:
        """The longest pause, before jitter."""
        return self.total_s / 8


def persist(
    what: str,
    attempt: Callable[[], _T],
    *,
    may_pass: Callable[[BaseException], bool],
    patience: Patience,
    once: Callable[[BaseException], str] | None = None,
) -> _T:
    """Calls `attempt` until it succeeds, fails with a lasting error, or the time is up.

    `may_pass` says whether the same call may succeed after an error. No attempt begins after
    `patience.total_s`, but a call that took longer than that gets a second attempt. The error of
    the last attempt is raised as it is. Each attempt that failed is logged; with `once`, the first
    alone, in its words.
    """

    def log(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        pause_s = state.next_action.sleep if state.next_action else 0.0
        if once is not None:
            if state.attempt_number == 1 and error is not None:
                _log.warning("%s", redacted(once(error)))
            return
        _log.warning(
            "%s: attempt %d failed (%s); trying again in %.1f s",
            redacted(what),
            state.attempt_number,
            _in_short(error),
            pause_s,
        )

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(may_pass),
        # Jitter, so that readers that failed together do not all come back together.
        wait=tenacity.wait_exponential(
            multiplier=patience.first_pause_s, max=patience.longest_pause_s
        )
        + tenacity.wait_random(0, patience.first_pause_s),
        # Both must hold to stop. A single attempt on a large file may use up the whole time, and
        # a connection that broke at its end deserves a second attempt.
        stop=tenacity.stop_before_delay(patience.total_s) & tenacity.stop_after_attempt(2),
        before_sleep=log,
        reraise=True,
    )
    return retrying(attempt)


def _in_short(error: BaseException | None) -> str:
    text = " ".join(redacted(str(error)).split())
    if len(text) > _SHOWN_CHARACTERS:
        text = f"{text[:_SHOWN_CHARACTERS]}..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
