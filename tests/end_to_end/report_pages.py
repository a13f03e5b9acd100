"""Pages of reports, and what the tests read in them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb

from cloudbill.periods import BillingPeriod
from cloudbill.report.model import SourceReport
from cloudbill.report.page import build_page
from cloudbill.report.page_json import page_json
from cloudbill.report.view_model import ViewReport
from cloudbill.sample import write_aws, write_azure
from end_to_end.conftest import configure, run_apart
from unit.report.report_builders import NOW, Spent, record, report_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM: Final = Path("/usr/bin/chromium")
ARGUMENTS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
CONFIG: Final = """
[sources.azure_billing]
bucket = "./data/azure"
prefix = "billing"
export_name = "focus-daily"
[sources.aws_billing]
bucket = "./data/aws"
prefix = "cur"
export_name = "cur-hourly"
[runtime]
log_level = "CRITICAL"
dlthub_telemetry = false
"""
AZURE, AWS = "billing.azure_focus_billing_data", "billing.aws_cur_billing_data"


def cloudbill(folder: Path, *words: str) -> str:
    done = run_apart(folder, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextlib.contextmanager
def browser_tab() -> Iterator[Page]:
    """A tab of a browser of its own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser.new_page(viewport={"width": 1280, "height": 900})
        browser.close()


def reported(folder: Path, *, months: int, rows: int, aws_months: int | None = None) -> Path:
    """Samples one run a month of both providers, loads and reports in a folder."""
    configure(folder, CONFIG)
    data = folder / "data"
    write_azure(data / "azure", months=months, rows=rows, seed=1, runs_per_month=1)
    write_aws(data / "aws", months=aws_months or months, rows=rows, seed=1, runs_per_month=1)
    cloudbill(folder, "load", "--quiet")
    cloudbill(folder, "report")
    return folder / "report.html"


def held(page: Path, query: str, *values: str) -> Decimal:
    """One sum, asked of the warehouse itself."""
    with contextlib.closing(duckdb.connect(str(page.parent / "cloudbill.duckdb"))) as connection:
        found = connection.execute(query, list(values)).fetchone()
    assert found is not None
    return Decimal(found[0])


def amount(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


def totals(page: Page) -> tuple[Decimal, Decimal]:
    """What the page says of the newest month, and of all months together."""
    newest, everything = (
        page.get_attribute(f"#{name}-amount .amount", "data-exact")
        for name in ("headline", "range")
    )
    return amount(newest or ""), amount(everything or "")


def choose(page: Page, **choices: str) -> None:
    for name, label in choices.items():
        page.select_option(f"#{name}", label=label)


def footing(page: Page, table: str) -> list[str]:
    """The last line of a table, its amounts with all of their digits."""
    return exact_cells(page, f"#{table} tfoot > tr > *")


def exact_cells(page: Page, cells: str) -> list[str]:
    """What some cells hold, amounts with all of their digits."""
    read = "all => all.map(one => one.querySelector('.amount')?.dataset.exact ?? one.textContent)"
    found: list[str] = page.locator(cells).evaluate_all(read)
    return found


def written(folder: Path, *reports: SourceReport, views: tuple[ViewReport, ...] = ()) -> Path:
    page = folder / "report.html"
    page.write_text(build_page(page_json(reports, NOW, views)), encoding="utf-8")
    return page


def same_charges(*sources: str) -> list[SourceReport]:
    """The reports of sources that hold the bill of one account for October 2025."""
    period = BillingPeriod.parse("2025-10")
    loaded = {period: record("2025-10", {}, scope="123456789012")}
    return [report_of([Spent()], source=source, loaded=loaded) for source in sources]


BILLED_EUR = f"SELECT sum(BilledCost) FROM {AZURE} WHERE BillingCurrency = 'EUR'"  # noqa: S608
HOSTILE = [
    "</script><img src=x onerror=\"window.hit='script'\">",
    "<b>bold</b><a href=\"javascript:window.hit='link'\">link</a>",
    "'\"><svg onload=\"window.hit='svg'\">",
    "%{x} &lt;img src=x&gt; {{7*7}} ${7*7}",
    "-->",
    "<br>__proto__",
]
