"""The columns of the forms of an AWS bill that are no report in CSV, made from the report's lines.

A form is a list of columns, each with the SQL that makes it from a line of the report, whose cells
are all text.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cloudbill.sample.aws.columns import aws_columns, column_id
from cloudbill.sample.aws.queries import lines_query
from cloudbill.sample.sql import quote_identifier, quote_text

Kind: TypeAlias = Literal[
    "string", "double", "timestamp", "map<string,string>", "map<string,double>"
]

__all__ = [
    "Column",
    "Kind",
    "athena_name",
    "cell",
    "map_of",
    "report_columns",
    "select_query",
    "sums_query",
]

_IN_PARQUET: dict[Kind, str] = {
    "string": "{sql}",
    # By its text: a decimal would be divided, and not give the nearest double.
    "double": "CAST({sql} AS DOUBLE)",
    "timestamp": "CAST(CAST({sql} AS TIMESTAMP) AS TIMESTAMP_MS)",
    "map<string,string>": "{sql}",
    "map<string,double>": "{sql}",
}
_IN_CSV: dict[Kind, str] = dict.fromkeys(_IN_PARQUET, "{sql}") | {
    "map<string,string>": "CAST(to_json({sql}) AS VARCHAR)",
    "map<string,double>": "CAST(to_json({sql}) AS VARCHAR)",
}
_REPORT_KINDS: dict[str, Kind] = {"OptionalBigDecimal": "double", "DateTime": "timestamp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a form, its type in AWS's words, and the SQL of its value.

    Numbers and times are text in `sql`; maps are maps.
    """

    name: str
    kind: Kind
    sql: str


def select_query(
    columns: Iterable[Column], months_before: int, file_format: str, *, source: str = "line"
) -> str:
    """The query for the rows of a form, in the types of Parquet or as the texts of CSV.

    `source` is what the columns are made from, if it is not the lines of the report. It is SQL
    itself, and the lines are `line` in it. `months_before` is that of `aws_columns`.
    """
    forms = _IN_PARQUET if file_format == "parquet" else _IN_CSV
    values = ", ".join(
        f"{forms[column.kind].format(sql=column.sql)} AS {quote_identifier(column.name)}"
        for column in columns
    )
    lines = lines_query(aws_columns(months_before))
    return f"WITH line AS ({lines}) SELECT {values} FROM {source}"  # noqa: S608 - own text


def sums_query(
    columns: Iterable[Column], months_before: int, names: Sequence[str], *, source: str = "line"
) -> str:
    """The query for the exact sums of some columns of numbers."""
    by_name = {column.name: column for column in columns}
    sums = ", ".join(f"sum(CAST({by_name[name].sql} AS DECIMAL(28,10)))" for name in names)
    lines = lines_query(aws_columns(months_before))
    return f"WITH line AS ({lines}) SELECT {sums} FROM {source}"  # noqa: S608 - own text


def cell(header: str) -> str:
    """The cell of a line of the report, as SQL."""
    return quote_identifier(column_id(header))


def map_of(values: Mapping[str, str]) -> str:
    """A map with the values that are there, as SQL, from SQL by key."""
    entries = ", ".join(f"{{'k': {quote_text(key)}, 'v': {sql}}}" for key, sql in values.items())
    return f"map_from_entries(list_filter([{entries}], lambda entry: entry.v IS NOT NULL))"


def athena_name(header: str) -> str:
    """The name of a column of the report in Athena, in Parquet and in CUR 2.0."""
    spaced = re.sub(r"([A-Z])", r"_\1", header).lower()
    return re.sub(r"[^a-z0-9]+", "_", spaced).strip("_")


def report_columns(months_before: int) -> tuple[Column, ...]:
    """The columns of a report in Parquet: columns that get the same name are merged into one."""
    merged: dict[str, list[str]] = {}
    kinds: dict[str, Kind] = {}
    for header, stated in aws_columns(months_before).items():
        name = athena_name(header)
        merged.setdefault(name, []).append(cell(header))
        kinds[name] = _REPORT_KINDS.get(stated, "string")
    return tuple(
        Column(name=name, kind=kinds[name], sql=f"coalesce({', '.join(cells)})")
        for name, cells in merged.items()
    )
