"""Keeps what each destination was told, in a file of the user's cache folder.

The file is private, and may be deleted at any time. It is named by the destination and by the
folder that the command runs in, for two projects may call their sources alike.
"""

from __future__ import annotations

import json
import logging
import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cloudbill.alerts.alert import Alert
from cloudbill.alerts.memory import Memory
from cloudbill.settings.cache_folder import cache_folder, is_private
from cloudbill.text.times import iso_time, parse_time

if TYPE_CHECKING:
    from cloudbill.settings.destinations import Destination

__all__ = ["keep_memory", "memory_file", "read_memory"]

_log = logging.getLogger(__name__)

_MOST_BYTES: Final = 10_000_000
_NO_LINKS: Final = getattr(os, "O_NOFOLLOW", 0)  # Windows has none


def memory_file(destination: Destination) -> Path | None:
    """Where it is kept what a destination was told; None for a user without a home."""
    folder = cache_folder()
    if folder is None:
        return None
    what = json.dumps([destination.address, str(Path.cwd())])
    digest = sha256(what.encode("utf-8", "surrogatepass")).hexdigest()
    return folder / "alerts" / f"{digest[:32]}.json"


def read_memory(file: Path | None) -> Memory:
    """What a destination was told; nothing where that cannot be read, or is not to be believed."""
    if file is None:
        return Memory()
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        status = file.lstat()
        if is_private(status) and status.st_size <= _MOST_BYTES:
            found = json.loads(file.read_text("utf-8"))
            alerts = [Alert.from_memory(one) for one in found["lasting"]]
            told_at = found["told_at"]
            return Memory(
                told_at=None if told_at is None else parse_time(told_at),
                lasting={alert.key: alert for alert in alerts},
                untold=tuple(Alert.from_memory(one) for one in found["untold"]),
            )
    return Memory()


def keep_memory(file: Path | None, memory: Memory) -> None:
    """Writes down what a destination was told; where that is not possible, all is told again."""
    if file is None:
        return
    text = json.dumps(
        {
            "told_at": iso_time(memory.told_at),
            "lasting": [alert.to_memory() for alert in memory.lasting.values()],
            "untold": [alert.to_memory() for alert in memory.untold],
        }
    )
    made = file.with_suffix(f".{os.getpid()}")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _NO_LINKS
        with os.fdopen(os.open(made, flags, 0o600), "w", encoding="utf-8") as opened:
            opened.write(text)
        made.replace(file)
    except OSError as error:
        _log.info("What was sent is not remembered in %s: %s", file, error.strerror or error)
    finally:
        with suppress(OSError):
            made.unlink(missing_ok=True)
