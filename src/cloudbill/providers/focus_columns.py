"""The types of the columns of FOCUS exports, of Azure by the version of the dataset, and of AWS.

Sources: FinOps toolkit, the schemas of FinOps hubs for `FocusCost` in the versions 1.0-preview(v1),
1.0, 1.0r2, 1.2-preview and 1.2, which differ in which columns there are, but in the type of two;
AWS, the table dictionaries of FOCUS 1.0 and 1.2 with AWS columns; the FOCUS specification.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cloudbill.manifests import ColumnType

__all__ = ["aws_focus_type", "focus_type"]

_DECIMALS: Final = (
    "BilledCost",
    "CommitmentDiscountQuantity",
    "ConsumedQuantity",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "ListCost",
    "ListUnitPrice",
    "PricingQuantity",
    "UsageQuantity",
    "x_BilledCostInUsd",
    "x_BilledUnitPrice",
    "x_BillingExchangeRate",
    "x_ContractedCostInUsd",
    "x_EffectiveCostInUsd",
    "x_EffectiveUnitPrice",
    "x_ListCostInUsd",
    "x_OnDemandCost",
    "x_OnDemandCostInUsd",
    "x_OnDemandUnitPrice",
    "x_PricingBlockSize",
)
_PRICING_CURRENCY: Final = (
    "PricingCurrencyContractedUnitPrice",
    "PricingCurrencyEffectiveCost",
    "PricingCurrencyListUnitPrice",
)
"""Amounts that FOCUS has since version 1.2."""
_TIMESTAMPS: Final = (
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "x_BillingExchangeRateDate",
    "x_ServicePeriodEnd",
    "x_ServicePeriodStart",
)
_BOOLEANS: Final = ("x_SkuIsCreditEligible",)


def _by_name(names: tuple[str, ...], column_type: ColumnType) -> dict[str, ColumnType]:
    return dict.fromkeys((name.lower() for name in names), column_type)


_TYPES: Final[Mapping[str, ColumnType]] = {
    **_by_name((*_DECIMALS, *_PRICING_CURRENCY), ColumnType.DECIMAL),
    **_by_name(_TIMESTAMPS, ColumnType.TIMESTAMP),
    **_by_name(_BOOLEANS, ColumnType.BOOLEAN),
}
"""The columns that are not text in the newest version that has them."""

_MAPS: Final = ("SkuPriceDetails", "Tags", "x_CostCategories", "x_Discounts")
_AWS_TYPES: Final[Mapping[str, ColumnType]] = {
    **_TYPES,
    **_by_name(_MAPS, ColumnType.JSON),
}
"""AWS delivers maps where Azure delivers the text of an object."""

_OLDER_TYPES: Final[Mapping[str, Mapping[str, ColumnType]]] = {
    "1.0-preview(v1)": {
        **_by_name(("x_PartnerCreditRate",), ColumnType.DECIMAL),
        **_by_name(("x_PartnerCreditApplied",), ColumnType.BOOLEAN),
    },
}
"""By version, the columns that have another type there than in the newest version."""


def focus_type(column: str, data_version: str | None) -> ColumnType:
    """The type of a column, whose name may be in any case; an unknown column is text.

    An unknown version, or None, has the types of the newest version that has the column. Azure
    writes a version with spaces in it and without: `1.0-preview (v1)`.
    """
    older = _OLDER_TYPES.get("".join((data_version or "").lower().split()), {})
    name = column.lower()
    return older.get(name) or _TYPES.get(name, ColumnType.STRING)


def aws_focus_type(name: str) -> ColumnType:
    """The type of a column of an AWS export; text if it is not known. Case is ignored."""
    return _AWS_TYPES.get(name.lower(), ColumnType.STRING)
