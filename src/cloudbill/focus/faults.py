"""The faults that the view `focus_faults` counts, read from `data/faults.toml`; pure.

A condition is SQL over the columns of the view `focus` that every warehouse understands.
`{product_differs:A:B:C}` is whether A times B differs from C by more than a millionth of C and more
than a cent: prices are rounded in the exports, and no decimal type holds the digits of a product.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from cloudbill.sql import DUCKDB, Fragment
from cloudbill.warehouses.view_dialects import FocusDialect

__all__ = ["FaultRule", "fault_rules", "faults_query"]

_PRODUCT: Final = re.compile(r"\{product_differs:(\w+):(\w+):(\w+)\}")
_BY: Final = [Fragment("x_Source"), Fragment("x_BillingMonth"), Fragment("BillingCurrency")]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRule:
    """A rule that charges are tested by; with `group`, the charges of a group together."""

    name: str
    title: str
    where: str
    source: str
    remedy: str
    group: tuple[str, ...] = ()
    having: str | None = None


@cache
def fault_rules() -> tuple[FaultRule, ...]:
    """Every rule, in the order of the data."""
    text = files("cloudbill.focus").joinpath("data", "faults.toml").read_text(encoding="utf-8")
    return tuple(
        FaultRule(
            name=rule["name"],
            title=rule["title"],
            where=rule["where"],
            source=rule["source"],
            remedy=rule["remedy"],
            group=tuple(rule.get("group", ())),
            having=rule.get("having"),
        )
        for rule in tomllib.loads(text)["rules"]
    )


def faults_query(dialect: FocusDialect, view: tuple[str, ...]) -> Fragment:
    """The query of the view: source, month, currency, rule, rows and billed cost.

    The rules of single charges are counted in one scan.
    """
    rules = [rule for rule in fault_rules() if not rule.group]
    queries = [_counted(dialect, view, rules)]
    queries += [_grouped(dialect, view, rule) for rule in fault_rules() if rule.group]
    return Fragment(" UNION ALL ".join(map(str, queries)))


def _counted(dialect: FocusDialect, view: tuple[str, ...], rules: Sequence[FaultRule]) -> Fragment:
    sql, names = dialect.sql, [dialect.literal(rule.name) for rule in rules]
    counts = [
        sql.compose(
            "SUM(CASE WHEN {where} THEN 1 ELSE 0 END) AS {rows}, "
            "SUM(CASE WHEN {where} THEN BilledCost ELSE 0 END) AS {cost}",
            where=_condition(dialect, rule.where),
            rows=f"rows_{at}",
            cost=f"cost_{at}",
        )
        for at, rule in enumerate(rules)
    ]
    return sql.compose(
        "SELECT {by}, rule AS Rule, {found} AS FaultyRows, cost AS BilledCost FROM ("
        "SELECT {by}, {told} FROM (SELECT {by}, {counts} FROM {view} AS charges GROUP BY {by}) "
        "AS counted{cross}) AS told WHERE found > 0",
        by=_BY,
        told=_told(dialect, names),
        cross=_crossed(dialect, names),
        counts=counts,
        found=dialect.cast_count(Fragment("found")),
        view=view,
    )


def _told(dialect: FocusDialect, names: Sequence[Fragment]) -> Fragment:
    """The counts of one row as a row for each rule."""
    if dialect.sql is not DUCKDB:
        return Fragment("one.rule AS rule, one.found AS found, one.cost AS cost")
    return DUCKDB.compose(
        "unnest([{names}]) AS rule, unnest([{rows}]) AS found, unnest([{costs}]) AS cost",
        names=names,
        rows=[Fragment(f"rows_{at}") for at in range(len(names))],
        costs=[Fragment(f"cost_{at}") for at in range(len(names))],
    )


def _crossed(dialect: FocusDialect, names: Sequence[Fragment]) -> Fragment:
    """What the row of counts is joined with, for a row for each rule."""
    if dialect.sql is DUCKDB:
        return Fragment("")
    structs = ", ".join(
        f"STRUCT({name} AS rule, rows_{at} AS found, cost_{at} AS cost)"
        for at, name in enumerate(names)
    )
    return Fragment(f", UNNEST([{structs}]) AS one")


def _grouped(dialect: FocusDialect, view: tuple[str, ...], rule: FaultRule) -> Fragment:
    return dialect.sql.compose(
        "SELECT {by}, {name} AS Rule, {found} AS FaultyRows, SUM(cost) AS BilledCost FROM ("
        "SELECT {group}, COUNT(*) AS found, SUM(BilledCost) AS cost "
        "FROM {view} AS charges WHERE {where} GROUP BY {group} HAVING {having}) AS odd "
        "GROUP BY {by}",
        by=_BY,
        group=[*_BY, *map(Fragment, rule.group)],
        name=dialect.literal(rule.name),
        view=view,
        where=_condition(dialect, rule.where),
        having=_condition(dialect, rule.having or "TRUE"),
        found=dialect.cast_count(Fragment("SUM(found)")),
    )


def _condition(dialect: FocusDialect, text: str) -> Fragment:
    double = dialect.approximate

    def differs(match: re.Match[str]) -> str:
        price, quantity, cost = (f"CAST({name} AS {double})" for name in match.groups())
        return (
            f"ABS({price} * {quantity} - {cost}) > 0.01 "
            f"AND ABS({price} * {quantity} - {cost}) > 0.000001 * ABS({cost})"
        )

    return Fragment(f"({_PRODUCT.sub(differs, dialect.with_lists(text))})")
