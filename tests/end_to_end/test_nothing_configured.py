"""Without a configuration every command says how to begin, and where there is one nearby."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from end_to_end.conftest import Run, configure

NEEDED_BY = (
    ("load",),
    ("plan", "azure"),
    ("accept", "2025-09"),
    ("dismiss", "all", "--all"),
    ("focus",),
    ("status", "anything"),
    ("history",),
    ("verify",),
    ("verify", "--view"),
    ("report",),
    ("doctor",),
    ("state", "rebuild"),
)
SOURCE = "[sources.azure_billing]\nbucket = 'b'\nexport_name = 'e'\n"


def test_every_command_says_once_how_to_begin_and_ends_with_2(run: Run, tmp_path: Path) -> None:
    for words in NEEDED_BY:
        result = run(*words)

        said, *more = result.stderr.splitlines()
        assert f"No source is configured: {tmp_path}/.dlt/config.toml is not there" in said, words
        assert "`cloudbill init`" in said
        assert "`cloudbill demo`" in said
        assert more == ["More: cloudbill explain ConfigError"], words
        assert (result.returncode, result.stdout) == (2, ""), words


def test_json_has_the_same_message(run: Run) -> None:
    (failure,) = json.loads(run("status", "--json").stdout)["failures"]

    assert "`cloudbill init`" in failure["message"]


def test_folders_above_and_below_that_have_a_source_are_named(run: Run, tmp_path: Path) -> None:
    here = tmp_path / "bills" / "here"
    for folder in ("bills", "bills/here/a/deep", "bills/here/b", "bills/here/a/far/too/deep"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        configure(tmp_path / folder, SOURCE)
    for folder, text in (("c", "[sources.github]\n"), ("d", "[sources"), (".", "")):
        (here / folder).mkdir(exist_ok=True)
        configure(here / folder, text)

    said = run("load", cwd=here).stderr

    assert f"{here}/.dlt/config.toml names none" in said
    named = [line.partition(" has one")[0] for line in said.splitlines() if " has one" in line]
    assert named == [str(one) for one in (tmp_path / "bills", here / "b", here / "a/deep")]


@pytest.mark.parametrize("name", ["aws", "aws_focus"])
def test_a_provider_that_is_not_configured_is_added_by_init(
    run: Run, tmp_path: Path, name: str
) -> None:
    configure(tmp_path, SOURCE)

    result = run("load", name)

    assert result.returncode == 2
    assert f"No source is configured for '{name}'" in result.stderr
    assert "`cloudbill init` finds exports and adds it" in result.stderr
