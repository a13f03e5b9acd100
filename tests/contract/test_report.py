"""What the report shows is what the files hold, summed here again with nothing but `Decimal`."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cloudbill.accepting import choose_run, load_chosen
from cloudbill.errors import LastTryError
from cloudbill.looking.status_reading import read_status
from cloudbill.periods import BillingPeriod
from cloudbill.pipeline import load_source
from cloudbill.planning import Selection
from cloudbill.report.collecting import collect
from cloudbill.report.page_json import page_json
from cloudbill.sql import Fragment
from contract.conftest import LOOKING_WAYS, ONE_WAY, in_ways
from contract.deliveries import (
    AwsWriter,
    Delivery,
    Writer,
    Written,
)
from contract.places import Case, Place
from contract.reported import NOW, WRITERS, Sums, Words, add, charge, expected, run

WAYS = LOOKING_WAYS


@pytest.fixture
def case(kind: str, place: Place, tmp_path: Path) -> Case:
    """A place, and a provider whose files have all that a report reads."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    writer: Writer = WRITERS[kind]()
    return Case(place=place, writer=writer, scratch=scratch)


def document_of(case: Case) -> dict[str, Any]:
    report, error = collect(case.settings)
    assert error is None
    made: dict[str, Any] = json.loads(json.dumps(page_json((report,), NOW)))
    return made


def shown(document: Mapping[str, Any], rows: str, *fields: str) -> Sums:
    """The sums of the page's data; fields are how a row begins, `-` for one that is left out."""
    found: Sums = {}
    for row in document[rows]:
        key: list[str] = []
        for field, value in zip(fields, row, strict=False):
            if field == "text":
                key.append(value)
            elif field != "-":
                entry = document["names"][field][value]
                key.append(
                    entry.get("id") or entry["text"] if field == "sub_account" else entry["text"]
                )
        texts = row[len(fields) :]
        amounts = [
            None if text is None else Decimal(texts[0] if text == "=" else text) for text in texts
        ]
        add(found, tuple(key), amounts)
    return found


def skip_where_the_store_tells_no_time_of_its_own(case: Case) -> None:
    if case.writer.section == "aws_billing" and case.place.name == "bigquery":
        pytest.skip("AWS runs have the time of their objects, and the emulated store knows but now")


def deliver(case: Case, *deliveries: Delivery) -> dict[str, Written]:
    written = {delivery.period: case.write(delivery) for delivery in deliveries}
    for one in written.values():
        case.place.put(one.folder)
    return written


TYPES = (
    "Usage",
    "DiscountedUsage",
    "RIFee",
    "Fee",
    "SavingsPlanCoveredUsage",
    "SavingsPlanNegation",
    "SavingsPlanUpfrontFee",
    "SavingsPlanRecurringFee",
    "Tax",
    "Refund",
    "Refund of a plan",
)
MANY = [
    charge(
        f"2025-10-{index % 28 + 1:02d}",
        f"{index * 7 - 40}.{index:018d}",
        Words(
            service=("svc 0", "AWSSupport", "svc 2", "svc 3")[index % 4] if index % 5 else "",
            account=f"acct-{index % 3}",
            team=("web", 'Zoë\'s "team"', "")[index % 3],
            type=TYPES[index % len(TYPES)],
        ),
        currency=("EUR", "USD")[index % 7 == 0],
    )
    for index in range(60)
]


def test_sums_are_those_of_the_files_by_month_day_service_sub_account_and_tag(case: Case) -> None:
    september = [replace(one, day=one.day.replace(month=9), cost=one.cost * 3) for one in MANY[:40]]
    august = [replace(one, day=one.day.replace(month=8)) for one in MANY[:9]]
    files = deliver(
        case, run("2025-08", *august), run("2025-09", *september), run("2025-10", *MANY)
    )
    assert len(case.load().results) == 3

    document = document_of(case)
    by_month, by_day, by_team = expected(files)
    names = ("-", "-", "service", "sub_account", "currency")
    assert shown(document, "costs", "text", *names) == by_month
    newest = {key: sums for key, sums in by_day.items() if key[0] > "2025-08"}
    assert shown(document, "daily", "text", "text", "text", *names) == newest
    assert {key[2] for key in newest} == {"once", "recurring", ""}
    key = next(
        index
        for index, entry in enumerate(document["names"]["tag_key"])
        if entry["text"] in {"team", "user:team"}
    )
    document["tags"] = [row for row in document["tags"] if row[0] == key]
    fields = ("-", "text", "-", "-", "tag_value", "currency")
    assert without_nothing(shown(document, "tags", *fields)) == without_nothing(by_team)


def without_nothing(sums: Sums) -> Sums:
    """Amounts that are unknown count as zero: what is untagged is a difference."""
    return {key: [amount or Decimal(0) for amount in amounts] for key, amounts in sums.items()}


def test_a_warehouse_that_holds_nothing_has_no_costs_and_nothing_to_trust(case: Case) -> None:
    document = document_of(case)
    assert document["costs"] == document["daily"] == document["tags"] == []
    assert document["trust"]["months"] == []
    assert document["trust"]["freshness"][0]["newest_month"] is None


def test_what_was_recorded_is_equal_to_the_table_until_a_row_is_lost(case: Case) -> None:
    deliver(case, run("2025-10", *MANY))
    case.load()
    (month,) = document_of(case)["trust"]["months"]
    assert (month["agreement"], month["rows"], month["held_rows"]) == ("equal", 60, 60)
    assert month["complete"] is True
    assert month["amounts"]
    assert {Decimal(amount[4]) for amount in month["amounts"]} == {Decimal(0)}

    lost = MANY[11]
    case.place.query(
        "DELETE FROM {table} WHERE {cost} = {lost}",
        table=case.table,
        cost=case.writer.cost_column,
        lost=Fragment(f"{lost.cost:f}"),
    )
    rows = case.held()
    (month,) = document_of(case)["trust"]["months"]
    assert month["agreement"] == "different"
    assert month["held_rows"] == len(rows) < 60
    differences = {
        amount[0]: Decimal(amount[4])
        for amount in month["amounts"]
        if amount[1] == case.writer.cost_column
    }
    left: dict[str, Decimal] = defaultdict(Decimal)
    for one in MANY:
        left[one.currency] -= one.cost
    for one in rows:
        left[one.currency] += one.cost
    assert differences == dict(left)
    assert any(left.values())


def test_a_closed_month_that_was_loaded_again_says_how_it_moved(case: Case) -> None:
    skip_where_the_store_tells_no_time_of_its_own(case)
    for total, submitted_at in (
        ("1100", "2025-10-20 04:00"),
        ("1204.11", "2025-11-02 04:00"),
        ("1209.80", "2025-11-09 04:00"),
    ):
        delivery = run("2025-10", charge("2025-10-03", total), submitted_at=submitted_at)
        case.deliver(replace(delivery, run_id=f"run of {submitted_at[:10]}"))
        case.load()
    (closing,) = document_of(case)["trust"]["closings"]
    assert (closing["month"], closing["loads"], closing["currency"]) == ("2025-10", 3, "EUR")
    amounts = {name: Decimal(closing[name]) for name in ("first", "closed", "now", "moved")}
    assert amounts == {
        "first": Decimal(1100),
        "closed": Decimal("1204.11"),
        "now": Decimal("1209.80"),
        "moved": Decimal("5.69"),
    }


def test_a_newer_run_and_a_missing_month_are_told(case: Case) -> None:
    skip_where_the_store_tells_no_time_of_its_own(case)
    one = [charge("2025-08-01", "1")]
    deliver(case, run("2025-08", *one, submitted_at="2025-09-05 04:00"))
    deliver(case, run("2025-10", *MANY, submitted_at="2025-10-30 04:00"))
    case.load()
    newer = run("2025-08", charge("2025-08-01", "2"), submitted_at="2025-09-06 04:00")
    case.deliver(replace(newer, run_id="newer"))
    trust = document_of(case)["trust"]
    assert [(gap["source"], gap["month"]) for gap in trust["missing"]] == [(0, "2025-09")]
    assert [(run["month"], run["run_id"], run["state"]) for run in trust["pending"]] == [
        ("2025-08", "newer", "new")
    ]
    assert {month["month"]: month["complete"] for month in trust["months"]} == {
        "2025-08": True,
        "2025-10": False,
    }


def test_a_held_run_is_told_with_the_reason(case: Case) -> None:
    if not case.writer.states_rows:
        pytest.skip("a run whose manifest counts no rows is held when it is loaded")
    deliver(case, run("2025-10", *MANY, submitted_at="2025-11-02 04:00"))
    case.load()
    small = run("2025-10", *MANY[:3], submitted_at="2025-11-03 04:00")
    case.deliver(replace(small, run_id="small"))
    (pending,) = document_of(case)["trust"]["pending"]
    assert (pending["run_id"], pending["state"]) == ("small", "held")
    assert "3 rows" in pending["detail"]


def test_days_that_no_run_covers_are_told(case: Case) -> None:
    if not case.writer.states_rows:
        pytest.skip("its manifests do not say which days a run covers")
    late = run("2025-10", *MANY, submitted_at="2025-10-30 04:00")
    deliver(case, replace(late, covers=(date(2025, 10, 11), date(2025, 10, 30))))
    case.load()
    assert document_of(case)["trust"]["uncovered"] == [
        {"source": 0, "month": "2025-10", "days": "2025-10-01 to 2025-10-10"}
    ]


@in_ways(ONE_WAY)
def test_what_failed_and_what_a_person_pinned_is_told_as_status_tells_it(case: Case) -> None:
    october = [run("2025-10", *MANY[:n], submitted_at=f"2025-11-0{n} 04:00") for n in (4, 5)]
    case.deliver(*(replace(one, run_id=f"run {n}") for n, one in enumerate(october)))
    period = BillingPeriod.parse("2025-10")
    chosen = choose_run(case.settings, period, "run 0")
    selection = Selection(periods=frozenset({period}), pins={period: chosen})
    load_chosen(case.settings, selection, case.events.append)
    written = case.write(run("2025-11", *MANY, submitted_at="2025-12-02 04:00"))
    part, *_ = written.parts
    before = part.stat().st_mtime
    part.write_bytes(b"\xff" * part.stat().st_size)
    os.utime(part, (before, before))
    case.place.put(written.folder)
    assert len(case.load().failures) == 1

    trust = document_of(case)["trust"]
    (pin,) = trust["pins"]
    assert (pin["month"], pin["run_id"], pin["newest"]) == ("2025-10", "run 0", "run 1")
    assert (pin["is_loaded"], pin["is_stored"]) == (True, True)
    (failure,) = trust["failures"]
    assert (failure["month"], failure["run_id"]) == ("2025-11", "run-2025-11")
    assert part.name in failure["message"]
    assert [(one["month"], one["state"]) for one in trust["pending"]] == [("2025-11", "failed")]
    status = read_status(case.settings, now=NOW)
    assert [type(reason.error) for reason in status.reasons] == [LastTryError]
    assert trust["open"] == []


def test_a_store_that_cannot_be_read_is_told_and_the_costs_are_shown(case: Case) -> None:
    deliver(case, run("2025-10", *MANY))
    case.load()
    before = document_of(case)
    elsewhere = replace(case.settings, bucket="/nowhere/at/all")
    report, error = collect(elsewhere)
    assert error is None
    document: Any = page_json((report,), NOW)
    assert document["costs"] == before["costs"]
    (fresh,) = document["trust"]["freshness"]
    assert "/nowhere/at/all" in fresh["store_error"]
    assert fresh["newest_delivery_at"] == fresh["submitted_at"] is not None
    assert document["trust"]["failures"] == []
    assert load_source(elsewhere, Selection(), case.events.append).exit_code == 4
    failing: Any = page_json((collect(elsewhere)[0],), NOW)
    (failure,) = failing["trust"]["failures"]
    assert (failure["month"], failure["message"]) == (None, fresh["store_error"])


def test_a_kind_of_cost_that_is_not_in_the_export_is_told_and_not_zero(
    place: Place, tmp_path: Path
) -> None:
    plain = Case(place=place, writer=AwsWriter(), scratch=tmp_path)
    plain.deliver(run("2025-10", charge("2025-10-01", "1.5")))
    plain.load()
    document = document_of(plain)
    assert document["costs"][0][-4:] == ["1.5", None, None, None]
    missing = document["sources"][0]["missing"]
    needed = ["pricing_public_on_demand_cost", "line_item_line_item_type"]
    assert missing["list"] == missing["contracted"] == needed
    assert "reservation_effective_cost" in missing["effective"]
