"""Whether the costs of a run collapsed: rows without costs, or a filtered export; pure.

Credits are no collapse. A refund may make a month cost nothing, or less than nothing, but then the
charges that it refunds are still there. So what a run charges, without its credits, decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from cloudbill.models import LeastCosts, Totals

__all__ = ["FallenCosts", "billed_costs_of", "fallen_costs", "too_low"]

_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FallenCosts:
    """Costs that collapsed in a currency: what a run bills now, and the run `run_id` before it."""

    run_id: str
    currency: str
    now: Decimal
    before: Decimal
    is_loaded: bool = True

    @property
    def held(self) -> str:
        """Why a run is held that would replace the other."""
        other = "the loaded run" if self.is_loaded else "run"
        return f"held: it bills {self._now}, {other} {self.run_id} bills {self.before:,.2f}"

    @property
    def alarm(self) -> str:
        """What is said of a run that has replaced the other."""
        return f"its costs fell: it bills {self._now}, run {self.run_id} billed {self.before:,.2f}"

    @property
    def _now(self) -> str:
        return f"{self.now:,.2f} {self.currency or 'without a currency'}"


def billed_costs_of(totals: Totals, billed_column: str) -> dict[str, Decimal]:
    """The billed cost of each currency whose totals have it."""
    wanted = billed_column.lower()
    return {
        currency: amount
        for currency, amounts in totals.items()
        for column, amount in amounts.items()
        if column.lower() == wanted
    }


def too_low(least: LeastCosts | None, billed: Mapping[str, Decimal]) -> tuple[str, ...]:
    """The currencies in which a run bills too little, whatever the reason.

    A currency that is gone is not one of them where another one came, because an account may be
    billed in another currency one day.
    """
    if least is None:
        return ()
    is_moved = any(
        amount > least.trifle and currency not in least.costs for currency, amount in billed.items()
    )
    return tuple(
        sorted(
            currency
            for currency, loaded in least.costs.items()
            if loaded > least.trifle
            and billed.get(currency, _NOTHING) < loaded * least.share
            and not (is_moved and currency not in billed)
        )
    )


def fallen_costs(
    least: LeastCosts | None,
    *,
    billed: Mapping[str, Decimal],
    charged: Mapping[str, Decimal],
) -> FallenCosts | None:
    """What a run and the loaded one bill in the first currency in which the costs collapsed.

    None where they did not. `charged` is what the run bills without its credits.
    """
    for currency in too_low(least, billed):
        if least is None or charged.get(currency, _NOTHING) >= least.costs[currency] * least.share:
            continue
        return FallenCosts(
            run_id=least.run_id,
            currency=currency,
            now=billed.get(currency, _NOTHING),
            before=least.costs[currency],
            is_loaded=least.is_loaded,
        )
    return None
