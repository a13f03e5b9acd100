"""Puts the query together that sums a table into a cost cube, in the words of a warehouse; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from cloudbill.costs.amounts import to_amount
from cloudbill.costs.cube import CostCell, CostCube, CubeRequest, Dimension
from cloudbill.models import ColumnType
from cloudbill.providers.roles import CostCase, CostRule
from cloudbill.sql import Dialect, Fragment

if TYPE_CHECKING:
    from cloudbill.providers import Provider

__all__ = ["CubeQuery", "CubeWords"]

_EXACT: Final = frozenset({ColumnType.DECIMAL, ColumnType.INTEGER})


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeWords:
    """How a warehouse says what the query needs; `{name}` stands for a column."""

    dialect: Dialect
    parameter: str
    """What goes before the name of a parameter."""
    text: str
    months: Mapping[ColumnType, str]
    days: Mapping[ColumnType, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeQuery:
    """A query over one table: `values` of its rows, grouped by `groups` into `columns`."""

    request: CubeRequest
    values: tuple[Fragment, ...]
    columns: tuple[Fragment, ...]
    groups: tuple[Fragment, ...]
    parameters: Mapping[str, str]
    measures: tuple[str, ...]
    missing: Mapping[str, tuple[str, ...]]
    tag_columns: tuple[str, ...]

    @classmethod
    def of(
        cls,
        kinds: Mapping[str, ColumnType | str],
        provider: Provider,
        request: CubeRequest,
        words: CubeWords,
    ) -> CubeQuery:
        """The query over a table that has these columns, which hold that."""
        writer = _Writer(kinds, provider, words)
        tags = writer.tag_columns() if request.with_tags else ()
        groups = [writer.dimension(dimension) for dimension in request.dimensions]
        groups += [writer.text((name,)) for name in tags]
        missing = {
            name: lacking
            for name, rule in request.measures.items()
            if (lacking := writer.lacks(rule))
        }
        measures = tuple(name for name in request.measures if name not in missing)
        values = [writer.amount(request.measures[name]) for name in measures]
        aliases = [f"group_{index}" for index in range(len(groups))]
        amounts = [f"amount_{index}" for index in range(len(values))]
        compose = words.dialect.compose
        return cls(
            request=request,
            values=tuple(
                compose("{value} AS {alias}", value=value, alias=alias)
                for value, alias in zip([*groups, *values], [*aliases, *amounts], strict=True)
            ),
            columns=(
                *(compose("{alias}", alias=alias) for alias in aliases),
                Fragment("COUNT(*)"),
                *(compose("SUM({alias})", alias=alias) for alias in amounts),
            ),
            groups=tuple(compose("{alias}", alias=alias) for alias in aliases),
            parameters=writer.parameters,
            measures=measures,
            missing=missing,
            tag_columns=tags,
        )

    def statement(
        self, dialect: Dialect, *, table: tuple[str, ...], period: str, since: str | None
    ) -> Fragment:
        """The statement; `since` is how the parameter of the first month is written.

        The values have names before they are grouped, so that no expression has to be found equal
        to another.
        """
        parts = ["SELECT {columns} FROM (SELECT {values} FROM {table}"]
        parts.append("WHERE {period} IS NOT NULL")
        if since is not None:
            parts.append(f"AND {{period}} >= {since}")
        parts.append(") AS charges GROUP BY {groups}")
        if self.request.most is not None:
            by = "ABS(COALESCE(SUM(amount_0), 0)) DESC, " if self.measures else ""
            parts.append(f"ORDER BY {by}{{groups}} LIMIT {self.request.most}")
        return dialect.compose(
            " ".join(parts),
            columns=self.columns,
            values=self.values,
            table=table,
            period=period,
            groups=self.groups,
        )

    def read(self, rows: Iterable[Sequence[Any]]) -> CostCube:
        """The cube that the rows of the result make."""
        size = len(self.request.dimensions)
        return CostCube(
            dimensions=self.request.dimensions,
            tag_columns=self.tag_columns,
            measures=self.measures,
            missing=self.missing,
            cells=tuple(
                CostCell(
                    key=tuple(row[:size]),
                    tags=tuple(row[size : len(self.groups)]),
                    rows=int(row[len(self.groups)]),
                    amounts=tuple(
                        None if amount is None else to_amount(amount)
                        for amount in row[len(self.groups) + 1 :]
                    ),
                )
                for row in sorted(rows, key=lambda row: tuple(row[: len(self.groups)]))
            ),
        )


@dataclass(slots=True)
class _Writer:
    """Writes the pieces over the columns that a table has, in whatever case it spells them."""

    kinds: Mapping[str, ColumnType | str]
    provider: Provider
    words: CubeWords
    parameters: dict[str, str] = field(default_factory=dict)

    def spelt(self, name: str) -> str | None:
        wanted = name.lower()
        return next((found for found in self.kinds if found.lower() == wanted), None)

    def dimension(self, dimension: Dimension) -> Fragment:
        roles, provider = self.provider.ROLES, self.provider
        if dimension is Dimension.MONTH:
            return self._of_time(provider.PERIOD_COLUMN, self.words.months)
        if dimension is Dimension.DAY:
            return self._of_time(provider.CLUSTER_COLUMN, self.words.days)
        names = {
            Dimension.PROVIDER: roles.provider,
            Dimension.SERVICE: roles.service,
            Dimension.SUB_ACCOUNT_ID: roles.sub_account_id,
            Dimension.SUB_ACCOUNT_NAME: roles.sub_account_name,
            Dimension.CURRENCY: (provider.CURRENCY_COLUMN,),
        }[dimension]
        is_provider = dimension is Dimension.PROVIDER
        return self.text(names, otherwise=roles.provider_name if is_provider else "")

    def text(self, names: Sequence[str], otherwise: str = "") -> Fragment:
        """The first of the columns that is not empty in a row, or a text."""
        found = [spelt for name in names if (spelt := self.spelt(name)) is not None]
        pieces = [
            self.words.dialect.compose(f"NULLIF({self.words.text}, '')", name=name)
            for name in found
        ]
        pieces.append(self._value(otherwise) if otherwise else Fragment("''"))
        return self.words.dialect.compose("COALESCE({pieces})", pieces=pieces)

    def tag_columns(self) -> tuple[str, ...]:
        roles = self.provider.ROLES
        if roles.tags_column is not None:
            name = self.spelt(roles.tags_column)
            return () if name is None else (name,)
        prefix = roles.tags_prefix
        return tuple(name for name in self.kinds if prefix and name.lower().startswith(prefix))

    def lacks(self, rule: CostRule) -> tuple[str, ...]:
        """The columns without which a rule cannot be followed."""
        inexact = [name for name in rule.amounts if not self._is_exact(name)]
        return (*inexact, *(name for name in rule.texts if self.spelt(name) is None))

    def amount(self, rule: CostRule) -> Fragment:
        otherwise = self._column(rule.otherwise)
        if rule.type_column is None or not rule.cases:
            return otherwise
        cases = " ".join(str(self._case(rule.type_column, case)) for case in rule.cases)
        return self.words.dialect.compose(
            "CASE {cases} ELSE {otherwise} END", cases=Fragment(cases), otherwise=otherwise
        )

    def _case(self, type_column: str, case: CostCase) -> Fragment:
        compose = self.words.dialect.compose
        condition = compose(
            "{type} = {value}", type=self.spelt(type_column) or "", value=self._value(case.type)
        )
        if case.where_set is not None:
            condition = compose(
                "{condition} AND {set} <> ''",
                condition=condition,
                set=self.spelt(case.where_set) or "",
            )
        signed = [("+", name) for name in case.plus] + [("-", name) for name in case.minus]
        terms = [
            compose(f"{sign} COALESCE({{amount}}, 0)", amount=self._column(name))
            for sign, name in signed
        ]
        return compose(
            "WHEN {condition} THEN 0 {terms}",
            condition=condition,
            terms=Fragment(" ".join(map(str, terms))),
        )

    def _column(self, name: str) -> Fragment:
        return self.words.dialect.compose("{name}", name=self.spelt(name) or "")

    def _is_exact(self, name: str) -> bool:
        spelt = self.spelt(name)
        return spelt is not None and self.kinds[spelt] in _EXACT

    def _of_time(self, name: str, templates: Mapping[ColumnType, str]) -> Fragment:
        spelt = self.spelt(name)
        kind = self.kinds[spelt] if spelt is not None else None
        if spelt is None or not isinstance(kind, ColumnType) or kind not in templates:
            return Fragment("''")
        return self.words.dialect.compose(f"COALESCE({templates[kind]}, '')", name=spelt)

    def _value(self, value: str) -> Fragment:
        name = f"value_{len(self.parameters)}"
        self.parameters[name] = value
        return Fragment(f"{self.words.parameter}{name}")
