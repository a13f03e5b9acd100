"""Builds the query that sums a table into a cost cube; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cloudbill.costs.cube import CostCell, CostCube, CubeRequest, Dimension
from cloudbill.costs.sums import EXACT, NOTHING, Charges, GroupSums, SumQuery
from cloudbill.providers.roles import CostCase, CostRule, TextTest
from cloudbill.sql import Fragment

if TYPE_CHECKING:
    from cloudbill.providers import Provider

__all__ = ["CubeQuery"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CubeQuery:
    """The query for a cube of some charges, and the meaning of its groups and sums.

    It takes the parameter `since`, the first day of a month in the type of the period column, if
    the request has one.
    """

    request: CubeRequest
    query: SumQuery
    missing: Mapping[str, tuple[str, ...]]
    tag_columns: tuple[str, ...]

    @classmethod
    def of(cls, charges: Charges, provider: Provider, request: CubeRequest) -> CubeQuery:
        """The query over all charges of the requested months."""
        writer = _Writer(charges, provider)
        tags = writer.tag_columns() if request.with_tags else ()
        missing = {
            name: lacking
            for name, rule in request.measures.items()
            if (lacking := writer.lacks(rule))
        }
        query = SumQuery(
            relation=charges.relation,
            where=writer.of_a_month(has_start=request.since is not None),
            groups=(
                *(writer.dimension(dimension) for dimension in request.dimensions),
                *(charges.text(name) for name in tags),
            ),
            columns={
                name: writer.amount(rule)
                for name, rule in request.measures.items()
                if name not in missing
            },
            parameters=writer.parameters,
            most=request.most,
        )
        return cls(request=request, query=query, missing=missing, tag_columns=tags)

    def read(self, sums: Iterable[GroupSums]) -> CostCube:
        """The cube from the answer to the query."""
        size = len(self.request.dimensions)
        return CostCube(
            dimensions=self.request.dimensions,
            tag_columns=self.tag_columns,
            measures=tuple(self.query.columns),
            missing=self.missing,
            cells=tuple(
                CostCell(
                    key=group.groups[:size],
                    tags=group.groups[size:],
                    rows=group.rows,
                    amounts=tuple(group.amounts.values()),
                )
                for group in sums
            ),
        )


@dataclass(slots=True)
class _Writer:
    """Writes the pieces of the query for the existing columns."""

    charges: Charges
    provider: Provider
    parameters: dict[str, str] = field(default_factory=dict)

    def of_a_month(self, *, has_start: bool) -> Fragment:
        """The condition, which leaves out rows without a month and rows before the start."""
        dialect = self.charges.dialect
        template = "NOT {of_no_month}"
        if has_start:
            template += f" AND {{period}} >= {dialect.parameter}since"
        period = self.provider.PERIOD_COLUMN
        of_no_month = self.charges.of_no_month(period)
        return dialect.compose(template, of_no_month=of_no_month, period=period)

    def dimension(self, dimension: Dimension) -> Fragment:
        roles, provider = self.provider.ROLES, self.provider
        if dimension is Dimension.MONTH:
            return self.charges.month(provider.PERIOD_COLUMN)
        if dimension is Dimension.DAY:
            return self.charges.day(provider.CLUSTER_COLUMN)
        if dimension is Dimension.PURCHASE:
            return self._purchase()
        names = {
            Dimension.PROVIDER: roles.provider,
            Dimension.SERVICE: roles.service,
            Dimension.SUB_ACCOUNT_ID: roles.sub_account_id,
            Dimension.SUB_ACCOUNT_NAME: roles.sub_account_name,
            Dimension.CURRENCY: (provider.CURRENCY_COLUMN,),
        }[dimension]
        if dimension is Dimension.PROVIDER and roles.provider_name:
            return self.charges.text(*names, otherwise=self._parameter(roles.provider_name))
        return self.charges.text(*names)

    def _purchase(self) -> Fragment:
        roles = self.provider.ROLES
        words = (
            ("once", roles.one_time),
            ("half_unused", roles.half_unused),
            ("recurring", roles.purchases),
        )
        cases = [
            self.charges.dialect.compose(
                f"WHEN {{passes}} THEN '{word}'", passes=self._passes(alternatives)
            )
            for word, alternatives in words
            if alternatives
        ]
        return Fragment(f"CASE {' '.join(map(str, cases))} ELSE '' END") if cases else NOTHING

    def _passes(self, alternatives: tuple[tuple[TextTest, ...], ...]) -> Fragment:
        """Whether a row passes all tests of any of some alternatives."""
        found = (" AND ".join(str(self._test(test)) for test in tests) for tests in alternatives)
        return Fragment(" OR ".join(f"({tests})" for tests in found))

    def _test(self, test: TextTest) -> Fragment:
        """Whether a row passes a test; its text is never NULL, so the opposite is simple."""
        compose, text = self.charges.dialect.compose, self.charges.text(test.column)
        ways = {
            "{text} = {word}": test.equals,
            "STARTS_WITH({text}, {word})": test.begins,
            "STRPOS({text}, {word}) > 0": test.contains,
            "ENDS_WITH({text}, {word})": test.ends,
        }
        found = [
            compose(template, text=text, word=self._parameter(word))
            for template, words in ways.items()
            for word in words
        ] or [compose("{text} <> ''", text=text)]
        return Fragment(f"{'NOT ' if test.is_not else ''}({' OR '.join(map(str, found))})")

    def tag_columns(self) -> tuple[str, ...]:
        roles = self.provider.ROLES
        objects = self.charges.spelt(roles.tags_column) if roles.tags_column else None
        prefix = roles.tags_prefix
        return tuple(
            name
            for name in self.charges.kinds
            if name == objects or (prefix and name.lower().startswith(prefix))
        )

    def lacks(self, rule: CostRule) -> tuple[str, ...]:
        """The columns that a rule needs."""
        inexact = [
            name
            for name in rule.amounts
            if self.charges.kind(name) not in EXACT
            and not (name in rule.first and self.charges.spelt(name) is None)
        ]
        inexact += [name for name in rule.first.values() if self.charges.kind(name) not in EXACT]
        return (*inexact, *(name for name in rule.texts if self.charges.spelt(name) is None))

    def amount(self, rule: CostRule) -> Fragment:
        otherwise = self._value(rule, rule.otherwise)
        if rule.fallback is not None:
            otherwise = self.charges.dialect.compose(
                "COALESCE({value}, {fallback})",
                value=otherwise,
                fallback=self._value(rule, rule.fallback),
            )
        if rule.type_column is None or not rule.cases:
            return otherwise
        cases = " ".join(str(self._case(rule, rule.type_column, case)) for case in rule.cases)
        return self.charges.dialect.compose(
            "CASE {cases} ELSE {otherwise} END", cases=Fragment(cases), otherwise=otherwise
        )

    def _value(self, rule: CostRule, name: str) -> Fragment:
        """The value of a column with amounts, or of the one that counts before it."""
        columns = [rule.first.get(name), name]
        values = [self.charges.value(one) for one in columns if one and self.charges.spelt(one)]
        if len(values) == 1:
            return values[0]
        return self.charges.dialect.compose("COALESCE({values})", values=values)

    def _case(self, rule: CostRule, type_column: str, case: CostCase) -> Fragment:
        compose = self.charges.dialect.compose
        condition = compose(
            "ENDS_WITH({type}, {value})" if case.is_ending else "{type} = {value}",
            type=self.charges.value(type_column),
            value=self._parameter(case.type),
        )
        if case.where_set is not None:
            condition = compose(
                "{condition} AND {set} <> ''",
                condition=condition,
                set=self.charges.value(case.where_set),
            )
        if case.where_begins is not None:
            column, beginning = case.where_begins
            condition = compose(
                "{condition} AND STARTS_WITH({text}, {beginning})",
                condition=condition,
                text=self.charges.value(column),
                beginning=self._parameter(beginning),
            )
        signed = [("+", name) for name in case.plus] + [("-", name) for name in case.minus]
        terms = [
            compose(f"{sign} COALESCE({{amount}}, 0)", amount=self._value(rule, name))
            for sign, name in signed
        ]
        return compose(
            "WHEN {condition} THEN 0 {terms}",
            condition=condition,
            terms=Fragment(" ".join(map(str, terms))),
        )

    def _parameter(self, value: str) -> Fragment:
        name = f"value_{len(self.parameters)}"
        self.parameters[name] = value
        return Fragment(f"{self.charges.dialect.parameter}{name}")
