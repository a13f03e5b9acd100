"""Sends the parts of a run to BigQuery, several at once, and gives what they became in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Final, TypeVar

from cloudbill.errors import StoppedError

__all__ = ["AT_ONCE", "in_order"]

AT_ONCE: Final = 4
"""How many parts of a month are on their way; each of them may be a file that is written first."""
_HEED_EVERY_S: Final = 0.2

_Part = TypeVar("_Part")
_Sent = TypeVar("_Sent")


def in_order(
    parts: Iterator[_Part],
    send: Callable[[int, _Part], _Sent],
    *,
    told: Callable[[int], None],
    is_stopped: Callable[[], bool],
) -> list[_Sent]:
    """What `send` makes of each part, in the order of the parts; `told` hears which one is done.

    The next part is taken once fewer than `AT_ONCE` are on their way. If one fails, none of the
    others begins, and those that are on their way are waited for.

    Raises:
        StoppedError: If the load is stopped meanwhile.
    """
    sent: dict[int, _Sent] = {}
    running: dict[Future[_Sent], int] = {}

    def collect(most: int) -> None:
        """Waits until no more than so many parts are on their way."""
        while True:
            done, _ = wait(running, timeout=0)
            for future in done:
                index = running.pop(future)
                sent[index] = future.result()
                told(index)
            if is_stopped():
                raise StoppedError("The load was stopped")
            if len(running) <= most:
                return
            wait(running, timeout=_HEED_EVERY_S, return_when=FIRST_COMPLETED)

    workers = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="upload")
    try:
        for index, part in enumerate(parts):
            running[workers.submit(send, index, part)] = index
            collect(AT_ONCE - 1)
        collect(0)
    finally:
        workers.shutdown(cancel_futures=True)
    return [sent[index] for index in sorted(sent)]
