"""The parts of a run as one relation that DuckDB reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from cloudbill.costs.sums import Charges
from cloudbill.models import Column
from cloudbill.sql import DUCKDB, Fragment

__all__ = ["PartsRelation", "literal_path"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartsRelation:
    """The parts of a run as one relation.

    `relation` reads them and takes `parameters`. `columns` are named as the relation names them,
    and `values` gives for each of these names its value in the type of the table. `inexact` are
    the columns whose numbers may have more digits than the table keeps.

    `described` gives the columns of each part, under the name that messages give the part.

    `part_rows` is in the order of the parts, or None where the parts do not state it; the relation
    then tells in `file_column` which of `files` a row is from, which are in the order of the parts.
    """

    relation: Fragment
    parameters: Mapping[str, object]
    columns: tuple[Column, ...]
    values: Mapping[str, Fragment]
    described: Sequence[tuple[str, Sequence[Column]]] = ()
    inexact: tuple[Column, ...] = ()
    part_rows: tuple[int, ...] | None = None
    file_column: str | None = None
    files: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    """What a column of the table is called in the parts, where that is another name."""

    def value(self, name: str) -> Fragment:
        """What the table gets from a column of the relation."""
        return self.values[name]

    def charges(self, *, is_as_stored: bool = False) -> Charges:
        """The rows as charges, in the types of the table, or in those that the parts have."""
        return Charges(
            dialect=DUCKDB,
            relation=self.relation,
            kinds={column.target: column.type for column in self.columns},
            values={
                column.target: DUCKDB.compose("{name}", name=column.name)
                if is_as_stored
                else self.values[column.name]
                for column in self.columns
            },
        )

    def projection(self) -> list[Fragment]:
        """Each column, in the type of the table and under its name there."""
        return [
            DUCKDB.compose(
                "{value} AS {target}", value=self.values[column.name], target=column.target
            )
            for column in self.columns
        ]


def literal_path(file: PurePath) -> str:
    """A path in which no character is a pattern to DuckDB."""
    return re.sub(r"([*?\[])", r"[\1]", str(file))
