"""The id of the next load package, which is greater than all before it, whatever the clock says.

dlt's ids are the wall clock as text (`1764324660.123456`), and dlt restores the state with the
greatest one, as text. A clock that was ahead, or in 2001, where seconds have a digit less and begin
with a 9, would keep every later state from being restored.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from typing import Final

__all__ = ["next_load_id"]

_ID: Final = re.compile(r"(?P<seconds>\d+)(\.(?P<fraction>\d+))?", re.ASCII)
_DIGITS: Final = 6
_MOST: Final = 10**_DIGITS


def next_load_id(known: Iterable[str], clock: str) -> str:
    """The time as dlt writes it, or an id just above the greatest that is known, as text.

    Two writers that begin with the same ids do not end with the same one. An id that dlt never
    wrote is not counted.
    """
    greatest = max((one for one in known if _ID.fullmatch(one)), default="")
    if clock > greatest:
        return clock
    tail = f"{random.randrange(_MOST):0{_DIGITS}d}"  # noqa: S311 - tells two writers apart, no more
    return f"{_after(greatest)}{tail}"


def _after(load_id: str) -> str:
    """A text that is greater, and begins with as many digits."""
    match = _ID.fullmatch(load_id)
    seconds = match["seconds"] if match else load_id
    fraction = (match and match["fraction"]) or ""
    count = int(fraction[:_DIGITS].ljust(_DIGITS, "0")) + 1
    if count < _MOST:
        return f"{seconds}.{count:0{_DIGITS}d}"
    later = str(int(seconds) + 1)
    if len(later) == len(seconds):
        return f"{later}.{0:0{_DIGITS}d}"
    return f"{load_id}1"  # nothing but nines: only more of them is greater
