"""What the tests of the emulators share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from unit.emulated.bench import Bench

if TYPE_CHECKING:
    from emulators.fixtures import Cloud


@pytest.fixture
def bench(cloud: Cloud) -> Bench:
    """An empty dataset with one table."""
    return Bench(cloud)
