"""The columns of FOCUS, by version, in the order of the views; pure."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

from cloudbill.warehouses.view_dialects import Kind

__all__ = ["FocusColumn", "Version", "columns_of"]


class Version(StrEnum):
    """The versions of FOCUS that there is a view of."""

    V1_2 = "1.2"
    V1_4 = "1.4"


@dataclass(frozen=True, slots=True, kw_only=True)
class FocusColumn:
    """A column of FOCUS, and what it holds."""

    name: str
    kind: Kind


@cache
def columns_of(version: Version) -> tuple[FocusColumn, ...]:
    """The columns of the dataset Cost and Usage in a version (FOCUS specification)."""
    member = f"in_{version.value.replace('.', '_')}"
    text = files("cloudbill.focus").joinpath("data", "columns.csv").read_text(encoding="utf-8")
    return tuple(
        FocusColumn(name=row["column"], kind=Kind(row["type"]))
        for row in csv.DictReader(text.splitlines())
        if row[member] == "yes"
    )
