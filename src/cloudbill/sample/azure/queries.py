"""The SQL for Azure sample rows: whole factors and exact products, no float anywhere."""

from cloudbill.sample.azure.columns import AZURE_COLUMNS, COST_COLUMNS
from cloudbill.sample.azure.tables import CHARGE_COLUMNS, RESOURCE_COLUMNS
from cloudbill.sample.sql import quote_identifier

__all__ = ["COVERED", "RUN_COLUMNS", "TOTALS", "rows_query"]

_USAGE = """
SELECT
    numbered.i,
    numbered.r,
    numbered.day,
    sku.slot,
    sku.commitment,
    sku.block,
    sku.list_usd,
    sku.contracted_usd,
    if(sku.commitment = '', sku.contracted_usd, 0)::DECIMAL(12,6) AS billed_usd,
    sku.effective_usd,
    -- The provider does not always write the same case.
    if(numbered.draw % 13 = 0, upper(resource."group"), resource."group") AS "group",
    ((
        sku.units
        * if(sku.spread = 0, 10000, resource.size) // 10000
        * (10000 - sku.spread + (numbered.draw % 20001)::BIGINT * sku.spread // 10000) // 10000
        -- At the weekend there is less use, unless it runs around the clock,
        * if(sku.spread > 500 AND dayofweek($month_start + to_days(numbered.day)) IN (0, 6), 7, 10)
        // 10
        -- and as long as the month is not complete, the meter may be too low.
        * if(NOT $complete AND (numbered.draw >> 20) % 23 = 1, 9, 10) // 10
    )::DECIMAL(18,0) * 0.00000001)::DECIMAL(18,8) AS quantity
FROM (
    SELECT
        i,
        ((i - $specials) % $resources)::INTEGER AS r,
        ((i - $specials) * $days // ($rows - $specials))::INTEGER AS day,
        md5_number_lower(concat_ws('|', $seed, $month, i)) AS draw
    FROM range(greatest($from_row, $specials), $to_row) AS numbers (i)
) AS numbered
LEFT JOIN sku ON sku.slot = numbered.r % $slots
LEFT JOIN resource ON resource.r = numbered.r
WHERE
    numbered.day < $elapsed_days
    -- Some usage is reported late.
    AND ($complete OR (numbered.draw >> 32) % 31 <> 0)
"""

COVERED = f"""
SELECT commitment, sum((effective_usd * quantity)::DECIMAL(38,18))
FROM ({_USAGE}) AS usage
WHERE commitment <> ''
GROUP BY commitment
"""  # noqa: S608 - the package's own text
"""The EffectiveCost in USD of covered use, by commitment."""

# 6 digits of a USD price, 4 of the rate and 8 of the quantity are 18, so nothing is rounded.
_FROM = f"""
FROM (
    SELECT
        i,
        r,
        slot,
        "group" AS "x_ResourceGroupName",
        $month_start + to_days(day) AS "ChargePeriodStart",
        $month_start + to_days(day + 1) AS "ChargePeriodEnd",
        quantity AS "PricingQuantity",
        quantity * block AS "ConsumedQuantity",
        block AS "x_PricingBlockSize",
        list_usd * $rate AS "ListUnitPrice",
        contracted_usd * $rate AS "ContractedUnitPrice",
        billed_usd * $rate AS "x_BilledUnitPrice",
        effective_usd * $rate AS "x_EffectiveUnitPrice",
        (list_usd * $rate)::DECIMAL(18,10) * quantity AS "ListCost",
        (contracted_usd * $rate)::DECIMAL(18,10) * quantity AS "ContractedCost",
        (billed_usd * $rate)::DECIMAL(18,10) * quantity AS "BilledCost",
        (effective_usd * $rate)::DECIMAL(18,10) * quantity AS "EffectiveCost",
        list_usd * quantity AS "x_ListCostInUsd",
        contracted_usd * quantity AS "x_ContractedCostInUsd",
        billed_usd * quantity AS "x_BilledCostInUsd",
        effective_usd * quantity AS "x_EffectiveCostInUsd"
    FROM ({_USAGE}) AS usage
    UNION ALL BY NAME
    FROM special
    WHERE i >= $from_row AND i < $to_row
) AS charge
LEFT JOIN sku ON sku.slot = charge.slot
LEFT JOIN resource ON resource.r = charge.r
"""  # noqa: S608 - the package's own text

RUN_COLUMNS = {
    "BillingPeriodEnd": "$month_end",
    "BillingPeriodStart": "$month_start",
    "x_BillingExchangeRate": "$rate",
    "x_BillingExchangeRateDate": "$month_start",
    "x_InvoiceId": "$invoice_id",
    "x_ServicePeriodEnd": 'charge."ChargePeriodEnd"',
    "x_ServicePeriodStart": 'charge."ChargePeriodStart"',
}
"""Columns that are the same in a whole run, or repeat another."""


def _value(name: str) -> str:
    if name in RUN_COLUMNS:
        value = RUN_COLUMNS[name]
    elif name in CHARGE_COLUMNS:
        value = f"charge.{quote_identifier(name)}"
    elif name in RESOURCE_COLUMNS:
        value = f"resource.{quote_identifier(name)}"
    else:
        value = f"sku.{quote_identifier(name)}"
    return f"({value})::{AZURE_COLUMNS[name]}"


def _text(name: str) -> str:
    """A column as CSV text: no redundant zeros, UTC to the second, absent text empty."""
    value, type_ = _value(name), AZURE_COLUMNS[name]
    if type_.startswith("DECIMAL"):
        return f"rtrim(rtrim({value}::VARCHAR, '0'), '.')"
    if type_ == "TIMESTAMPTZ":
        return f"strftime({value}, '%Y-%m-%dT%H:%M:%SZ')"
    return f"nullif({value}, '')" if type_ == "VARCHAR" else value


def rows_query(file_format: str) -> str:
    """The query for all columns of the rows from number `from_row` up to `to_row`.

    For `parquet` the columns are typed, for `csv` and `csv.gz` they are text.
    """
    render = _value if file_format == "parquet" else _text
    columns = ", ".join(f"{render(name)} AS {quote_identifier(name)}" for name in AZURE_COLUMNS)
    return f"SELECT {columns} {_FROM}"


TOTALS = f"""
SELECT {_value("BillingCurrency")}, {", ".join(f"sum({_value(name)})" for name in COST_COLUMNS)}
{_FROM}
GROUP BY ALL
"""
"""Currency, then the sums of the cost columns."""
