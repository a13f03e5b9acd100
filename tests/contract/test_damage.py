"""A part that is damaged is named with what to ask for, and nothing is said of an old month."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from contract.deliveries import Delivery, at, charges

if TYPE_CHECKING:
    from collections.abc import Callable

    from contract.places import Case

BROKEN = Delivery(
    period="2025-10",
    charges=charges("2025-10", "1", "2", "3", "4", note="broken"),
    submitted_at=at("2025-10-15 04:00"),
    parts=2,
)


def inside(content: bytes) -> bytes:
    """Bytes in the middle are others."""
    middle = len(content) // 2
    half = min(200, middle // 2)
    return content[: middle - half] + b"\xff" * (2 * half) + content[middle + half :]


def end(content: bytes) -> bytes:
    """The last bytes are none."""
    return content[:-100] + bytes(100)


def all_of_it(content: bytes) -> bytes:
    """Nothing is left of what it was."""
    return b"\xff" * len(content)


@pytest.mark.parametrize("damage", [inside, end, all_of_it])
def test_the_part_is_named_with_what_to_ask_for(
    case: Case, damage: Callable[[bytes], bytes]
) -> None:
    written = case.write(BROKEN)
    part = max(path for path in written.folder.rglob("*") if path.suffix != ".json")
    before = part.stat().st_mtime
    part.write_bytes(damage(part.read_bytes()))
    # One that is newer than its manifest would be waited for.
    os.utime(part, (before, before))
    case.place.put(written.folder)

    outcome = case.load()

    (failure,) = outcome.failures
    message = str(failure.error)
    assert part.name in message
    assert "opy the part again from where the provider wrote it" in message or (
        "export it again" in message
    )
    for word in ("LINE 1", "^^", "read_parquet", "old month", "cloudbill-"):
        assert word not in message
