"""The legal names of a source, a dataset and a Google Cloud project."""

from __future__ import annotations

import re
from typing import Final

from cloudbill.errors import ConfigError

__all__ = ["read_dataset", "read_project", "read_source_name"]

_SOURCE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
_DATASET: Final = re.compile(r"\w{1,1024}", re.ASCII)
# "Creating and managing projects"; older organisations have their domain before the id.
_PROJECT: Final = re.compile(r"[\w.:-]{1,128}", re.ASCII)


def read_source_name(name: str) -> str:
    """The name of another export, which is part of a section and of environment variables.

    Raises:
        ConfigError: If it cannot be.
    """
    return _matching(_SOURCE, name, "name of a source", "letters, digits and _, a letter first")


def read_project(name: str) -> str:
    """The id of a Google Cloud project.

    Raises:
        ConfigError: If it cannot be one.
    """
    return _matching(_PROJECT, name, "Google Cloud project", "its id, such as my-project")


def read_dataset(name: str) -> str:
    """The name of a BigQuery dataset; a DuckDB schema may have any name.

    Raises:
        ConfigError: If it cannot be one.
    """
    return _matching(_DATASET, name, "dataset", "letters, digits and _")


def _matching(pattern: re.Pattern[str], name: str, what: str, advice: str) -> str:
    if not pattern.fullmatch(name):
        raise ConfigError(f"'{name}' cannot be the {what}; use {advice}")
    return name
