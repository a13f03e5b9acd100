"""How the last load left a DuckDB file, so that the next one knows whether anything else wrote it.

A note of a line in the user's cache folder says it, for each source; it cannot lie in the database,
which writing it would change. It may be deleted at any time: then the next load compares the months
of the table with what was recorded of them.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cloudbill.settings.cache_folder import cache_folder, is_private

if TYPE_CHECKING:
    from cloudbill.settings.warehouse import WarehouseSettings

__all__ = ["LeftFile", "mark_of"]

_log = logging.getLogger(__name__)

_RULES: Final = "2"
"""Is raised where a version compares what the one before did not, so that it compares once more."""


def mark_of(database: Path) -> str | None:
    """What changes with every write of a file: which file it is, its size and its times.

    None where it is not there, or where DuckDB has a log beside it, whose writes are still to come.
    """
    if Path(f"{database}.wal").exists():
        return None
    try:
        found = database.stat()
    except OSError:
        return None
    numbers = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return " ".join(map(str, (_RULES, *numbers)))


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftFile:
    """The note of one source; without a `note` nothing is remembered."""

    note: Path | None

    @classmethod
    def of(cls, settings: WarehouseSettings) -> LeftFile:
        """The note that belongs to the table of a source."""
        folder = cache_folder() if settings.cache else None
        if folder is None:
            return cls(note=None)
        database = str(settings.database.absolute())
        table = (database, settings.source, settings.dataset, settings.table_name)
        name = sha256(json.dumps(table).encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return cls(note=folder / f"left-{name}")

    def mark(self) -> str | None:
        """The mark that was noted; None where there is none, or it may be somebody else's."""
        if self.note is None:
            return None
        try:
            # By `lstat` a link is not a regular file, so none is followed.
            folder = self.note.parent.stat()
            if not (is_private(self.note.lstat()) and is_private(folder, is_folder=True)):
                return None
            return self.note.read_text(encoding="ascii")
        except (OSError, ValueError):
            return None

    def write(self, mark: str) -> None:
        """Notes a mark, in one step; where that is not possible the old note tells nothing new."""
        if self.note is None:
            return
        fresh = self.note.with_suffix(".new")
        try:
            self.note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh.unlink(missing_ok=True)
            fresh.touch(mode=0o600, exist_ok=False)
            fresh.write_text(mark, encoding="ascii")
            fresh.replace(self.note)
        except OSError as error:
            _log.info("How the database was left is not noted in %s: %s", self.note, error)
