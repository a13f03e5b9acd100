"""What cloudbill writes is kept out of git, where there is git, and nothing is said twice."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cloudbill.setup.ignoring import ignore_in_git

DATABASE = Path("cloudbill.duckdb")
ADDED = (".dlt/secrets.toml", "report.html", "cloudbill.duckdb", "cloudbill.duckdb.wal")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with nothing in it."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    return tmp_path


def test_git_then_ignores_them(repository: Path) -> None:
    (repository / ".gitignore").write_text("*.log")

    assert ignore_in_git(repository, [DATABASE, DATABASE]) == ADDED

    asked = ["git", "-C", str(repository), "check-ignore", *ADDED, "a.log", ".dlt/config.toml"]
    ignored = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert ignored.split() == [*ADDED, "a.log"]
    assert ignore_in_git(repository, [DATABASE]) == ()


def test_patterns_of_the_folders_above_count(repository: Path) -> None:
    (repository / ".gitignore").write_text("/.dlt/\n*.duckdb*\n")
    inner = repository / "bills"
    inner.mkdir()

    assert ignore_in_git(inner, [DATABASE, Path("/var/bills.duckdb")]) == ("report.html",)
    assert (inner / ".gitignore").read_text() == "report.html\n"


def test_outside_of_a_repository_nothing_is_written(tmp_path: Path) -> None:
    assert ignore_in_git(tmp_path, [DATABASE]) == ()
    assert not list(tmp_path.iterdir())
