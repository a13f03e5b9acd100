"""No two sources write one table, not even by way of the names that dlt makes of theirs."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from cloudbill.errors import ConfigError
from cloudbill.providers import PROVIDERS
from cloudbill.settings import SourceSettings, read_source
from cloudbill.settings.tables import require_separate_tables, tracking_name


def source(name: str, table: str, **given: str) -> SourceSettings:
    """A source that loads a table."""
    values = {"bucket": "/b", "export_name": "e", "table_name": table, **given}
    return read_source(f"azure_billing.{name}", PROVIDERS["azure"], [], values)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("AzureFocus", "azure_focus"),
        ("azure-focus", "Azure.Focus"),
        ("bill 1", "bill-1"),
        ("köln", "k ln"),
        ("日本", "中国"),
    ],
)
def test_two_tables_whose_ledgers_would_be_one_are_refused(one: str, other: str) -> None:
    sources = [source("a", one), source("b", other)]
    with pytest.raises(ConfigError) as error:
        require_separate_tables(sources)
    assert "[sources.azure_billing.a] and [sources.azure_billing.b]" in str(error.value)
    assert f"'{one}' and '{other}'" in str(error.value)


@pytest.mark.parametrize(
    "table", ["bill_load_tracking", "BILL_LOAD_TRACKING", "Bill_load_tracking"]
)
@pytest.mark.parametrize("is_first", [True, False], ids=["named first", "named last"])
def test_a_table_that_is_the_ledger_of_another_source_is_refused(
    table: str,
    is_first: bool,  # noqa: FBT001
) -> None:
    sources = [source("a", "Bill"), source("b", table)]
    with pytest.raises(ConfigError, match=r"azure_billing\.a\] keeps its ledger in that table"):
        require_separate_tables(sources if is_first else sources[::-1])


@pytest.mark.parametrize("table", ["_dlt_loads_2", "-dlt_x", "_DLT"])
def test_a_ledger_that_dlt_would_take_for_its_own_is_refused(table: str) -> None:
    settings = source("a", "x")
    with pytest.raises(ConfigError, match="dlt keeps"):
        require_separate_tables([replace(settings, table_name=table)])


def test_a_name_is_refused_that_is_too_long_for_the_files_of_dlt() -> None:
    require_separate_tables([source("a", "n" * 206)])
    with pytest.raises(ConfigError, match=r"azure_billing\.a\] is too long"):
        require_separate_tables([source("a", "n" * 207)])
    with pytest.raises(ConfigError, match="is too long"):
        require_separate_tables([source("a", "aB" * 90)])


def test_the_same_names_are_no_trouble_in_other_places() -> None:
    places = [
        {},
        {"dataset": "other"},
        {"database": "other.duckdb"},
        {"project_id": "p"},
        {"project_id": "q"},
    ]
    sources = [source(f"s{index}", "bill", **place) for index, place in enumerate(places)]
    require_separate_tables(sources)
    names = ["a", "b", "a_load_tracking_2", "A_2025"]
    require_separate_tables([source(f"s{index}", name) for index, name in enumerate(names)])
    assert all(one != other for one, other in pairwise(map(tracking_name, names)))
