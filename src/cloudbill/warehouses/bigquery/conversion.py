"""Doubles, maps and texts of objects as a load job leaves them, made exact by SQL of BigQuery.

The same rules as for DuckDB (`files.decimals`, `files.json_text`) in GoogleSQL's words. A load job
reads doubles and maps as they are, so the parts of a run need not pass through this process.
"""

from __future__ import annotations

from typing import Final

from cloudbill.sql import BIGQUERY, Fragment

__all__ = [
    "REST_DIGITS",
    "double_rest",
    "double_value",
    "map_value",
    "number_map_value",
    "text_value",
    "time_value",
]

REST_DIGITS: Final = 18
"""How many digits a rest is shifted to the left, so that its own digits are kept as well."""

# The shortest text that reads back as the double has at most 15, or 16, or 17 digits. Rounded to so
# many digits it is the nearest to the double, and no other of that length reads back, but for a
# power of two: below it the doubles are twice as close, so of 16 digits the next one up may read
# back where the nearest does not (16 digits are as far apart as doubles; 15 are ten times as far).
_TEXT: Final = (
    "CASE WHEN SAFE_CAST(FORMAT('%.14e', {x}) AS FLOAT64) = {x} THEN FORMAT('%.14e', {x}) "
    "WHEN SAFE_CAST(FORMAT('%.15e', {x}) AS FLOAT64) = {x} THEN FORMAT('%.15e', {x}) "
    "WHEN SAFE_CAST({up} AS FLOAT64) = {x} THEN {up} "
    "ELSE FORMAT('%.16e', {x}) END"
)
# One more in the last of 16 digits, which never are all nines for a power of two.
_UP: Final = (
    "CONCAT(IF({x} < 0, '-', ''), SUBSTR({digits}, 1, 1), '.', SUBSTR({digits}, 2), "
    "SUBSTR(FORMAT('%.15e', ABS({x})), 18))"
)
_UP_DIGITS: Final = (
    "CAST(CAST(REPLACE(SUBSTR(FORMAT('%.15e', ABS({x})), 1, 17), '.', '') AS INT64) + 1 AS STRING)"
)
_VALUE: Final = "ROUND(CAST({text} AS BIGNUMERIC), 18)"
# What `DECIMAL(38,18)` holds before the point, so that both warehouses take the same.
_CHECKED: Final = (
    "IF({x} IS NULL OR ABS({x}) < 1e20, {value}, "
    "ERROR(CONCAT('\\'', {name}, '\\' holds ', CAST({x} AS STRING), ', which is no amount')))"
)
# A double of at least 1 has no more than 16 digits behind the point.
_REST: Final = "IF(ABS({x}) < 1, {shifted} - ROUND({shifted}), NULL)"
_SHIFTED: Final = (
    "CAST(CONCAT(SUBSTR({text}, 1, STRPOS({text}, 'e')), "
    "CAST(CAST(SUBSTR({text}, STRPOS({text}, 'e') + 1) AS INT64) + {digits} AS STRING)) "
    "AS BIGNUMERIC)"
)
# Of a key that stands twice the first value counts: `PARSE_JSON` keeps the first.
_MAP: Final = (
    "IF({x} IS NULL, NULL, CONCAT('{{', COALESCE((SELECT STRING_AGG("
    "CONCAT(TO_JSON_STRING(entry.key), ':', "
    "IF(entry.value IS NULL, 'null', {value})), ',' ORDER BY entry.key, place) "
    "FROM UNNEST({x}.key_value) AS entry WITH OFFSET AS place), ''), '}}'))"
)
# `TO_JSON_STRING` would make a text of what is no number.
_FINITE: Final = (
    "IF(IS_NAN(entry.value) OR IS_INF(entry.value), ERROR(CONCAT('\\'', {name}, "
    "'\\' holds ', CAST(entry.value AS STRING), ', which is no number')), "
    "TO_JSON_STRING(entry.value))"
)
# BigQuery keeps numbers of JSON as doubles, which is what files have.
_OBJECT: Final = "PARSE_JSON({text}, wide_number_mode => 'round')"


def double_value(name: str, parameter: str) -> Fragment:
    """The value of the shortest text that reads back as a double, with 18 digits after the point.

    What is no number, or is too large, fails the query with the name of the column, which is the
    value of the parameter.
    """
    x = BIGQUERY.compose("{name}", name=name)
    value = BIGQUERY.compose(_VALUE, text=_text(x))
    named = Fragment(f"{BIGQUERY.parameter}{parameter}")
    return BIGQUERY.compose(_CHECKED, x=x, value=value, name=named)


def double_rest(name: str) -> Fragment:
    """What is rounded away of a double, times ten to the power of `REST_DIGITS`."""
    x = BIGQUERY.compose("{name}", name=name)
    digits = Fragment(str(REST_DIGITS))
    shifted = BIGQUERY.compose(_SHIFTED, text=_text(x), digits=digits)
    return BIGQUERY.compose(_REST, x=x, shifted=shifted)


def map_value(name: str) -> Fragment:
    """A column of maps of texts as objects of JSON."""
    return _map_value(name, Fragment("TO_JSON_STRING(entry.value)"))


def number_map_value(name: str, parameter: str) -> Fragment:
    """A column of maps of doubles as objects of JSON.

    What is no number fails the query as in `double_value`.
    """
    named = Fragment(f"{BIGQUERY.parameter}{parameter}")
    return _map_value(name, BIGQUERY.compose(_FINITE, name=named))


def _map_value(name: str, value: Fragment) -> Fragment:
    text = BIGQUERY.compose(_MAP, x=BIGQUERY.compose("{name}", name=name), value=value)
    return BIGQUERY.compose(_OBJECT, text=text)


def text_value(name: str) -> Fragment:
    """A column of texts as objects of JSON."""
    return BIGQUERY.compose(_OBJECT, text=BIGQUERY.compose("{name}", name=name))


def time_value(name: str, *, is_in_utc: bool) -> Fragment:
    """A column of times as times in UTC, whatever the zone of the project is.

    A time of Parquet that is not said to be in UTC is read as a DATETIME ("Loading Parquet data",
    type conversions), and means UTC all the same.
    """
    return BIGQUERY.compose("{name}" if is_in_utc else "TIMESTAMP({name}, 'UTC')", name=name)


def _text(x: Fragment) -> Fragment:
    """The shortest text of a double that is a number, with one digit before the point."""
    up = BIGQUERY.compose(_UP, x=x, digits=BIGQUERY.compose(_UP_DIGITS, x=x))
    return BIGQUERY.compose("({text})", text=BIGQUERY.compose(_TEXT, x=x, up=up))
