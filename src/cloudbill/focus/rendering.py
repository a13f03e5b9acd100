"""Expressions of mappings for one table: placeholders become its columns, in a warehouse's SQL.

`{name}` is a column as text, without empty ones; `{name:raw}` with them. `{name:money}`,
`{name:time}` and `{name:json}` are of these types, whatever the table has, and `{name:unparsed}` is
the text of what should be an object and is none. `{name.key}` is the text under a key of a column
of objects. `{part:5:name}` is what is between the fourth and the fifth colon of a text,
`{head:5:name}` that up to its first slash, `{lookup:services:ServiceCategory:name}` the value of a
lookup for a key, `{objects:tags}` a group of columns as one object, and `{Name!}` the value of
another column of the mapping. A column that the table lacks is NULL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Final

from cloudbill.focus.mapping import Entry, Objects, lookup_of
from cloudbill.manifests import ColumnType
from cloudbill.sql import Fragment
from cloudbill.warehouses.view_dialects import FocusDialect, Kind

__all__ = ["BilledTable", "name_of", "names_in"]

_PLACEHOLDER: Final = re.compile(r"\{([^{}]+)\}")


def name_of(column: str) -> str:
    """What the value of a column of a mapping is called where others are made of it."""
    return f"cloudbill_{column}"


def names_in(expression: str) -> frozenset[str]:
    """The columns of a mapping that an expression is made of."""
    return frozenset(what[:-1] for what in _PLACEHOLDER.findall(expression) if what.endswith("!"))


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledTable:
    """A table whose columns expressions are written for.

    `kinds` has the types of its columns by name; a type that is no `ColumnType` is the warehouse's
    own word. `headers` has the header of the files for each column that is not called as that.
    """

    dialect: FocusDialect
    kinds: Mapping[str, ColumnType | str]
    headers: Mapping[str, str]

    def spelt(self, name: str) -> str | None:
        """The spelling of a column in the table; None if there is no such column."""
        wanted = name.lower()
        return next((found for found in self.kinds if found.lower() == wanted), None)

    def render(
        self,
        expression: str,
        columns: Mapping[str, Entry],
        objects: Mapping[str, Objects],
        *,
        named: Container[str] = (),
    ) -> Fragment:
        """An expression of a mapping; `columns` and `objects` are those of the mapping.

        `named` are the columns of it whose values have a name in the query (`name_of`).
        """

        def filled(match: re.Match[str]) -> str:
            what = match[1]
            if what.endswith("!"):
                name = what[:-1]
                if name in named:
                    return str(self.dialect.sql.compose("{name}", name=name_of(name)))
                return f"({self.render(columns[name].value or 'NULL', columns, objects)})"
            if what.startswith("objects:"):
                return str(self._objects(objects[what.partition(":")[2]]))
            return str(self._placeholder(what))

        return Fragment(_PLACEHOLDER.sub(filled, self.dialect.with_lists(expression)))

    def _placeholder(self, what: str) -> Fragment:
        first, _, rest = what.partition(":")
        if first in {"part", "head"}:
            at, _, name = rest.partition(":")
            places = {"at": Fragment(at), "at_0": Fragment(str(int(at) - 1))}
            template = self.dialect.part if first == "part" else self.dialect.head
            return self.dialect.sql.compose(template, value=self.raw(name), **places)
        if first == "lookup":
            lookup, column, name = rest.split(":")
            values = lookup_of(lookup).by_key(column)
            return self.dialect.lookup(values, self.raw(name))
        read: Mapping[str, Callable[[str], Fragment]] = {
            "": self.text,
            "raw": self.raw,
            "money": self.money,
            "time": self.time,
            "json": self.json,
            "unparsed": self.unparsed,
        }
        return read[rest](first)

    def value(self, name: str, kind: Kind) -> Fragment:
        """A column as what a column of a view holds."""
        read: Mapping[Kind, Callable[[str], Fragment]] = {
            Kind.TEXT: self.text,
            Kind.MONEY: self.money,
            Kind.TIME: self.time,
            Kind.JSON: self.json,
        }
        return read[kind](name)

    def raw(self, name: str) -> Fragment:
        """A column as text."""
        sql, dialect = self.dialect.sql, self.dialect
        spelt = self.spelt(name)
        if spelt is None:
            return self._member(name) or dialect.null(Kind.TEXT)
        kind, value = self.kinds[spelt], sql.compose("{name}", name=spelt)
        if kind is ColumnType.STRING:
            return value
        known = kind if isinstance(kind, ColumnType) else ColumnType.STRING
        template = dialect.texts.get(known, sql.text)
        return sql.compose(template, value=value)

    def _member(self, name: str) -> Fragment | None:
        column, _, key = name.partition(".")
        spelt = self.spelt(column)
        if not key.isidentifier() or spelt is None or self.kinds[spelt] is not ColumnType.JSON:
            return None
        sql = self.dialect.sql
        return sql.compose(sql.member, value=sql.compose("{name}", name=spelt), key=Fragment(key))

    def text(self, name: str) -> Fragment:
        """A column as text; NULL where it is empty."""
        raw = self.raw(name)
        spelt = self.spelt(name)
        if spelt is None and "." not in name:
            return raw
        if spelt is not None and self.kinds[spelt] not in {ColumnType.STRING, ColumnType.JSON}:
            return raw
        return self.dialect.sql.compose("NULLIF({raw}, '')", raw=raw)

    def money(self, name: str) -> Fragment:
        """A column as an exact decimal; NULL where it is none."""
        return self._read(name, self.dialect.moneys, Kind.MONEY)

    def time(self, name: str) -> Fragment:
        """A column as a time; NULL where it is none."""
        return self._read(name, self.dialect.times, Kind.TIME)

    def json(self, name: str) -> Fragment:
        """A column as an object; NULL where it is none, or has nothing."""
        return self._read(name, self.dialect.objects, Kind.JSON)

    def unparsed(self, name: str) -> Fragment:
        """The text of a column that should have objects, where it is none; NULL elsewhere."""
        spelt = self.spelt(name)
        if spelt is None or self.kinds[spelt] is not ColumnType.STRING:
            return self.dialect.null(Kind.TEXT)
        value = self.dialect.sql.compose("{name}", name=spelt)
        return self.dialect.sql.compose(self.dialect.unparsed, value=value, object=self.json(name))

    def _read(self, name: str, templates: Mapping[ColumnType, str], kind: Kind) -> Fragment:
        spelt = self.spelt(name)
        if spelt is None:
            return self.dialect.null(kind)
        found = self.kinds[spelt]
        value = self.dialect.sql.compose("{name}", name=spelt)
        if isinstance(found, ColumnType):
            template = templates.get(found)
            if template is None:
                return self.dialect.null(kind)
            return self.dialect.sql.compose(template, value=value)
        if kind is Kind.MONEY and str(found).upper().startswith(("DECIMAL", "NUMERIC")):
            return self.dialect.cast(value, kind)
        return self.dialect.null(kind)

    def _objects(self, group: Objects) -> Fragment:
        """A group of columns as one object."""
        dialect = self.dialect
        values = []
        for name, before in group.maps:
            if self.spelt(name):
                value = self.json(name)
                values.append(dialect.renamed(value, before) if before else value)
        members = {
            self._key(name, prefix, header, before): self.text(name)
            for prefix, header, before in group.prefixes
            for name in self.kinds
            if name.lower().startswith(prefix) and len(name) > len(prefix)
        }
        if members:
            made = dialect.object_of(list(members.items()))
            values.append(dialect.cast(made, Kind.JSON))
        if not values:
            return dialect.null(Kind.JSON)
        return values[0] if len(values) == 1 else dialect.merged(values)

    def _key(self, name: str, prefix: str, header: str, before: str) -> str:
        stated = self.headers.get(name, "")
        if header and stated.lower().startswith(header.lower()):
            return before + stated[len(header) :]
        return before + name[len(prefix) :]
