"""What `cloudbill query` and `cloudbill export` need of a warehouse, beyond what a load needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from cloudbill.errors import QueryError
from cloudbill.periods import BillingPeriod
from cloudbill.settings.sections import suggestion
from cloudbill.sql import Fragment

__all__ = ["Answer", "AnswerColumn", "Questions", "RowsToCopy", "ScanListener", "refusal"]

ScanListener = Callable[[int], None]
"""Hears how many bytes a query will scan, before it runs; where bytes are billed."""

_GONE: Final = re.compile(
    r"(?:Table|View) with name (?P<duckdb>.+?) does not exist"
    r"|Not found: Table [^\s.]+\.[^\s.]+\.(?P<bigquery>\S+)"
)
_PROPOSAL: Final = re.compile(r"\s*Did you mean [^?]*\?")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerColumn:
    """A column of an answer; `type` is the warehouse's own word."""

    name: str
    type: str
    is_number: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to a query; its rows come in batches as they are asked for, and only once.

    `count` says how many there are in all, and may only be asked once no more rows are.
    """

    columns: tuple[AnswerColumn, ...]
    batches: Iterator[Sequence[Sequence[object]]]
    count: Callable[[], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsToCopy:
    """Rows of a table or view: those of a month, by a condition in the SQL of the warehouse.

    `partitioned_by` is the column that tells the month in a table of cloudbill, None in a view.
    """

    name: str
    period: BillingPeriod
    where: Fragment
    partitioned_by: str | None = None


class Questions(Protocol):
    """Answers the SQL of a user, who can change nothing by it, nor read anything but the warehouse.

    Names without a dataset are those of the dataset.
    """

    def ask(self, sql: str, tell: ScanListener) -> Answer:
        """The answer to one SELECT.

        Raises:
            QueryError: If the SQL has a mistake, or is anything but a SELECT.
            LoadError: If the warehouse fails, or the query would bill more than the settings allow.
        """

    def names(self) -> Sequence[str]:
        """The tables and views of the dataset, apart from those of dlt. Raises `LoadError`."""


def refusal(reason: str, names: Callable[[], Sequence[str]], dataset: str) -> QueryError:
    """The error for SQL that a warehouse does not take; `reason` is what it says itself."""
    found = _GONE.search(reason)
    if found is not None:
        # DuckDB also proposes tables of its own catalog, which are none of the bill.
        reason = _PROPOSAL.sub("", reason)
    lines = [f"The warehouse does not take this SQL: {reason}"]
    if found is not None:
        there = names()
        wanted = str(found["duckdb"] or found["bigquery"]).strip("\"`'")
        near = suggestion(wanted, there) if there else ""
        if near.startswith(" Did"):
            lines.append(near.strip())
        lines.append(
            f"{dataset} has {', '.join(there)}" if there else f"Nothing is loaded into {dataset}"
        )
    return QueryError("\n".join(lines))
