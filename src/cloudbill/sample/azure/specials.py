"""Azure charges that are not ordinary usage, such as purchases, refund, tax and rounding."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal

from cloudbill.sample.azure.tables import committed
from cloudbill.sample.schedule import ScheduledRun, draw

__all__ = ["SPECIALS", "SpecialCharge", "special_charges", "special_skus"]

SPECIALS = 10
"""Special charges in a complete run."""

_RESERVATION, _PLAN, _SUPPORT, _MARKETPLACE, _REFUND = -1, -2, -3, -4, -5
_ROUNDING, _CORRECTION, _TAX, _UNUSED_RESERVATION, _UNUSED_PLAN = -6, -7, -8, -9, -10
_SUPPORT_USD = Decimal("100.0000")
_UTILISATION = Decimal("0.93")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecialCharge:
    """A charge with its own cost, which does not come from a meter; money in USD."""

    slot: int
    """Its row of table `sku`."""
    first_day: int
    """The first day of its charge period, counted from the month's first; may be negative."""
    days: int
    """The length of its charge period."""
    quantity: Decimal | None
    """FOCUS PricingQuantity; none for tax and rounding."""
    unit_usd: Decimal | None
    """List and contracted unit price; none if there is no quantity."""
    list_usd: Decimal
    """ListCost and ContractedCost."""
    billed_usd: Decimal
    effective_usd: Decimal


def special_charges(
    run: ScheduledRun,
    *,
    seed: int,
    month_use: Mapping[str, Decimal],
    run_use: Mapping[str, Decimal],
) -> list[SpecialCharge]:
    """The special charges of a run, as far as their days have passed.

    The cost of a commitment in a month is the cost of its use plus its unused part, so over the
    complete month its EffectiveCost equals the BilledCost of its purchase. Billed and effective
    cost of a complete month therefore differ only by the refund.

    `month_use` is the EffectiveCost in USD of the complete month's covered use by commitment,
    `run_use` the part of it that the run has.
    """
    last = run.month.days - 1
    marketplace = Decimal(90 + draw(seed, run.month, "marketplace") % 60) + Decimal("0.99")
    refund = Decimal(20 + draw(seed, run.month, "refund") % 30) + Decimal("0.4375")
    corrected = -(Decimal(draw(seed, run.month, "correction") % 10**9) / 10**8 + 1)
    rounding = Decimal(draw(seed, run.month, "rounding") % 99 + 1) / 10**4
    tax = (_SUPPORT_USD * Decimal("0.19")).quantize(Decimal("0.0001"))
    charges = [
        _purchase(_SUPPORT, day=0, price=_SUPPORT_USD),
        _purchase(_MARKETPLACE, day=4, price=marketplace),
        _purchase(_REFUND, day=9, price=refund, quantity=Decimal(-1), amortised=True),
        _unpriced(_ROUNDING, day=last, amount=rounding),
        _unpriced(_TAX, day=0, amount=tax),
        # The refund returns usage of the previous month.
        _purchase(_CORRECTION, day=-2, price=Decimal("0.087"), quantity=corrected),
    ]
    slots = {
        "reservation": (_RESERVATION, _UNUSED_RESERVATION),
        "savings plan": (_PLAN, _UNUSED_PLAN),
    }
    for commitment, (bought, unused) in slots.items():
        # A bill with few rows may use none of a commitment.
        used = month_use.get(commitment, Decimal(0))
        daily = (used / run.month.days / _UTILISATION).quantize(Decimal("0.0001"), ROUND_UP)
        left = max(Decimal(0), daily * run.elapsed_days - run_use.get(commitment, Decimal(0)))
        charges += [
            _purchase(bought, day=0, price=daily * run.month.days, amortised=True),
            _unused(unused, days=run.elapsed_days, left=left),
        ]
    return [charge for charge in charges if charge.first_day < run.elapsed_days]


def _purchase(
    slot: int,
    *,
    day: int,
    price: Decimal,
    quantity: Decimal = Decimal(1),
    amortised: bool = False,
) -> SpecialCharge:
    cost = price * quantity
    return SpecialCharge(
        slot=slot,
        first_day=day,
        days=1,
        quantity=quantity,
        unit_usd=price,
        list_usd=cost,
        billed_usd=cost,
        # A purchase in advance counts when it is used, not when it is paid.
        effective_usd=Decimal(0) if amortised else cost,
    )


def _unused(slot: int, *, days: int, left: Decimal) -> SpecialCharge:
    return SpecialCharge(
        slot=slot,
        first_day=0,
        days=days,
        quantity=Decimal(1),
        unit_usd=Decimal(0),
        list_usd=Decimal(0),
        billed_usd=Decimal(0),
        effective_usd=left,
    )


def _unpriced(slot: int, *, day: int, amount: Decimal) -> SpecialCharge:
    return SpecialCharge(
        slot=slot,
        first_day=day,
        days=1,
        quantity=None,
        unit_usd=None,
        list_usd=amount,
        billed_usd=amount,
        effective_usd=amount,
    )


def special_skus(seed: int) -> dict[int, Mapping[str, object]]:
    """The columns of the special charges by slot, for table `sku`."""
    return _commitment_skus(seed) | _OTHER_SKUS


_BOUGHT = {"ChargeCategory": "Purchase", "ChargeFrequency": "Recurring", "PricingUnit": "1"}
_MACHINES = {
    "ServiceName": "Virtual Machines",
    "ServiceCategory": "Compute",
    "x_SkuMeterCategory": "Virtual Machines",
    "x_SkuServiceFamily": "Compute",
}
_SUPPORT_PLAN = {
    "ServiceName": "Azure Support",
    "ServiceCategory": "Other",
    "x_SkuServiceFamily": "Support",
}


def _commitment_skus(seed: int) -> dict[int, Mapping[str, object]]:
    reservation = committed(seed, "reservation") | _MACHINES
    plan = committed(seed, "savings plan") | _MACHINES
    bought = {**_BOUGHT, "PricingCategory": "Standard"}
    unused = {"CommitmentDiscountStatus": "Unused", "PricingUnit": "Hours", "ConsumedUnit": "Hours"}
    return {
        _RESERVATION: {
            **reservation,
            **bought,
            "ChargeDescription": "Reserved VM Instance, D4s v5",
        },
        _PLAN: {**plan, **bought, "ChargeDescription": "Savings plan for compute"},
        _UNUSED_RESERVATION: {
            **reservation,
            **unused,
            "ChargeDescription": "Unused reservation",
        },
        _UNUSED_PLAN: {**plan, **unused, "ChargeDescription": "Unused savings plan"},
    }


_OTHER_SKUS: dict[int, Mapping[str, object]] = {
    _SUPPORT: {**_SUPPORT_PLAN, **_BOUGHT, "ChargeDescription": "Standard Support"},
    _MARKETPLACE: {
        **_BOUGHT,
        "ChargeDescription": "Grafana Enterprise, monthly plan",
        "PublisherName": "Grafana Labs",
        "ServiceCategory": "Management and Governance",
        "ServiceName": "Grafana Enterprise",
        "x_PublisherCategory": "Vendor",
        "x_PublisherId": "grafanalabs",
        "x_SkuIsCreditEligible": False,
    },
    _REFUND: {
        **_MACHINES,
        **_BOUGHT,
        "ChargeFrequency": "One-Time",
        "ChargeDescription": 'Refund: "D4s v5" returned',
    },
    _ROUNDING: {
        "ChargeCategory": "Adjustment",
        "ChargeFrequency": "One-Time",
        "ChargeDescription": "Rounding Adjustment",
        "PricingCategory": "",
        "ServiceCategory": "Other",
        "ServiceName": "Rounding Adjustment",
    },
    _CORRECTION: {
        "ChargeClass": "Correction",
        "ChargeDescription": "Bandwidth - Standard Data Transfer Out",
        "ConsumedUnit": "GB",
        "PricingUnit": "GB",
        "ServiceCategory": "Networking",
        "ServiceName": "Bandwidth",
        "x_SkuMeterCategory": "Bandwidth",
        "x_SkuMeterName": "Standard Data Transfer Out",
    },
    _TAX: {
        **_SUPPORT_PLAN,
        "ChargeCategory": "Tax",
        "ChargeFrequency": "Recurring",
        "ChargeDescription": "VAT 19 %",
        "PricingCategory": "",
    },
}
