"""The site of docs/ in a real browser: it is searched, and asks no other host."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from end_to_end.conftest import ROOT
from end_to_end.report_pages import ARGUMENTS, CHROMIUM

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.skipif(
    not (CHROMIUM.exists() and find_spec("mkdocs")) and os.environ.get("CI") != "true",
    reason=f"there is no browser at {CHROMIUM}, or no mkdocs: `uv sync --group dev --group docs`",
)
RESULT = ".md-search-result__link"


def build(root: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Builds the site of a project; with `--quiet`, warnings would not even count."""
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(site)],
        cwd=root,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built without a warning."""
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT, folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    """A tab for all tests."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser.new_page()
        browser.close()


def test_the_search_finds_a_page_without_a_server(site: Path, tab: Page) -> None:
    tab.goto((site / "index.html").as_uri())
    tab.fill("[data-md-component=search-query]", "storage_version")
    tab.wait_for_selector(RESULT)
    found = [str(link.get_attribute("href")) for link in tab.query_selector_all(RESULT)]
    assert any(f"{site.as_uri()}/configuration.html" in link for link in found)
    assert not any("/files/src/" in link for link in found)


def test_no_page_asks_another_host_or_complains(site: Path, tab: Page) -> None:
    asked: list[str] = []
    complaints: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    for page in ("index", "how-a-month-is-loaded", "json", "files/examples/load.sh"):
        tab.goto((site / f"{page}.html").as_uri())
        tab.wait_for_load_state("networkidle")
    assert not complaints
    assert not [url for url in asked if not url.startswith((f"{site.as_uri()}/", "data:", "blob:"))]


def test_no_page_names_a_file_of_another_host(site: Path) -> None:
    pages = {page: page.read_text() for page in site.rglob("*.html")}
    assert len(pages) > len([*(ROOT / "docs").glob("*.md")])
    for page, text in pages.items():
        wanted = re.findall(
            r"<(?:script|img|iframe|link)\b[^>]*\b(?:src|href)=\"?([^\s\">]+)", text
        )
        assert wanted
        assert not [one for one in wanted if re.match(r"(?:https?:)?//", one)], page


def test_files_beside_the_pages_are_in_it(site: Path, tab: Page) -> None:
    tab.goto((site / "scheduling.html").as_uri())
    tab.click("text=examples/load.sh")
    assert tab.locator("h1").inner_text().startswith("examples/load.sh")
    assert tab.locator("code").first.inner_text().strip() == (
        (ROOT / "examples/load.sh").read_text().strip()
    )
    tab.goto((site / "index.html").as_uri())
    tab.click("article >> text=README")
    assert tab.locator("h1").inner_text().startswith("cloudbill")
    tab.click("article >> text=Getting started")
    assert tab.url == (site / "getting-started.html").as_uri()


def test_a_link_that_leads_nowhere_fails_the_build(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    for entry in ROOT.iterdir():
        if entry.name not in {"docs", "mkdocs.yml", "scripts"}:
            (root / entry.name).symlink_to(entry)
    shutil.copy(ROOT / "mkdocs.yml", root)
    for folder in ("docs", "scripts"):
        shutil.copytree(ROOT / folder, root / folder)
    with (root / "docs/aws.md").open("a") as page:
        page.write("\n[one](../nowhere.py) [two](focus.md#nothing)\n")
    done = build(root, tmp_path / "site")
    assert done.returncode != 0
    warnings = [line for line in done.stderr.splitlines() if line.startswith("WARNING")]
    assert len(warnings) == 2
    assert "nowhere.py" in warnings[0] + warnings[1]
    assert "#nothing" in warnings[0] + warnings[1]
