"""The demo: an invented bill in a folder of its own, loaded, shown, and drawn."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from end_to_end.conftest import ROOT, configure
from end_to_end.imported import imported_command
from end_to_end.terminal import Terminal

OTHERS = '[sources.azure_billing]\nbucket = "acme"\nexport_name = "e"\nproject_id = "acme"\n'
VARIABLES = {"SOURCES__PROJECT_ID": "acme", "SOURCES__AWS_BILLING__DAILY__EXPORT_NAME": "e"}


def demo(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Runs the demo in a folder, with a browser that notes what it is to open."""
    browser = folder / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {folder}/opened\n')
    browser.chmod(0o755)
    return subprocess.run(
        [imported_command(), "demo", *words],
        cwd=folder,
        env={**os.environ, "BROWSER": str(browser), **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def files(folder: Path) -> dict[Path, tuple[bytes, int]]:
    """What is in a folder, and when it was written."""
    return {
        path.relative_to(folder): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def first(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A first demo in a folder that has another configuration, with variables of another one."""
    folder = tmp_path_factory.mktemp("first")
    configure(folder, OTHERS)
    return folder, demo(folder, **VARIABLES)


@pytest.fixture
def again(tmp_path: Path, first: tuple[Path, subprocess.CompletedProcess[str]]) -> Path:
    """A folder in which the demo ran once."""
    shutil.copytree(first[0] / "cloudbill-demo", tmp_path / "cloudbill-demo")
    return tmp_path


def test_a_first_demo_loads_shows_and_draws_the_bill_in_a_folder_of_its_own(
    first: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = first
    made = folder / "cloudbill-demo"
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Loaded 6 months into {made}/cloudbill.duckdb" in done.stdout
    assert "1,744.64 EUR" in done.stdout
    assert "303.48 USD" in done.stdout
    assert (made / "report.html").stat().st_size > 100_000
    # Nobody looks at a page where there is no terminal.
    assert {path.name for path in folder.iterdir()} == {".dlt", "browser", "cloudbill-demo"}
    assert (folder / ".dlt/config.toml").read_text() == OTHERS
    assert (made / ".gitignore").read_text().splitlines()[-1] == "*"


def test_the_demo_has_the_bundled_sample(
    first: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    made, bundled = first[0] / "cloudbill-demo/exports", ROOT / "sample_exports"
    written = {path.relative_to(made) for path in made.rglob("*.*")}
    assert written == {
        path.relative_to(bundled)
        for path in bundled.rglob("*.*")
        if "focus-1-2" not in str(path)  # the same bill of AWS once more
    }
    for name in written:
        if name.suffix == ".json":
            assert (made / name).read_text() == (bundled / name).read_text()


def test_the_commands_to_try_next_can_be_copied(
    first: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = first
    text = done.stdout[done.stdout.index("Go there:") :]
    commands = [line for line in text.splitlines() if line.startswith("  ")]
    assert [line.split()[0] for line in commands[:2]] == ["cd", "unset"]
    # The last one asks questions.
    assert commands[-1].endswith(" init")
    shell = subprocess.run(
        ["bash", "-euc", "\n".join(commands[:-1])],
        cwd=folder,
        env={**os.environ, **VARIABLES},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (shell.returncode, shell.stderr) == (0, "")
    assert "equal" in shell.stdout
    assert "Compute" in shell.stdout


def test_a_second_demo_finds_nothing_new_and_opens_the_page_on_a_terminal(again: Path) -> None:
    before = files(again / "cloudbill-demo/exports")
    demo(again, "--folder", "browser")  # makes the browser, and is refused
    shown = Terminal("demo", cwd=again, env={"BROWSER": str(again / "browser")})
    code, text = shown.end()
    assert code == 0, text
    page = again / "cloudbill-demo/report.html"
    assert f"Nothing is new: all months are in {page.parent}/cloudbill.duckdb already" in text
    assert (again / "opened").read_text().split() == [page.as_uri()]
    assert files(again / "cloudbill-demo/exports") == before


def test_a_folder_of_somebody_else_is_left_as_it_is(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    configure(mine, OTHERS)
    (mine / "notes").write_text("mine")
    before = files(mine)
    done = demo(tmp_path, "--folder", "mine")
    assert done.returncode == 2
    assert "has things in it that `cloudbill demo` did not write" in done.stderr
    assert files(mine) == before
    done = demo(tmp_path, "--folder", "mine/notes")
    assert (done.returncode, (mine / "notes").read_text()) == (2, "mine")


@pytest.mark.parametrize("name", ["config.toml", "secrets.toml"])
def test_nothing_is_loaded_by_another_configuration_than_that_of_the_demo(
    again: Path, name: str
) -> None:
    made = again / "cloudbill-demo"
    (made / ".dlt" / name).write_text('[sources]\nproject_id = "acme"\n')
    before = files(made)
    done = demo(again)
    assert done.returncode == 2
    assert "so nothing was loaded" in done.stderr
    assert files(made) == before


def test_a_demo_that_was_stopped_continues_and_opens_no_page_that_nobody_wants(
    again: Path,
) -> None:
    made = again / "cloudbill-demo"
    (made / "cloudbill.duckdb").unlink()
    (made / ".dlt/config.toml").unlink()
    demo(again, "--folder", "browser")
    shown = Terminal("demo", "--no-open", cwd=again, env={"BROWSER": str(again / "browser")})
    code, text = shown.end()
    assert code == 0, text
    assert "Loaded 6 months" in text
    assert not (again / "opened").exists()
