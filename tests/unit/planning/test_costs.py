"""When the costs of a run have collapsed, and when they only look so."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from cloudbill.models import LeastCosts
from cloudbill.planning.costs import FallenCosts, fallen_costs, too_low
from cloudbill.planning.guards import Guards
from unit.builders import OCTOBER, manifest, record

LOADED = record("old")
LOADED = replace(
    LOADED,
    totals={
        "EUR": {"BilledCost": Decimal(1000), "ListCost": Decimal(5000)},
        "USD": {"BilledCost": Decimal(-20)},
    },
)


def least(**changes: object) -> LeastCosts | None:
    """What the guards ask of a run that would replace the loaded one."""
    guards = Guards(billed_column="billedcost", **changes)  # type: ignore[arg-type]
    return guards.least_costs(manifest("new"), LOADED)


def low(**billed: int) -> tuple[str, ...]:
    """The currencies in which a run bills too little."""
    return too_low(least(), {currency: Decimal(amount) for currency, amount in billed.items()})


class TestTooLow:
    def test_a_tenth_is_enough(self) -> None:
        assert low(EUR=100, USD=0) == ()
        assert low(EUR=99) == ("EUR",)

    def test_a_currency_that_is_gone_counts_as_nothing(self) -> None:
        assert low(USD=-20) == ("EUR",)
        assert low() == ("EUR",)

    def test_a_currency_that_came_in_the_place_of_another_is_no_loss(self) -> None:
        assert low(GBP=900) == ()
        assert low(GBP=1) == ("EUR",)
        # The old one is there still, so nothing took its place.
        assert low(EUR=1, GBP=900) == ("EUR",)

    @pytest.mark.parametrize("changes", [{"max_cost_drop": Decimal(1)}, {"cost_trifle": 1000}])
    def test_nothing_is_asked_where_the_guard_is_off_or_nothing_but_trifles_are_loaded(
        self, changes: dict[str, object]
    ) -> None:
        assert least(**changes) is None

    def test_nothing_is_asked_of_an_accepted_run_or_of_the_first_one(self) -> None:
        guards = Guards(billed_column="BilledCost", accepted={OCTOBER: ["new"]})

        assert guards.least_costs(manifest("new"), LOADED) is None
        assert Guards(billed_column="BilledCost").least_costs(manifest("new"), None) is None


class TestFallen:
    def test_charges_that_credits_outweigh_are_still_there(self) -> None:
        billed, charged = {"EUR": Decimal(-5)}, {"EUR": Decimal(990)}

        assert low(EUR=-5) == ("EUR",)
        assert fallen_costs(least(), billed=billed, charged=charged) is None

    def test_charges_that_are_gone_are_told_with_both_amounts(self) -> None:
        billed, charged = {"EUR": Decimal(-5)}, {"EUR": Decimal(3)}

        found = fallen_costs(least(), billed=billed, charged=charged)

        assert found == FallenCosts(
            run_id="old", currency="EUR", now=Decimal(-5), before=Decimal(1000)
        )
        assert found.held == "held: it bills -5.00 EUR, the loaded run old bills 1,000.00"
        assert found.alarm == "its costs fell: it bills -5.00 EUR, run old billed 1,000.00"
