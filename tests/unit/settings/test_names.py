"""Which names are legal, and what is said of the others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cloudbill.errors import ConfigError
from cloudbill.settings.names import read_dataset, read_project, read_source_name

Reader = Callable[[str], str]


@pytest.mark.parametrize(
    ("read", "name"),
    [
        (read_source_name, "monthly_2"),
        (read_dataset, "2025_bills"),
        (read_dataset, "d" * 1024),
        (read_project, "my-project"),
        (read_project, "example.com:my-project"),
    ],
)
def test_legal_name_is_kept_as_it_is(read: Reader, name: str) -> None:
    assert read(name) == name


@pytest.mark.parametrize(
    ("read", "name", "what"),
    [
        (read_source_name, "2nd", "name of a source; use letters, digits and _"),
        (read_source_name, "Ä", "name of a source"),
        (read_source_name, "", "name of a source"),
        (read_dataset, "a-b", "dataset; use letters, digits and _"),
        (read_dataset, "d" * 1025, "dataset"),
        (read_dataset, "a\n", "dataset"),
        (read_project, "my project", "Google Cloud project; use its id"),
        (read_project, "None`; DROP", "Google Cloud project"),
    ],
)
def test_other_names_are_refused_with_what_to_use(read: Reader, name: str, what: str) -> None:
    with pytest.raises(ConfigError) as error:
        read(name)

    assert f"'{name}' cannot be the {what}" in str(error.value)
