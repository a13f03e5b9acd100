from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from cloudbill.report.page_json import amount_text, page_json
from unit.report.report_builders import NOW, Spent, report_of


def document_of(*spent: Spent) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(json.dumps(page_json((report_of(spent),), NOW)))
    return made


def billed(rows: list[list[Any]]) -> Decimal:
    return sum((Decimal(row[-4]) for row in rows), Decimal(0))


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("1.500000000000000000", "1.5"),
        ("100", "100"),
        ("1E+3", "1000"),
        ("0E-18", "0"),
        ("-0.00", "0"),
        ("-0.000000000000000001", "-0.000000000000000001"),
    ],
)
def test_an_amount_is_written_exactly_and_without_idle_zeros(amount: str, text: str) -> None:
    assert amount_text(Decimal(amount)) == text
    assert Decimal(text) == Decimal(amount)


def test_many_services_and_sub_accounts_are_folded_and_sums_stay_exact() -> None:
    spent = [
        Spent(service=f"svc {index}", account=f"acct {index % 300}", cost=f"{index}.{index:018d}")
        for index in range(1000)
    ]
    document = document_of(*spent)
    services = document["names"]["service"]
    assert len(services) == 51
    assert [name["others"] for name in services if "others" in name] == [950]
    total = sum((Decimal(one.cost) for one in spent), Decimal(0))
    assert billed(document["costs"]) == billed(document["daily"]) == total
    assert document["folded"]["names"] == 50
    kept = {name["text"] for name in services if "text" in name}
    assert kept == {f"svc {index}" for index in range(950, 1000)}


def test_a_bill_of_very_many_combinations_stays_small() -> None:
    spent = [
        Spent(day=f"20{20 + m // 12}-{m % 12 + 1:02d}-01", service=f"s{s}", account=f"a{a}")
        for m in range(36)
        for s in range(25)
        for a in range(25)
    ]
    document = document_of(*spent)
    assert len(document["costs"]) <= 15_000
    assert billed(document["costs"]) == len(spent)
    assert document["folded"]["names"] < 25


def test_folding_of_one_currency_leaves_the_names_of_another() -> None:
    spent = [Spent(service=f"svc {index}", cost=str(index + 1)) for index in range(60)]
    document = document_of(*spent, Spent(service="svc 0", cost="5", currency="USD"))
    names = document["names"]
    usd = [row for row in document["costs"] if names["currency"][row[5]]["text"] == "USD"]
    assert [names["service"][row[3]] for row in usd] == [{"text": "svc 0"}]


def test_a_renamed_sub_account_is_one_under_its_newest_name() -> None:
    document = document_of(
        Spent(day="2025-09-01", account="id", account_name="Old"),
        Spent(day="2025-10-01", account="id", account_name="New"),
    )
    assert document["names"]["sub_account"] == [{"text": "New", "id": "id"}]


def test_every_tag_key_has_the_whole_total() -> None:
    document = document_of(
        Spent(cost="1.1", tags='{"team":"web","env":"prod"}'),
        Spent(cost="2.2", tags='{"team":"data"}'),
        Spent(cost="4.4"),
        Spent(cost="8.8", tags="not JSON"),
    )
    names = document["names"]
    found: dict[str, dict[str, Decimal]] = {}
    for row in document["tags"]:
        key, value = names["tag_key"][row[0]]["text"], names["tag_value"][row[4]]
        text = value["text"] if value["id"] == "value" else f"<{value['id']}>"
        found.setdefault(key, {})[text] = Decimal(row[-4])
    assert found["team"] == {
        "web": Decimal("1.1"),
        "data": Decimal("2.2"),
        "<untagged>": Decimal("13.2"),
    }
    assert found["env"] == {"prod": Decimal("1.1"), "<untagged>": Decimal("15.4")}
    assert {sum(values.values()) for values in found.values()} == {Decimal("16.5")}
    assert found["(tags that cannot be read)"]["not JSON"] == Decimal("8.8")


def test_tags_without_braces_are_read_as_older_exports_have_them() -> None:
    document = document_of(Spent(tags='"team": "web","env": "prod"'))
    assert {name["text"] for name in document["names"]["tag_key"]} == {"team", "env"}


def test_at_most_twenty_tag_keys_are_kept_and_they_are_the_costliest() -> None:
    document = document_of(
        *(Spent(cost=str(index), tags=json.dumps({f"key {index}": "x"})) for index in range(40))
    )
    keys = {name["text"] for name in document["names"]["tag_key"]}
    assert keys == {f"key {index}" for index in range(20, 40)}


def test_tag_sets_that_were_not_read_are_shown_as_one_amount() -> None:
    report = report_of([Spent(cost="3", tags='{"team":"web"}'), Spent(cost="1")])
    kept = replace(report.tags, cells=report.tags.cells[:1])
    document: Any = page_json((replace(report, tags=kept),), NOW)
    values = {document["names"]["tag_value"][row[4]]["id"]: row[-4] for row in document["tags"]}
    assert values == {"value": "3", "rare": "1"}


def test_an_empty_report_has_an_empty_page() -> None:
    document = document_of()
    assert document["costs"] == []
    assert document["sources"][0]["missing"] == {}
