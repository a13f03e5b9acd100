"""Runs something in a process of its own, which is killed at its n-th call of a function."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any, Literal

__all__ = ["KillPoint", "run_and_kill"]

_FAILED = 70


@dataclass(frozen=True, slots=True, kw_only=True)
class KillPoint:
    """Before which call the process dies.

    Only calls of cloudbill's own functions count, so that few numbers reach all of its stages, or
    calls of anything, which mostly hits dlt as it writes the ledger.
    """

    calls: int
    where: Literal["cloudbill", "anywhere"]


def run_and_kill(work: Callable[[], object], point: KillPoint) -> bool:
    """Whether the process was killed before it was through.

    Raises:
        RuntimeError: If the work raised.
    """
    with warnings.catch_warnings():
        # Of threads; those of the emulators wait for requests and hold nothing that a child needs.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _work(work, point)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    if os.WEXITSTATUS(status) == _FAILED:
        raise RuntimeError("The work raised in its process; see stderr")
    return False


def _work(work: Callable[[], object], point: KillPoint) -> None:
    """What the child does; it never returns, and runs nothing of what its parent had planned."""
    left, is_anywhere = point.calls, point.where == "anywhere"

    def count(frame: FrameType, event: str, _: Any) -> None:
        nonlocal left
        if event == "call" and (is_anywhere or "/cloudbill/" in frame.f_code.co_filename):
            left -= 1
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    code = _FAILED
    try:
        threading.setprofile(count)
        sys.setprofile(count)
        work()
        code = 0
    except BaseException:  # noqa: BLE001 - the parent is told
        sys.setprofile(None)
        traceback.print_exc()
    finally:
        os._exit(code)
