"""The parts of a run as one relation that DuckDB reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from types import MappingProxyType

from cloudbill.costs.sums import Charges
from cloudbill.files.decimals import text_of, whole_as_double
from cloudbill.files.json_text import object_value
from cloudbill.manifests import Column, ColumnType
from cloudbill.periods import BillingPeriod
from cloudbill.sql import DUCKDB, Fragment

__all__ = ["PartsRelation", "Sample", "literal_path"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Some rows of parts, from all over them, for a column of objects.

    `relation` has the column and takes `parameters`; rows with one `text` have one object.
    """

    relation: Fragment
    parameters: Mapping[str, object]
    text: Fragment


@dataclass(frozen=True, slots=True, kw_only=True)
class PartsRelation:
    """The parts of a run as one relation.

    `relation` reads them and takes `parameters`. `columns` have their names in the relation, and
    `values` gives, for each of these names, its value in the type of the column. `rests` gives what
    of a number is rounded away, for columns that may have more digits than a table keeps.

    `addresses` are the names of Parquet parts in messages, by the names that DuckDB reads them by.

    `part_rows` is in the order of the parts, or None if the parts do not state their rows. Then
    `file_column` of the relation names the file of each row, and `files` are in the order of the
    parts.
    """

    relation: Fragment
    parameters: Mapping[str, object]
    columns: tuple[Column, ...]
    values: Mapping[str, Fragment]
    rests: Mapping[str, Fragment] = field(default_factory=dict)
    texts: Mapping[str, Fragment] = field(default_factory=dict)
    """What is written in the files, where they are text."""
    addresses: Mapping[str, str] = field(default_factory=dict)
    part_names: tuple[tuple[str, frozenset[str]], ...] = ()
    """The address of each part and the names of its columns in the table, in lower case."""
    part_rows: tuple[int, ...] | None = None
    file_column: str | None = None
    files: tuple[str, ...] = ()
    sample: Callable[[], Mapping[str, Sample]] = dict
    """Takes a sample for each column of objects that can have one."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """The name of a column in the parts, if it differs from the name in the table."""

    def value(self, name: str) -> Fragment:
        """The value that the table gets from a column of the relation."""
        return self.values[name]

    def charges(self) -> Charges:
        """The rows as charges, in the types of the columns."""
        targets = {column.name: column.target for column in self.columns}
        return Charges(
            dialect=DUCKDB,
            relation=self.relation,
            kinds={column.target: column.type for column in self.columns},
            values={target: self.values[name] for name, target in targets.items()},
            rests={targets[name]: rest for name, rest in self.rests.items()},
        )

    def described_parts(self) -> list[tuple[str, frozenset[str], int | None]]:
        """The address of each part, its columns, and its rows where it states them."""
        rows = self.part_rows or (None,) * len(self.part_names)
        return [(*part, count) for part, count in zip(self.part_names, rows, strict=True)]

    def in_month(
        self, period_column: str, period: BillingPeriod
    ) -> tuple[Fragment, dict[str, object]]:
        """Which rows are of a month, and the parameters of that: none where no time says so."""
        charges = self.charges()
        if charges.kind(period_column) not in {ColumnType.TIMESTAMP, ColumnType.DATE}:
            return Fragment("FALSE"), {}
        ends: dict[str, object] = {
            "month_start": period.first_day,
            "month_end": period.next.first_day,
        }
        return DUCKDB.in_month(charges.value(period_column)), ends

    def projection(
        self, types: Mapping[str, ColumnType | str] = MappingProxyType({})
    ) -> list[Fragment]:
        """Each column with its name in the table, in its own type or in that of the table.

        `types` has those of the table, by names in lower case; see `fit_columns`.
        """
        return [
            DUCKDB.compose(
                "{value} AS {target}",
                value=self._as(column, types.get(column.target.lower(), column.type)),
                target=column.target,
            )
            for column in self.columns
        ]

    def _as(self, column: Column, kind: ColumnType | str) -> Fragment:
        value = self.values[column.name]
        if kind == column.type:
            return value
        if kind is ColumnType.JSON:
            text = DUCKDB.compose("NULLIF({value}, '')", value=value)
            return object_value(text, column.name)
        if kind is ColumnType.STRING:
            written = None if column.type is ColumnType.JSON else self.texts.get(column.name)
            return written or text_of(value, column.type)
        if kind is ColumnType.FLOAT:
            return whole_as_double(value, column.name)
        if kind is ColumnType.TIMESTAMP:
            return DUCKDB.compose("CAST({value} AS TIMESTAMP)", value=value)
        return DUCKDB.compose("CAST({value} AS DECIMAL(38,18))", value=value)


def literal_path(file: PurePath) -> str:
    """A path in which no character is a pattern to DuckDB."""
    return re.sub(r"([*?\[])", r"[\1]", str(file))
