"""What is chosen in the page of `cloudbill report` is in its address, and its tables are saved."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from end_to_end.report_pages import CHROMIUM, browser_tab, choose, footing, totals, written
from unit.report.report_builders import Spent, report_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.skipif(
    not CHROMIUM.exists() and os.environ.get("CI") != "true",
    reason=f"there is no browser at {CHROMIUM}",
)
TAGS: Final = '{"team": "web", "env": "prod"}'
SPENT: Final = [
    *(Spent(day=f"2025-09-{day:02d}", cost="1", tags=TAGS) for day in range(1, 31)),
    *(Spent(day=f"2025-10-{day:02d}", cost="2.005", tags=TAGS) for day in range(1, 11)),
    Spent(day="2025-10-01", cost="500", service="Licences", purchase="once"),
    Spent(day="2025-09-01", cost="40", service="Support", purchase="recurring"),
    Spent(day="2025-10-01", cost="41", service="Support", purchase="recurring"),
    Spent(day="2025-10-02", cost="-7", service="=cmd|' /C calc'!A0", account='+49, "x"\ny'),
    Spent(day="2025-10-03", cost="3", service="Zürich", account="id 1", account_name="@Müller"),
    *(Spent(day=f"2025-{month}-03", cost="90", currency="USD") for month in ("09", "10")),
    Spent(day="2025-10-04", cost="5", currency="USD", service="Only in USD"),
]
CHOSEN: Final = {
    "currency": "USD",
    "kind": "Effective",
    "from": "2025-10",
    "to": "2025-10",
    "source": "azure_billing",
    "provider": "Microsoft",
    "service": "Only in USD",
    "breakdown": "Provider",
    "charges": "Without purchases",
    "daily_as": "Added up",
}


HOSTILE_ADDRESSES: Final = (
    "currency=GBP&kind=__proto__&from=2025-13&to=1&source=x&service=constructor&at=x",
    "from=2025-10&to=2025-09&breakdown=toString&daily_as=&charges=yes&tag_key=nothing",
    "<img src=x onerror=window.hit=1>&service=<script>window.hit=1</script>&at=[]\"'",
    "%E0%A4%A&service=%&=&&&currency=EUR&currency=USD&service=Only+in+USD",
    "service=~others&sub_account=~&tag_value=~untagged",
    "to=2025-09x",
)


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    """One tab for all tests."""
    with browser_tab() as tab:
        yield tab


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with two currencies, purchases and odd names."""
    return written(tmp_path_factory.mktemp("page"), report_of(SPENT))


@pytest.fixture
def page(tab: Page, path: Path) -> Iterator[Page]:
    """The page as it opens; what it complains of fails the test."""
    complaints: list[str] = []

    def hear(error: object) -> None:
        complaints.append(str(error))

    tab.on("pageerror", hear)
    tab.goto("about:blank")
    tab.goto(path.as_uri())
    yield tab
    tab.remove_listener("pageerror", hear)
    assert complaints == []


def chosen(page: Page) -> dict[str, str]:
    """The choices that are made, by what people read."""
    return {name: page.locator(f"#{name} option:checked").inner_text() for name in CHOSEN}


def opened(page: Page, path: Path, words: str) -> Page:
    """The page with something in its address."""
    page.goto("about:blank")
    page.goto(f"{path.as_uri()}#{words}")
    return page


class TestAddress:
    def test_every_choice_is_restored_from_the_address(self, page: Page, path: Path) -> None:
        usual = chosen(page)
        assert "#" not in page.url
        choose(page, **CHOSEN)
        assert chosen(page) == CHOSEN
        copied = page.url.partition("#")[2]

        assert chosen(opened(page, path, "")) == usual
        assert chosen(opened(page, path, copied)) == CHOSEN
        assert totals(page)[1] == 5
        page.click("#reset")
        assert (chosen(page), page.url) == (usual, path.as_uri())

    def test_back_and_forward_show_what_was_chosen_then(self, page: Page) -> None:
        choose(page, service="Licences")
        choose(page, kind="List")
        page.click("nav a[href='#tags']")
        page.select_option("#tag_key", label="env")
        page.select_option("#tag_value", label="prod")
        assert "service=Licences&kind" not in page.url
        for _ in range(3):
            page.go_back()
        assert (page.input_value("#kind"), totals(page)[1]) == ("2", Decimal(500))
        page.go_back()
        assert (page.input_value("#kind"), totals(page)[1]) == ("0", Decimal(500))
        page.go_back()
        assert page.locator("#service option:checked").inner_text() == "All"
        for _ in range(5):
            page.go_forward()
        assert page.locator("#tag_value option:checked").inner_text() == "prod"
        assert page.input_value("#kind") == "2"

    def test_a_link_to_a_section_keeps_what_is_chosen(self, page: Page, path: Path) -> None:
        choose(page, service="Support")
        page.click("nav a[href='#trust']")
        assert page.evaluate("document.activeElement.id") == "trust"
        assert totals(page)[1] == 81
        again = opened(page, path, page.url.partition("#")[2])
        assert totals(again)[1] == 81
        assert again.evaluate("document.activeElement.id") == "trust"
        assert opened(page, path, "tags").evaluate("document.activeElement.id") == "tags"

    def test_what_an_address_says_that_is_not_there_counts_for_nothing(
        self, page: Page, path: Path, subtests: pytest.Subtests
    ) -> None:
        usual = chosen(page)
        for words in HOSTILE_ADDRESSES:
            with subtests.test(words):
                assert chosen(opened(page, path, words)) == usual
                # It says so, and the address is that of what is shown.
                assert page.url.partition("#")[2] in {"", "tag_value=%7Euntagged"}
                assert 1 <= page.locator("#dropped > *").count() <= 10
                assert page.evaluate("[window.hit ?? null, document.images.length]") == [None, 0]

    def test_a_filter_that_is_not_there_is_named_until_something_is_chosen(
        self, page: Page, path: Path
    ) -> None:
        words = "currency=USD&service=Licences&sub_account=zzz&region=x"
        long = "long" * 30
        opened(page, path, f"{words}&provider={long}")
        assert page.inner_text("#dropped").split("\n\n") == [
            f"The provider '{long[:79]}\u2026' of this address is not in this page; all are shown.",
            # There is one, but not in this currency.
            "The service 'Licences' of this address is not in this page; all are shown.",
            "The sub-account 'zzz' of this address is not in this page; all are shown.",
            "The filter 'region' of this address is not in this page; it counts for nothing.",
        ]
        assert page.url.endswith("#currency=USD")
        page.reload()
        assert page.is_hidden("#dropped p")
        opened(page, path, "service=Gone")
        choose(page, service="Support")
        assert page.locator("#dropped p").count() == 0


class TestPurchases:
    def test_one_time_purchases_are_left_out_of_days_and_of_equal_days(self, page: Page) -> None:
        assert page.inner_text("#purchase-note") == (
            "Purchases are in it: 541.00 EUR in October 2025 and 40.00 EUR in September 2025. "
            "One-time: 500.00 EUR in October 2025. Recurring: 41.00 EUR in October 2025 and "
            "40.00 EUR in September 2025."
        )
        whole = footing(page, "daily-table")
        choose(page, charges="Without one-time purchases")
        assert page.inner_text("#purchase-note") == (
            "Left out: one-time purchases of 500.00 EUR in October 2025. Recurring purchases are "
            "still in it: 41.00 EUR in October 2025 and 40.00 EUR in September 2025."
        )
        left = footing(page, "daily-table")
        assert [whole[1], left[1]] == ["557.05", "57.05"]
        assert whole[2] == left[2] == "70.00"
        assert page.inner_text("#headline-change").endswith(
            "in the same days of September 2025, without one-time purchases of 500.00 and 0.00"
        )
        choose(page, charges="Without purchases")
        assert footing(page, "daily-table")[1:3] == ["16.05", "30.00"]
        # The month itself is still whole.
        assert totals(page)[0] == Decimal("557.05")

    def test_months_without_a_one_time_purchase_say_what_stays(self, page: Page) -> None:
        choose(page, service="Support", charges="Without one-time purchases")
        assert page.inner_text("#purchase-note") == (
            "There is no one-time purchase to leave out. Recurring purchases are still in it: "
            "41.00 EUR in October 2025 and 40.00 EUR in September 2025."
        )

    def test_a_month_of_purchases_alone_has_nothing_left(self, page: Page) -> None:
        choose(page, service="Licences", charges="Without one-time purchases")
        assert "nothing is left of October 2025" in page.inner_text("#daily-body")
        assert "500.00 EUR" in page.inner_text("#purchase-note")


class TestFiles:
    def save(self, page: Page, table: str) -> tuple[str, list[list[str]]]:
        """The name of a saved table, and its lines."""
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        with page.expect_download() as download:
            page.click(f"#{table} .csv")
        content = Path(download.value.path()).read_bytes()
        assert content.startswith(b"\xef\xbb\xbf")
        assert content.count(b"\n") - content.count(b"\r\n") == content.count(b'x""\ny')
        text = content.decode("utf-8-sig")
        return download.value.suggested_filename, list(
            csv.reader(io.StringIO(text, newline=""), strict=True)
        )

    def test_a_table_is_saved_with_all_digits_and_no_formula(self, page: Page) -> None:
        name, lines = self.save(page, "where-service-table")
        assert name == "by-service-billed-eur-2025-09-to-2025-10-made-2026-01-01.csv"
        assert lines[0] == ["Name", "2025-10", "2025-09", "Change", "2025-09 to 2025-10"]
        rows = {line[0]: line[1:] for line in lines[1:]}
        assert rows["Compute"] == ["20.05", "30.00", "-9.95", "50.05"]
        assert rows["'=cmd|' /C calc'!A0"] == ["-7.00", "", "-7.00", "-7.00"]
        assert "Zürich" in rows
        assert len(rows) == 5

    def test_names_of_sub_accounts_have_their_ids_in_a_column(self, page: Page) -> None:
        _, lines = self.save(page, "where-sub_account-table")
        assert lines[0][:2] == ["Name", "id"]
        named = [line[:2] for line in lines]
        assert ["'@Müller", "id 1"] in named
        assert ['\'+49, "x"\ny'] * 2 in named

    def test_shares_are_numbers_and_a_table_of_trust_is_of_no_months(self, page: Page) -> None:
        _, lines = self.save(page, "movers-table")
        assert lines[0][-1] == "In percent (%)"
        (compute,) = [line for line in lines if line[0] == "Compute"]
        assert compute[-1] == "-33.2"
        with page.expect_download() as download:
            page.click("#trust .csv >> nth=1")
        assert download.value.suggested_filename == (
            "reconciliation-of-each-month-made-2026-01-01.csv"
        )
        text = Path(download.value.path()).read_text(encoding="utf-8-sig")
        # Each cell has one fact.
        assert text.startswith(
            "Month,Complete,Source,Rows recorded,Rows in the table,Verdict,Totals compared,"
            "Totals that differ,Run made,Loaded,Run\n2025-10,unknown,azure_billing,,16,No record,0,"
        )
