"""Runs of October, as most tests deliver them."""

from __future__ import annotations

from contract.deliveries import Delivery, at, charges

EARLY = at("2025-10-15 04:00")
LATE = at("2025-10-31 22:00")
LATEST = at("2025-11-03 04:00")


def october(*costs: str, note: str = "", **options: object) -> Delivery:
    """A run of October with one charge a day."""
    values: dict[str, object] = {"submitted_at": LATE} | options
    return Delivery(period="2025-10", charges=charges("2025-10", *costs, note=note), **values)  # type: ignore[arg-type]


MANY = tuple(str(cost) for cost in range(1, 11))
"""Costs of ten rows: a run that lacks fewer than ten is not held."""
