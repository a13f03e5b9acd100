"""What is said of a part that cannot be read, and what to ask for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import duckdb

from cloudbill.errors import LoadError

__all__ = ["AGAIN", "OFTEN", "damaged_part", "damaged_parts", "reason_of"]

OFTEN: Final = (
    "If this run alone has the fault, let the provider deliver it again; if every run has it, "
    "correct the export, or what brings its files into the store"
)
"""What to do about a value that does not fit."""
AGAIN: Final = (
    "Copy the part again from where the provider wrote it; if it is damaged there too, run the "
    "export again"
)
_KIND: Final = re.compile(r"^[A-Z][A-Za-z]*( [A-Z][a-z]+)* Error: ")
_FILE: Final = re.compile(
    r"Failed to read file \"[^\"]*\":\s*"
    r"|\b((in|(at (the )?)?(end|start) of) )?file ('[^']*'|\"[^\"]*\")"
)


def reason_of(error: duckdb.Error) -> str:
    """Why DuckDB gave up, without the statement and the name of the file, which is no part's."""
    text, *_ = str(error).strip().split("\n\nLINE ")
    reason = " ".join(_FILE.sub("", _KIND.sub("", text)).split())
    return reason.rstrip(" .:") or type(error).__name__


def damaged_part(address: str, error: duckdb.Error) -> LoadError:
    """The error of a part that DuckDB cannot read."""
    return LoadError(
        f"{address} is damaged ({reason_of(error)}), and the table was not changed. {AGAIN}"
    )


@contextmanager
def damaged_parts(address: str) -> Iterator[None]:
    """Names the part that is described while the block runs.

    Raises:
        LoadError: If DuckDB cannot read it.
    """
    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.InterruptException):
        raise  # neither is a fault of the part
    except duckdb.Error as error:
        raise damaged_part(address, error) from error
