"""Tables of every provider as the FOCUS views meet them, with rows that reach into every rule."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from cloudbill.files.duckdb_types import TABLE_TYPES
from cloudbill.focus.branches import FocusSource
from cloudbill.focus.rendering import BilledTable
from cloudbill.manifests import ColumnType
from cloudbill.providers import PROVIDERS
from cloudbill.providers.cur_columns import documented_type
from cloudbill.providers.focus_columns import aws_focus_type, focus_type
from cloudbill.sample.aws.columns import aws_columns
from cloudbill.sample.aws.cur2 import cur2_columns
from cloudbill.sample.aws.focus import FocusVersion, focus_columns
from cloudbill.sample.aws.form_columns import athena_name
from cloudbill.sample.azure.columns import AZURE_COLUMNS
from cloudbill.sql import DUCKDB
from cloudbill.warehouses.view_dialects import FocusDialect, Kind

if TYPE_CHECKING:
    import duckdb

__all__ = [
    "GOOGLE_TYPES",
    "HEADERS",
    "SHAPES",
    "Kinds",
    "Row",
    "fill",
    "provider_of",
    "rows_of",
    "source_of",
]

Kinds = Mapping[str, ColumnType]
Row = dict[str, Any]

GOOGLE_TYPES: Final[Mapping[Kind, str]] = {
    Kind.JSON: "JSON",
    Kind.MONEY: "BIGNUMERIC",
    Kind.TEXT: "STRING",
    Kind.TIME: "TIMESTAMP",
}
"""What columns of a view are in BigQuery, in the API's words."""

SEPTEMBER: Final = datetime(2025, 9, 1, tzinfo=UTC)
OCTOBER: Final = datetime(2025, 10, 1, tzinfo=UTC)
NOVEMBER: Final = datetime(2025, 11, 1, tzinfo=UTC)

_PREVIEW_ADDS: Final = (
    "AvailabilityZone ChargeSubcategory Region UsageQuantity UsageUnit x_ChargeId x_OnDemandCost "
    "x_OnDemandCostInUsd x_OnDemandUnitPrice"
)
_PREVIEW_LACKS: Final = (
    "ChargeClass CommitmentDiscountStatus ConsumedQuantity ConsumedUnit ContractedCost "
    "ContractedUnitPrice RegionId RegionName x_AccountId x_ContractedCostInUsd x_ListCostInUsd"
)
_NEW_ADDS: Final = (
    "CapacityReservationId CapacityReservationStatus CommitmentDiscountQuantity "
    "CommitmentDiscountUnit InvoiceId PricingCurrency ServiceSubcategory SkuMeter SkuPriceDetails "
    "x_AmortizationClass x_ServiceModel x_SkuPlanName"
)
_NEW_LACKS: Final = "x_InvoiceId x_PricingCurrency x_SkuMeterName"


def _azure(version: str, adds: str = "", lacks: str = "") -> Kinds:
    names = [*(name for name in AZURE_COLUMNS if name not in lacks.split()), *adds.split()]
    return {name: focus_type(name, version) for name in names}


def _report() -> Kinds:
    return {athena_name(header): documented_type(header) for header in aws_columns(2)}


def _cur2() -> Kinds:
    return {column.name: documented_type(column.name) for column in cur2_columns(2)}


def _aws_focus(version: FocusVersion) -> Kinds:
    return {column.name: aws_focus_type(column.name) for column in focus_columns(version, 2)}


_LOST: Final = ("BilledCost", "BillingCurrency", "ChargeCategory", "EffectiveCost", "ServiceName")
_ODD: Final[Kinds] = {
    "billedcost": ColumnType.STRING,
    "BillingPeriodEnd": ColumnType.DATE,
    "ChargePeriodStart": ColumnType.STRING,
    "ChargePeriodEnd": ColumnType.BOOLEAN,
    "ContractedCost": ColumnType.FLOAT,
    "ListCost": ColumnType.INTEGER,
    "ListUnitPrice": ColumnType.BOOLEAN,
    "PricingQuantity": ColumnType.DATE,
    "RegionId": ColumnType.DECIMAL,
    "RegionName": ColumnType.FLOAT,
    "ResourceId": ColumnType.BOOLEAN,
    "ResourceName": ColumnType.INTEGER,
    "ResourceType": ColumnType.BYTES,
    "SkuId": ColumnType.TIMESTAMP,
    "SkuPriceId": ColumnType.JSON,
    "Tags": ColumnType.INTEGER,
    "select": ColumnType.STRING,
}
"""What somebody made of a table: other types, another case, and columns of their own."""

HEADERS: Final[Mapping[str, str]] = {
    athena_name(header): header for header in aws_columns(2) if athena_name(header) != header
}
"""The headers of a legacy report by its columns; of two with one name, the last."""

SHAPES: Final[Mapping[str, Kinds]] = {
    "azure 1.0-preview": _azure("1.0-preview(v1)", _PREVIEW_ADDS, _PREVIEW_LACKS),
    "azure 1.0r2": _azure("1.0r2"),
    "azure 1.2-preview": _azure("1.2-preview", _NEW_ADDS, _NEW_LACKS),
    "azure 1.2": _azure("1.2", _NEW_ADDS, f"{_NEW_LACKS} x_SkuDetails"),
    "azure odd": {
        **{name: kind for name, kind in _azure("1.0r2").items() if name not in _LOST},
        **_ODD,
    },
    "azure every": _azure("1.2", f"{_PREVIEW_ADDS} {_NEW_ADDS}"),
    "aws report": _report(),
    "aws cur2": _cur2(),
    "aws both": {**_report(), **_cur2()},
    "aws_focus 1.0": _aws_focus("1.0"),
    "aws_focus 1.2": _aws_focus("1.2"),
}
"""The columns of tables: of one form of export, and of several that one table has taken in."""

_TYPES_OF_LINES: Final = (
    *("Usage", "Fee", "RIFee", "Tax", "Credit", "Refund", "DiscountedUsage", "EdpDiscount"),
    *("SavingsPlanCoveredUsage", "SavingsPlanNegation", "SavingsPlanRecurringFee"),
    *("SavingsPlanUpfrontFee", "FlatRateSubscription", "BundledDiscount", "SomethingNew", ""),
)
_PLAN: Final = "arn:aws:savingsplans::123456789012:savingsplan/0b2c"
_RESERVATION: Final = "arn:aws:ec2:eu-west-1:123456789012:reserved-instances/7f"
_TEXTS: Final[Mapping[str, tuple[str | None, ...]]] = {
    "line_item_line_item_type": _TYPES_OF_LINES,
    "line_item_line_item_description": (
        "Refund for one-time fee for Savings Plan ID 1",
        'So "called" \\ größer',
        "",
        None,
    ),
    "line_item_product_code": (
        *("AmazonEC2", "ComputeSavingsPlans", "AWSSupportBusiness", "Nobody'sProduct|=", "", None),
    ),
    "line_item_usage_type": ("EUW1-SpotUsage:m5.large", "EUW1-BoxUsage:m5.large", ""),
    "line_item_resource_id": (
        *("arn:aws:lambda:eu-west-1:123456789012:function:make", "i-0abc", "vol-1", "bucket", ""),
        *("arn:aws:ec2:eu-west-1:123456789012:instance/i-0abc", "arn:aws:s3:::bucket", None),
    ),
    "line_item_tax_type": ("VAT", "", None),
    "line_item_currency_code": ("USD", "EUR"),
    "pricing_currency": ("USD", "", None),
    "savings_plan_savings_plan_a_r_n": (_PLAN, "", None),
    "reservation_reservation_a_r_n": (_RESERVATION, "", None),
    "bill_bill_type": ("Anniversary", "Refund", None),
    "product_product_name": ("Amazon Elastic Compute Cloud", "Claude (Amazon Bedrock Edition)", ""),
    "ChargeCategory": ("Usage", "Purchase", "Credit", "Tax", "Adjustment", None),
    "ChargeClass": ("Correction", "", None),
    "ChargeSubcategory": ("Used Commitment", "Unused Commitment", "Refund", "Credit", "", None),
    "PricingCategory": ("On-Demand", "Commitment-Based", "Standard", "Committed", "", None),
    "BillingCurrency": ("USD", "EUR"),
    "SkuPriceId": ("DZH318Z0BPX7_TS", "", None),
    "Tags": (
        *('{"env":"prod","größe":"1\\u00e9"}', '"env": "prod","team": "a b"', "{}", "", None),
        *("no object", "[1]", '{"a":1.5,"b":{"c":[true,null]}}', '{"unfinished": "'),
    ),
    "x_SkuDetails": ('{"VCPUs":8,"Windows":false}', '"VCPUs":8', "{}", "", None),
    "SkuPriceDetails": ('{"x_VCPUs":"8"}', "{}", "no object", "", None),
}
_OBJECTS: Final = (
    '{"product_name":"Amazon S3","region":"eu-west-1","sku":"J8","user_team":"a \\"b\\""}',
    '{"b":"2","a":"1","":"x","größe":"ü"}',
    '{"EdpDiscount":-0.1,"n":5.0}',
    '{"region_code":""}',
    "{}",
    None,
)
_AMOUNTS: Final = (
    *("0", "1.25", "-1.25", "0.000000000000000001", "-12345678901234567.123456789012345678"),
    *("52.4", "1E+3", None),
)
_AMOUNT_TEXTS: Final = (
    *("0", "1.25", "-0.1", "1e-5", "n/a", ""),
    *("2025-10-01 02:00:00", "2025-10-01T02:00:00Z", None),
)


def rows_of(kinds: Kinds, count: int, *, seed: int = 1) -> list[Row]:
    """Rows of September and October with what the rules ask for, and much that no rule foresees."""
    pick = random.Random(seed)
    rows = []
    for index in range(count):
        start = SEPTEMBER if index % 3 else OCTOBER
        row = {name: _cell(name, kind, pick) for name, kind in kinds.items()}
        for name, kind in kinds.items():
            if kind is not ColumnType.TIMESTAMP:
                continue
            bare = name.lower().replace("_", "")
            if bare.endswith(("billingperiodstart", "billingperiodstartdate")):
                row[name] = start
            elif bare.endswith(("billingperiodend", "billingperiodenddate")):
                row[name] = NOVEMBER if start is OCTOBER else OCTOBER
        if "line_item_line_item_type" in row:
            row["line_item_line_item_type"] = _TYPES_OF_LINES[index % len(_TYPES_OF_LINES)]
        rows.append(row)
    return rows


def _cell(name: str, kind: ColumnType, pick: random.Random) -> Any:
    if kind is ColumnType.DECIMAL:
        amount = pick.choice(_AMOUNTS)
        return None if amount is None else Decimal(amount)
    if kind is ColumnType.TIMESTAMP:
        return pick.choice((None, SEPTEMBER + timedelta(hours=pick.randrange(99))))
    if kind in _OTHERS:
        return pick.choice(_OTHERS[kind])
    texts = _OBJECTS if kind is ColumnType.JSON else _TEXTS.get(name)
    if texts is None and name.startswith(_AMOUNTS_AS_TEXT):
        texts = _AMOUNT_TEXTS
    return pick.choice(texts or (f"{name[-3:]} {pick.randrange(9)}", "", None))


_OTHERS: Final[Mapping[ColumnType, tuple[Any, ...]]] = {
    ColumnType.BOOLEAN: (True, False, None),
    ColumnType.BYTES: (b"a\x00", b"", None),
    ColumnType.DATE: (SEPTEMBER.date(), None),
    ColumnType.FLOAT: (0.1, 0.1 + 0.2, -1.5e-7, None),
    ColumnType.INTEGER: (0, -7, 2**53 + 1, None),
}
_AMOUNTS_AS_TEXT: Final = (
    *("billedcost", "ChargePeriodStart"),
    *("line_item_unblended_rate", "line_item_net_unblended_rate", "reservation_total_reserved"),
    *("pricing_public_on_demand_rate", "savings_plan_total", "savings_plan_used"),
)


def provider_of(shape: str) -> str:
    """The name of the provider whose tables have a shape."""
    return shape.partition(" ")[0]


def source_of(
    shape: str, dialect: FocusDialect, path: tuple[str, ...], **options: Any
) -> FocusSource:
    """The source of a table in a shape."""
    provider = PROVIDERS[provider_of(shape)]
    return FocusSource(
        name=options.pop("name", provider.SECTION),
        provider=provider.NAME,
        path=path,
        period_column=provider.PERIOD_COLUMN,
        table=BilledTable(
            dialect=dialect,
            kinds=SHAPES[shape],
            headers=HEADERS if provider.NAME == "aws" else {},
        ),
        **options,
    )


def fill(connection: duckdb.DuckDBPyConnection, name: str, kinds: Kinds, rows: list[Row]) -> None:
    """Makes a table of DuckDB with these rows."""
    columns = ", ".join(
        f"{DUCKDB.quote_identifier(column)} {TABLE_TYPES[kind]}" for column, kind in kinds.items()
    )
    connection.execute(f"CREATE TABLE {DUCKDB.quote_identifier(name)} ({columns})")
    if not rows:
        return
    places = ", ".join("?" for _ in kinds)
    cells = [
        [
            value.replace(tzinfo=None) if isinstance(value, datetime) else value
            for value in row.values()
        ]
        for row in rows
    ]
    connection.executemany(
        f"INSERT INTO {DUCKDB.quote_identifier(name)} VALUES ({places})",  # noqa: S608
        cells,
    )
