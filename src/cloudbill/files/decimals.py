"""Amounts of files as SQL of DuckDB: the value that the table gets, and what is rounded away.

The table keeps 18 digits behind the point. A number with more is rounded half away from zero, and
the rest, the number minus its value, is what a load sums beside the values. A rest has 38 digits
behind the point; what is below them is left out of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cloudbill.manifests import ColumnType
from cloudbill.sql import DUCKDB, Fragment, duckdb_text

__all__ = [
    "decimal_rest",
    "double_value",
    "filled_text",
    "float_rest",
    "float_value",
    "text_of",
    "text_rest",
    "text_value",
    "whole_as_double",
]

_GIVEN: Final = "\x1fgiven"
"""The parameter of a lambda, which must not have the name of a column: no column has a control
character in its name."""

# Text that DuckDB converts exactly as it is.
_PLAIN: Final = duckdb_text(r"[+-]?(?:[0-9]{1,20}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})")
# One digit before the point and a negative exponent: at most 17 digits after the point, counting
# those of the exponent. DuckDB converts exponents 40 times as fast in 64 bits as in 128.
_SHORT: Final = duckdb_text(
    r"[+-]?[0-9](?:(?:\.[0-9]{0,8})?[eE]-0?[1-9]"
    r"|(?:\.[0-9]{0,7})?[eE]-10|(?:\.[0-9]{0,3})?[eE]-1[0-4])"
)
_ANY: Final = duckdb_text(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,18})?")
_LONG: Final = duckdb_text(r"[+-]?[0-9]{0,20}\.[0-9]{19,}")
_PIECES: Final = duckdb_text(r"^([+-]?)([0-9]*)\.?([0-9]*)(?:[eE]([+-]?[0-9]+))?$")
_PATTERNS: Final[Mapping[str, Fragment]] = {
    "plain": _PLAIN,
    "short": _SHORT,
    "long": _LONG,
    "any": _ANY,
    "pieces": _PIECES,
}

# Most amounts of AWS are no amount: to compare them takes a tenth of what a pattern takes.
_TEXT_VALUE: Final = (
    "CASE WHEN {cell} IS NULL THEN NULL WHEN {cell} = '0.0' OR {cell} = '0' "
    "THEN CAST(0 AS DECIMAL(38,18)) "
    "WHEN regexp_full_match({cell}, {plain}) THEN CAST({cell} AS DECIMAL(38,18)) "
    "WHEN regexp_full_match({cell}, {short}) THEN CAST({cell} AS DECIMAL(18,17)) "
    "WHEN regexp_full_match({cell}, {long}) THEN {rounded} "
    "WHEN regexp_full_match({cell}, {any}) "
    "THEN coalesce({slow}, error('more digits than DECIMAL(38,18) holds: ' || {cell} || {where})) "
    "ELSE error('not a number: ' || {cell} || {where}) END"
)
# DuckDB's own cast rounds as well. It takes 17 times as long, and of text with an exponent and more
# than 38 digits it makes another number.
_ROUNDED: Final = (
    "CAST(substr({text}, 1, instr({text}, '.') + 18) AS DECIMAL(38,18)) "
    "+ CASE WHEN substr({text}, instr({text}, '.') + 19, 1) < '5' THEN CAST(0 AS DECIMAL(18,18)) "
    "WHEN {text} LIKE '-%' THEN CAST('-.000000000000000001' AS DECIMAL(18,18)) "
    "ELSE CAST('.000000000000000001' AS DECIMAL(18,18)) END"
)
_REST: Final = (
    "CASE WHEN {text} LIKE '-%' THEN -1 ELSE 1 END "
    "* (CAST('.000000000000000000' || substr({text}, instr({text}, '.') + 19, 20) "
    "AS DECIMAL(38,38)) - CASE WHEN substr({text}, instr({text}, '.') + 19, 1) < '5' "
    "THEN CAST(0 AS DECIMAL(38,38)) ELSE CAST('.000000000000000001' AS DECIMAL(38,38)) END)"
)
# Shorter text without an exponent has too few digits for a rest, and most text is that.
_TEXT_REST: Final = (
    "CASE WHEN strlen({cell}) < 20 AND {cell} NOT LIKE '%e%' AND {cell} NOT LIKE '%E%' THEN NULL "
    "WHEN regexp_full_match({cell}, {long}) THEN {rest} "
    "WHEN regexp_full_match({cell}, {plain}) OR regexp_full_match({cell}, {short}) THEN NULL "
    "ELSE {slow} END"
)
# The digits between zeros, and before how many of them the point is; then the text of the same
# number without an exponent, with 18 digits behind the point at least. Text below the digits of a
# rest is a zero. NULL where more is before the point than the table holds. It is short, for DuckDB
# plans it again for each column of amounts, which takes longer than to read a small month.
_WITHOUT_EXPONENT: Final = (
    "list_transform(list_transform(list_transform("
    "[regexp_extract({cell}, {pieces}, ['sign', 'whole', 'fraction', 'exponent'])], "
    "lambda {given}: {{'sign': {given}.sign, "
    "'digits': {zeros} || {given}.whole || {given}.fraction || {zeros}, "
    "'point': strlen({given}.whole) + coalesce(TRY_CAST({given}.exponent AS BIGINT), 0)}}), "
    "lambda {given}: CASE WHEN {given}.point < -38 OR ltrim({given}.digits, '0') = '' THEN '.0' "
    "WHEN {given}.point + strlen(ltrim({given}.digits, '0')) - strlen({given}.digits) > -18 "
    "THEN NULL "
    "ELSE {given}.sign || ltrim(left({given}.digits, 38 + {given}.point), '0') || '.' "
    "|| substr({given}.digits, 39 + {given}.point) END), "
    "lambda {given}: {then})[1]"
)

_FLOAT_VALUE: Final = (
    "CASE WHEN {name} IS NOT NULL "
    "THEN coalesce(TRY_CAST({text} AS DECIMAL(38,18)), error({what} || {text} || {problem})) END"
)
# A decimal of at most 15 digits that reads back as the double is the shortest text that does, and
# most amounts are such: they take whole numbers and no text, which is seven times as fast. The
# quotient of two whole numbers that a double holds is the double next to the decimal (IEEE 754,
# division).
_DOUBLE_VALUE: Final = (
    "CASE WHEN {is_small} THEN CAST(CAST(round({name} * 1e15) AS BIGINT) AS DECIMAL(18,0)) "
    "* CAST('.000000000000001' AS DECIMAL(16,15)) "
    "WHEN {is_short} THEN CAST(CAST(round({name} * 1e10) AS BIGINT) AS DECIMAL(18,0)) "
    "* CAST('.0000000001' AS DECIMAL(11,10)) "
    "ELSE {otherwise} END"
)
_IS_SMALL: Final = "abs({name}) < 1 AND TRY_CAST(round({name} * 1e15) AS BIGINT) / 1e15 = {name}"
_IS_SHORT: Final = "abs({name}) < 1e5 AND TRY_CAST(round({name} * 1e10) AS BIGINT) / 1e10 = {name}"
# A double of at least 1 has at most 16 digits behind the point.
_FLOAT_REST: Final = "CASE WHEN abs({name}) >= 1 OR ({is_small}) THEN NULL ELSE {rest} END"
_TEXT_OF_FLOAT: Final = "CAST({name} AS VARCHAR)"
_DOES_NOT_FIT: Final = ", which is no amount that DECIMAL(38,18) holds"

_NO_DOUBLE: Final = (
    ", which no double of the table is equal to: make a decimal of the column of the table"
)
_WHOLE: Final = (
    "CASE WHEN {value} IS NULL OR CAST(CAST({value} AS DOUBLE) AS HUGEINT) = {value} "
    "THEN CAST({value} AS DOUBLE) ELSE error({what} || {value} || {problem}) END"
)
_DECIMAL_TEXT: Final = (
    "CASE WHEN {text} LIKE '%.%' THEN rtrim(rtrim({text}, '0'), '.') ELSE {text} END"
)


def filled_text(name: str) -> Fragment:
    """A column of text, where an empty text is no value."""
    return DUCKDB.compose("NULLIF({name}, '')", name=name)


def text_value(cell: Fragment, column: str = "") -> Fragment:
    """The value of a text, with or without an exponent; a text that is no number is an error.

    The error names the column, if one is given.
    """
    where = f" in column '{column}'" if column else ""
    return DUCKDB.compose(
        _TEXT_VALUE,
        cell=cell,
        where=duckdb_text(where),
        rounded=DUCKDB.compose(_ROUNDED, text=cell),
        slow=_without_exponent(cell, _ROUNDED),
        **_PATTERNS,
    )


def text_rest(cell: Fragment) -> Fragment:
    """What is rounded away of a text that is a number; NULL where it is nothing."""
    return DUCKDB.compose(
        _TEXT_REST,
        cell=cell,
        rest=DUCKDB.compose(_REST, text=cell),
        slow=_without_exponent(cell, _REST),
        **_PATTERNS,
    )


def float_value(name: str) -> Fragment:
    """The value of the shortest text that reads back as the number, in a column of FLOAT.

    What is no number, or has too many digits before the point, is an error that says so.
    """
    return DUCKDB.compose(
        _FLOAT_VALUE,
        name=name,
        text=DUCKDB.compose(_TEXT_OF_FLOAT, name=name),
        what=duckdb_text(f"'{name}' holds "),
        problem=duckdb_text(_DOES_NOT_FIT),
    )


def double_value(name: str) -> Fragment:
    """The same for a column of DOUBLE."""
    return DUCKDB.compose(
        _DOUBLE_VALUE,
        name=name,
        is_small=DUCKDB.compose(_IS_SMALL, name=name),
        is_short=DUCKDB.compose(_IS_SHORT, name=name),
        otherwise=float_value(name),
    )


def float_rest(name: str) -> Fragment:
    """What is rounded away of a column of FLOAT or DOUBLE; NULL where it is nothing."""
    return DUCKDB.compose(
        _FLOAT_REST,
        name=name,
        is_small=DUCKDB.compose(_IS_SMALL, name=name),
        rest=text_rest(DUCKDB.compose(_TEXT_OF_FLOAT, name=name)),
    )


def decimal_rest(name: str) -> Fragment:
    """What is rounded away of a column of decimals with more digits; NULL where it is nothing."""
    return text_rest(DUCKDB.compose(DUCKDB.text, value=DUCKDB.compose("{name}", name=name)))


def text_of(value: Fragment, kind: ColumnType | str) -> Fragment:
    """A value as people write it: a decimal has no zeros at its end."""
    text = DUCKDB.compose(DUCKDB.text, value=value)
    return DUCKDB.compose(_DECIMAL_TEXT, text=text) if kind is ColumnType.DECIMAL else text


def whole_as_double(value: Fragment, column: str) -> Fragment:
    """A whole number as the double that is equal to it; an error where there is none."""
    return DUCKDB.compose(
        _WHOLE,
        value=value,
        what=duckdb_text(f"'{column}' holds "),
        problem=duckdb_text(_NO_DOUBLE),
    )


def _without_exponent(cell: Fragment, template: str) -> Fragment:
    given = DUCKDB.compose("{given}", given=_GIVEN)
    return DUCKDB.compose(
        _WITHOUT_EXPONENT,
        cell=cell,
        given=given,
        zeros=duckdb_text("0" * 38),
        then=DUCKDB.compose(template, text=given),
        **_PATTERNS,
    )
