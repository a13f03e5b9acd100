"""The columns of an AWS Cost and Usage Report, in the order of the file."""

from decimal import Decimal

__all__ = [
    "COMMITMENT_COLUMNS",
    "COST_COLUMNS",
    "LATER_TAGS",
    "aws_columns",
    "column_id",
    "number_text",
]

_TEXT = "OptionalString"
_REQUIRED = "String"
_NUMBER = "OptionalBigDecimal"
_TIME = "DateTime"

_FIXED: dict[str, dict[str, str]] = {
    "identity": {"LineItemId": _REQUIRED, "TimeInterval": "Interval"},
    "bill": {
        "InvoiceId": _TEXT,
        "InvoicingEntity": _TEXT,
        "BillingEntity": _REQUIRED,
        "BillType": _REQUIRED,
        "PayerAccountId": _REQUIRED,
        "BillingPeriodStartDate": _TIME,
        "BillingPeriodEndDate": _TIME,
    },
    "lineItem": {
        "UsageAccountId": _REQUIRED,
        "LineItemType": _REQUIRED,
        "UsageStartDate": _TIME,
        "UsageEndDate": _TIME,
        "ProductCode": _REQUIRED,
        "UsageType": _TEXT,
        "Operation": _TEXT,
        "AvailabilityZone": _TEXT,
        "ResourceId": _TEXT,
        "UsageAmount": _NUMBER,
        "NormalizationFactor": _NUMBER,
        "NormalizedUsageAmount": _NUMBER,
        "CurrencyCode": _REQUIRED,
        "UnblendedRate": _TEXT,
        "UnblendedCost": _NUMBER,
        "BlendedRate": _TEXT,
        "BlendedCost": _NUMBER,
        "LineItemDescription": _TEXT,
        "TaxType": _TEXT,
        "LegalEntity": _TEXT,
    },
    "discount": {"EdpDiscount": _NUMBER, "TotalDiscount": _NUMBER},
    "product": dict.fromkeys(
        (
            *("ProductName", "availability", "availabilityZone", "capacitystatus", "clockSpeed"),
            *("currentGeneration", "databaseEngine", "deploymentOption", "durability"),
            # ecu and ECU differ only by case, as in real reports.
            *("ecu", "ECU", "enhancedNetworkingSupported", "fromLocation", "fromLocationType"),
            *("fromRegionCode", "group", "groupDescription", "instanceFamily", "instanceType"),
            *("instanceTypeFamily", "licenseModel", "location", "locationType", "marketoption"),
            *("memory", "networkPerformance", "normalizationSizeFactor", "operatingSystem"),
            *("operation", "physicalProcessor", "preInstalledSw", "processorArchitecture"),
            *("productFamily", "region", "regionCode", "servicecode", "servicename", "sku"),
            *("storage", "storageClass", "storageMedia", "tenancy", "toLocation"),
            *("toLocationType", "toRegionCode", "transferType", "usagetype", "vcpu"),
            *("volumeApiName", "volumeType"),
        ),
        _TEXT,
    ),
    "pricing": {
        "LeaseContractLength": _TEXT,
        "OfferingClass": _TEXT,
        "PurchaseOption": _TEXT,
        "RateCode": _TEXT,
        "RateId": _TEXT,
        "currency": _TEXT,
        "publicOnDemandCost": _NUMBER,
        "publicOnDemandRate": _TEXT,
        "term": _TEXT,
        "unit": _TEXT,
    },
    "reservation": {
        "AmortizedUpfrontCostForUsage": _NUMBER,
        "AmortizedUpfrontFeeForBillingPeriod": _NUMBER,
        "EffectiveCost": _NUMBER,
        "EndTime": _TEXT,
        "ModificationStatus": _TEXT,
        "NormalizedUnitsPerReservation": _TEXT,
        "NumberOfReservations": _TEXT,
        "RecurringFeeForUsage": _NUMBER,
        "ReservationARN": _TEXT,
        "StartTime": _TEXT,
        "SubscriptionId": _TEXT,
        "TotalReservedNormalizedUnits": _TEXT,
        "TotalReservedUnits": _TEXT,
        "UnitsPerReservation": _TEXT,
        "UnusedAmortizedUpfrontFeeForBillingPeriod": _NUMBER,
        "UnusedNormalizedUnitQuantity": _NUMBER,
        "UnusedQuantity": _NUMBER,
        "UnusedRecurringFee": _NUMBER,
        "UpfrontValue": _NUMBER,
    },
    "savingsPlan": {
        "TotalCommitmentToDate": _NUMBER,
        "SavingsPlanARN": _TEXT,
        "SavingsPlanRate": _NUMBER,
        "UsedCommitment": _NUMBER,
        "SavingsPlanEffectiveCost": _NUMBER,
        "AmortizedUpfrontCommitmentForBillingPeriod": _NUMBER,
        "RecurringCommitmentForBillingPeriod": _NUMBER,
        "OfferingType": _TEXT,
        "PaymentOption": _TEXT,
        "PurchaseTerm": _TEXT,
        "StartTime": _TEXT,
        "EndTime": _TEXT,
    },
    "costCategory": {"Department": _TEXT},
    "resourceTags": dict.fromkeys(
        ("aws:createdBy", "user:Name", "user:environment", "user:name", "user:notes"), _TEXT
    ),
}

LATER_TAGS: tuple[str, ...] = ("user:team", "user:cost center")
"""Tags that the bill gets since the second month of the export, one more each month."""

COST_COLUMNS: tuple[str, ...] = (
    "lineItem/BlendedCost",
    "lineItem/UnblendedCost",
    "pricing/publicOnDemandCost",
    "reservation/EffectiveCost",
    "savingsPlan/SavingsPlanEffectiveCost",
)
"""The columns that are added up."""

COMMITMENT_COLUMNS: tuple[str, ...] = (
    "reservation/AmortizedUpfrontFeeForBillingPeriod",
    "reservation/UnusedAmortizedUpfrontFeeForBillingPeriod",
    "reservation/UnusedNormalizedUnitQuantity",
    "reservation/UnusedQuantity",
    "reservation/UnusedRecurringFee",
    "reservation/UpfrontValue",
    "savingsPlan/RecurringCommitmentForBillingPeriod",
    "savingsPlan/TotalCommitmentToDate",
    "savingsPlan/UsedCommitment",
)
"""What the fee of a commitment says of its use; no other line does."""


def aws_columns(months_before: int) -> dict[str, str]:
    """Types by `category/name`.

    `months_before` counts the months that the export has already covered; each adds a tag.
    """
    columns = {
        f"{category}/{name}": type_
        for category, names in _FIXED.items()
        for name, type_ in names.items()
    }
    later = LATER_TAGS[:months_before]
    return columns | {f"resourceTags/{tag}": _TEXT for tag in later}


def column_id(name: str) -> str:
    """The name of a column, such as `product/ECU`, in the sample's database.

    DuckDB takes `ecu` and `ECU` for the same name, so they get different ones.
    """
    return {
        "product/ECU": "product/ECU, capitals",
        "resourceTags/user:Name": "resourceTags/user:Name, capital",
    }.get(name, name)


def number_text(value: Decimal) -> str:
    """A number of at most ten fraction digits as the report writes it: `0.0`, `12.5`, `1.81E-8`."""
    if value == 0:
        return "0.0"
    if abs(value) < Decimal("0.001"):
        sign, digits, exponent = value.normalize().as_tuple()
        first, *rest = (str(digit) for digit in digits)
        power = int(exponent) + len(rest)
        return f"{'-' * sign}{first}.{''.join(rest) or '0'}E{power}"
    text = f"{value:f}".rstrip("0") if "." in f"{value:f}" else f"{value:f}."
    return f"{text}0" if text.endswith(".") else text
