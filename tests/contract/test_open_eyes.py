"""Before a held run is accepted, the month is shown as it is and as it would be."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from cloudbill.accepting import find_held
from cloudbill.errors import Guard
from cloudbill.looking.replacement import Replacement, compare_run, replacement_lines
from cloudbill.periods import BillingPeriod
from contract.conftest import LOOKING_WAYS, ONE_WAY, in_ways
from contract.deliveries import at
from contract.test_which_run import A, B, october

if TYPE_CHECKING:
    from contract.deliveries import Delivery
    from contract.places import Case

WAYS = LOOKING_WAYS
OCTOBER = BillingPeriod(year=2025, month=10)
OLD = october(20, *["10"] * 28, run_id="old", scope=A)
KINDS: dict[Guard, Delivery] = {
    Guard.DAYS: october(22, *["10"] * 28, run_id="new", scope=A, days=(3, 22)),
    Guard.COSTS: october(22, *["0.5"] * 28, run_id="new", scope=A),
    Guard.SCOPE: october(22, *["10"] * 28, run_id="new", scope=B),
    Guard.SLICE: october(22, *["10"] * 28, run_id="new", scope=A, days=(21, 22)),
    Guard.TIME: october(
        22, *["10"] * 28, run_id="new", scope=A, submitted_at=at("2099-10-22 04:00")
    ),
}


def compared(case: Case) -> Replacement:
    """What the only held run would replace."""
    (one,) = find_held(case.settings, OCTOBER, None)
    return compare_run(
        one.settings, one.store, one.manifest, one.replaces, guard=one.guard, why=one.detail
    )


def test_a_run_of_few_rows_is_shown_with_what_the_month_would_lose(case: Case) -> None:
    case.deliver(OLD)
    case.load()
    case.deliver(october(22, *["10"] * 7, run_id="new", scope=A))
    assert case.load().exit_code == 6

    first, why, *lines = replacement_lines(compared(case))

    unit = case.held()[0].currency
    assert first == f"{case.settings.source}, 2025-10: run new would replace run old"
    assert why.startswith("  held: it has 7 rows, the loaded run old has 28")
    assert [lines[0], lines[2]] == [
        "  rows: 28 now, 7 then (-21, -75.0%)",
        f"  billed cost: 280.00 {unit} now, 70.00 {unit} then (-210.00, -75.0%)",
    ]
    days = "2025-10-01 to 2025-10-20 (20) now, 2025-10-01 to 2025-10-22 (22) then"
    assert lines[1] == f"  days: {days if case.writer.states_rows else 'unknown now, unknown then'}"
    assert lines[3:] == []


@in_ways(ONE_WAY)
@pytest.mark.parametrize("guard", KINDS)
def test_every_kind_of_hold_is_compared(case: Case, guard: Guard) -> None:
    case.deliver(OLD)
    case.load()
    case.deliver(KINDS[guard])
    case.load()

    found = compared(case)

    assert found.guard is guard
    assert found.before is not None
    assert found.why.startswith("held: ")
    assert (found.before.run_id, found.after.run_id, found.rows) == ("old", "new", 0)
    (costs,) = (found.costs or {}).values()
    assert [f"{cost:.0f}" for cost in costs] == ["280", "14" if guard is Guard.COSTS else "280"]


@in_ways((("aws", "duckdb"),))
def test_a_run_whose_parts_were_changed_is_compared_with_itself(case: Case) -> None:
    case.deliver(replace(OLD, scope=None))
    case.load()
    case.deliver(replace(OLD, scope=None, charges=OLD.charges[:5]))
    case.load()

    found = compared(case)

    lines = list(replacement_lines(found))
    assert found.guard is Guard.CHANGED_PARTS
    assert "run old would be loaded again, from the files that the store has now" in lines[0]
    assert "  rows: 28 now, 5 then (-23, -82.1%)" in lines


@in_ways(ONE_WAY)
def test_a_part_that_cannot_be_read_and_a_month_without_a_run_are_said(case: Case) -> None:
    damaged = october(7, run_id="new", days=(5, 7), time_frame="WeekToDate", damaged=True)
    case.deliver(damaged)
    assert case.load().exit_code == 6

    found = compared(case)

    lines = list(replacement_lines(found))
    assert lines[0].endswith("run new would be loaded; nothing is loaded now")
    assert "  rows: none now, 3 then (+3)" in lines
    assert "  billed cost: none now, unknown then" in lines
    assert lines[-1].startswith("  What run new bills is not known yet: its files cannot be read: ")


@in_ways(ONE_WAY)
def test_a_part_of_another_delivery_is_said_to_be_no_part_of_this_one(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudbill.exports.discovery._SETTLE", timedelta())
    written = case.write(october(20, run_id="long"))
    written.parts[0].write_bytes(written.parts[0].read_bytes() + b"more")
    case.place.put(written.folder)
    case.load()

    found = compared(case)

    assert (found.guard, found.costs) == (Guard.LONGER_PART, None)
    assert "its files cannot be read" in str(found.unread)
