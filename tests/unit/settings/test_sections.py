"""The two sections of AWS are told apart, and one that is misspelt gets its hint."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from dlt.common.configuration.providers import EnvironProvider

from cloudbill.errors import ConfigError
from cloudbill.settings import read_sources, select_sources
from cloudbill.settings.sections import is_source_name, unknown_sections
from cloudbill.setup.config_file import TomlValues


def test_variables_of_the_two_sections_of_aws_are_told_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for section in ("AWS_BILLING", "AWS_BILLING__FOCUS_BILLING", "AWS_FOCUS_BILLING"):
        monkeypatch.setenv(f"SOURCES__{section}__BUCKET", section.lower())
        monkeypatch.setenv(f"SOURCES__{section}__EXPORT_NAME", "export")
    monkeypatch.setenv("SOURCES__AWS_BILLING__FOCUS_BILLING__TABLE_NAME", "own")

    environment: Any = EnvironProvider()
    sources = read_sources((environment,), os.environ)

    assert {settings.source: settings.bucket for settings in sources} == {
        "aws_billing": "aws_billing",
        "aws_billing.focus_billing": "aws_billing__focus_billing",
        "aws_focus_billing": "aws_focus_billing",
    }
    assert len({settings.pipeline_name for settings in sources}) == len(sources)
    assert select_sources(sources, "aws") == sources
    assert [one.source for one in select_sources(sources, "aws_focus")] == ["aws_focus_billing"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("aws_focus_biling", "aws_focus_billing"),
        ("aws_fokus_billing", "aws_focus_billing"),
        ("aws_biling", "aws_billing"),
        ("azure_biling", "azure_billing"),
    ],
)
def test_a_misspelt_section_gets_its_hint(written: str, meant: str) -> None:
    values = TomlValues(f"[sources.{written}]\nbucket = 'b'\n", Path("config.toml"))
    (error,) = unknown_sections([values])
    assert str(error) == f"Unknown section [sources.{written}]. Did you mean '{meant}'?"


def test_nothing_of_aws_is_configured() -> None:
    values = TomlValues("[sources.azure_billing]\nbucket = 'b'\nexport_name = 'e'\n", Path("c"))
    with pytest.raises(ConfigError, match=r"aws_billing or aws_focus_billing\] .*`cloudbill init`"):
        select_sources(read_sources([values], {}), "aws")


def test_credentials_alone_are_no_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__AWS_BILLING__CREDENTIALS__AWS_ACCESS_KEY_ID", "key")
    environment: Any = EnvironProvider()
    assert read_sources((environment,), os.environ) == ()


@pytest.mark.parametrize("name", ["bucket", "credentials", "kwargs", "2nd", "a-b", ""])
def test_names_that_are_no_sections_of_a_source(name: str) -> None:
    assert not is_source_name(name)
    assert is_source_name("daily_2")
