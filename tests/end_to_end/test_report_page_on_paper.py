"""The page of `cloudbill report` on screens of every width and on paper, for everybody."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from cloudbill.focus.faults import fault_rules
from cloudbill.focus.found import FoundFault
from cloudbill.periods import BillingPeriod
from cloudbill.report.model import FailedLoad, StoreReport
from end_to_end.report_pages import CHROMIUM, browser_tab, choose, written
from unit.report.report_builders import NOW, Seen, Spent, records_of, report_of, view_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.skipif(
    not CHROMIUM.exists() and os.environ.get("CI") != "true",
    reason=f"there is no browser at {CHROMIUM}",
)
LONG: Final = "A Service for Whatever Somebody Called as Long as This, Standard, West Europe"
ONE_WORD: Final = "/subscriptions/" + "0123456789abcdef" * 5
SERVICES: Final = [f"{LONG} {number}" for number in range(12)]
WIDTHS: Final = (360, 768, 1280)
OPEN: Final = "document.querySelectorAll('details').forEach(one => { one.open = true })"
# What is wider than the card that it is in, and not in a part that scrolls and takes the keyboard.
TOO_WIDE: Final = """() => [...document.querySelectorAll(".card")].flatMap(card => {
  const end = card.getBoundingClientRect().right;
  return [...card.querySelectorAll("*")].filter(node => {
    const box = node.getBoundingClientRect();
    const around = node.parentElement.closest(".scroll, pre");
    const isReached = around?.tabIndex === 0 && getComputedStyle(around).overflowX === "auto";
    return box.width && box.right > end + 1 && !node.closest("svg") && !isReached;
  }).map(node => `${card.id} ${node.tagName} ${node.className}`);
})"""
# Marks where each card begins and ends once the page is drawn for paper, and measures it then.
MARK: Final = """() => addEventListener("beforeprint", () => {
  window.tooWide = (TOO_WIDE)();
  window.charts = [...document.querySelectorAll(".chart")].map(
    chart => [chart.querySelector(".main-svg").clientWidth, chart.clientWidth]);
  const cards = [...document.querySelectorAll(".card")].filter(card => card.offsetHeight);
  const mark = (text) => Object.assign(document.createElement("p"), { textContent: text });
  cards.forEach((card, place) => {
    card.prepend(mark(`[begin${place}]`));
    card.append(mark(`[end${place}]`));
  });
})""".replace("TOO_WIDE", TOO_WIDE)


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    """One tab for all tests."""
    with browser_tab() as tab:
        yield tab


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a bill of three years with long names, and with a view."""
    spent = [
        Spent(
            day=f"{2023 + n // 12}-{n % 12 + 1:02d}-10",
            cost=f"{(n + 1) * (place + 1) * 1000}.{n:02d}",
            service=service,
            account=ONE_WORD if place % 2 else "short",
            account_name="" if place % 2 else LONG,
            tags=f'{{"team": "{LONG}"}}',
            purchase="once" if place == 3 else "",
        )
        for n in range(36)
        for place, service in enumerate(SERVICES)
    ]
    seen = [
        Seen(day=one.day, cost=one.cost, status=("Used", "Unused", "")[place % 3], region=LONG)
        for place, one in enumerate(spent)
    ]
    report = report_of(spent, loaded=records_of(spent))
    faults = [
        FoundFault(
            source=report.source,
            rule=rule,
            rows=123_456,
            periods=(BillingPeriod.parse("2025-11"), BillingPeriod.parse("2025-12")),
            costs={"EUR": Decimal("1234567.891"), "USD": Decimal("-0.5")},
        )
        for rule in fault_rules()[:12]
    ]
    views = (view_of(seen, faults=faults),)
    return written(tmp_path_factory.mktemp("wide"), report, views=views)


def opened(tab: Page, path: Path, width: int, scheme: Any = "light") -> Page:
    """The page with all of its tables open."""
    tab.emulate_media(media="screen", color_scheme=scheme)
    tab.set_viewport_size({"width": width, "height": 900})
    tab.goto("about:blank")
    tab.goto(path.as_uri())
    tab.evaluate(OPEN)
    return tab


def test_nothing_is_wider_than_its_card(tab: Page, path: Path, subtests: pytest.Subtests) -> None:
    for width in WIDTHS:
        with subtests.test(width=width):
            page = opened(tab, path, width)
            assert page.locator("table").count() >= 10
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.evaluate(TOO_WIDE) == []


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a bill with a charge of each kind, and something open on the card of trust."""
    spent = [
        Spent(day=f"2025-{month}-10", service=service, tags='{"team": "a"}', purchase=purchase)
        for month in ("09", "10")
        for service, purchase in ((SERVICES[0], ""), (SERVICES[1], "once"))
    ]
    seen = [Seen(day=one.day, status="Used") for one in spent]
    report = report_of(spent, loaded=records_of(spent))
    failed = FailedLoad(period=None, run_id=None, at=NOW, message="no room")
    report = replace(report, failures=(failed,), store=StoreReport(error="no bucket"))
    return written(tmp_path_factory.mktemp("small"), report, views=(view_of(seen),))


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark"), (390, "light")])
def test_everybody_can_use_it_with_each_switch(
    tab: Page, small: Path, width: int, scheme: str, subtests: pytest.Subtests
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = opened(tab, small, width, scheme)
    for choice in (
        {"charges": "Without purchases", "daily_as": "Added up"},
        {"breakdown": "Sub-account", "kind": "Effective", "service": SERVICES[0]},
    ):
        with subtests.test(**choice):
            choose(page, **choice)
            found = Axe().run(page, options={"resultTypes": ["violations"]}).response
            assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []


@pytest.mark.skipif(
    shutil.which("pdftotext") is None and os.environ.get("CI") != "true",
    reason="pdftotext, which reads what was printed, is not installed here",
)
class TestPaper:
    """What Chromium prints of the page that somebody reads in the dark."""

    def printed(self, tab: Page, folder: Path, path: Path, *, is_open: bool) -> list[str]:
        """The text of each page of paper, with what is in the page before and after."""
        tab.emulate_media(media="screen", color_scheme="dark")
        tab.set_viewport_size({"width": 1280, "height": 900})
        tab.goto("about:blank")
        tab.goto(f"{path.as_uri()}#charges=without_once&breakdown=sub_account&from=2024-01")
        if is_open:
            tab.evaluate(OPEN)
        tab.evaluate(MARK)
        tab.pdf(path=folder / "page.pdf", prefer_css_page_size=True, print_background=True)
        read = ["pdftotext", "-layout", str(folder / "page.pdf"), "-"]
        done = subprocess.run(read, check=True, capture_output=True, text=True)
        return done.stdout.split("\f")[:-1]

    def test_no_card_is_torn_and_charts_fit(self, tab: Page, path: Path, tmp_path: Path) -> None:
        pages = self.printed(tab, tmp_path, path, is_open=False)
        found = {
            mark: {number for number, text in enumerate(pages) if mark in text}
            for mark in re.findall(r"\[(?:begin|end)\d+\]", "".join(pages))
        }
        torn = [
            number
            for number in range(len(found) // 2)
            if found[f"[begin{number}]"] != found[f"[end{number}]"]
        ]
        # What says how far to trust it is longer than a page, and the last.
        assert torn in ([], [len(found) // 2 - 1])
        assert len(found) >= 2 * 14
        assert 5 <= len(pages) <= 11
        # A long table of trust begins where there is room, and goes on on the next page.
        (first,) = [text for text in pages if "Freshness of each source" in text]
        assert "Reconciliation of each month" in first
        assert all(text.strip() for text in pages)
        alone = r"(Where it goes|and categories|From billing\.focus.*|\[begin\d+\])\s*$"
        assert [text[-200:] for text in pages if re.search(alone, text)] == []
        charts = tab.evaluate("window.charts")
        assert len(charts) >= 9
        assert [(drawn, room) for drawn, room in charts if drawn != room] == []
        assert max(drawn for drawn, _ in charts) < 186 / 25.4 * 96

    def test_what_is_chosen_is_printed_and_nothing_to_click(
        self, tab: Page, path: Path, tmp_path: Path
    ) -> None:
        text = " ".join("".join(self.printed(tab, tmp_path, path, is_open=False)).split())
        assert (
            "Chosen: Currency EUR; Cost Billed; From 2024-01; To 2025-12; By Sub-account; "
            "Charges Without one-time purchases; Show Each day."
        ) in text
        assert "Left out: one-time purchases of 144,000.35 EUR in December 2025" in text
        for word in ("Reset", "CSV", "as a table", "How this was checked", "Skip to"):
            assert word not in text
        shown = tab.evaluate(
            "[document.querySelector('#paper').media, getComputedStyle(document.body).color]"
        )
        # The screen is as it was.
        assert shown == ["print", "rgb(233, 237, 243)"]

    def test_tables_that_are_open_are_whole_with_heads_on_each_page(
        self, tab: Page, path: Path, tmp_path: Path
    ) -> None:
        pages = self.printed(tab, tmp_path, path, is_open=True)
        # No head is torn within a word.
        assert any(re.search(r"Rule +Source +Charges +Months +Billed +What", one) for one in pages)
        heads = [text for text in pages if re.search(r"Rows recorded|Rows\s+Rows in the", text)]
        assert len(heads) >= 2
        assert tab.evaluate("window.tooWide") == []
        named = "".join(pages)
        assert all(f"{number // 12 + 2023}-{number % 12 + 1:02d}" in named for number in range(36))
