"""AWS lines that are not ordinary usage: commitments, tax, support, fee, credit, refund."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_UP, Decimal

from cloudbill.sample.aws.tables import plan_arn, reservation_arn
from cloudbill.sample.schedule import ScheduledRun, draw

__all__ = [
    "CoveredUse",
    "SPECIALS",
    "SpecialLine",
    "special_lines",
    "special_services",
]

SPECIALS = 8
"""Special lines in a closed month's complete run."""

_RI_FEE, _PLAN_FEE, _NEGATION, _TAX, _SUPPORT, _FEE, _CREDIT, _REFUND = range(-1, -9, -1)
_UTILISATION = Decimal("0.93")


@dataclass(frozen=True, slots=True, kw_only=True)
class CoveredUse:
    """The cost of use that a commitment covers, in USD."""

    unblended: Decimal
    """At the public rate."""
    effective: Decimal
    """At the commitment's rate."""


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


def special_lines(
    run: ScheduledRun,
    *,
    seed: int,
    month_use: Mapping[str, CoveredUse],
    run_use: Mapping[str, CoveredUse],
) -> list[SpecialLine]:
    """The special lines of a run, as far as their days have passed.

    `month_use` is the covered use of the complete month by line item type, `run_use` the part of it
    that the run has.
    """
    start = run.month.start
    now = start + timedelta(days=run.elapsed_days)
    fees = {
        line_type: (use.effective / _UTILISATION).quantize(Decimal("0.0001"), ROUND_UP)
        for line_type, use in month_use.items()
    }
    plan = run_use["SavingsPlanCoveredUsage"]
    fee = Decimal(40 + draw(seed, run.month, "aws fee") % 60)
    credit = -(Decimal(draw(seed, run.month, "aws credit") % 10**10) / 10**10 + 2)
    refund = -(Decimal(draw(seed, run.month, "aws refund") % 10**6) / 10**10)

    def line(slot: int, cost: Decimal, *, day: int = 0, whole: bool = False) -> SpecialLine:
        starts_at = start + timedelta(days=day)
        # A line that is paid for the month covers all of it, also the future days.
        ends_at = run.month.end if whole else starts_at + timedelta(hours=1)
        return SpecialLine(slot=slot, starts_at=starts_at, ends_at=ends_at, cost=cost)

    lines = [
        line(_RI_FEE, fees["DiscountedUsage"], whole=True),
        line(_PLAN_FEE, fees["SavingsPlanCoveredUsage"], whole=True),
        SpecialLine(slot=_NEGATION, starts_at=start, ends_at=now, cost=-plan.unblended),
        line(_TAX, (fee * Decimal("0.19")).quantize(Decimal("0.01")), whole=True),
        line(_FEE, fee, day=3),
        line(_CREDIT, credit, day=5),
        line(_REFUND, refund, day=run.month.days - 1),
    ]
    if run.complete:
        # Support is a share of the cost, so it is known only when the rest is.
        lines.append(line(_SUPPORT, Decimal("29.0"), whole=True))
    return [each for each in lines if each.starts_at < now]


def special_services(seed: int) -> dict[int, Mapping[str, object]]:
    """The columns of the special lines by slot, for table `service`."""
    return _commitment_services(seed) | _OTHER_SERVICES


_MACHINES = {
    "lineItem/ProductCode": "AmazonEC2",
    "product/ProductName": "Amazon Elastic Compute Cloud",
}
_MARKETPLACE = {
    "bill/BillingEntity": "AWS Marketplace",
    "lineItem/ProductCode": "3v2lq9ucdhdxnvcmqk2rkj6wz",
    "product/ProductName": "Grafana Enterprise",
}


def _commitment_services(seed: int) -> dict[int, Mapping[str, object]]:
    plans = {
        "lineItem/ProductCode": "ComputeSavingsPlans",
        "product/ProductName": "Savings Plans for AWS Compute usage",
        "savingsPlan/SavingsPlanARN": plan_arn(seed),
    }
    return {
        _RI_FEE: {
            **_MACHINES,
            "lineItem/LineItemType": "RIFee",
            "lineItem/LineItemDescription": "USD 0.07245 hourly fee per Linux/UNIX, m6i.large",
            "pricing/LeaseContractLength": "3yr",
            "pricing/OfferingClass": "standard",
            "pricing/PurchaseOption": "No Upfront",
            "pricing/term": "Reserved",
            "reservation/AmortizedUpfrontFeeForBillingPeriod": "0.0",
            "reservation/ModificationStatus": "Original",
            "reservation/NumberOfReservations": "1",
            "reservation/ReservationARN": reservation_arn(seed),
            "reservation/StartTime": "2024-12-01T00:00:00.000Z",
            "reservation/EndTime": "2027-12-01T00:00:00.000Z",
        },
        _PLAN_FEE: {
            **plans,
            "lineItem/LineItemType": "SavingsPlanRecurringFee",
            "lineItem/LineItemDescription": "3 year No Upfront Compute Savings Plan",
            "savingsPlan/OfferingType": "ComputeSavingsPlans",
            "savingsPlan/PaymentOption": "No Upfront",
            "savingsPlan/PurchaseTerm": "3yr",
            "savingsPlan/StartTime": "2024-12-01T00:00:00.000Z",
            "savingsPlan/EndTime": "2027-11-30T23:59:59.000Z",
        },
        _NEGATION: {
            **plans,
            "lineItem/LineItemType": "SavingsPlanNegation",
            "lineItem/LineItemDescription": "SavingsPlanNegation used by AccountId : 012345678901",
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
