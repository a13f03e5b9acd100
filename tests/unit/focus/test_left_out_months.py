"""A month that another source has is in no part of the query of a source."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import duckdb

from cloudbill.focus.branches import FocusSource, branches_of
from cloudbill.focus.columns import FocusColumn
from cloudbill.focus.rendering import BilledTable
from cloudbill.manifests import ColumnType
from cloudbill.warehouses.view_dialects import DUCKDB_FOCUS, Kind

KINDS = {
    "bill_billing_period_start_date": ColumnType.TIMESTAMP,
    "line_item_line_item_type": ColumnType.STRING,
    "line_item_unblended_cost": ColumnType.DECIMAL,
    "reservation_unused_recurring_fee": ColumnType.DECIMAL,
    "savings_plan_total_commitment_to_date": ColumnType.DECIMAL,
    "savings_plan_used_commitment": ColumnType.DECIMAL,
}


def test_the_unused_part_of_a_fee_is_left_out_with_its_month() -> None:
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE bill AS SELECT month AS bill_billing_period_start_date, "
            "kind AS line_item_line_item_type, 1::DECIMAL(38,18) AS line_item_unblended_cost, "
            "2::DECIMAL(38,18) AS reservation_unused_recurring_fee, "
            "3::DECIMAL(38,18) AS savings_plan_total_commitment_to_date, "
            "1::DECIMAL(38,18) AS savings_plan_used_commitment "
            "FROM (VALUES (TIMESTAMP '2025-09-01'), (TIMESTAMP '2025-10-01')) AS months(month), "
            "(VALUES ('RIFee'), ('SavingsPlanRecurringFee'), ('Usage')) AS kinds(kind)"
        )
        source = FocusSource(
            name="aws_billing",
            provider="aws",
            path=("bill",),
            period_column="bill_billing_period_start_date",
            table=BilledTable(dialect=DUCKDB_FOCUS, kinds=KINDS, headers={}),
            left_out=((date(2025, 10, 1), date(2025, 11, 1)),),
        )
        columns = (
            FocusColumn(name="BillingPeriodStart", kind=Kind.TIME),
            FocusColumn(name="BilledCost", kind=Kind.MONEY),
        )
        branches = branches_of(source, columns)
        rows = [row for one in branches for row in connection.execute(one.text).fetchall()]

    september = datetime(2025, 9, 1)  # noqa: DTZ001 - a time of DuckDB has no zone
    # Three charges, and the unused parts of two fees.
    assert sorted(rows) == [(september, Decimal(0))] * 2 + [(september, Decimal(1))] * 3
