"""What the page of `cloudbill report` shows from the view `focus`, in a real browser."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cloudbill.periods import BillingPeriod
from cloudbill.report.view_model import LeftOutMonths
from end_to_end.report_pages import ARGUMENTS, CHROMIUM, amount, choose, reported, written
from unit.report.report_builders import Seen, Spent, record, report_of, view_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.skipif(
    not CHROMIUM.exists() and os.environ.get("CI") != "true",
    reason=f"there is no browser at {CHROMIUM}",
)
OCTOBER = BillingPeriod.parse("2025-10")
COLORS = """() => Object.fromEntries(document.querySelector("#months-chart").data
    .map(trace => [trace.name, trace.marker.color]))"""


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    """One tab for all tests; whatever it complains of fails the test that looks."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser.new_page(viewport={"width": 1280, "height": 900})
        browser.close()


def show(tab: Page, page: Path) -> Page:
    """Opens a page."""
    complaints: list[str] = []
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto(page.as_uri())
    assert complaints == []
    return tab


def spent(*days: tuple[str, str]) -> list[Spent]:
    """Charges of one service, by day."""
    return [Spent(day=day, cost=cost) for day, cost in days]


def cells(page: Page, table: str, row: str) -> list[str]:
    """A row of a table, by its head."""
    found = page.locator(f"#{table} tr", has=page.locator("th", has_text=row)).last
    return found.locator("td").all_text_contents()


class TestRunningMonth:
    """A month of which ten days are there: usage of 2 a day, and a purchase of 100 on day 1."""

    @pytest.fixture(scope="class")
    @classmethod
    def page(cls, tab: Page, tmp_path_factory: pytest.TempPathFactory) -> Page:
        before = [(f"2025-09-{day:02d}", "1") for day in range(1, 31)]
        usage = [(f"2025-10-{day:02d}", "2") for day in range(1, 11)]
        report = report_of(
            [
                *spent(*before, *usage, ("2025-10-01", "100")),
                Spent(day="2025-10-02", charged="2025-09-29", cost="-0.6"),
            ],
            loaded={OCTOBER: record("2025-10", {}, submitted_at="2025-10-10 12:00")},
        )
        seen = [Seen(day=day, cost=cost) for day, cost in [*before, *usage[:-1]]]
        seen.append(Seen(day="2025-10-10", cost="0.5"))
        seen.append(Seen(day="2025-10-01", cost="100", category="Purchase"))
        folder = tmp_path_factory.mktemp("running")
        return show(tab, written(folder, report, views=(view_of(seen),)))

    def test_equal_days_are_compared_before_whole_months(self, page: Page) -> None:
        first = page.inner_text("#headline-change")
        assert first == (
            "+110.00 (+1100.0 %) on days 1 to 10: 120.00, against 10.00 in the same days of "
            "September 2025"
        )
        assert page.inner_text("#headline-whole").endswith(
            "against 30.00 in September 2025, as a whole; -0.60 of it is on days outside of the "
            "month"
        )
        assert page.inner_text("#headline-amount").startswith("119.40")

    def test_the_forecast_goes_on_with_usage_and_not_with_purchases(self, page: Page) -> None:
        said = page.inner_text("#headline-forecast")
        # 118.50 are there, the last day lacks 1.50 of the mean, and 21 days are left.
        assert said.startswith("Forecast: about 162.00 EUR for all of October 2025.")
        assert "the 21 days left the mean of the usage of the last 7 full days" in said
        choose(page, service="Compute")
        assert page.is_hidden("#headline-forecast")
        assert "those filters are not applied" in page.inner_text("#view-note")


def test_commitments_tags_regions_and_what_counts(tab: Page, tmp_path: Path) -> None:
    seen = [
        Seen(cost="30", status="Used", region="north"),
        Seen(cost="10", status="Unused", tags="", region="north"),
        Seen(cost="70", tags="", region="south"),
        Seen(cost="5", category="Tax", tags="", region=""),
        Seen(cost="9999", source="aws_billing"),
    ]
    left = LeftOutMonths(source="azure_billing", counts="azure_billing.b", periods=(OCTOBER,))
    view = view_of(seen, left_out=[left])
    page = show(tab, written(tmp_path, report_of([Spent(cost="115")]), views=(view,)))

    # 30 of 40 are used; 30 of the 100 that usage costs are covered.
    assert cells(page, "commitments-table", "Together") == ["30.00", "10.00", "75.0 %", "30.0 %"]
    assert "all charges of the category Usage except what is unused of them" in page.inner_text(
        "#view-commitments"
    )
    assert cells(page, "untagged-table", "Together")[-1] == "73.9 %"
    assert page.inner_text("#untagged-share").startswith("73.9 % of the effective cost")
    assert cells(page, "where-region-table", "south")[0] == "70.00"
    assert cells(page, "where-region-table", "No region")[0] == "5.00"
    assert cells(page, "where-category-table", "Usage")[0] == "110.00"
    (out,) = page.locator("#trust .left-out").all_inner_texts()
    assert out == (
        "azure_billing is left out of it for 2025-10, because azure_billing.b has the same charges."
    )


def test_a_name_keeps_its_color_whatever_is_filtered(tab: Page, tmp_path: Path) -> None:
    names = ["Compute", "Storage", "Network", "Database", "Search", "Queue"]
    bill = [Spent(service=name, cost=str(9 - at)) for at, name in enumerate(names)]
    bill += [Spent(service=name, cost="50", account="b", account_name="b") for name in names[3:]]
    page = show(tab, written(tmp_path, report_of(bill)))
    all_of_them = page.evaluate(COLORS)
    choose(page, sub_account="b")
    some = page.evaluate(COLORS)

    assert len(set(all_of_them.values())) == len(names)
    assert some == {name: all_of_them[name] for name in names[3:]}
    # Without a view, the page has nothing of it.
    assert page.is_hidden("#view")
    assert page.is_hidden("#headline-forecast")


def test_the_page_of_a_load_has_what_the_view_has(tab: Page, tmp_path: Path) -> None:
    page = show(tab, reported(tmp_path, months=1, rows=60))

    assert page.is_visible("#view")
    usage, *_ = cells(page, "where-category-table", "Together")
    assert amount(usage) == amount(page.inner_text("#status").split()[2])
    assert amount(usage) > Decimal(0)
    assert page.locator("#trust table", has_text="Rules that name charges").count() == 1


def test_sub_accounts_of_one_name_are_told_apart_and_axes_have_plain_numbers(
    tab: Page, tmp_path: Path
) -> None:
    ids = ("1111-0001", "1111-0002", "2222-0002")
    bill = [Spent(account=one, account_name="Team", cost="0.25") for one in ids]
    bill.append(Spent(account="3", account_name="Other", cost="0.1"))
    page = show(tab, written(tmp_path, report_of(bill)))

    labels = page.evaluate(
        "document.querySelector('#where-sub_account-chart').layout.yaxis.ticktext"
    )
    assert sorted(labels) == [
        "Other",
        "Team (\u20261-0001)",
        "Team (\u20261-0002)",
        "Team (\u20262-0002)",
    ]
    for axis in ("#months-chart .ytick", "#where-service-chart .xtick"):
        ticks = page.locator(axis).all_text_contents()
        assert "0.2" in ticks
        assert [tick for tick in ticks if not tick.replace(".", "").isdecimal()] == []


def test_a_kind_that_an_export_does_not_have_is_said_to_be_missing(
    tab: Page, tmp_path: Path
) -> None:
    report = report_of([Spent()])
    measures = [name for name in report.months.measures if name != "contracted"]
    months = replace(
        report.months,
        measures=tuple(measures),
        missing={"contracted": ("ContractedCost",)},
        cells=tuple(replace(one, amounts=one.amounts[1:]) for one in report.months.cells),
    )
    page = show(tab, written(tmp_path, replace(report, months=months)))
    choose(page, kind="Contracted")
    assert "azure_billing: contracted cost is not in this export (no exact ContractedCost)" in (
        page.inner_text("#notes")
    )
    assert page.inner_text("#headline-amount").startswith("\u2013")
