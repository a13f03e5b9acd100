"""What a run must have at least, or be held; pure. `models` has it under the same names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

__all__ = ["LeastCosts", "LeastRows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeastRows:
    """The rows below which a run is held; the run it is compared with, `name`, has `others`."""

    rows: int
    name: str
    others: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeastCosts:
    """What the loaded run bills by currency, and the share of it below which a run is held.

    Nothing is compared with what is not more than `trifle`.
    """

    run_id: str
    costs: Mapping[str, Decimal]
    share: Decimal
    trifle: Decimal
