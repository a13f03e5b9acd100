"""The columns of AWS Cost and Usage Reports: their names in a table and their documented types.

Sources: AWS, "Cost and Usage Report data dictionary" and the data types in the column dictionaries
of CUR 2.0, which has the same columns under their Athena names; manifests as delivered (rates,
counts of reservations and their units, starts and ends of commitments are text).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from cloudbill.manifests import ColumnType

__all__ = ["athena_name", "documented_type"]

_CAPITAL: Final = re.compile(r"([A-Z])")
_NOT_ALPHANUMERIC: Final = re.compile(r"[^a-z0-9]+")

_TIMESTAMPS: Final = (
    "bill_billing_period_end_date",
    "bill_billing_period_start_date",
    "line_item_usage_end_date",
    "line_item_usage_start_date",
)
_DECIMALS: Final = (
    "discount_bundled_discount",
    "discount_edp_discount",
    "discount_private_rate_discount",
    "discount_total_discount",
    "line_item_blended_cost",
    "line_item_net_unblended_cost",
    "line_item_normalization_factor",
    "line_item_normalized_usage_amount",
    "line_item_unblended_cost",
    "line_item_usage_amount",
    "pricing_public_on_demand_cost",
    "reservation_amortized_upfront_cost_for_usage",
    "reservation_amortized_upfront_fee_for_billing_period",
    "reservation_effective_cost",
    "reservation_net_amortized_upfront_cost_for_usage",
    "reservation_net_amortized_upfront_fee_for_billing_period",
    "reservation_net_effective_cost",
    "reservation_net_recurring_fee_for_usage",
    "reservation_net_unused_amortized_upfront_fee_for_billing_period",
    "reservation_net_unused_recurring_fee",
    "reservation_net_upfront_value",
    "reservation_recurring_fee_for_usage",
    "reservation_unused_amortized_upfront_fee_for_billing_period",
    "reservation_unused_normalized_unit_quantity",
    "reservation_unused_quantity",
    "reservation_unused_recurring_fee",
    "reservation_upfront_value",
    "savings_plan_amortized_upfront_commitment_for_billing_period",
    "savings_plan_net_amortized_upfront_commitment_for_billing_period",
    "savings_plan_net_recurring_commitment_for_billing_period",
    "savings_plan_net_savings_plan_effective_cost",
    "savings_plan_recurring_commitment_for_billing_period",
    "savings_plan_savings_plan_effective_cost",
    "savings_plan_savings_plan_rate",
    "savings_plan_total_commitment_to_date",
    "savings_plan_used_commitment",
    "split_line_item_actual_usage",
    "split_line_item_net_split_cost",
    "split_line_item_net_unused_cost",
    "split_line_item_public_on_demand_split_cost",
    "split_line_item_public_on_demand_unused_cost",
    "split_line_item_reserved_usage",
    "split_line_item_split_cost",
    "split_line_item_split_usage",
    "split_line_item_split_usage_ratio",
    "split_line_item_unused_cost",
)
# CUR 2.0 has a column with all of them where the legacy report has a column for each.
_MAPS: Final = ("cost_category", "discount", "product", "resource_tags", "tags")

_TYPES: Final[Mapping[str, ColumnType]] = {
    **dict.fromkeys(_TIMESTAMPS, ColumnType.TIMESTAMP),
    **dict.fromkeys(_DECIMALS, ColumnType.DECIMAL),
    **dict.fromkeys(_MAPS, ColumnType.JSON),
}
"""The known columns that are not text, by their Athena names."""


def documented_type(header: str) -> ColumnType:
    """The type in AWS's dictionaries of a column by its header or its name; text if unknown."""
    return _TYPES.get(athena_name(header).lower(), ColumnType.STRING)


def athena_name(header: str) -> str:
    """The name that AWS gives a column in Athena: `lineItem/UsageType` is `line_item_usage_type`.

    A header without a slash is none of a report and stays as it is: CUR 2.0 has these names in its
    files, beside those that its customer made up.

    Each capital gets an underscore before it and becomes lower case, every other character that is
    not alphanumeric becomes an underscore, and underscores are never doubled or at the ends (AWS,
    "Running Amazon Athena queries"). Several headers may get the same name; a header of symbols
    gets an empty one.
    """
    if "/" not in header:
        return header
    spaced = _CAPITAL.sub(r"_\1", header).lower()
    return _NOT_ALPHANUMERIC.sub("_", spaced).strip("_")
