"""Lines of AWS become the charges that the FOCUS specification shows in its examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import duckdb

from cloudbill.costs import sums
from cloudbill.costs.amounts import add_amounts
from cloudbill.costs.cube import CubeRequest, Dimension
from cloudbill.costs.cube_query import CubeQuery
from cloudbill.focus.columns import Version, columns_of
from cloudbill.focus.left_over import left_over_query
from cloudbill.focus.mapping import lookup_of
from cloudbill.focus.views import views_of
from cloudbill.periods import BillingPeriod
from cloudbill.providers import aws_cur
from cloudbill.report.model import measures_of
from cloudbill.warehouses.view_dialects import DUCKDB_FOCUS
from focus_tables import NOVEMBER, OCTOBER, SHAPES, Row, fill, rows_of, source_of

SHAPE = "aws report"
PLAN = "arn:aws:savingsplans::123456789012:savingsplan/0b2c"
HOUR, COMMITTED, ON_DEMAND = timedelta(hours=1), Decimal("52.40"), Decimal("78.60")
UPFRONT = Decimal("459024.00")
Charges = list[dict[str, Any]]


def charges_of(rows: list[Row], shape: str = SHAPE) -> Charges:
    """The charges of the view over a table that has these rows, and over what it leaves over."""
    with duckdb.connect(config={"threads": 1}) as connection:
        fill(connection, "bill", SHAPES[shape], rows)
        source = source_of(shape, DUCKDB_FOCUS, ("bill",), left_over=("rests",))
        rests = left_over_query(
            ("bill",),
            source.table,
            source.mapping,
            period_column=source.period_column,
            marks={BillingPeriod.parse("2025-10"): "mark"},
            kept=None,
        )
        connection.execute(f"CREATE TABLE rests AS {rests}")
        view = views_of([source], DUCKDB_FOCUS, ())[0]
        found = connection.execute(view.query.text).fetchall()
    names = [column.name for column in view.columns]
    return [dict(zip(names, row, strict=True)) for row in found]


def costs_of(rows: list[Row], shape: str) -> dict[str, tuple[Decimal, ...]]:
    """The four costs of a table that has these rows by the rules of the report, by PURCHASE.

    Where the table has an amount after discounts, that counts, as in the view.
    """
    rules = {
        name: replace(
            rule,
            first={one: aws_cur.ROLES.net[one] for one in rule.amounts if one in aws_cur.ROLES.net},
        )
        for name, rule in measures_of(aws_cur.ROLES).items()
    }
    request = CubeRequest(dimensions=(Dimension.PURCHASE,), measures=rules)
    with duckdb.connect(config={"threads": 1}) as connection:
        fill(connection, "bill", SHAPES[shape], rows)
        charges = sums.Charges(
            dialect=DUCKDB_FOCUS.sql,
            relation=DUCKDB_FOCUS.sql.compose("{table}", table=("bill",)),
            kinds=SHAPES[shape],
        )
        cube = CubeQuery.of(charges, aws_cur, request)
        statement = cube.query.statement(DUCKDB_FOCUS.sql).text
        answer = connection.execute(statement, dict(cube.query.parameters)).fetchall()
        cells = cube.read(cube.query.read(answer)).cells
    return {cell.key[0]: tuple(amount or Decimal(0) for amount in cell.amounts) for cell in cells}


def line(kind: str, cost: Decimal, hour: int, **more: Any) -> Row:
    """A line of the savings plan, for one hour."""
    start = OCTOBER + hour * HOUR
    known = {
        "bill_billing_period_start_date": OCTOBER,
        "bill_billing_period_end_date": NOVEMBER,
        "bill_payer_account_id": "123456789012",
        "line_item_currency_code": "USD",
        "line_item_line_item_type": kind,
        "line_item_unblended_cost": cost,
        "line_item_usage_start_date": start,
        "line_item_usage_end_date": start + HOUR,
        "line_item_usage_type": "BoxUsage:m5.24xlarge",
        "savings_plan_savings_plan_a_r_n": PLAN,
        **more,
    }
    assert known.keys() <= SHAPES[SHAPE].keys()
    return {name: known.get(name) for name in SHAPES[SHAPE]}


def hours(used: int, unused: int) -> Iterable[Row]:
    """A day of a plan that is paid up front: some hours in full use, the others not at all."""
    for hour in range(used + unused):
        is_used = hour < used
        yield line(
            "SavingsPlanRecurringFee",
            Decimal(0),
            hour,
            savings_plan_total_commitment_to_date=COMMITTED,
            savings_plan_used_commitment=COMMITTED if is_used else Decimal(0),
        )
        if is_used:
            covered = {"line_item_usage_amount": Decimal(10), "line_item_operation": "RunInstances"}
            yield line(
                "SavingsPlanCoveredUsage",
                ON_DEMAND,
                hour,
                pricing_public_on_demand_cost=ON_DEMAND,
                savings_plan_savings_plan_effective_cost=COMMITTED,
                **covered,
            )
            yield line("SavingsPlanNegation", -ON_DEMAND, hour, line_item_operation="RunInstances")


def test_a_savings_plan_that_is_used_for_three_quarters_is_the_example_of_focus() -> None:
    """FOCUS specification, appendix: commitment discounts of which 75 % are used, paid up front."""
    upfront = line("SavingsPlanUpfrontFee", UPFRONT, 0)
    found = charges_of([upfront, *hours(used=18, unused=6)])
    amounts = ("BilledCost", "EffectiveCost", "ListCost", "ConsumedQuantity")
    kinds = Counter(
        (
            charge["ChargeCategory"],
            charge["ChargeFrequency"],
            charge["CommitmentDiscountStatus"],
            *(charge[name] for name in amounts),
        )
        for charge in found
    )
    assert kinds == {
        ("Purchase", "One-Time", None, UPFRONT, 0, UPFRONT, None): 1,
        ("Usage", "Usage-Based", "Used", 0, COMMITTED, ON_DEMAND, 10): 18,
        ("Usage", "Usage-Based", "Unused", 0, COMMITTED, 0, None): 6,
        # AWS states an hourly fee of 0 also for a plan that is paid up front.
        ("Purchase", "Recurring", None, 0, 0, 0, None): 24,
    }
    assert {charge["CommitmentDiscountId"] for charge in found} == {PLAN}
    assert {
        charge["PricingCategory"] for charge in found if charge["ChargeCategory"] == "Usage"
    } == {"Committed"}
    assert sum(charge["EffectiveCost"] for charge in found) == 24 * COMMITTED


def test_whatever_a_line_is_its_charge_has_the_words_of_focus() -> None:
    services = lookup_of("services").values
    allowed: Mapping[str, set[str | None]] = {
        "ChargeCategory": {"Usage", "Purchase", "Tax", "Credit", "Adjustment"},
        "ChargeClass": {"Correction", None},
        "ChargeFrequency": {"One-Time", "Recurring", "Usage-Based"},
        "CommitmentDiscountCategory": {"Spend", "Usage", None},
        "CommitmentDiscountStatus": {"Used", "Unused", None},
        "PricingCategory": {"Standard", "Committed", "Dynamic", None},
        "ServiceCategory": {*services["ServiceCategory"], "AI and Machine Learning", "Other"},
        "ServiceSubcategory": {*services["ServiceSubcategory"], "Generative AI", "Other (Other)"},
    }
    found = charges_of(rows_of(SHAPES["aws both"], 160), "aws both")
    for name, words in allowed.items():
        assert {charge[name] for charge in found} <= words, name
    for charge in found:
        category, frequency = charge["ChargeCategory"], charge["ChargeFrequency"]
        assert category != "Purchase" or frequency != "Usage-Based"
        assert category == "Usage" or charge["ConsumedQuantity"] is None
        status = charge["CommitmentDiscountStatus"]
        assert status is None or charge["CommitmentDiscountId"] is not None
        assert status != "Unused" or charge["ConsumedQuantity"] is None
        assert (charge["ConsumedUnit"] is None) or charge["ConsumedQuantity"] is not None
    texts = [
        charge[column.name]
        for charge in found
        for column in columns_of(Version.V1_2)
        if column.kind in {"text", "json"}
    ]
    assert "" not in texts
    assert "{}" not in texts


def test_the_report_sums_every_type_of_line_as_the_view_does() -> None:
    shape = "aws both"
    rows = [
        row
        for row in rows_of(SHAPES[shape], 200)
        if row["line_item_line_item_type"] and row["bill_billing_period_start_date"] == OCTOBER
    ]
    of_table = costs_of(rows, shape)
    # What this has as its effective cost is usage.
    billed, unused, *others = of_table.pop("half_unused")
    recurring, usage = of_table["recurring"], of_table[""]
    of_table["recurring"] = tuple(map(add_amounts, recurring, (billed, Decimal(0), *others)))
    of_table[""] = tuple(map(add_amounts, usage, (Decimal(0), unused, Decimal(0), Decimal(0))))

    of_view: dict[str, tuple[Decimal, ...]] = {word: (Decimal(0),) * 4 for word in of_table}
    for charge in charges_of(rows, shape):
        is_once = charge["ChargeFrequency"] == "One-Time"
        word = (
            ("once" if is_once else "recurring") if charge["ChargeCategory"] == "Purchase" else ""
        )
        amounts = [
            charge[f"{kind}Cost"] or Decimal(0)
            for kind in ("Billed", "Effective", "List", "Contracted")
        ]
        of_view[word] = tuple(map(add_amounts, of_view[word], amounts))
    assert of_table == of_view
    assert unused != 0
