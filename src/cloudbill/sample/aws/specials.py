"""AWS lines that are not ordinary usage: commitments, tax, support, fee, credit, refund."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_UP, Decimal

from cloudbill.sample.aws.catalogue import PLAN_SLOT, SERVICES
from cloudbill.sample.aws.tables import plan_arn, reservation_arn
from cloudbill.sample.schedule import Month, ScheduledRun, draw

__all__ = [
    "FEE_SLOT",
    "NEGATION_SLOT",
    "ReservedUse",
    "SpecialLine",
    "commitment",
    "line_count",
    "special_lines",
    "special_services",
]

_RI_FEE, FEE_SLOT, NEGATION_SLOT, _TAX, _SUPPORT, _FEE, _CREDIT, _REFUND = range(-1, -9, -1)
_RETURNED_FEE, _RETURN = -9, -10
_UTILISATION = Decimal("0.93")
_CENTS = Decimal("0.0001")
_RESERVED_MONTHS = 36
_PLAN_UTILISATION = Decimal("0.97")
"""The part of the plan that is used in the hour in which most of it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservedUse:
    """Use that the reservation covers."""

    upfront: Decimal
    """Its part of what was paid up front, in USD."""
    recurring: Decimal
    """Its part of the monthly fee."""
    hours: Decimal
    """Hours of machines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecialLine:
    """A line with its own cost, which does not come from a service's rates."""

    slot: int
    """Its row of table `service`."""
    starts_at: datetime
    """Start of its usage, aware UTC."""
    ends_at: datetime
    """End of its usage."""
    cost: Decimal
    """Blended and unblended cost in USD, at most ten fraction digits."""
    of_commitment: Mapping[str, Decimal] = field(default_factory=dict)
    """What it says of the use of a commitment, by column."""


def line_count(month: Month) -> int:
    """How many lines of `special_lines` a complete month has."""
    return 8 if _has_returned_plan(month) else 6


def _has_returned_plan(month: Month) -> bool:
    return month.index % 3 == 2  # noqa: PLR2004 - the last month of a quarter


def commitment(used: Decimal, hours: int) -> Decimal:
    """What the savings plan costs in an hour, in USD, if this is the most that is used in hours."""
    return (used / hours / _PLAN_UTILISATION).quantize(Decimal("0.001"), ROUND_UP)


def special_lines(
    run: ScheduledRun, *, seed: int, month_use: ReservedUse, run_use: ReservedUse
) -> list[SpecialLine]:
    """The special lines of a run, as far as their days have passed, but for those of the plan.

    `month_use` is the reserved use of the complete month, `run_use` the part of it that the run
    has.
    """
    start = run.month.start
    now = start + timedelta(days=run.elapsed_days)
    fee = Decimal(40 + draw(seed, run.month, "aws fee") % 60)
    credit = -(Decimal(draw(seed, run.month, "aws credit") % 10**10) / 10**10 + 2)
    refund = -(Decimal(draw(seed, run.month, "aws refund") % 10**6) / 10**10)
    returned = Decimal(400 + draw(seed, run.month, "aws plan") % 100)

    def line(slot: int, cost: Decimal, *, day: int = 0, whole: bool = False) -> SpecialLine:
        starts_at = start + timedelta(days=day)
        # A line that is paid for the month covers all of it, also the future days.
        ends_at = run.month.end if whole else starts_at + timedelta(hours=1)
        return SpecialLine(slot=slot, starts_at=starts_at, ends_at=ends_at, cost=cost)

    lines = [
        _reservation_fee(run, month_use, run_use),
        line(_TAX, (fee * Decimal("0.19")).quantize(Decimal("0.01")), whole=True),
        line(_FEE, fee, day=3),
        line(_CREDIT, credit, day=5),
        line(_REFUND, refund, day=run.month.days - 1),
    ]
    if _has_returned_plan(run.month):
        lines += [line(_RETURNED_FEE, returned, day=7), line(_RETURN, -returned, day=9)]
    if run.complete:
        # Support is a share of the cost, so it is known only when the rest is.
        lines.append(line(_SUPPORT, Decimal("29.0"), whole=True))
    return [each for each in lines if each.starts_at < now]


def _reservation_fee(
    run: ScheduledRun, month_use: ReservedUse, run_use: ReservedUse
) -> SpecialLine:
    """The fee of the month, and what is not used of it up to the run."""

    def unused(whole: Decimal, used: Decimal) -> Decimal:
        passed = (whole * run.elapsed_days / run.month.days).quantize(_CENTS)
        return max(Decimal(0), passed - used)

    fee = (month_use.recurring / _UTILISATION).quantize(_CENTS, ROUND_UP)
    upfront = (month_use.upfront / _UTILISATION).quantize(_CENTS, ROUND_UP)
    hours = (month_use.hours / _UTILISATION).quantize(Decimal(1), ROUND_UP)
    unused_hours = unused(hours, run_use.hours)
    return SpecialLine(
        slot=_RI_FEE,
        starts_at=run.month.start,
        ends_at=run.month.end,
        cost=fee,
        of_commitment={
            "reservation/AmortizedUpfrontFeeForBillingPeriod": upfront,
            "reservation/UnusedAmortizedUpfrontFeeForBillingPeriod": unused(
                upfront, run_use.upfront
            ),
            "reservation/UnusedNormalizedUnitQuantity": unused_hours * 4,
            "reservation/UnusedQuantity": unused_hours,
            "reservation/UnusedRecurringFee": unused(fee, run_use.recurring),
            "reservation/UpfrontValue": upfront * _RESERVED_MONTHS,
        },
    )


def special_services(seed: int) -> dict[int, Mapping[str, object]]:
    """The columns of the special lines by slot, for table `service`."""
    return _commitment_services(seed) | _OTHER_SERVICES


_MACHINES = {
    "lineItem/ProductCode": "AmazonEC2",
    "product/ProductName": "Amazon Elastic Compute Cloud",
}
_PLANS = {
    "lineItem/ProductCode": "ComputeSavingsPlans",
    "product/ProductName": "Savings Plans for AWS Compute usage",
}
_MARKETPLACE = {
    "bill/BillingEntity": "AWS Marketplace",
    "lineItem/ProductCode": "3v2lq9ucdhdxnvcmqk2rkj6wz",
    "product/ProductName": "Grafana Enterprise",
}


def _commitment_services(seed: int) -> dict[int, Mapping[str, object]]:
    plan = {**_PLANS, "savingsPlan/SavingsPlanARN": plan_arn(seed)}
    returned = plan_arn(seed, is_returned=True)
    name = returned.rpartition("/")[2]
    return {
        _RI_FEE: {
            **_MACHINES,
            "lineItem/LineItemType": "RIFee",
            "lineItem/LineItemDescription": "USD 0.04347 hourly fee per Linux/UNIX, m6i.large",
            "pricing/LeaseContractLength": "3yr",
            "pricing/OfferingClass": "standard",
            "pricing/PurchaseOption": "Partial Upfront",
            "pricing/term": "Reserved",
            "reservation/ModificationStatus": "Original",
            "reservation/NumberOfReservations": "1",
            "reservation/ReservationARN": reservation_arn(seed),
            "reservation/StartTime": "2024-12-01T00:00:00.000Z",
            "reservation/EndTime": "2027-12-01T00:00:00.000Z",
        },
        FEE_SLOT: {
            **plan,
            "lineItem/LineItemType": "SavingsPlanRecurringFee",
            "lineItem/LineItemDescription": "3 year No Upfront Compute Savings Plan",
            "savingsPlan/AmortizedUpfrontCommitmentForBillingPeriod": "0.0",
            "savingsPlan/OfferingType": "ComputeSavingsPlans",
            "savingsPlan/PaymentOption": "No Upfront",
            "savingsPlan/PurchaseTerm": "3yr",
            "savingsPlan/StartTime": "2024-12-01T00:00:00.000Z",
            "savingsPlan/EndTime": "2027-11-30T23:59:59.000Z",
        },
        NEGATION_SLOT: {
            **plan,
            "lineItem/LineItemType": "SavingsPlanNegation",
            "lineItem/LineItemDescription": "SavingsPlanNegation used by AccountId : 012345678901",
            "lineItem/Operation": SERVICES[PLAN_SLOT].operation,
            "pricing/unit": SERVICES[PLAN_SLOT].unit,
        },
        _RETURNED_FEE: {
            **_PLANS,
            "savingsPlan/SavingsPlanARN": returned,
            "lineItem/LineItemType": "SavingsPlanUpfrontFee",
            "lineItem/LineItemDescription": f"One-time fee for Savings Plan ID : {name}",
            "savingsPlan/OfferingType": "ComputeSavingsPlans",
            "savingsPlan/PaymentOption": "All Upfront",
            "savingsPlan/PurchaseTerm": "1yr",
        },
        _RETURN: {
            **_PLANS,
            "bill/BillType": "Refund",
            "lineItem/LineItemType": "Refund",
            "lineItem/LineItemDescription": f"Refund for one-time fee for Savings Plan ID : {name}",
        },
    }


_OTHER_SERVICES: dict[int, Mapping[str, object]] = {
    _TAX: {
        **_MARKETPLACE,
        "lineItem/LineItemType": "Tax",
        "lineItem/TaxType": "VAT",
        "lineItem/LineItemDescription": "Tax of type VAT",
    },
    _SUPPORT: {
        "lineItem/LineItemType": "Fee",
        "lineItem/LineItemDescription": "AWS Support (Developer)",
        "lineItem/ProductCode": "AWSDeveloperSupport",
        "lineItem/UnblendedRate": "29.0",
        "product/ProductName": "AWS Support (Developer)",
    },
    _FEE: {
        **_MARKETPLACE,
        "lineItem/LineItemType": "Fee",
        "lineItem/LineItemDescription": 'AWS Marketplace, "Grafana Enterprise", monthly',
    },
    _CREDIT: {
        **_MACHINES,
        "lineItem/LineItemType": "Credit",
        "lineItem/LineItemDescription": "Proof of concept; ends 2026-06-30",
    },
    _REFUND: {
        **_MACHINES,
        "lineItem/LineItemType": "Refund",
        "lineItem/LineItemDescription": "Refund of data transfer",
    },
}
