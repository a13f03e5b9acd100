"""The SQL for AWS sample rows: every cell is text, and no number passes through a float."""

from collections.abc import Iterable

import duckdb

from cloudbill.sample.aws.catalogue import UPFRONT
from cloudbill.sample.aws.columns import COMMITMENT_COLUMNS, COST_COLUMNS, column_id
from cloudbill.sample.aws.tables import CHARGE_COLUMNS, RESOURCE_COLUMNS
from cloudbill.sample.sql import quote_identifier

__all__ = [
    "ADD_PLAN_LINES",
    "MOST_COMMITTED",
    "RESERVED",
    "SPECIAL_TYPES",
    "TOTALS",
    "define_macros",
    "lines_query",
    "rows_query",
]

_NUMBER = "DECIMAL(28,10)"  # ten fraction digits, as AWS rounds them

_MACROS = (
    """
CREATE OR REPLACE TEMP MACRO tail_text(digits) AS
    if(rtrim(digits, '0') = '', '0', rtrim(digits, '0'))
""",
    # 0.0, 12.5, 1.81E-8: the form in which Java prints a double, without ever being one.
    """
CREATE OR REPLACE TEMP MACRO number_text(value) AS CASE
    WHEN value IS NULL THEN NULL
    WHEN value = 0 THEN '0.0'
    WHEN abs(value) < 0.001 THEN concat(
        if(value < 0, '-', ''),
        ((abs(value)::DECIMAL(18,10) * 10000000000)::BIGINT::VARCHAR)[1],
        '.',
        tail_text(((abs(value)::DECIMAL(18,10) * 10000000000)::BIGINT::VARCHAR)[2:]),
        'E-',
        11 - length((abs(value)::DECIMAL(18,10) * 10000000000)::BIGINT::VARCHAR)
    )
    ELSE concat(
        split_part(value::VARCHAR, '.', 1), '.', tail_text(split_part(value::VARCHAR, '.', 2))
    )
END
""",
)

_USAGE = """
SELECT
    * EXCLUDE (units, whole),
    (if(whole, (units // 100000000 + 1) * 100000000, units)::DECIMAL(18,0) * 0.00000001)
        ::DECIMAL(18,8) AS quantity
FROM (
    SELECT
        drawn.i,
        drawn.r,
        drawn.hour,
        drawn.hours,
        service.slot,
        service.line_type,
        service.public_usd,
        service.unblended_usd,
        service.effective_usd,
        service.whole,
        service.units
        -- A machine is as large as every other one.
        * if(service.spread <= 1000, 10000, resource.size) // 10000
        * (10000 - service.spread + (drawn.draw % 20001)::BIGINT * service.spread // 10000)
        // 10000
        -- As long as the month is not complete, the meter may be too low.
        * if(NOT $complete AND (drawn.draw >> 20) % 23 = 1, 9, 10) // 10 * drawn.hours AS units
    FROM (
        SELECT
            i,
            (i - $specials) % $machines * $slots + $plan_slot AS r,
            (i - $specials) // $machines * $plan_hours AS hour,
            least($plan_hours, $elapsed_days * 24 - hour) AS hours,
            md5_number_lower(concat_ws('|', $seed, $month, i)) AS draw
        FROM range(greatest($from_row, $specials), least($to_row, $covered_until)) AS numbers (i)
        UNION ALL
        SELECT
            i,
            -- All resources in turn, but for those that the plan covers.
            k // ($slots - 1) * $slots + k % ($slots - 1)
            + if(k % ($slots - 1) >= $plan_slot, 1, 0) AS r,
            (i - $covered_until) * ($days * 24 // $hours) // ($rows - $covered_until) * $hours
                AS hour,
            $hours AS hours,
            md5_number_lower(concat_ws('|', $seed, $month, i)) AS draw
        FROM (
            SELECT i, (i - $covered_until) % ($resources // $slots * ($slots - 1)) AS k
            FROM range(greatest($from_row, $covered_until), $to_row) AS numbers (i)
        ) AS turn
    ) AS drawn
    LEFT JOIN service ON service.slot = drawn.r % $slots
    LEFT JOIN resource ON resource.r = drawn.r
    WHERE
        drawn.hour < $elapsed_days * 24
        -- Some usage is reported late.
        AND ($complete OR (drawn.draw >> 32) % 31 <> 0)
) AS metered
"""

_AMOUNTS = f"""
SELECT
    i,
    r,
    slot,
    line_type,
    $month_start + to_hours(hour) AS starts_at,
    $month_start + to_hours(hour + hours) AS ends_at,
    quantity::{_NUMBER} AS "lineItem/UsageAmount",
    if(line_type = 'DiscountedUsage', quantity * 4, NULL)::{_NUMBER}
        AS "lineItem/NormalizedUsageAmount",
    (unblended_usd * quantity)::{_NUMBER} AS "lineItem/UnblendedCost",
    (unblended_usd * quantity)::{_NUMBER} AS "lineItem/BlendedCost",
    (public_usd * quantity)::{_NUMBER} AS "pricing/publicOnDemandCost",
    if(line_type = 'DiscountedUsage', effective_usd * quantity, NULL)::{_NUMBER}
        AS "reservation/EffectiveCost",
    ("reservation/EffectiveCost" * {UPFRONT})::{_NUMBER}
        AS "reservation/AmortizedUpfrontCostForUsage",
    ("reservation/EffectiveCost" - "reservation/AmortizedUpfrontCostForUsage")::{_NUMBER}
        AS "reservation/RecurringFeeForUsage",
    if(line_type = 'SavingsPlanCoveredUsage', effective_usd * quantity, NULL)::{_NUMBER}
        AS "savingsPlan/SavingsPlanEffectiveCost"
FROM ({_USAGE}) AS usage
"""  # noqa: S608 - the package's own text

SPECIAL_TYPES = {
    "i": "BIGINT",
    "r": "INTEGER",
    "slot": "INTEGER",
    "line_type": "VARCHAR",
    "starts_at": "TIMESTAMPTZ",
    "ends_at": "TIMESTAMPTZ",
    "lineItem/UsageAmount": _NUMBER,
    "lineItem/NormalizedUsageAmount": _NUMBER,
    **dict.fromkeys(COST_COLUMNS, _NUMBER),
    **dict.fromkeys(COMMITMENT_COLUMNS, _NUMBER),
}
"""Columns of table `special`, which is added to the usage."""

_CHARGES = f"""
FROM (
    {_AMOUNTS}
    UNION ALL BY NAME
    FROM special
    WHERE i >= $from_row AND i < $to_row
) AS charge
"""

_SECONDS = "'%Y-%m-%dT%H:%M:%SZ'"
_MILLISECONDS = "'%Y-%m-%dT%H:%M:%S.000Z'"
_CHARGE_TEXTS = {
    # Every version of the report gives a line another id.
    "identity/LineItemId": "lower(md5(concat_ws('|', $run_id, charge.i)))",
    "identity/TimeInterval": f"concat(strftime(charge.starts_at, {_SECONDS}), '/', "
    f"strftime(charge.ends_at, {_SECONDS}))",
    "lineItem/UsageStartDate": f"strftime(charge.starts_at, {_SECONDS})",
    "lineItem/UsageEndDate": f"strftime(charge.ends_at, {_MILLISECONDS})",
}


def define_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """Creates the macros that `rows_query` uses."""
    for macro in _MACROS:
        connection.execute(macro)


def _text(name: str) -> str:
    if name in _CHARGE_TEXTS:
        return _CHARGE_TEXTS[name]
    quoted = quote_identifier(column_id(name))
    if name in CHARGE_COLUMNS:
        return f"number_text(charge.{quoted})"
    return f"resource.{quoted}" if name in RESOURCE_COLUMNS else f"service.{quoted}"


def rows_query(columns: Iterable[str]) -> str:
    """The query for the header and the rows from number `from_row` up to `to_row`, all as text.

    `columns` are names, `category/name`, in the order of the file. The header is a row of the
    query, because DuckDB's own header would rename `ECU` next to `ecu`.
    """
    names = list(columns)
    header = ", ".join(f"'{name}'" for name in names)
    return f"SELECT {header} UNION ALL {lines_query(names)}"


def lines_query(columns: Iterable[str]) -> str:
    """The query for the rows from number `from_row` up to `to_row`, all as text.

    Its columns have the names that `column_id` gives them.
    """
    values = ", ".join(f"{_text(name)} AS {quote_identifier(column_id(name))}" for name in columns)
    return f"""
SELECT {values}
{_CHARGES}
LEFT JOIN service ON service.slot = charge.slot
LEFT JOIN resource ON resource.r = charge.r
"""


TOTALS = f"""
SELECT {", ".join(f"sum({quote_identifier(name)})" for name in COST_COLUMNS)}
{_CHARGES}
"""
"""The sums of the cost columns."""

RESERVED = f"""
SELECT
    coalesce(sum("reservation/AmortizedUpfrontCostForUsage"), 0),
    coalesce(sum("reservation/RecurringFeeForUsage"), 0),
    coalesce(sum("lineItem/UsageAmount"), 0)
FROM ({_AMOUNTS}) AS usage
WHERE line_type = 'DiscountedUsage'
"""  # noqa: S608 - the package's own text
"""What use that the reservation covers costs of both of its fees, and its hours."""

MOST_COMMITTED = f"""
SELECT max(used)
FROM (
    SELECT sum("savingsPlan/SavingsPlanEffectiveCost") AS used
    FROM ({_AMOUNTS}) AS usage
    WHERE line_type = 'SavingsPlanCoveredUsage'
    GROUP BY starts_at
) AS block
"""  # noqa: S608 - the package's own text
"""The most that covered use costs in an hour, or a day, at the rates of the savings plan."""

ADD_PLAN_LINES = f"""
INSERT INTO special BY NAME
WITH covered AS (
    SELECT usage.*, kind.r AS kind
    FROM ({_AMOUNTS}) AS usage
    LEFT JOIN resource ON resource.r = usage.r
    LEFT JOIN resource AS kind
        ON kind.r < -1
        AND kind."lineItem/UsageType" = resource."lineItem/UsageType"
        AND kind."lineItem/AvailabilityZone" = resource."lineItem/AvailabilityZone"
    WHERE line_type = 'SavingsPlanCoveredUsage'
),
block AS (
    SELECT
        b,
        $month_start + to_hours(b * $plan_hours) AS starts_at,
        least($plan_hours, $elapsed_days * 24 - b * $plan_hours) AS hours
    FROM range(($elapsed_days * 24 + $plan_hours - 1) // $plan_hours) AS numbers (b)
)
SELECT
    $special_lines + b AS i,
    -1 AS r,
    $fee_slot AS slot,
    starts_at,
    starts_at + to_hours(hours) AS ends_at,
    1 AS "lineItem/UsageAmount",
    $commitment * hours AS "lineItem/UnblendedCost",
    $commitment * hours AS "lineItem/BlendedCost",
    $commitment * hours AS "savingsPlan/TotalCommitmentToDate",
    coalesce(used, 0) AS "savingsPlan/UsedCommitment",
    $commitment * $days * 24 AS "savingsPlan/RecurringCommitmentForBillingPeriod"
FROM block
LEFT JOIN (
    SELECT starts_at, sum("savingsPlan/SavingsPlanEffectiveCost") AS used
    FROM covered
    GROUP BY starts_at
) AS use USING (starts_at)
UNION ALL BY NAME
SELECT
    $special_lines + (SELECT count(*) FROM block) - 1
        + row_number() OVER (ORDER BY starts_at, kind DESC) AS i,
    kind AS r,
    $negation_slot AS slot,
    starts_at,
    ends_at,
    sum("lineItem/UsageAmount") AS "lineItem/UsageAmount",
    -sum("lineItem/UnblendedCost") AS "lineItem/UnblendedCost",
    -sum("lineItem/BlendedCost") AS "lineItem/BlendedCost",
    -- AWS states it as the use does, although it is counted there.
    sum("pricing/publicOnDemandCost") AS "pricing/publicOnDemandCost"
FROM covered
GROUP BY starts_at, ends_at, kind
"""  # noqa: S608 - the package's own text
"""Adds the plan's fee and the negations of what it covers, for each hour, or day, of a run."""
