"""What is read of the view of a bill has the sums of its table, in BigQuery as well."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from cloudbill.focus.keeping import keep_views
from cloudbill.looking.comparison import Verdict
from cloudbill.looking.view_verification import verify_view
from cloudbill.report.viewing import collect_view
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

    report = collect_view([case.settings])
    assert report is not None
    for groups in (report.months, report.days):
        amounts = [group.amounts["EffectiveCost"] or Decimal(0) for group in groups]
        assert sum(amounts, Decimal(0)) == total
    assert {group.groups[2] for group in report.days} == {str(one.day) for one in bill}
    assert {fault.source for fault in report.faults} == {case.settings.source}
