"""A section is put into a configuration file, and nothing else in it changes."""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudbill.errors import ConfigError
from cloudbill.setup.config_file import (
    SectionThereError,
    has_section,
    read_config,
    section_text,
    with_section,
    write_config,
)
from figures import tries

FILE = Path("config.toml")
AZURE = ("sources", "azure_billing")
VALUES = {"bucket": "bills", "prefix": "", "export_name": "daily", "project_id": None}
WRITTEN = {"bucket": "bills", "prefix": "", "export_name": "daily"}

TEXTS = {
    "nothing": "",
    "comments": "# mine\n\n# [sources.azure_billing]\n",
    "no end of line": "[runtime]\nlog_level = 'INFO' # loud",
    "windows": "[runtime]\r\nlog_level = 'INFO'\r\n",
    "shared keys": "[sources]\ndatabase = 'bills.duckdb'\n\n[runtime]\na = 1\n",
    "sections apart": "[sources.aws_billing]\nbucket = 'x'\n[runtime]\n[sources.mine]\nb = 2\n",
    "credentials alone": "[sources.azure_billing.credentials]\naws_access_key_id = 'k'\n",
    "a second export": "[sources.azure_billing.monthly]\nexport_name = 'monthly'\n",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_new_section_goes_to_the_end_and_all_before_it_stays_to_the_character(text: str) -> None:
    changed = with_section(text, AZURE, VALUES, file=FILE)

    assert changed.startswith(text)
    added = tomllib.loads(changed)["sources"]["azure_billing"]
    assert {key: added[key] for key in WRITTEN} == WRITTEN
    assert "project_id" not in added


def test_a_section_that_is_there_is_not_touched_unless_that_is_wanted() -> None:
    text = "[sources.azure_billing]\nbucket = 'mine'\n"
    with pytest.raises(
        SectionThereError, match=r"\[sources.azure_billing\] is already in config.toml"
    ):
        with_section(text, AZURE, VALUES, file=FILE)


def test_a_replaced_section_keeps_comments_order_and_what_is_not_asked_for() -> None:
    text = (
        "# the bill\n[sources.azure_billing] # daily\nproject_id = 'acme' # ours\n"
        "bucket = 'old' # see the wiki\ntotals = false\n"
        "[sources.azure_billing.monthly]\nexport_name = 'm'\n\n[runtime]\na = 1\n"
    )
    assert with_section(text, AZURE, VALUES, file=FILE, replace=True) == (
        "# the bill\n[sources.azure_billing] # daily\n# project_id = 'acme' # ours\n"
        'bucket = "bills" # see the wiki\ntotals = false\n'
        'prefix = ""\nexport_name = "daily"\n\n'
        "[sources.azure_billing.monthly]\nexport_name = 'm'\n\n[runtime]\na = 1\n"
    )


def test_a_section_without_keys_is_filled() -> None:
    changed = with_section("[sources.azure_billing]\n[runtime]\na = 1\n", AZURE, VALUES, file=FILE)

    assert tomllib.loads(changed) == {"sources": {"azure_billing": WRITTEN}, "runtime": {"a": 1}}


def test_sections_inside_a_section_are_no_keys_of_it() -> None:
    text = "[sources.azure_billing.monthly]\nexport_name = 'm'\n"

    assert not has_section(text, AZURE, file=FILE)
    assert has_section(text, (*AZURE, "monthly"), file=FILE)


def test_a_file_that_has_no_place_for_a_section_is_left_alone() -> None:
    with pytest.raises(ConfigError, match=r"\[sources.azure_billing\] cannot be added"):
        with_section("sources = {database = 'x'}\n", AZURE, VALUES, file=FILE)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[a]\nb = \n", "not valid TOML: .*line 2"),
        (b"[a]\nb = 1\n[a]\n", "not valid TOML: .*line 3"),
        (b"a = 1\n# caf\xe9\n", "not UTF-8 in line 2"),
    ],
)
def test_a_file_that_is_not_toml_is_refused_by_its_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_config(file)


def test_a_file_is_exchanged_in_one_step_and_keeps_its_mode_and_its_link(tmp_path: Path) -> None:
    real, link = tmp_path / "shared.toml", tmp_path / ".dlt/config.toml"
    link.parent.mkdir()
    real.write_text("a = 1\n")
    real.chmod(0o640)
    link.symlink_to(real)
    write_config(link, "a = 2\r\n")

    assert link.is_symlink()
    assert real.read_bytes() == b"a = 2\r\n"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        ".dlt",
        "config.toml",
        "shared.toml",
    ]


def test_a_file_that_cannot_be_written_is_as_it_was(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_config(blocked / "config.toml", "a = 1\n")
    assert os.listdir(tmp_path) == ["file"]  # noqa: PTH208
    assert blocked.read_text() == "no folder"


@tries(100)
@given(
    value=st.text(st.characters(exclude_categories=["Cs"])), text=st.sampled_from([*TEXTS.values()])
)
def test_any_value_is_read_back_as_it_was_given(value: str, text: str) -> None:
    changed = with_section(text, (*AZURE, "more"), {"prefix": value}, file=FILE)

    assert tomllib.loads(changed)["sources"]["azure_billing"]["more"] == {"prefix": value}
    assert (
        value
        in tomllib.loads(section_text(AZURE, {"prefix": value}))["sources"][
            "azure_billing"
        ].values()
    )
