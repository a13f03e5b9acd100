"""The columns of FOCUS 1.0 and 1.2 with AWS columns, made from the lines of a report.

Sources: AWS, "Data Exports User Guide", the table dictionaries of FOCUS 1.0 and 1.2 with AWS
columns; the FOCUS specification, version 1.2, with its examples of commitments.

The fee of a commitment is a purchase, and at the same time the only line that says what of the
commitment is unused, so it becomes two charges. FOCUS has no charge for a negation: usage that a
plan covers is billed at 0.
"""

from typing import Literal, TypeAlias

from cloudbill.sample.aws.catalogue import SERVICES
from cloudbill.sample.aws.cur2 import account_name, private_discount, resource_tags
from cloudbill.sample.aws.form_columns import Column, Kind, cell, map_of
from cloudbill.sample.sql import quote_text

FocusVersion: TypeAlias = Literal["1.0", "1.2"]

__all__ = ["COSTS", "FocusVersion", "SOURCE", "focus_columns"]

COSTS = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")
"""The columns that are added up."""

_ZERO = "CAST(0 AS DECIMAL(28,10))"
_TYPE = cell("lineItem/LineItemType")
_DESCRIPTION = cell("lineItem/LineItemDescription")
_IS_RETURN = f"starts_with({_DESCRIPTION}, 'Refund for one-time fee for Savings Plan ID')"

SOURCE = f"""(
    SELECT
        *,
        unnest(CASE
            WHEN {_TYPE} = 'SavingsPlanNegation' THEN []
            WHEN {_TYPE} IN ('RIFee', 'SavingsPlanRecurringFee') THEN ['Purchase', 'Unused']
            WHEN {_TYPE} IN ('Fee', 'SavingsPlanUpfrontFee') OR {_IS_RETURN} THEN ['Purchase']
            WHEN {_TYPE} IN ('Tax', 'Credit') THEN [{_TYPE}]
            WHEN {_TYPE} = 'Refund' THEN ['Refund']
            ELSE ['Usage']
        END) AS charge
    FROM line
) AS charged"""  # noqa: S608 - the package's own text
"""The charges: the lines, each with what it is as a charge, some twice, and some not."""


def _amount(header: str) -> str:
    return f"CAST({cell(header)} AS DECIMAL(28,10))"


_PLAN = cell("savingsPlan/SavingsPlanARN")
_COMMITMENT = f"coalesce({_PLAN}, {cell('reservation/ReservationARN')})"
_PLAN_RATE = "savingsPlan/SavingsPlanEffectiveCost"
_IS_USED = f"{_TYPE} IN ('DiscountedUsage', 'SavingsPlanCoveredUsage')"
_IS_COMMITMENTS = f"({_COMMITMENT} IS NOT NULL OR {_IS_RETURN})"
_UNBLENDED, _PUBLIC = _amount("lineItem/UnblendedCost"), _amount("pricing/publicOnDemandCost")
_UNUSED = f"""CASE {_TYPE}
    WHEN 'RIFee' THEN {_amount("reservation/UnusedAmortizedUpfrontFeeForBillingPeriod")}
        + {_amount("reservation/UnusedRecurringFee")}
    ELSE {_amount("savingsPlan/TotalCommitmentToDate")}
        - {_amount("savingsPlan/UsedCommitment")} END"""
_BILLED = f"""CASE WHEN charge = 'Unused' OR {_TYPE} = 'SavingsPlanCoveredUsage' THEN {_ZERO}
    ELSE {_UNBLENDED} END"""
_EFFECTIVE = f"""CASE
    WHEN charge = 'Unused' THEN {_UNUSED}
    WHEN charge = 'Purchase' AND {_IS_COMMITMENTS} THEN {_ZERO}
    WHEN {_TYPE} = 'SavingsPlanCoveredUsage' THEN {_amount(_PLAN_RATE)}
    WHEN {_TYPE} = 'DiscountedUsage' THEN {_amount("reservation/EffectiveCost")}
    ELSE {_UNBLENDED} END"""
_LIST = f"CASE charge WHEN 'Unused' THEN {_ZERO} WHEN 'Usage' THEN {_PUBLIC} ELSE {_UNBLENDED} END"
# A report does not state it: what usage would cost without commitments.
_CONTRACTED = f"""CASE WHEN charge = 'Unused' THEN {_ZERO}
    WHEN {_TYPE} = 'DiscountedUsage' THEN {_PUBLIC} ELSE {_UNBLENDED} END"""
_LIST_PRICE = f"CASE charge WHEN 'Usage' THEN {cell('pricing/publicOnDemandRate')} END"
_CONTRACTED_PRICE = f"""CASE WHEN {_TYPE} = 'DiscountedUsage' THEN {_LIST_PRICE}
    WHEN charge = 'Usage' THEN {cell("lineItem/UnblendedRate")} END"""
_QUANTITY = f"""CASE WHEN charge = 'Unused' THEN {cell("reservation/UnusedQuantity")}
    WHEN charge IN ('Usage', 'Purchase') THEN {cell("lineItem/UsageAmount")} END"""
_COMMITTED_QUANTITY = f"""CASE
    WHEN charge = 'Purchase' THEN NULL
    WHEN {_PLAN} IS NOT NULL THEN number_text({_EFFECTIVE})
    WHEN charge = 'Unused' THEN {cell("reservation/UnusedQuantity")}
    WHEN {_IS_USED} THEN {cell("lineItem/UsageAmount")} END"""
_FREQUENCY = f"""CASE WHEN charge IN ('Usage', 'Unused', 'Refund') THEN 'Usage-Based'
    WHEN {_TYPE} IN ('RIFee', 'SavingsPlanRecurringFee') THEN 'Recurring' ELSE 'One-Time' END"""
_STATUS = f"CASE WHEN charge = 'Unused' THEN 'Unused' WHEN {_IS_USED} THEN 'Used' END"
_PRICING = f"""CASE WHEN charge = 'Unused' OR {_IS_USED} THEN 'Committed'
    WHEN charge <> 'Tax' THEN 'Standard' END"""
_RESOURCE = cell("lineItem/ResourceId")

_CATEGORIES = {
    "AmazonEC2": ("Compute", "Virtual Machines"),
    "AmazonS3": ("Storage", "Object Storage"),
    "AWSDataTransfer": ("Networking", "Network Routing"),
    "AWSLambda": ("Compute", "Serverless Compute"),
    "AmazonRDS": ("Databases", "Relational Databases"),
    "AmazonCloudWatch": ("Management and Governance", "Observability"),
    "AmazonVPC": ("Networking", "Network Infrastructure"),
}
"""Service category and subcategory of FOCUS by product code; others are `Other`."""


def _category(place: int, other: str) -> str:
    cases = " ".join(
        f"WHEN {quote_text(code)} THEN {quote_text(names[place])}"
        for code, names in _CATEGORIES.items()
    )
    return f"CASE {cell('lineItem/ProductCode')} {cases} ELSE {quote_text(other)} END"


def _price_details() -> str:
    names = sorted({name for service in SERVICES for name in service.product} - {"ecu", "ECU"})
    return map_of({f"x_{name[0].upper()}{name[1:]}": cell(f"product/{name}") for name in names})


def _only(condition: str, value: str) -> str:
    return f"CASE WHEN {condition} THEN {value} END"


_BOTH: dict[str, tuple[Kind, str]] = {
    "AvailabilityZone": ("string", cell("lineItem/AvailabilityZone")),
    "BilledCost": ("double", f"number_text({_BILLED})"),
    "BillingAccountId": ("string", cell("bill/PayerAccountId")),
    "BillingAccountName": ("string", account_name(cell("bill/PayerAccountId"))),
    "BillingCurrency": ("string", cell("lineItem/CurrencyCode")),
    "BillingPeriodEnd": ("timestamp", cell("bill/BillingPeriodEndDate")),
    "BillingPeriodStart": ("timestamp", cell("bill/BillingPeriodStartDate")),
    "ChargeCategory": ("string", "if(charge IN ('Unused', 'Refund'), 'Usage', charge)"),
    "ChargeClass": ("string", _only("charge = 'Refund'", "'Correction'")),
    "ChargeDescription": ("string", _DESCRIPTION),
    "ChargeFrequency": ("string", _FREQUENCY),
    "ChargePeriodEnd": ("timestamp", cell("lineItem/UsageEndDate")),
    "ChargePeriodStart": ("timestamp", cell("lineItem/UsageStartDate")),
    "CommitmentDiscountCategory": ("string", _only(
        f"{_COMMITMENT} IS NOT NULL", f"if({_PLAN} IS NULL, 'Usage', 'Spend')")),
    "CommitmentDiscountId": ("string", _COMMITMENT),
    "CommitmentDiscountName": ("string", "CAST(NULL AS VARCHAR)"),
    "CommitmentDiscountStatus": ("string", _STATUS),
    "CommitmentDiscountType": ("string", _only(
        f"{_COMMITMENT} IS NOT NULL", f"if({_PLAN} IS NULL, 'Reserved Instance', 'Savings Plan')")),
    "ConsumedQuantity": ("double", _only("charge = 'Usage'", cell("lineItem/UsageAmount"))),
    "ConsumedUnit": ("string", _only("charge = 'Usage'", cell("pricing/unit"))),
    "ContractedCost": ("double", f"number_text({_CONTRACTED})"),
    "ContractedUnitPrice": ("double", _CONTRACTED_PRICE),
    "EffectiveCost": ("double", f"number_text({_EFFECTIVE})"),
    "InvoiceIssuerName": ("string", cell("bill/InvoicingEntity")),
    "ListCost": ("double", f"number_text({_LIST})"),
    "ListUnitPrice": ("double", _LIST_PRICE),
    "PricingCategory": ("string", _PRICING),
    "PricingQuantity": ("double", _QUANTITY),
    "PricingUnit": ("string", cell("pricing/unit")),
    "ProviderName": ("string", "'AWS'"),
    "PublisherName": ("string", cell("lineItem/LegalEntity")),
    "RegionId": ("string", cell("product/regionCode")),
    "RegionName": ("string", cell("product/location")),
    "ResourceId": ("string", _RESOURCE),
    # Only an ARN says more of a resource than its id.
    "ResourceName": ("string", _only(
        f"starts_with({_RESOURCE}, 'arn:')", f"split_part({_RESOURCE}, ':', -1)")),
    "ResourceType": ("string", _only(
        f"starts_with({_RESOURCE}, 'arn:')", f"split_part({_RESOURCE}, ':', -2)")),
    "ServiceCategory": ("string", _category(0, "Other")),
    "ServiceName": ("string", cell("product/ProductName")),
    "SkuId": ("string", cell("product/sku")),
    "SkuPriceId": ("string", cell("pricing/RateCode")),
    "SubAccountId": ("string", cell("lineItem/UsageAccountId")),
    "SubAccountName": ("string", account_name(cell("lineItem/UsageAccountId"))),
    "x_Discounts": ("map<string,double>", private_discount()),
    "x_Operation": ("string", cell("lineItem/Operation")),
    "x_ServiceCode": ("string", cell("lineItem/ProductCode")),
}  # fmt: skip
_ONLY_1_0: dict[str, tuple[Kind, str]] = {
    "x_CostCategories": ("map<string,string>", map_of(
        {"Department": cell("costCategory/Department")})),
    "x_UsageType": ("string", cell("lineItem/UsageType")),
}  # fmt: skip
_ONLY_1_2: dict[str, tuple[Kind, str]] = {
    "BillingAccountType": ("string", "'Payer'"),
    "CapacityReservationId": ("string", "CAST(NULL AS VARCHAR)"),
    "CapacityReservationStatus": ("string", "CAST(NULL AS VARCHAR)"),
    "CommitmentDiscountQuantity": ("double", _COMMITTED_QUANTITY),
    "CommitmentDiscountUnit": ("string", _only(
        f"charge <> 'Purchase' AND {_COMMITMENT} IS NOT NULL",
        f"if({_PLAN} IS NULL, {cell('pricing/unit')}, {cell('lineItem/CurrencyCode')})")),
    "InvoiceId": ("string", cell("bill/InvoiceId")),
    "PricingCurrency": ("string", cell("lineItem/CurrencyCode")),
    "PricingCurrencyContractedUnitPrice": ("double", _CONTRACTED_PRICE),
    "PricingCurrencyEffectiveCost": ("double", f"number_text({_EFFECTIVE})"),
    "PricingCurrencyListUnitPrice": ("double", _LIST_PRICE),
    "ServiceSubcategory": ("string", _category(1, "Other (Other)")),
    "SkuMeter": ("string", cell("lineItem/UsageType")),
    "SkuPriceDetails": ("map<string,string>", _price_details()),
    "SubAccountType": ("string", "'Account'"),
}  # fmt: skip


def focus_columns(version: FocusVersion, months_before: int) -> tuple[Column, ...]:
    """The columns of a version, in the order of their names: 48 in 1.0, and 60 in 1.2."""
    of_version = _ONLY_1_0 if version == "1.0" else _ONLY_1_2
    tags: tuple[Kind, str] = ("map<string,string>", map_of(resource_tags(months_before)))
    found = _BOTH | of_version | {"Tags": tags}
    return tuple(
        Column(name=name, kind=found[name][0], sql=found[name][1])
        for name in sorted(found, key=lambda name: (name.startswith("x_"), name))
    )
