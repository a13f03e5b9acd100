"""A query of the FOCUS view, against the same query of the table below it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from benchmarks import data
from benchmarks.data import configure
from benchmarks.figures import Figure, Options
from benchmarks.processes import Spread, python, run

__all__ = ["focus_view"]

_AMORTISED: Final = """
CASE line_item_line_item_type
    WHEN 'SavingsPlanCoveredUsage' THEN savings_plan_savings_plan_effective_cost
    WHEN 'SavingsPlanRecurringFee'
        THEN savings_plan_total_commitment_to_date - savings_plan_used_commitment
    WHEN 'SavingsPlanNegation' THEN 0
    WHEN 'SavingsPlanUpfrontFee' THEN 0
    WHEN 'DiscountedUsage' THEN reservation_effective_cost
    WHEN 'RIFee' THEN reservation_unused_amortized_upfront_fee_for_billing_period
        + reservation_unused_recurring_fee
    ELSE CASE
        WHEN line_item_line_item_type = 'Fee' AND reservation_reservation_a_r_n <> '' THEN 0
        ELSE line_item_unblended_cost
    END
END"""
_FOCUS: Final = ("ServiceCategory, BillingCurrency", "EffectiveCost", "BillingPeriodStart")
_REPORT: Final = (
    "line_item_product_code, line_item_currency_code",
    _AMORTISED,
    "bill_billing_period_start_date",
)


def focus_view(options: Options) -> Iterator[Figure]:
    """The effective cost of a month by category of service: Azure, FOCUS of AWS, and a report."""
    exports = {
        "azure": (data.azure(options.scratch, rows=options.rows), _FOCUS),
        "aws_focus": (data.aws_form(options.scratch, "focus-1.2", rows=options.aws_rows), _FOCUS),
        "aws_report": (
            data.aws_form(options.scratch, "cur2-parquet", rows=options.aws_rows),
            _REPORT,
        ),
    }
    for name, (export, words) in exports.items():
        space = configure(options.scratch, f"view-{name}", export)
        run(space.load())
        measured = run(python("time_view", str(space.database), *words, str(options.runs)))
        told = json.loads(measured.output)
        rounds = told["rounds"]
        planned = [1000 * one["view"]["plan_s"] for one in rounds]
        yield Figure(
            name=f"focus_view.{name}",
            value=Spread.of([one["view"]["s"] / one["table"]["s"] for one in rounds]),
            about={"rows": export.rows, "planning_ms": round(Spread.of(planned).median, 1)},
            exact=told["is_exact"],
        )
