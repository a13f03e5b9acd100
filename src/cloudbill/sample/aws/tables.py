"""The tables for AWS sample rows: `service` by slot, `resource` by number."""

from collections.abc import Mapping
from decimal import Decimal

import duckdb

from cloudbill.sample.aws.catalogue import ACCOUNTS, PLAN_SLOT, REGIONS, SERVICES, Service
from cloudbill.sample.aws.columns import (
    COMMITMENT_COLUMNS,
    LATER_TAGS,
    aws_columns,
    column_id,
    number_text,
)
from cloudbill.sample.aws.shape import covered_machines, resource_count
from cloudbill.sample.schedule import Month, draw, guid
from cloudbill.sample.sql import create_table, fetch

__all__ = [
    "CHARGE_COLUMNS",
    "RESOURCE_COLUMNS",
    "create_resources",
    "create_services",
    "plan_arn",
    "reservation_arn",
]

CHARGE_COLUMNS: tuple[str, ...] = (
    "identity/LineItemId",
    "identity/TimeInterval",
    "lineItem/UsageStartDate",
    "lineItem/UsageEndDate",
    "lineItem/UsageAmount",
    "lineItem/NormalizedUsageAmount",
    "lineItem/UnblendedCost",
    "lineItem/BlendedCost",
    "pricing/publicOnDemandCost",
    "reservation/EffectiveCost",
    "savingsPlan/SavingsPlanEffectiveCost",
    "reservation/AmortizedUpfrontCostForUsage",
    "reservation/RecurringFeeForUsage",
    *COMMITMENT_COLUMNS,
)
"""Columns that differ from row to row."""

RESOURCE_COLUMNS: tuple[str, ...] = (
    "lineItem/UsageAccountId",
    "lineItem/UsageType",
    "lineItem/AvailabilityZone",
    "lineItem/ResourceId",
    "product/location",
    "product/region",
    "product/regionCode",
    "product/usagetype",
    "costCategory/Department",
    "resourceTags/aws:createdBy",
    "resourceTags/user:Name",
    "resourceTags/user:environment",
    "resourceTags/user:name",
    "resourceTags/user:notes",
    *(f"resourceTags/{tag}" for tag in LATER_TAGS),
)
"""Columns that depend only on the resource; all others depend on the service."""

_WORKING = {
    "slot": "INTEGER",
    "line_type": "VARCHAR",
    "public_usd": "DECIMAL(18,10)",
    "unblended_usd": "DECIMAL(18,10)",
    "effective_usd": "DECIMAL(18,10)",
    "units": "BIGINT",
    "spread": "BIGINT",
    "whole": "BOOLEAN",
    "usage": "VARCHAR",
    "prefix": "VARCHAR",
}

_RESOURCES = """
CREATE OR REPLACE TEMP TABLE resource AS
WITH placed AS (
    SELECT
        r,
        usage,
        nullif(prefix, '') AS prefix,
        account,
        department,
        environment,
        region_code,
        location,
        short,
        (draw >> 32)::BIGINT AS kind,
        5000 + ((draw >> 16) % 15001)::BIGINT AS size,
        lower(lpad(to_hex(draw), 16, '0')) AS suffix
    FROM (
        SELECT r, md5_number_lower(concat_ws('|', $seed, 'aws resource', r)) AS draw
        FROM range($resources) AS numbers (r)
    ) AS numbered
    LEFT JOIN service ON slot = r % $slots
    LEFT JOIN account ON account.number = draw % 3
    -- What the savings plan covers is in one region, so that a line of it negates several.
    LEFT JOIN region ON region.number = if(r % $slots = $plan_slot, 0, (draw >> 8) % 3)
)
SELECT
    r,
    size,
    account AS "lineItem/UsageAccountId",
    concat_ws('-', short, usage) AS "lineItem/UsageType",
    if(prefix = 'i-0', concat(region_code, ['a', 'b'][1 + kind % 2]), NULL)
        AS "lineItem/AvailabilityZone",
    concat(prefix, suffix) AS "lineItem/ResourceId",
    location AS "product/location",
    region_code AS "product/region",
    region_code AS "product/regionCode",
    concat_ws('-', short, usage) AS "product/usagetype",
    department AS "costCategory/Department",
    if(kind % 3 = 0, concat('IAMUser:AIDA', upper(suffix), ':deploy'), NULL)
        AS "resourceTags/aws:createdBy",
    if(kind % 4 <> 0, concat_ws('-', environment, suffix[1:4]), NULL)
        AS "resourceTags/user:Name, capital",
    if(kind % 2 = 0, environment, NULL) AS "resourceTags/user:environment",
    -- Two keys that differ only by case, and are mostly on different resources.
    if(kind % 4 = 0, concat('legacy ', suffix[1:4]), NULL) AS "resourceTags/user:name",
    [
        NULL,
        concat('first line', chr(10), 'second, "quoted" line'),
        'Zoë''s test; größer als nötig 🦊',
        NULL,
        'NULL'
    ][1 + kind % 5] AS "resourceTags/user:notes",
    ['data', 'web, shop', NULL][1 + kind % 3] AS "resourceTags/user:team",
    ['4100', '0042'][1 + kind % 2] AS "resourceTags/user:cost center"
FROM placed
UNION ALL BY NAME
SELECT
    -1 AS r,
    10000 AS size,
    account AS "lineItem/UsageAccountId",
    department AS "costCategory/Department"
FROM account
WHERE number = 0
"""

_KINDS = """
INSERT INTO resource BY NAME
SELECT
    -1 - row_number() OVER (ORDER BY kind."lineItem/AvailabilityZone") AS r,
    10000 AS size,
    company."lineItem/UsageAccountId",
    company."costCategory/Department",
    kind.*
FROM (
    SELECT DISTINCT
        "lineItem/UsageType",
        "lineItem/AvailabilityZone",
        "product/location",
        "product/region",
        "product/regionCode",
        "product/usagetype"
    FROM resource
    WHERE r >= 0 AND r % $slots = $plan_slot AND r // $slots < $machines
) AS kind
JOIN resource AS company ON company.r = -1
"""


def create_resources(connection: duckdb.DuckDBPyConnection, *, seed: int, rows: int) -> int:
    """Creates table `resource`: who uses what, where, under which tags; the same in every month.

    The connection has table `service`, and `rows` counts the rows of a bill. Resources are numbered
    from 0. Number -1 is the company, and each one below it a kind of use that the savings plan
    covers. Returns how many kinds there are.
    """
    _numbered(connection, "account", ("account", "department", "environment"), ACCOUNTS)
    _numbered(connection, "region", ("region_code", "location", "short"), REGIONS)
    parameters = {
        "seed": str(seed),
        "resources": resource_count(rows),
        "machines": covered_machines(rows),
        "plan_slot": PLAN_SLOT,
        "slots": len(SERVICES),
    }
    fetch(connection, _RESOURCES, parameters)
    [(kinds,)] = fetch(connection, _KINDS, parameters)
    return int(kinds)


def _numbered(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    columns: tuple[str, ...],
    rows: tuple[tuple[str, ...], ...],
) -> None:
    create_table(
        connection,
        name,
        {"number": "INTEGER", **dict.fromkeys(columns, "VARCHAR")},
        [
            {"number": number, **dict(zip(columns, row, strict=True))}
            for number, row in enumerate(rows)
        ],
    )


def create_services(
    connection: duckdb.DuckDBPyConnection,
    *,
    seed: int,
    month: Month,
    run_columns: Mapping[str, str],
    specials: Mapping[int, Mapping[str, object]],
) -> None:
    """Creates table `service`: the columns of each usage type, and how much of it is used.

    Use grows from month to month. `run_columns` are the same in the whole run. `specials` has the
    columns of lines that are not usage, by negative slot.
    """
    names = [
        column_id(name)
        for name in aws_columns(len(LATER_TAGS))
        if name not in CHARGE_COLUMNS and name not in RESOURCE_COLUMNS
    ]
    shared: dict[str, object] = {
        "bill/InvoicingEntity": "Amazon Web Services EMEA SARL",
        "bill/BillingEntity": "AWS",
        "bill/BillType": "Anniversary",
        "bill/PayerAccountId": ACCOUNTS[0][0],
        "lineItem/CurrencyCode": "USD",
        "lineItem/LegalEntity": "Amazon Web Services EMEA SARL",
        **run_columns,
    }
    rows: list[dict[str, object]] = [
        {**shared, **_row(seed, slot, service, month)} for slot, service in enumerate(SERVICES)
    ]
    rows += [{**shared, **special, "slot": slot} for slot, special in specials.items()]
    create_table(connection, "service", {**_WORKING, **dict.fromkeys(names, "VARCHAR")}, rows)


def _row(seed: int, slot: int, service: Service, month: Month) -> dict[str, object]:
    public, unblended, effective = service.rate_list
    covered = service.line_type == "DiscountedUsage"
    sku = f"{draw(seed, 'aws sku', slot):016X}"
    since = max(-24, min(24, month.index))  # growth has an end
    grown = Decimal(service.hourly) * (Decimal(100 + service.growth) / 100) ** since
    row: dict[str, object] = {
        "slot": slot,
        "line_type": service.line_type,
        "public_usd": public,
        "unblended_usd": Decimal(0) if covered else unblended,
        "effective_usd": effective,
        "units": int(grown * 10**8),
        "spread": service.spread * 100,
        "whole": service.unit in {"Requests", "Metrics"},
        "usage": service.usage,
        "prefix": service.resource,
        "lineItem/LineItemType": service.line_type,
        "lineItem/ProductCode": service.code,
        "lineItem/Operation": service.operation,
        "lineItem/UnblendedRate": number_text(Decimal(0) if covered else unblended),
        "lineItem/BlendedRate": number_text(Decimal(0) if covered else unblended),
        "lineItem/LineItemDescription": service.description,
        "product/ProductName": service.name,
        "product/servicename": service.name,
        "product/servicecode": service.code,
        "product/operation": service.operation,
        "product/locationType": "AWS Region",
        "product/sku": sku,
        "pricing/RateCode": f"{sku}.JRTCKXETXF.6YS6EN2CT7",
        "pricing/RateId": str(draw(seed, "rate", slot) % 10**11),
        "pricing/currency": "USD",
        "pricing/publicOnDemandRate": number_text(public),
        "pricing/term": "Reserved" if covered else "OnDemand",
        "pricing/unit": service.unit,
        **{column_id(f"product/{name}"): value for name, value in service.product.items() if value},
    }
    if covered:
        row["lineItem/NormalizationFactor"] = "4.0"
        row["reservation/ReservationARN"] = reservation_arn(seed)
    elif service.line_type == "SavingsPlanCoveredUsage":
        row["savingsPlan/SavingsPlanARN"] = plan_arn(seed)
        row["savingsPlan/SavingsPlanRate"] = number_text(effective)
    return row


def reservation_arn(seed: int) -> str:
    """The ARN of the company's reservation."""
    return f"arn:aws:ec2:eu-central-1:{ACCOUNTS[0][0]}:reserved-instances/{guid(seed, 'ri')}"


def plan_arn(seed: int, *, is_returned: bool = False) -> str:
    """The ARN of the company's savings plan, or of one that it bought and returned."""
    name = guid(seed, "returned plan" if is_returned else "plan")
    return f"arn:aws:savingsplans::{ACCOUNTS[0][0]}:savingsplan/{name}"
