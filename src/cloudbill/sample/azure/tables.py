"""The tables for Azure sample rows: `sku` by slot, `resource` by number."""

import json
from collections.abc import Mapping
from decimal import Decimal

import duckdb

from cloudbill.sample.azure.catalogue import COMPANY, REGIONS, SKUS, SUBSCRIPTIONS, TAGS, Sku
from cloudbill.sample.azure.columns import AZURE_COLUMNS
from cloudbill.sample.schedule import Month, draw, guid
from cloudbill.sample.sql import create_table, fetch

__all__ = [
    "CHARGE_COLUMNS",
    "RESOURCE_COLUMNS",
    "committed",
    "create_resources",
    "create_skus",
]

RESOURCE_COLUMNS: tuple[str, ...] = (
    "RegionId",
    "RegionName",
    "ResourceId",
    "ResourceName",
    "SubAccountId",
    "SubAccountName",
    "Tags",
    "x_CostCenter",
    "x_InvoiceSectionId",
    "x_InvoiceSectionName",
    "x_SkuRegion",
)
"""Columns that depend only on the resource."""

CHARGE_COLUMNS: tuple[str, ...] = (
    *(name for name, type_ in AZURE_COLUMNS.items() if type_.startswith(("DEC", "TIME"))),
    "x_InvoiceId",
    "x_ResourceGroupName",
)
"""Columns that differ from row to row; all others depend on the meter."""

_WORKING = {
    "slot": "INTEGER",
    "commitment": "VARCHAR",
    "list_usd": "DECIMAL(12,6)",
    "contracted_usd": "DECIMAL(12,6)",
    "effective_usd": "DECIMAL(12,6)",
    "units": "BIGINT",
    "spread": "BIGINT",
    "block": "INTEGER",
    "type_id": "VARCHAR",
    "name": "VARCHAR",
    "regional": "BOOLEAN",
}
_SKU_STRINGS = [name for name in AZURE_COLUMNS if name not in {*CHARGE_COLUMNS, *RESOURCE_COLUMNS}]

_RESOURCES = """
CREATE OR REPLACE TEMP TABLE resource AS
WITH numbered AS (
    SELECT
        r,
        md5_number_lower(concat_ws('|', $seed, 'resource', r)) AS draw,
        sku.type_id,
        sku.name,
        sku.regional
    FROM range($resources) AS numbers (r)
    LEFT JOIN sku ON sku.slot = r % $slots
),
placed AS (
    SELECT
        *,
        (draw % 4)::INTEGER AS subscription_number,
        ((draw >> 8) % 4)::INTEGER AS region_number,
        ((draw >> 16) % 8)::INTEGER AS tags_number,
        5000 + ((draw >> 24) % 15001)::BIGINT AS size,
        lower(to_hex(draw >> 40)) AS suffix
    FROM numbered
),
named AS (
    SELECT
        *,
        concat_ws('-', 'rg', s.environment, ['core', 'shop', 'data'][1 + r % 3]) AS "group",
        CASE
            WHEN name = '' THEN ''
            WHEN name = 'st' THEN concat(name, s.environment, suffix)
            ELSE concat_ws('-', name, s.environment, suffix)
        END AS resource_name
    FROM placed
    LEFT JOIN subscription AS s ON s.number = subscription_number
    LEFT JOIN region ON region.number = region_number
    LEFT JOIN tags ON tags.number = tags_number
)
SELECT
    r,
    size,
    "group",
    if(regional, region_id, '') AS "RegionId",
    if(regional, region_name, '') AS "RegionName",
    if(resource_name = '', '', concat_ws(
        '/', subscription_id, 'resourcegroups', "group", 'providers', type_id, resource_name
    )) AS "ResourceId",
    resource_name AS "ResourceName",
    subscription_id AS "SubAccountId",
    subscription_name AS "SubAccountName",
    text AS "Tags",
    cost_center AS "x_CostCenter",
    section_id AS "x_InvoiceSectionId",
    section AS "x_InvoiceSectionName",
    if(regional, meter_region, '') AS "x_SkuRegion"
FROM named
UNION ALL BY NAME
-- A purchase for the whole company belongs to its first subscription, without a resource.
SELECT
    -1 AS r,
    10000 AS size,
    '' AS "group",
    '' AS "RegionId",
    '' AS "RegionName",
    '' AS "ResourceId",
    '' AS "ResourceName",
    subscription_id AS "SubAccountId",
    subscription_name AS "SubAccountName",
    '' AS "Tags",
    cost_center AS "x_CostCenter",
    section_id AS "x_InvoiceSectionId",
    section AS "x_InvoiceSectionName",
    '' AS "x_SkuRegion"
FROM subscription
WHERE number = 0
"""


def create_resources(connection: duckdb.DuckDBPyConnection, *, seed: int, count: int) -> None:
    """Creates table `resource`: who uses what, where, under which tags; the same in every month.

    The connection has table `sku`. `count` resources are numbered from 0; number -1 is the company.
    """
    create_table(
        connection,
        "subscription",
        {
            "number": "INTEGER",
            "subscription_id": "VARCHAR",
            "subscription_name": "VARCHAR",
            "environment": "VARCHAR",
            "section": "VARCHAR",
            "section_id": "VARCHAR",
            "cost_center": "VARCHAR",
        },
        [
            {
                "number": number,
                "subscription_id": f"/subscriptions/{guid(seed, 'subscription', number)}",
                "subscription_name": subscription.name,
                "environment": subscription.environment,
                "section": subscription.section,
                "section_id": f"{draw(seed, 'section', subscription.section) % 10**8:08d}",
                "cost_center": subscription.cost_center,
            }
            for number, subscription in enumerate(SUBSCRIPTIONS)
        ],
    )
    names = ("region_id", "region_name", "meter_region")
    create_table(
        connection,
        "region",
        {"number": "INTEGER", **dict.fromkeys(names, "VARCHAR")},
        [
            {"number": number, **dict(zip(names, region, strict=True))}
            for number, region in enumerate(REGIONS)
        ],
    )
    create_table(
        connection,
        "tags",
        {"number": "INTEGER", "text": "VARCHAR"},
        [{"number": number, "text": text} for number, text in enumerate(TAGS)],
    )
    fetch(
        connection,
        _RESOURCES,
        {"seed": str(seed), "resources": count, "slots": len(SKUS)},
    )


def create_skus(
    connection: duckdb.DuckDBPyConnection,
    *,
    seed: int,
    month: Month,
    specials: Mapping[int, Mapping[str, object]],
) -> None:
    """Creates table `sku`: the columns of each meter, and how much of it is used in a month.

    Use grows and changes from month to month. `specials` has the columns of charges that are not
    usage, by negative slot.
    """
    shared = _shared(seed)
    rows: list[dict[str, object]] = [
        {**shared, **_row(seed, slot, sku, month)} for slot, sku in enumerate(SKUS)
    ]
    rows += [{**shared, **special, "slot": slot} for slot, special in specials.items()]
    types = {name: AZURE_COLUMNS[name] for name in _SKU_STRINGS}
    absent = {name: "" for name, type_ in types.items() if type_ == "VARCHAR"}
    create_table(connection, "sku", {**_WORKING, **types}, [{**absent, **row} for row in rows])


def _shared(seed: int) -> dict[str, object]:
    account = f"{guid(seed, 'account')}:{guid(seed, 'agreement')}_2019-05-31"
    profile = "-".join(guid(seed, "profile").upper().split("-")[1:4])
    scope = f"/providers/Microsoft.Billing/billingAccounts/{account}"
    return {
        "BillingAccountId": f"{scope}/billingProfiles/{profile}",
        "BillingAccountName": COMPANY,
        "BillingAccountType": "Billing Profile",
        "BillingCurrency": "EUR",
        "ChargeCategory": "Usage",
        "ChargeFrequency": "Usage-Based",
        "InvoiceIssuerName": "Microsoft",
        "PricingCategory": "Standard",
        "ProviderName": "Microsoft",
        "PublisherName": "Microsoft",
        "SubAccountType": "Subscription",
        "x_AccountId": f"{draw(seed, 'account') % 10**6:06d}",
        "x_AccountName": COMPANY,
        "x_AccountOwnerId": "billing@kaskade.example",
        "x_BillingAccountId": scope,
        "x_BillingAccountName": COMPANY,
        "x_BillingProfileId": profile,
        "x_BillingProfileName": COMPANY,
        "x_PricingCurrency": "USD",
        "x_PublisherCategory": "Cloud Provider",
        "x_SkuIsCreditEligible": True,
        "x_SkuOfferId": "MS-AZR-0017G",
        "x_SkuTerm": "0",
    }


def _row(seed: int, slot: int, sku: Sku, month: Month) -> dict[str, object]:
    category, subcategory, meter = sku.meter
    list_usd, contracted_usd, effective_usd = sku.price_list
    product = f"DZH318Z0{draw(seed, 'product', slot) % 16**4:04X}"
    by_microsoft = sku.publisher == "Microsoft"
    row: dict[str, object] = {
        "slot": slot,
        "commitment": sku.commitment,
        "list_usd": list_usd,
        "contracted_usd": contracted_usd,
        "effective_usd": effective_usd,
        "units": _units(sku, month),
        "spread": sku.spread * 100,
        "block": sku.block,
        "type_id": sku.type_id,
        "name": sku.name,
        "regional": sku.regional,
        "ChargeDescription": " - ".join(part for part in (subcategory or category, meter) if part),
        "ConsumedUnit": sku.consumed_unit,
        "PricingUnit": sku.unit,
        "PublisherName": sku.publisher,
        "ResourceType": sku.type_name,
        "ServiceCategory": sku.category,
        "ServiceName": sku.service,
        "SkuId": f"{product}/{draw(seed, 'sku', slot) % 16**4:04X}",
        "SkuPriceId": f"{product}_{draw(seed, 'sku', slot) % 16**4:04X}_"
        f"{draw(seed, 'price', slot) % 16**6:06X}",
        "x_PricingSubcategory": "Standard",
        "x_PricingUnitDescription": f"{sku.block} {sku.consumed_unit}",
        "x_PublisherCategory": "Cloud Provider" if by_microsoft else "Vendor",
        "x_PublisherId": "" if by_microsoft else sku.publisher.lower(),
        "x_ResourceType": sku.type_id,
        "x_SkuDescription": " - ".join(part for part in sku.meter if part),
        "x_SkuDetails": json.dumps(sku.details) if sku.details else "",
        "x_SkuIsCreditEligible": by_microsoft,
        "x_SkuMeterCategory": category,
        "x_SkuMeterId": guid(seed, "meter", slot),
        "x_SkuMeterName": meter,
        "x_SkuMeterSubcategory": subcategory,
        "x_SkuPartNumber": f"AAA-{draw(seed, 'part', slot) % 10**5:05d}",
        "x_SkuServiceFamily": sku.family,
    }
    if sku.commitment:
        row |= committed(seed, sku.commitment) | {"CommitmentDiscountStatus": "Used"}
    return row


def committed(seed: int, commitment: str) -> dict[str, object]:
    """The CommitmentDiscount columns of usage that a commitment covers, or of its purchase.

    `commitment` is `reservation` or `savings plan`.
    """
    order = guid(seed, commitment, "order")
    kind = {
        "reservation": ("Usage", "Reservation", "microsoft.capacity/reservationorders"),
        "savings plan": ("Spend", "Savings Plan", "microsoft.billingbenefits/savingsplanorders"),
    }[commitment]
    category, type_, provider = kind
    leaf = provider.rsplit("/", 1)[1].replace("orders", "s")
    order_id = f"/providers/{provider}/{order}/{leaf}/{guid(seed, commitment)}"
    return {
        "CommitmentDiscountCategory": category,
        "CommitmentDiscountId": order_id,
        "CommitmentDiscountName": f"{type_} 2025",
        "CommitmentDiscountType": type_,
        "PricingCategory": "Committed",
        "x_PricingSubcategory": f"Committed {category}",
        "x_SkuOrderId": order,
        "x_SkuOrderName": f"{type_} 2025",
        "x_SkuTerm": "36" if commitment == "reservation" else "12",
    }


def _units(sku: Sku, month: Month) -> int:
    """The use of one resource on one day, in hundred-millionths of its unit."""
    since = max(-24, min(24, month.index))  # growth has an end
    grown = Decimal(sku.daily) * (Decimal(100 + sku.growth) / 100) ** since
    moved = [percent for start, percent in sorted(sku.moves.items()) if start <= month.month]
    return int(grown * (moved[-1] if moved else 100) / 100 * 10**8)
