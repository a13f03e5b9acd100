"""What the rows of a simulated export are of: services, subscriptions, regions and tags."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Final

from cloudbill.sample.azure.catalogue import COMPANY, REGIONS, SKUS, SUBSCRIPTIONS, TAGS
from cloudbill.sample.schedule import draw, guid

__all__ = ["columns_of"]

_RESOURCES: Final = 24
"""How many there are: each day has rows of a few of them."""
_USED: Final = tuple(sku for sku in SKUS if sku.type_name and not sku.commitment)


@functools.cache
def columns_of(resource: int) -> Mapping[str, str]:
    """The columns of a row that its resource gives; `resource` may be any number."""
    number = resource % _RESOURCES
    sku = _USED[number % len(_USED)]
    place = SUBSCRIPTIONS[draw("subscription", number) % len(SUBSCRIPTIONS)]
    region = REGIONS[draw("region", number) % len(REGIONS)] if sku.regional else ("", "", "")
    account = f"/subscriptions/{guid('history', place.name)}"
    name = f"{sku.name}-{place.environment}-{number:02d}"
    group = f"rg-{place.environment}"
    return {
        "BillingAccountName": COMPANY,
        "ChargeFrequency": "Usage-Based",
        "PricingCategory": "Standard",
        "ProviderName": "Microsoft",
        "PublisherName": sku.publisher,
        "RegionId": region[0],
        "RegionName": region[1],
        "ResourceId": f"{account}/resourcegroups/{group}/providers/{sku.type_id}/{name}",
        "ResourceName": name,
        "ResourceType": sku.type_name,
        "ServiceCategory": sku.category,
        "ServiceName": sku.service,
        "SubAccountId": account,
        "SubAccountName": place.name,
        "SubAccountType": "Subscription",
        "Tags": TAGS[draw("tags", number) % len(TAGS)],
        "x_CostCenter": place.cost_center,
        "x_InvoiceSectionName": place.section,
        "x_ResourceGroupName": group,
        "x_SkuMeterCategory": sku.meter[0],
        "x_SkuMeterName": sku.meter[2],
    }
