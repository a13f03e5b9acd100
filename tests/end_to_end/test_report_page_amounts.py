"""Amounts of the page as people read them: rounded, and exact where they are copied."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import pytest

from end_to_end.report_pages import ARGUMENTS, CHROMIUM, written
from unit.report.report_builders import Spent, report_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.skipif(
    not CHROMIUM.exists() and os.environ.get("CI") != "true",
    reason=f"there is no browser at {CHROMIUM}",
)
COPIED: Final = """selector => {
  const range = document.createRange();
  const [first, ...more] = document.querySelectorAll(selector);
  const last = more.at(-1) ?? first;
  range.setStart(first.firstChild, 1);
  range.setEnd(last.firstChild, last.firstChild.length);
  document.getSelection().removeAllRanges();
  document.getSelection().addRange(range);
  const data = new DataTransfer();
  document.dispatchEvent(new ClipboardEvent("copy", { clipboardData: data, cancelable: true }));
  return [data.getData("text/plain"), data.getData("text/html")];
}"""
SPENT: Final = [
    Spent(day="2025-09-03", service="Disks", cost="0.004"),
    Spent(day="2025-10-03", service="Disks", cost="1234.565"),
    Spent(day="2025-10-03", service="Network", cost="2.009"),
    Spent(day="2025-10-03", service="Refunds", cost="-0.0000000000000000001"),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page whose rounded amounts do not add up, with its tables open."""
    from playwright.sync_api import sync_playwright

    path = written(tmp_path_factory.mktemp("page"), report_of(SPENT))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        page = browser.new_page()
        page.goto(path.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach(node => { node.open = true })")
        yield page
        browser.close()


def test_amounts_have_two_decimals_and_are_never_shown_as_nothing(page: Page) -> None:
    cells = page.locator("#where-service-table tbody tr td:nth-child(2)").all_text_contents()
    assert cells == ["1,234.57", "2.01", "-<0.01"]
    assert page.locator("#headline-amount .amount").text_content() == "1,236.57"
    titles = "cells => cells.map(cell => cell.querySelector('.amount').title)"
    found = page.locator("#where-service-table tbody tr td:nth-child(2)").evaluate_all(titles)
    assert found == ["1,234.565", "2.009", "-0.0000000000000000001"]


def test_a_table_says_if_its_rounded_amounts_do_not_add_up(page: Page) -> None:
    # Of services 1,234.57 and 2.01 make 1,236.57, and of months 0.00 and 1,236.57 make 1,236.58.
    for table in ("where-service-table", "kinds-table"):
        said = page.locator(f"#{table} .rounded").text_content()
        assert said == "Rounded, so what is shown does not add up everywhere."
    assert page.locator("#where-provider-table .rounded").count() == 0


def test_copied_amounts_have_all_digits_in_cells_as_they_were(page: Page) -> None:
    text, html = page.evaluate(COPIED, "#where-service-table tbody tr:first-child .amount")
    # The change is that of the exact amounts.
    assert text.split("\t") == ["1234.565", "0.004", "1234.561", "1234.569"]
    assert html.startswith("<table>")
    assert html.count("<td") == 4


def test_of_one_amount_a_few_digits_are_copied_as_they_are_shown(page: Page) -> None:
    assert page.evaluate(COPIED, "#headline-amount .amount") == ["", ""]
