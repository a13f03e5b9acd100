"""What the README's commands install, as uv resolves it; nothing is installed for it."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from end_to_end.conftest import ROOT

AT_MOST = 90
"""Packages that the first command may install, on whatever system."""
NEEDED_TOO = {"numpy", "sqlglot"}
"""Tools that cloudbill's own dependencies need: pandas, which dlt wants for BigQuery, and dlt."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What uv resolves: the project's metadata, and the versions that are known already."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("pyproject.toml", "README.md", "LICENSE", "uv.lock"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, folder / name)
    return folder


def resolved(project: Path, *options: str) -> set[str]:
    """The names of the packages that `uv run` with these options installs, apart from cloudbill."""
    command = ("uv", "export", "--quiet", "--no-hashes", "--no-emit-project", "--no-annotate")
    done = subprocess.run(
        [*command, *options], cwd=project, capture_output=True, text=True, check=True
    )
    return set(re.findall(r"^([a-z0-9-]+)==", done.stdout, flags=re.MULTILINE))


def development() -> set[str]:
    """The tools that the groups `dev` and `docs` name themselves."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    named = {re.split(r"[\[=<>~; ]", tool)[0] for tool in (*groups["dev"], *groups["docs"])}
    return named - {"cloudbill"}


def test_the_first_command_installs_few_packages_and_no_tool_of_development(
    project: Path,
) -> None:
    installed = resolved(project)
    assert {"duckdb", "google-cloud-bigquery", "gcsfs", "pyarrow"} <= installed
    assert len(installed) <= AT_MOST
    assert development() & installed == NEEDED_TOO


def test_the_test_command_installs_every_tool(project: Path) -> None:
    tools = resolved(project, "--group", "dev", "--group", "docs")
    assert development() <= tools
    assert len(tools) > AT_MOST
