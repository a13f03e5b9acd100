"""Objects that many rows have are spelt once, and found by their texts.

A million rows of a bill have a few hundred different tags, and to spell one takes a hundred times
as long as to find a text. What is found depends on nothing: the texts come from a sample of the
rows, and the object of a row whose text is not among them is spelt by itself.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import duckdb

from cloudbill.sql import DUCKDB, Fragment

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from cloudbill.files.relation import PartsRelation

__all__ = ["with_known_objects"]

_MOST: Final = 10_000
"""Texts of a column. With all of 1 kB, DuckDB has less than 100 MB of them and their objects."""
# A text that only one row of the sample has is hardly worth its place.
_SPELT: Final = (
    "SELECT {key}, CAST({value} AS VARCHAR) FROM (SELECT {text} AS {key}, "
    "any_value({name}) AS {name} FROM {sample} GROUP BY {text} "
    "HAVING {text} IS NOT NULL AND count(*) > 1 ORDER BY count(*) DESC LIMIT {most})"
)
_KNOWN: Final = (
    " LEFT JOIN (SELECT unnest({texts}) AS {text_name}, "
    "unnest(CAST({values} AS JSON[])) AS {value_name}) ON {text} = {text_name}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """The objects of a column by their texts, under a name that no column has."""

    column: str
    text: Fragment
    place: int
    objects: Mapping[str, str]

    @property
    def value_name(self) -> str:
        return f"\x1fobject {self.place}"

    @property
    def parameters(self) -> dict[str, object]:
        return {
            f"texts_of_{self.place}": list(self.objects),
            f"objects_of_{self.place}": list(self.objects.values()),
        }

    def join(self) -> Fragment:
        return DUCKDB.compose(
            _KNOWN,
            texts=Fragment(f"$texts_of_{self.place}"),
            values=Fragment(f"$objects_of_{self.place}"),
            text=self.text,
            text_name=f"\x1ftext {self.place}",
            value_name=self.value_name,
        )


def with_known_objects(connection: DuckDBPyConnection, source: PartsRelation) -> PartsRelation:
    """The same rows and values, which take less time where rows have the same objects.

    A fault of an object is left to the statement that reads all rows, which names it.
    """
    known: list[_Known] = []
    # Another connection, for a statement that fails would end the transaction of this one.
    with closing(connection.cursor()) as other:
        for column, sample in source.sample().items():
            statement = DUCKDB.compose(
                _SPELT,
                value=source.value(column),
                text=sample.text,
                name=column,
                key="\x1ftext",
                sample=sample.relation,
                most=Fragment(str(_MOST)),
            )
            try:
                found = other.execute(statement.text, sample.parameters).fetchall()
            except duckdb.InterruptException:
                raise
            except duckdb.Error:
                continue
            if found:
                known.append(
                    _Known(column=column, text=sample.text, place=len(known), objects=dict(found))
                )
    if not known:
        return source
    values = {
        one.column: DUCKDB.compose(
            "coalesce({known}, {value})", known=one.value_name, value=source.value(one.column)
        )
        for one in known
    }
    joins = "".join(one.join().text for one in known)
    return replace(
        source,
        relation=Fragment(f"(FROM {source.relation}{joins})"),
        parameters=dict(ChainMap({}, *(one.parameters for one in known), dict(source.parameters))),
        values={**source.values, **values},
    )
