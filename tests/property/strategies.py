"""What hypothesis draws: runs of a few months, and JSON of any shape."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from cloudbill.manifests import DiscoveredRun
from cloudbill.periods import BillingPeriod
from unit.builders import at, manifest

PERIODS = [BillingPeriod(year=2025, month=month) for month in (9, 10, 11)]


@st.composite
def discovered_runs(draw: st.DrawFn, *, run_id: str) -> DiscoveredRun:
    """A run: the months and moments are few, so that runs meet, and some parts are missing."""
    described = manifest(
        run_id,
        period=draw(st.sampled_from(PERIODS)),
        submitted_at=at(20) + timedelta(hours=draw(st.integers(0, 4))),
        parts=draw(st.integers(0, 3)),
    )
    missing = draw(st.integers(0, len(described.parts))) if draw(st.booleans()) else 0
    return DiscoveredRun(manifest=described, missing=described.parts[:missing])


@st.composite
def listings(draw: st.DrawFn, *, min_size: int = 0) -> list[DiscoveredRun]:
    """Runs of different ids, in the order of their ids."""
    count = draw(st.integers(min_size, 8))
    return [draw(discovered_runs(run_id=f"run-{index}")) for index in range(count)]


JSON_LEAVES: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**18, 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(
        [
            "2025-10-01",
            "0001-01-01T00:00:00+23:59",
            "9999-12-31T23:59:59-23:59",
            "2025-10-01T00:00",
            "..",
            "/",
            "a/../b.parquet",
            "part.csv",
            "\x00",
            "\ud800",
        ]
    )
)

JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    JSON_LEAVES,
    lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text(), values, max_size=4),
    max_leaves=12,
)
"""Any JSON value; some of its leaves are such as manifests go wrong with."""
