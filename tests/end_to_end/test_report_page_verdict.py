"""The card "Can I trust it?" of the page of `cloudbill report` says what people should look at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from cloudbill.periods import BillingPeriod
from cloudbill.report.model import (
    FailedLoad,
    OpenPoint,
    PendingRun,
    PinnedMonth,
    RunState,
    SourceReport,
    StoreReport,
)
from end_to_end.report_pages import CHROMIUM, browser_tab, choose, written
from unit.report.report_builders import NOW, Spent, records_of, report_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.skipif(
    not CHROMIUM.exists() and os.environ.get("CI") != "true",
    reason=f"there is no browser at {CHROMIUM}",
)
SEPTEMBER, OCTOBER = map(BillingPeriod.parse, ("2025-09", "2025-10"))
SPENT: Final = [Spent(day="2025-09-03"), Spent(day="2025-10-03")]
RIGHT: Final = replace(
    report_of(SPENT, loaded=records_of(SPENT)), newest_delivery_at=NOW - timedelta(hours=9)
)


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    """One tab for all tests."""
    with browser_tab() as tab:
        yield tab


def shown(tab: Page, folder: Path, *reports: SourceReport) -> Page:
    tab.goto(written(folder, *reports).as_uri())
    return tab


def verdict(page: Page) -> tuple[str, str]:
    """The verdict, and its tone."""
    pill = page.locator("#badge .pill")
    return pill.inner_text(), (pill.get_attribute("class") or "").removeprefix("pill ")


def run(state: RunState, *, is_alike: bool = False, run_id: str = "a") -> PendingRun:
    return PendingRun(
        period=OCTOBER,
        run_id=run_id,
        submitted_at=NOW,
        state=state,
        detail="why",
        is_alike=is_alike,
    )


def store(*states: RunState, **more: Any) -> StoreReport:
    return StoreReport(pending=tuple(run(state) for state in states), **more)


def failed(period: BillingPeriod | None) -> FailedLoad:
    at = datetime(2025, 12, 31, tzinfo=UTC)
    return FailedLoad(period=period, run_id="a", at=at, message="disk is full\nand more")


def pin(*, is_loaded: bool = True) -> PinnedMonth:
    return PinnedMonth(
        period=OCTOBER, run_id="old", newest="new", is_loaded=is_loaded, is_stored=True
    )


def differing(*days: str) -> dict[str, Any]:
    """What is in the table, where the months of some days have other amounts than were loaded."""
    spent = [replace(one, cost="7") if one.day in days else one for one in SPENT]
    return {"months": report_of(spent).months}


HELD, WAITING, NEW = RunState.HELD, RunState.WAITING, RunState.NEW
OF_ONE: Final[list[tuple[dict[str, Any], str, str]]] = [
    ({}, "Numbers right", "good"),
    ({"newest_delivery_at": NOW - timedelta(days=9)}, "Numbers right, 9 days old", "good"),
    ({"newest_delivery_at": NOW - timedelta(days=392)}, "Numbers right, 392 days old", "warn"),
    (
        {
            "newest_delivery_at": NOW - timedelta(days=3),
            "max_age": timedelta(days=1),
            "is_stale": True,
        },
        "Numbers right, 3 days old",
        "warn",
    ),
    (
        {"store": store(HELD, WAITING, WAITING)},
        "Numbers right, 1 run held, 2 waiting",
        "warn",
    ),
    ({"store": store(WAITING)}, "Numbers right, 1 run waiting", "good"),
    (
        {"store": store(WAITING), "open_points": (OpenPoint(period=OCTOBER, message="late"),)},
        "Numbers right, 1 run waiting, see what is open",
        "warn",
    ),
    (
        {"store": StoreReport(pending=(run(HELD), run(HELD, is_alike=True, run_id="b")))},
        "Numbers right, 1 run held",
        "warn",
    ),
    ({"store": store(NEW)}, "Numbers right, 1 newer run not loaded", "good"),
    ({"store": store(unreadable=("no",))}, "Numbers right, 1 manifest cannot be read", "warn"),
    (
        {"store": store(uncovered={OCTOBER: (date(2025, 10, 1),)})},
        "Numbers right, days missing in 1 month",
        "warn",
    ),
    (
        {"store": StoreReport(error="no bucket")},
        "Numbers right, held and waiting runs not known",
        "warn",
    ),
    ({"failures": (failed(SEPTEMBER),)}, "The last load of 2025-09 failed", "bad"),
    ({"failures": (failed(None),)}, "The last load of SOURCE failed", "bad"),
    ({"pins": (pin(),)}, "Numbers right, 1 month pinned", "good"),
    ({"pins": (pin(is_loaded=False),)}, "Numbers right, 1 month pinned", "warn"),
    (
        {"open_points": (OpenPoint(period=None, message="nothing is found there"),)},
        "Numbers right, see what is open",
        "warn",
    ),
    (differing("2025-09-03"), "1 month differs", "bad"),
    (
        {**differing("2025-09-03", "2025-10-03"), "store": store(HELD)},
        "2 months differ, 1 run held",
        "bad",
    ),
    ({"loaded": {}}, "2 months without a record", "bad"),
    ({"rows_of_no_month": 12}, "12 rows of no month", "bad"),
    ({"rows_in_table": {SEPTEMBER: 1}}, "1 month differs", "bad"),
]


def test_the_verdict_counts_what_a_person_should_look_at(
    tab: Page, tmp_path: Path, subtests: pytest.Subtests
) -> None:
    sources = [
        replace(RIGHT, source=f"azure_billing.{number:02d}", **changes)
        for number, (changes, _, _) in enumerate(OF_ONE)
    ]
    page = shown(tab, tmp_path, *sources)
    for source, (_, title, tone) in zip(sources, OF_ONE, strict=True):
        with subtests.test(title):
            choose(page, source=source.source)
            assert verdict(page) == (title.replace("SOURCE", source.source), tone)
            assert page.locator("#badge-details li").count() > 0


def test_why_is_said_on_the_card_and_below(tab: Page, tmp_path: Path) -> None:
    page = shown(
        tab,
        tmp_path,
        replace(
            RIGHT,
            store=StoreReport(error="no such bucket"),
            failures=(failed(OCTOBER),),
            pins=(pin(),),
        ),
    )
    card, below = page.inner_text("#badge-details"), page.inner_text("#trust")
    pinned = "2025-10 is pinned: it stays with run old, until a run comes that is newer than new"
    assert pinned in card
    assert f"azure_billing: {pinned}. `cloudbill load azure_billing --month 2025-10" in below
    unread = "Which runs of azure_billing are held or waiting is not known"
    assert f"{unread}, because the store was not read: no such bucket" in card
    assert "which runs are held or waiting is not known" in below
    assert "The last load of 2025-10 failed 2025-12-31 00:00 UTC: disk is full" in card
    assert "2 of 2 months have the rows and the sums of each cost column" in card
    assert "and more" not in card
    assert "and more" in below


def test_the_verdict_is_of_the_sources_that_are_shown(tab: Page, tmp_path: Path) -> None:
    aws = replace(RIGHT, source="aws_billing", cloud="aws", store=store(HELD))
    old = replace(RIGHT, newest_delivery_at=NOW - timedelta(days=40))
    page = shown(tab, tmp_path, old, aws)
    assert verdict(page) == ("Numbers right, 40 days old, 1 run held", "warn")
    choose(page, source="aws_billing")
    assert verdict(page) == ("Numbers right, 1 run held", "warn")


def test_of_several_sources_those_that_are_meant_are_named(tab: Page, tmp_path: Path) -> None:
    old = replace(RIGHT, newest_delivery_at=NOW - timedelta(days=4), max_age=timedelta(days=1))
    names = [f"azure_billing.{name}" for name in ("a", "b", "c")]
    stale = [replace(old, source=name, is_stale=True) for name in names]
    failing = replace(RIGHT, source="aws_billing", failures=(failed(OCTOBER),))
    page = shown(tab, tmp_path, failing, *stale)
    assert verdict(page) == ("The last load of 2025-10 (aws_billing) failed, 4 days old", "bad")
    lines = page.locator("#badge-details li").all_inner_texts()
    several = "azure_billing.a, azure_billing.b and 1 more"
    assert "The last load of 2025-10 (aws_billing) failed 2025-12-31 00:00 UTC: disk is full" in (
        lines
    )
    assert f"The newest delivery of {several} came 4 days before this page was made" in lines
    assert f"No delivery of {several} is as new as max_age asks for" in lines
    assert all(line[0].isdigit() or line[0].isupper() for line in lines)


def test_a_source_that_was_not_read_is_said_first(tab: Page, tmp_path: Path) -> None:
    lost = report_of([], source="aws_billing", error="no such file")
    page = shown(tab, tmp_path, RIGHT, lost)
    assert verdict(page) == ("1 source not read", "bad")
