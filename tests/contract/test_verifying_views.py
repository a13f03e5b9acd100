"""The view of a bill has the sums of its table, in the warehouse that people have."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from cloudbill.focusing import keep_views
from cloudbill.looking.comparison import Verdict
from cloudbill.looking.view_verification import verify_view
from contract.deliveries import Delivery, at, charges

if TYPE_CHECKING:
    from contract.places import Case

WAYS = (("aws", "bigquery"),)


def test_a_month_is_equal_and_its_sums_are_those_that_were_delivered(case: Case) -> None:
    costs = ("1.25", "0.1", "-0.000000000025")
    bill = charges("2025-10", *costs)
    case.deliver(Delivery(period="2025-10", charges=bill, submitted_at=at("2025-11-03 04:00")))
    assert case.load().exit_code == 0
    keep_views([case.settings])

    (month,) = verify_view([case.settings])

    assert (month.source, str(month.period), month.verdict) == (
        case.settings.source,
        "2025-10",
        Verdict.EQUAL,
    )
    total = sum(map(Decimal, costs), Decimal(0))
    assert {column: amount for (_, column), amount in month.sums.items()} == {
        "BilledCost": total,
        "EffectiveCost": total,
    }
