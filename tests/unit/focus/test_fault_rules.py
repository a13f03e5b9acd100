"""Each rule of `focus_faults` finds the fault that it names, and nothing where nothing is wrong."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from cloudbill.focus.columns import Version, columns_of
from cloudbill.focus.faults import fault_rules, faults_query
from cloudbill.warehouses.view_dialects import BIGQUERY_FOCUS, DUCKDB_FOCUS, Kind

COLUMNS = {column.name: column.kind for column in columns_of(Version.V1_2)}
DUCKDB_TYPES = DUCKDB_FOCUS.types
FIRST, SECOND, END = (datetime(2025, month, 1) for month in (9, 10, 11))  # noqa: DTZ001
PLAN = "savingsplan/1"
GOOD: Mapping[str, Any] = {
    "BilledCost": Decimal(2),
    "EffectiveCost": Decimal(2),
    "ContractedCost": Decimal(2),
    "ListCost": Decimal(4),
    "ContractedUnitPrice": Decimal("0.5"),
    "ListUnitPrice": Decimal(1),
    "PricingQuantity": Decimal(4),
    "ConsumedQuantity": Decimal(4),
    "BillingAccountId": "1",
    "BillingCurrency": "USD",
    "BillingPeriodStart": SECOND,
    "BillingPeriodEnd": END,
    "ChargePeriodStart": SECOND,
    "ChargePeriodEnd": END,
    "ChargeCategory": "Usage",
    "ChargeFrequency": "Usage-Based",
    "InvoiceIssuerName": "AWS",
    "PricingCategory": "Standard",
    "ProviderName": "AWS",
    "PublisherName": "AWS",
    "ServiceCategory": "Compute",
    "ServiceName": "Amazon EC2",
    "SkuId": "J8",
}
"""A charge that nothing is wrong with."""
COMMITTED = {
    "CommitmentDiscountId": PLAN,
    "CommitmentDiscountStatus": "Used",
    "PricingCategory": "Committed",
}
PURCHASE = {
    "ChargeCategory": "Purchase",
    "ChargeFrequency": "Recurring",
    "ConsumedQuantity": None,
    "CommitmentDiscountId": PLAN,
    "EffectiveCost": Decimal(0),
}
UNUSED = COMMITTED | {"CommitmentDiscountStatus": "Unused", "ConsumedQuantity": None}
CREDIT = {
    "ChargeCategory": "Credit",
    "ConsumedQuantity": None,
    "ListUnitPrice": None,
    "ContractedUnitPrice": None,
    "ListCost": Decimal(2),
}
FAULTY: Mapping[str, Mapping[str, Any]] = {
    "missing_billed_cost": {"BilledCost": None},
    "missing_effective_cost": {"EffectiveCost": None},
    "missing_list_cost": {"ListCost": None},
    "missing_contracted_cost": {"ContractedCost": None},
    "missing_list_unit_price": {"ListUnitPrice": None},
    "missing_contracted_unit_price": {"ContractedUnitPrice": Decimal(0)},
    "missing_pricing_quantity": {"PricingQuantity": None},
    "missing_consumed_quantity": {"ConsumedQuantity": Decimal(0)},
    "list_below_contracted": {"ListCost": Decimal("1.99"), "ListUnitPrice": Decimal("0.4975")},
    "contracted_below_effective": {"EffectiveCost": Decimal("2.01")},
    "list_cost_is_not_price_times_quantity": {"ListUnitPrice": Decimal(2)},
    "contracted_cost_is_not_price_times_quantity": {"ContractedUnitPrice": Decimal("0.6")},
    "credit_costs_differ": CREDIT | {"ListCost": Decimal(3)},
    "effective_cost_on_purchase": PURCHASE | {"EffectiveCost": Decimal(1)},
    "usage_based_purchase": PURCHASE
    | {"CommitmentDiscountId": None, "ChargeFrequency": "Usage-Based"},
    "commitment_not_committed": COMMITTED | {"PricingCategory": "Standard"},
    "commitment_without_status": COMMITTED | {"CommitmentDiscountStatus": None},
    "status_without_commitment": COMMITTED | {"CommitmentDiscountId": None},
    "unknown_commitment_status": COMMITTED | {"CommitmentDiscountStatus": "used"},
    "consumed_on_unused": UNUSED | {"ConsumedQuantity": Decimal(4)},
    "consumed_without_usage": CREDIT | {"ConsumedQuantity": Decimal(4)},
    "missing_service_name": {"ServiceName": None},
    "missing_service_category": {"ServiceCategory": None},
    "missing_provider": {"ProviderName": None},
    "missing_publisher": {"PublisherName": None},
    "missing_invoice_issuer": {"InvoiceIssuerName": None},
    "missing_billing_account": {"BillingAccountId": None},
    "missing_currency": {"BillingCurrency": None},
    "missing_sku": {"SkuId": None},
    "missing_charge_category": {"ChargeCategory": None},
    "unknown_charge_category": {"ChargeCategory": "usage", "ConsumedQuantity": None},
    "unknown_charge_class": {"ChargeClass": "Refund"},
    "unknown_charge_frequency": {"ChargeFrequency": "Monthly"},
    "unknown_pricing_category": {"PricingCategory": "On-Demand"},
    "unknown_service_category": {"ServiceCategory": "Computing"},
    "missing_period": {"ChargePeriodEnd": None},
    "end_before_start": {"ChargePeriodEnd": FIRST},
    "usage_after_billing_period": {"ChargePeriodStart": END},
}
"""What is wrong with a charge, by the one rule that finds it."""
TOGETHER = {"used_plus_unused_below_purchase"}
"""Rules about several charges."""


def found_in(*charges: Mapping[str, Any]) -> Counter[tuple[str, str]]:
    """How many charges each rule finds, by source and rule."""
    with duckdb.connect(config={"threads": 1}) as connection:
        columns = ", ".join(f'"{name}" {DUCKDB_TYPES[kind]}' for name, kind in COLUMNS.items())
        connection.execute(
            f"CREATE TABLE focus ({columns}, x_Source VARCHAR, x_BillingMonth VARCHAR)"
        )
        names = [*COLUMNS, "x_Source", "x_BillingMonth"]
        places = ", ".join("?" for _ in names)
        connection.executemany(
            f"INSERT INTO focus VALUES ({places})",  # noqa: S608
            [[charge.get(name) for name in names] for charge in charges],
        )
        query = faults_query(DUCKDB_FOCUS, ("focus",))
        found = connection.execute(query.text).fetchall()
    assert {month for _, month, *_ in found} <= {"2025-10"}
    counts = Counter({(source, rule): rows for source, _, _, rule, rows, _ in found})
    assert len(counts) == len(found)
    return counts


def charge(source: str, *changes: Mapping[str, Any]) -> dict[str, Any]:
    """The good charge with changes."""
    made = {**GOOD, "x_Source": source, "x_BillingMonth": "2025-10"}
    for one in changes:
        made |= one
    return made


def test_every_rule_finds_its_fault_and_no_other_does() -> None:
    rules = [rule.name for rule in fault_rules()]
    assert [*FAULTY, *TOGETHER] == sorted(rules, key=[*FAULTY, *TOGETHER].index)
    good = [
        charge("good", one)
        for one in ({}, COMMITTED, PURCHASE, UNUSED, CREDIT, {"ChargeClass": None})
    ]
    found = found_in(*good, *(charge(name, changes) for name, changes in FAULTY.items()))
    assert found == {(name, name): 1 for name in FAULTY}


def test_a_cost_of_nothing_is_missing_where_the_charge_costs_something() -> None:
    no_price = {"ListUnitPrice": Decimal(0), "ContractedUnitPrice": Decimal(0)}
    no_costs = {"ListCost": Decimal(0), "ContractedCost": Decimal(0)}
    free = {"BilledCost": Decimal(0), "EffectiveCost": Decimal(0)}
    found = found_in(charge("bill", no_price, no_costs), charge("free", no_price, no_costs, free))
    assert found == {
        ("bill", f"missing_{name}"): 1
        for name in ("list_cost", "contracted_cost", "list_unit_price", "contracted_unit_price")
    }


def test_what_is_unknown_of_a_charge_is_counted_once_and_its_cost_is_summed() -> None:
    nothing = dict.fromkeys(COLUMNS)
    found = found_in(charge("bill", nothing, {"BilledCost": Decimal(5)}))
    assert {rule for _, rule in found} == {
        *("missing_effective_cost", "missing_list_cost", "missing_contracted_cost"),
        *("missing_service_name", "missing_service_category", "missing_provider"),
        *("missing_publisher", "missing_invoice_issuer", "missing_billing_account"),
        *("missing_currency", "missing_charge_category", "missing_period"),
    }
    assert {*found.values()} == {1}


@pytest.mark.parametrize(
    ("purchase", "is_faulty"),
    [({}, True), ({"ChargeFrequency": "One-Time"}, False), ({"BilledCost": Decimal(4)}, False)],
    ids=["by the month", "up front", "all of it is in use or unused"],
)
def test_a_commitment_that_is_not_all_in_the_usage_is_found(
    purchase: Mapping[str, Any], *, is_faulty: bool
) -> None:
    found = found_in(
        charge("bill", PURCHASE, {"BilledCost": Decimal(5)}, purchase),
        charge("bill", COMMITTED),
        charge("bill", UNUSED),
        charge("other", COMMITTED),
    )
    assert +found == ({("bill", *TOGETHER): 3} if is_faulty else {})


def test_corrections_may_be_below_what_they_correct() -> None:
    back = {"ChargeClass": "Correction", "SkuId": None, "PricingQuantity": None}
    assert (
        found_in(charge("bill", back, {"ListUnitPrice": None, "EffectiveCost": Decimal(9)})) == {}
    )


def test_large_costs_of_either_sign_are_compared() -> None:
    most = Decimal(99999999999999999999)
    found = found_in(
        charge("bill", {"ListCost": most, "ContractedCost": -most, "EffectiveCost": -most}),
        charge("bill", {"ListCost": -most, "ContractedCost": most, "EffectiveCost": most}),
    )
    assert {rule for _, rule in found} == {
        "list_cost_is_not_price_times_quantity",
        "contracted_cost_is_not_price_times_quantity",
    }


@pytest.mark.parametrize("rule", fault_rules(), ids=lambda rule: rule.name)
def test_a_rule_is_whole(rule: Any) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", rule.name)
    assert rule.title[0].isupper()
    assert not rule.title.endswith(".")
    assert rule.source.startswith("FOCUS 1.")
    assert rule.remedy.endswith(".")
    assert (rule.having is None) == (not rule.group)
    bare = re.sub(r"'[^']*'", "''", f"{rule.where} {rule.having or ''}")
    words = set(re.findall(r"\b[A-Z]\w+\b", bare)) - set(re.findall(r"\b[A-Z]+\b", bare))
    assert words <= COLUMNS.keys()
    assert {*rule.group} <= COLUMNS.keys()
    # An object is compared with nothing but NULL.
    for name, kind in COLUMNS.items():
        if kind is Kind.JSON:
            assert not re.search(rf"\b{name}\b(?! IS (NOT )?NULL)", bare)


def test_names_of_rules_differ_and_stand_in_both_queries() -> None:
    names = [rule.name for rule in fault_rules()]
    assert len({*names}) == len(names)
    for dialect in (DUCKDB_FOCUS, BIGQUERY_FOCUS):
        query = faults_query(dialect, ("focus",)).text
        assert [name for name in names if dialect.literal(name).text not in query] == []
