"""The rows of the keys, and what else says something of a key."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from cloudbill import aws_billing_source, aws_focus_billing_source, azure_billing_source
from cloudbill.providers import PROVIDERS
from cloudbill.settings import SourceSettings
from cloudbill.settings.keys import KEYS, Key, key_named
from cloudbill.settings.warehouse import WarehouseSettings

NOT_KEYS = {"source", "provider", "is_database_given"}
"""What a source is, apart from what its section says."""


def kinds(annotation: Any) -> set[Any]:
    """The types of which one is meant: `str | None` is two of them."""
    if get_origin(annotation) is tuple:
        return {tuple}
    return set(get_args(annotation)) or {annotation}


def type_of(key: Key) -> set[Any]:
    """What the settings hold: None is there only for a key that may lack a value."""
    read = kinds(get_type_hints(key.read)["return"])
    has_value = key.is_required or key.default is not None or key.default_of is not None
    return read - {type(None)} if has_value else read


class TestRows:
    def test_rows_are_the_fields_of_the_settings(self) -> None:
        names = [key.name for key in KEYS]

        assert len(set(names)) == len(names)
        assert set(names) == set(SourceSettings.__dataclass_fields__) - NOT_KEYS

    @pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
    def test_field_has_the_type_of_the_row(self, key: Key) -> None:
        assert kinds(get_type_hints(SourceSettings)[key.name]) == type_of(key)

    def test_what_a_warehouse_knows_has_the_types_of_the_source(self) -> None:
        assert get_type_hints(WarehouseSettings).items() <= get_type_hints(SourceSettings).items()

    @pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
    def test_default_is_a_value_of_that_type(self, key: Key) -> None:
        for provider in PROVIDERS.values():
            value = key.default_for(provider)

            assert key.is_required or isinstance(value, tuple(type_of(key)))

    @pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
    def test_row_says_what_the_key_is_and_what_holds_without_it(self, key: Key) -> None:
        defaults = (key.default, key.default_of, key.default_words)

        assert key.description.endswith(".")
        assert (set(defaults) == {None}) == key.is_required
        assert key.default_of is None or key.default_words


class TestWords:
    @pytest.mark.parametrize(
        ("name", "shown"),
        [
            ("bucket", "required"),
            ("prefix", "none"),
            ("table_name", "by provider"),
            ("dataset", "`billing`"),
            ("max_row_drop", "`0.5`"),
        ],
    )
    def test_only_a_default_that_can_be_written_is_code(self, name: str, shown: str) -> None:
        assert key_named(name).shown_default == shown

    def test_terminal_gets_no_markdown_and_a_question_the_first_sentence(self) -> None:
        location = key_named("location")

        assert location.help == (
            "Where BigQuery creates a missing dataset and runs its jobs, such as EU."
        )
        assert location.title == location.help[:-1]
        assert key_named("dataset").title == "The BigQuery dataset, or the DuckDB schema"


@pytest.mark.parametrize(
    "source", [azure_billing_source, aws_billing_source, aws_focus_billing_source]
)
def test_arguments_of_a_dlt_source_are_keys(source: Callable[..., object]) -> None:
    arguments = set(inspect.signature(source).parameters)

    assert {"bucket", "export_name", "database", "name"} <= arguments
    assert arguments - {"name"} <= {key.name for key in KEYS}
