"""What the pages point to is there, and what comes from the code is as the code has it."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from cloudbill.settings import dlt_providers, read_sources
from cloudbill.settings.keys import KEYS, Key
from cloudbill.text.times import read_age
from end_to_end.conftest import ROOT, configure
from end_to_end.pages import (
    PAGES,
    Block,
    blocks,
    cloudbill_words,
    name_of,
    unknown_words,
    without_blocks,
)

PROMISES = (ROOT / "docs/promises.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
SOURCE = ROOT / "src/cloudbill"
TESTS = sorted(set(re.findall(r"`(tests/[\w/.]+\.py)(?:::(\w+))?`", PROMISES)))
MARKDOWN = [*PAGES, *sorted(ROOT.glob("C*.md"))]
READERS: Mapping[str, Callable[[str], object]] = {
    "json": json.loads,
    "python": ast.parse,
    "toml": tomllib.loads,
    "yaml": yaml.safe_load,
}


class TestPromises:
    @pytest.mark.parametrize(
        ("path", "name"), TESTS, ids=[f"{path} {name}".strip() for path, name in TESTS]
    )
    def test_a_test_that_a_promise_names_exists(self, path: str, name: str) -> None:
        text = (ROOT / path).read_text()
        assert "def test_" in text
        assert not name or f"class {name}" in text

    def test_every_promise_names_a_test(self) -> None:
        sections = PROMISES.split("\n## ")[1:]
        assert len(sections) >= 10
        assert all("`tests/" in section for section in sections)


class TestFromTheCode:
    @pytest.mark.parametrize("script", ["readme_keys.py", "reference.py"])
    def test_what_comes_from_the_code_is_as_the_code_has_it(self, script: str) -> None:
        command = [sys.executable, str(ROOT / "scripts" / script), "--check"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (result.returncode, result.stderr) == (0, "")

    def test_one_recipe_writes_all_of_it(self) -> None:
        recipe = (ROOT / "justfile").read_text().partition("\ndocs:\n")[2].partition("\n\n")[0]
        assert re.findall(r"scripts/(\w+)\.py", recipe) == ["readme_keys", "reference"]


class TestMap:
    def test_the_map_of_the_code_has_every_package(self) -> None:
        rooms = re.findall(r"^\| `([\w]+)/` \|", CONTRIBUTING, re.MULTILINE)
        assert set(rooms) == {init.parent.name for init in SOURCE.glob("*/__init__.py")}

    def test_every_file_that_the_map_names_exists(self) -> None:
        table = CONTRIBUTING.partition("## Packages")[2].partition("## Words")[0]
        paths = re.findall(r"`([\w./]+(?:\.py|/))`", table)
        assert len(paths) > 30
        missing = [
            path
            for path in paths
            if not (ROOT / path).exists() and not list(SOURCE.rglob(path.rstrip("/")))
        ]
        assert not missing

    def test_every_function_that_the_map_names_is_in_its_file(self) -> None:
        named = re.findall(r"\| `([\w/]+\.py)`, `(\w+)` \|", CONTRIBUTING)
        assert len(named) >= 2
        for path, function in named:
            assert f"def {function}(" in (SOURCE / path).read_text(), (path, function)


class TestLinks:
    @pytest.mark.parametrize("page", MARKDOWN, ids=name_of)
    def test_every_link_inside_the_project_leads_somewhere(self, page: Path) -> None:
        broken = [link for link in links_of(page) if not leads_somewhere(page, link)]
        assert not broken

    def test_the_index_has_every_page(self) -> None:
        listed = set(links_of(ROOT / "docs/README.md"))
        pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
        assert pages <= listed

    def test_a_link_that_leads_nowhere_is_found(self, tmp_path: Path) -> None:
        page = tmp_path / "page.md"
        page.write_text("# One `two`, three\n[a](page.md#one-two-three) [b](#four) [c](no.md)")
        assert [link for link in links_of(page) if not leads_somewhere(page, link)] == [
            "#four",
            "no.md",
        ]


def links_of(page: Path) -> Iterator[str]:
    """Every link of a page that is no address on the network."""
    for link in re.findall(r"\]\(([^)\s]+)\)", without_blocks(page.read_text())):
        if not re.match(r"[a-z]+:", link):
            yield link


def leads_somewhere(page: Path, link: str) -> bool:
    """Whether the file of a link is there, and has the heading that it names."""
    path, _, heading = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return False
    if not heading:
        return True
    titles = re.findall(r"^#+ (.*)$", without_blocks(target.read_text()), flags=re.MULTILINE)
    return heading in {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


class TestBlocks:
    @pytest.mark.parametrize(
        "block",
        [block for language in READERS for block in blocks(language)],
        ids=str,
    )
    def test_what_is_no_command_can_be_read(self, block: Block) -> None:
        READERS[block.language](block.text)

    def test_every_language_is_read_or_run(self) -> None:
        found = set(re.findall(r"^```(\w*)", "\n".join(p.read_text() for p in PAGES), re.MULTILINE))
        assert found - {"", "sh", "sql", "text"} <= set(READERS)

    @pytest.mark.parametrize("block", blocks("toml"), ids=str)
    def test_toml_is_a_configuration_without_an_unknown_key(self, block: Block) -> None:
        known = {key.name for key in KEYS}
        for table in tables_of(tomllib.loads(block.text).get("sources", {})):
            assert set(table) <= known

    @pytest.mark.parametrize("page", PAGES, ids=name_of)
    def test_every_command_that_the_text_names_exists(self, page: Path) -> None:
        for code in re.findall(r"`(cloudbill [^`]+)`", without_blocks(page.read_text())):
            for words in cloudbill_words(code.replace("\\|", "|")):
                assert not unknown_words(words), code

    def test_a_command_that_does_not_exist_is_found(self) -> None:
        assert list(cloudbill_words("uv run cloudbill laod && cloudbill load --quick")) == [
            ["laod"],
            ["load", "--quick"],
        ]
        assert unknown_words(["laod"]) == ["laod"]
        assert unknown_words(["load", "azure", "--quick", "--quiet"]) == ["--quick"]
        assert unknown_words(["state", "rebuild", "all"]) == []


def tables_of(node: dict[str, object]) -> Iterator[dict[str, object]]:
    """Every table below `sources` but those of credentials, without the tables inside."""
    yield {key: value for key, value in node.items() if not isinstance(value, dict)}
    for key, value in node.items():
        if isinstance(value, dict) and key != "credentials":
            yield from tables_of(value)


@pytest.mark.usefixtures("own_dlt")
class TestConfiguration:
    PAGE = (ROOT / "docs/configuration.md").read_text()

    def test_the_first_example_is_read_as_the_page_says(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = next(block for block in blocks("toml") if block.page == "docs/configuration.md")
        use(tmp_path, first.text)
        monkeypatch.setenv("SOURCES__DATASET", "from_the_environment")
        monkeypatch.setenv("SOURCES__AZURE_BILLING__MONTHLY__PREFIX", "inner")
        daily, monthly, aws = read_sources(dlt_providers(), os.environ)
        assert [s.source for s in (daily, monthly, aws)] == [
            "azure_billing",
            "azure_billing.monthly",
            "aws_billing",
        ]
        assert monthly.bucket == daily.bucket
        assert (daily.prefix, monthly.prefix) == ("exports/azure", "inner")
        assert {s.dataset for s in (daily, monthly, aws)} == {"from_the_environment"}

    @pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
    def test_the_example_of_every_key_is_a_value_that_can_be_read(
        self, tmp_path: Path, key: Key
    ) -> None:
        required = {"bucket": '"./exports"', "export_name": '"focus-daily"'}
        values = {**required, key.name: key.example}
        lines = "\n".join(f"{name} = {value}" for name, value in values.items())
        use(tmp_path, f"[sources.azure_billing]\n{lines}\n")
        (settings,) = read_sources(dlt_providers(), {})
        given = tomllib.loads(lines)[key.name]
        read = getattr(settings, key.name)
        if key.name == "notify":
            read = [one.address for one in read]
        # An age is written as text, and read as what it means.
        assert (
            read == read_age(given) if isinstance(read, timedelta) else type(given)(read) == given
        )
        assert str(given).lower() != key.default

    def test_every_field_of_credentials_is_one_that_dlt_reads(self) -> None:
        from dlt.common.configuration.specs import (
            AwsCredentials,
            AzureCredentials,
            GcpServiceAccountCredentials,
        )
        from dlt.common.configuration.specs.azure_credentials import (
            AzureServicePrincipalCredentials,
        )

        specs = (
            AwsCredentials,
            AzureCredentials,
            AzureServicePrincipalCredentials,
            GcpServiceAccountCredentials,
        )
        known = [set(spec.get_resolvable_fields()) for spec in specs]
        found = [
            set(table)
            for block in blocks("toml")
            if block.page == "docs/configuration.md" and "credentials]" in block.text
            for table in credentials_of(tomllib.loads(block.text))
        ]
        assert len(found) == 6
        assert all(any(table <= fields for fields in known) for table in found)

    def test_every_extra_of_the_page_can_be_installed(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        named = re.findall(r"`cloudbill\[(\w+)\]`", self.PAGE)
        extras = project["optional-dependencies"]
        assert set(named) == {name for name, brought in extras.items() if brought}


def use(folder: Path, config: str) -> None:
    """Makes a configuration the one that dlt reads in this process."""
    from dlt.common.configuration.container import Container
    from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

    configure(folder, config)
    Container()[PluggableRunContext].reload(str(folder))


def credentials_of(node: dict[str, object]) -> Iterator[dict[str, object]]:
    """Every table of credentials."""
    for key, value in node.items():
        if isinstance(value, dict):
            if key == "credentials":
                yield value
            else:
                yield from credentials_of(value)


class TestPicture:
    def test_it_says_in_words_what_it_shows(self) -> None:
        space = "{http://www.w3.org/2000/svg}"
        root = ET.parse(ROOT / "docs/how-a-month-is-loaded.svg").getroot()  # noqa: S314 our own
        ids = str(root.get("aria-labelledby")).split()
        told = {element.get("id"): element.text or "" for element in root.iter()}
        assert root.get("role") == "img"
        assert all(told[name] for name in ids)
        stages = [text.text or "" for text in root.iter(f"{space}text")]
        for stage in ("Discovered", "Planned", "Replaced", "Reconciled", "Recorded"):
            assert stage in told["desc"]
            assert any(stage in text for text in stages)

    def test_it_has_colours_for_dark_pages(self) -> None:
        text = (ROOT / "docs/how-a-month-is-loaded.svg").read_text()
        assert "prefers-color-scheme: dark" in text
        assert "<script" not in text
