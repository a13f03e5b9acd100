"""The page of `cloudbill report` in a real browser, against what the warehouse holds."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb
import pytest

from end_to_end.conftest import configure
from end_to_end.report_pages import (
    ARGUMENTS,
    AWS,
    AZURE,
    BILLED_EUR,
    CHROMIUM,
    CONFIG,
    HOSTILE,
    amount,
    choose,
    cloudbill,
    exact_cells,
    footing,
    held,
    reported,
    same_charges,
    totals,
    written,
)
from unit.report.report_builders import Spent, records_of, report_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.skipif(
    not CHROMIUM.exists() and os.environ.get("CI") != "true",
    reason=f"there is no browser at {CHROMIUM}",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests of this module; in CI it has to be there."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


Show = Callable[..., "Page"]


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Page:
    """One tab for all tests: there the browser compiles the program of the page but once."""
    return browser.new_page()


@pytest.fixture
def show(tab: Page) -> Iterator[Show]:
    """Opens a page; at the end it must have asked nobody and complained of nothing."""
    requests: list[str] = []
    complaints: list[str] = []
    heard: Final[dict[Any, Callable[[Any], None]]] = {
        "request": lambda request: requests.append(request.url),
        "console": lambda message: complaints.append(message.text),
        "pageerror": lambda error: complaints.append(str(error)),
    }
    for event, listen in heard.items():
        tab.on(event, listen)

    def show_page(path: Path, *, scheme: Any = "light", width: int = 1280) -> Page:
        tab.emulate_media(media="screen", color_scheme=scheme)
        tab.set_viewport_size({"width": width, "height": 900})
        tab.mouse.move(0, 0)
        tab.goto(path.as_uri())
        return tab

    yield show_page
    for event, listen in heard.items():
        tab.remove_listener(event, listen)
    assert [url for url in requests if not url.startswith("file://")] == []
    assert complaints == []


@pytest.fixture(scope="module")
def three_months(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of three months of both providers; its warehouse lies beside it."""
    return reported(tmp_path_factory.mktemp("three"), months=3, rows=200)


@pytest.fixture(scope="module")
def one_month(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of one month."""
    return reported(tmp_path_factory.mktemp("one"), months=1, rows=60)


@pytest.fixture(scope="module")
def three_years(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of 36 months, each of which is what was loaded."""
    spent = [
        Spent(day=f"{2023 + n // 12}-{n % 12 + 1:02d}-{day}", cost=f"{n}.{n:02d}")
        for n in range(36)
        for day in (10, 20)
    ]
    return written(tmp_path_factory.mktemp("years"), report_of(spent, loaded=records_of(spent)))


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a warehouse that is not there."""
    folder = tmp_path_factory.mktemp("empty")
    configure(folder, CONFIG)
    (folder / "data" / "azure").mkdir(parents=True)
    (folder / "data" / "aws").mkdir()
    said = cloudbill(folder, "report", "--output", "sub/page.html")
    page = folder / "sub" / "page.html"
    assert str(page) in said
    assert f"({page.stat().st_size / 1e6:.1f} MB)" in said
    assert not (folder / "cloudbill.duckdb").exists()
    return page


def test_totals_are_those_of_the_warehouse_to_the_last_digit(
    show: Show, three_months: Path
) -> None:
    page = show(three_months)
    assert three_months.stat().st_size < 2_000_000
    newest, everything = totals(page)
    assert everything == held(three_months, BILLED_EUR)
    assert newest == held(
        three_months, f"{BILLED_EUR} AND strftime(BillingPeriodStart, '%Y-%m') = '2025-10'"
    )
    assert f"{everything:,}".rstrip("0") in page.inner_text("#range-kind")
    for table in ("months-table", "where-service-table", "kinds-table", "tags-table"):
        assert any(amount(text) == everything for text in footing(page, table)[1:] if text), table
    for table in ("daily-table", "where-provider-table", "where-sub_account-table"):
        assert any(amount(text) == newest for text in footing(page, table)[1:] if text), table


def test_every_kind_of_cost_can_be_chosen(
    show: Show, three_months: Path, subtests: pytest.Subtests
) -> None:
    page = show(three_months)
    for kind in ("Effective", "List", "Contracted", "Billed"):
        with subtests.test(kind):
            choose(page, kind=kind)
            query = f"SELECT sum({kind}Cost) FROM {AZURE} WHERE BillingCurrency = 'EUR'"  # noqa: S608
            assert totals(page)[1] == held(three_months, query)


def test_filters_work_alone_and_together(show: Show, three_months: Path) -> None:
    page = show(three_months)
    choose(page, service="Virtual Machines")
    service = f"{BILLED_EUR} AND ServiceName = ?"
    assert totals(page)[1] == held(three_months, service, "Virtual Machines")
    label = page.locator("#sub_account option").nth(1).inner_text()
    choose(page, sub_account=label)
    both = f"{service} AND SubAccountName = ?"
    found = held(three_months, both, "Virtual Machines", label.partition(" (")[0])
    assert totals(page)[1] == found
    choose(page, **{"from": "2025-09", "to": "2025-09"})
    month = f"{both} AND strftime(BillingPeriodStart, '%Y-%m') = '2025-09'"
    found = held(three_months, month, "Virtual Machines", label.partition(" (")[0])
    assert totals(page) == (found, found)
    assert "September 2025" in page.inner_text("#headline-title")
    page.click("#reset")
    assert totals(page)[1] == held(three_months, BILLED_EUR)


def test_one_currency_is_shown_and_the_others_are_named(show: Show, three_months: Path) -> None:
    page = show(three_months)
    assert "The bill is also in USD; currencies are never added up." in page.inner_text("#notes")
    choose(page, currency="USD")
    query = f"SELECT sum(line_item_unblended_cost) FROM {AWS}"  # noqa: S608
    assert totals(page)[1] == held(three_months, query)
    assert "The bill is also in EUR" in page.inner_text("#notes")
    assert page.locator("#source option").all_text_contents() == ["All", "aws_billing"]


@pytest.mark.parametrize("kind", ["List", "Contracted"])
def test_a_kind_that_is_derived_says_so_and_is_that_of_the_view(
    show: Show, three_months: Path, kind: str
) -> None:
    page = show(three_months)
    choose(page, currency="USD", kind=kind)
    query = f"SELECT sum({kind}Cost) FROM billing.focus WHERE BillingCurrency = 'USD'"  # noqa: S608
    assert totals(page)[1] == held(three_months, query)
    assert amount(footing(page, "where-category-table")[-1]) == held(three_months, query)
    assert f"aws_billing: {kind.lower()} cost is derived: " in page.inner_text("#notes")
    assert f"{kind} cost of aws_billing is derived: " in page.inner_text("#kinds-body")


def test_a_tag_is_summed_by_its_values(show: Show, three_months: Path) -> None:
    page = show(three_months)
    choose(page, tag_key="team", tag_value="platform")
    query = f"{BILLED_EUR} AND json_extract_string(nullif(Tags, ''), '$.team') = 'platform'"
    assert amount(footing(page, "tags-table")[-1]) == held(three_months, query)
    choose(page, service="Virtual Machines")
    assert "not applied here" in page.inner_text("#tags-body")
    assert amount(footing(page, "tags-table")[-1]) == held(three_months, query)


def test_a_selection_without_charges_says_so(show: Show, three_months: Path) -> None:
    page = show(three_months)
    services = page.locator("#service option").all_text_contents()[1:]
    accounts = page.locator("#sub_account option").all_text_contents()[1:]
    for service in services:
        for account in accounts:
            choose(page, service=service, sub_account=account)
            if page.locator("#nothing").count():
                assert page.locator("#headline").is_hidden()
                assert page.locator("#months").is_hidden()
                return
    pytest.fail("every service was used in every sub-account")


def test_all_of_it_is_reached_and_used_by_keyboard(show: Show, three_months: Path) -> None:
    page = show(three_months)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reached: list[str] = []
    for _ in range(120):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
        if page.evaluate("document.activeElement === document.body"):
            break
    filters = ["currency", "kind", "from", "to", "service", "sub_account", "reset"]
    assert [name for name in reached if name in filters] == filters
    assert {"breakdown", "charges", "daily_as", "tag_key", "tag_value"} <= set(reached)
    assert reached.count("SUMMARY") >= 7

    page.focus("#kind")
    page.keyboard.press("ArrowDown")
    assert "effective" in page.inner_text("#headline-title")
    page.focus("#months-table summary")
    page.keyboard.press("Enter")
    assert page.locator("#months-table table").is_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "CSV"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "region"


def test_tables_side_by_side_are_seen_whole_on_a_desktop(show: Show, three_months: Path) -> None:
    page = show(three_months)
    page.evaluate("document.querySelectorAll('details').forEach(node => { node.open = true })")
    cut = "all => all.filter(one => one.scrollWidth > one.clientWidth).map(one => one.ariaLabel)"
    scrolls = page.locator(".columns .scroll")
    assert scrolls.count() == 7
    assert scrolls.evaluate_all(cut) == []


def test_hover_shows_the_exact_amount(show: Show, three_months: Path) -> None:
    page = show(three_months)
    page.locator("#months-chart .point").first.hover(force=True)
    shown = page.locator("#months-chart .hoverlayer").text_content() or ""
    (exact,) = re.findall(r"-?[\d,]+\.\d+", shown)
    assert exact.replace(",", "") in exact_cells(page, "#months-table tbody td")


OTHER_COLOURS: Final = {"runOnly": ["color-contrast"]}


@pytest.mark.parametrize(
    ("name", "scheme", "options"),
    [
        pytest.param("empty", "light", {}, id="empty"),
        pytest.param("one_month", "light", {}, id="one month"),
        pytest.param("three_months", "light", {}, id="three months"),
        pytest.param("three_months", "dark", OTHER_COLOURS, id="three months, dark"),
    ],
)
def test_page_is_accessible(
    show: Show, request: pytest.FixtureRequest, name: str, scheme: str, options: dict[str, Any]
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = show(request.getfixturevalue(name), scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(node => { node.open = true })")
    found = Axe().run(page, options={"resultTypes": ["violations"], **options}).response
    assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []


def test_empty_page_says_what_to_run(show: Show, empty: Path) -> None:
    page = show(empty)
    assert "Nothing is loaded yet" in page.inner_text("#empty")
    assert "cloudbill load" in page.inner_text("#empty")
    assert page.locator("#filters").is_hidden()
    assert "azure_billing" in page.inner_text("#trust")


def test_one_month_has_nothing_to_compare_with(show: Show, one_month: Path) -> None:
    page = show(one_month)
    assert "Nothing to compare with in September 2025" in page.inner_text("#headline-change")
    assert totals(page) == (held(one_month, BILLED_EUR),) * 2
    assert "There is no September 2025" in page.inner_text("#movers-body")


def test_three_years_have_a_bar_for_each_month_and_the_exact_sum(
    show: Show, three_years: Path
) -> None:
    page = show(three_years)
    assert page.locator("#months-table tbody tr").count() == 36
    assert totals(page)[1] == 2 * sum(Decimal(f"{number}.{number:02d}") for number in range(36))
    assert "36 of 36 months have the rows and the sums of each cost column" in page.inner_text(
        "#badge-details"
    )


def test_a_month_whose_run_was_made_before_its_end_is_called_incomplete(
    show: Show, one_month: Path
) -> None:
    page = show(one_month)
    assert "Month not complete" in page.inner_text("#headline-complete")


def test_a_changed_table_is_not_trusted(show: Show, tmp_path: Path) -> None:
    page = reported(tmp_path, months=1, rows=60)
    with contextlib.closing(duckdb.connect(str(tmp_path / "cloudbill.duckdb"))) as connection:
        connection.execute(f"UPDATE {AZURE} SET BilledCost = BilledCost + 0.01")  # noqa: S608
    cloudbill(tmp_path, "report")
    shown = show(page)
    assert shown.inner_text("#badge").startswith("1 month differs, ")
    assert "EUR BilledCost differs by +" in shown.inner_text("#trust")


def test_charges_of_two_sources_are_said_to_count_twice(show: Show, tmp_path: Path) -> None:
    page = show(written(tmp_path, *same_charges("aws_billing", "aws_focus_billing")))
    assert "counted twice" in page.inner_text("#badge-details")
    assert "both hold the charges of 123456789012 for 2025-10" in page.inner_text("#notes")
    choose(page, source="aws_focus_billing")
    assert "twice" not in page.inner_text("#badge-details") + page.inner_text("#notes")


def test_hostile_names_are_shown_and_do_nothing(show: Show, tmp_path: Path) -> None:
    spent = [
        Spent(
            day=day,
            cost=f"{10 + index}.5",
            service=name,
            account=name,
            account_name=name,
            provider=name,
            tags=json.dumps({"team": name, name: "x"}),
        )
        for index, name in enumerate(HOSTILE)
        for day in ("2025-09-03", "2025-10-04")
    ]
    page = show(written(tmp_path, report_of(spent, source=HOSTILE[0], error=HOSTILE[0])))
    page.evaluate("document.querySelectorAll('details').forEach(node => { node.open = true })")
    for number in range(len(HOSTILE)):
        page.select_option("#tag_key", index=number)
    page.locator("#months-chart .point").first.hover(force=True)
    named = page.locator("#where-service-table tbody th").all_text_contents()
    assert sorted(named) == sorted(HOSTILE)
    ticks = page.locator("#where-service-chart .ytick").all_text_contents()
    assert "<br>__proto__" in ticks
    assert any(tick.startswith("<b>bold</b>") for tick in ticks)
    assert page.evaluate("window.hit") is None
    assert page.locator("img, main a[href^=javascript], main svg a").count() == 0


def test_what_got_into_the_page_all_the_same_could_not_run(browser: Browser, empty: Path) -> None:
    # What a page may do is in its head, which all pages have.
    with contextlib.closing(browser.new_page()) as page:
        page.goto(empty.as_uri())
        page.evaluate(
            "const node = document.createElement('script'); node.textContent = 'window.hit = 1';"
            "document.body.append(node)"
        )
        assert page.evaluate("window.hit") is None


def test_very_many_services_are_folded_and_the_total_is_whole(show: Show, tmp_path: Path) -> None:
    spent = [Spent(service=f"svc {index:03d}", cost=f"{index}.{index:06d}") for index in range(400)]
    page = show(written(tmp_path, report_of(spent)))
    everything = sum((Decimal(one.cost) for one in spent), Decimal(0))
    assert totals(page)[1] == everything
    assert "at most 50 services" in page.inner_text("#folded")
    choose(page, service="All others (350)")
    assert totals(page)[1] == sum((Decimal(one.cost) for one in spent[:350]), Decimal(0))


def test_sums_beyond_floating_point_are_exact(show: Show, tmp_path: Path) -> None:
    costs = ["90071992547409930.000000000000000001", "-0.1", "0.3", "1e-18"]
    spent = [Spent(service=f"svc {cost}", cost=cost) for cost in costs]
    page = show(written(tmp_path, report_of(spent)))
    assert totals(page)[1] == Decimal("90071992547409930.200000000000000002")
