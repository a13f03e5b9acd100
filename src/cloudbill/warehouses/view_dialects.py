"""What the views need of a warehouse's SQL beyond `cloudbill.sql`: types, casts and functions.

`{value}` in a template is an expression. What cannot be read as the wanted type is NULL: a view
never fails because of a value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cloudbill.manifests import ColumnType
from cloudbill.sql import BIGQUERY, DUCKDB, Dialect, Fragment, bigquery_text, duckdb_text

__all__ = ["BIGQUERY_FOCUS", "DUCKDB_FOCUS", "FocusDialect", "Kind"]

_IN: Final = re.compile(r"(\{[^{}]+\}|\b[A-Za-z_]\w*) (NOT )?IN \(\s*('[^()]*')\s*\)")
"""A column or placeholder that is compared with texts that have no brackets in them."""


class Kind(StrEnum):
    """What a column of a view holds, independent of the warehouse."""

    TEXT = "text"
    MONEY = "money"
    """An exact decimal: amounts, prices and quantities."""
    TIME = "time"
    """A time in UTC."""
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class FocusDialect:
    """How a warehouse writes the expressions of the views."""

    sql: Dialect
    types: Mapping[Kind, str]
    texts: Mapping[ColumnType, str]
    """A value of a type as text, where it is not written as any other."""
    moneys: Mapping[ColumnType, str]
    times: Mapping[ColumnType, str]
    objects: Mapping[ColumnType, str]
    unparsed: str
    """A text that is no object, or NULL where it is one, or nothing."""
    part: str
    """The `{at}`-th part of a text between colons, counted from 1 or, as `{at_0}`, from 0."""
    head: str
    """The same part up to its first slash."""
    found: str
    """The value of a lookup for a key; `{keys}`, `{values}` and `{pairs}` are texts."""
    member: str
    """A member of an object that is put together: `{key}` and `{value}`."""
    members: str
    """An object of members, NULL where none has a value."""
    contained: str
    """Whether `{value}` is one of some `{literals}`."""
    renaming: str
    """An object with `{before}` put before its keys."""
    inner: str
    """What stands inside of the braces of an object that is one of several to be merged."""
    merging: str
    """The object of several `{objects}`, of which the first has the last word."""
    approximate: str
    """The type for products of prices and quantities, which no decimal type holds."""
    whole: str
    """The type of counts."""
    month: str
    """The month of a time as `YYYY-MM`."""

    def literal(self, text: str) -> Fragment:
        """A text as a literal."""
        return (duckdb_text if self.sql is DUCKDB else bigquery_text)(text)

    def null(self, kind: Kind) -> Fragment:
        """NULL of a type."""
        return Fragment(f"CAST(NULL AS {self.types[kind]})")

    def cast(self, value: Fragment, kind: Kind) -> Fragment:
        """A value as what a column of the view holds."""
        return Fragment(f"CAST({value} AS {self.types[kind]})")

    def with_lists(self, expression: str) -> str:
        """An expression whose `x IN ('a', 'b')` are as the warehouse finds them fastest."""

        def written(match: re.Match[str]) -> str:
            value, negated, literals = match.groups()
            found = self.contained.replace("{value}", value).replace("{literals}", literals)
            return f"(NOT ({found}))" if negated else f"({found})"

        return _IN.sub(written, expression)

    def cast_count(self, value: Fragment) -> Fragment:
        """A count of rows as a whole number."""
        return Fragment(f"CAST({value} AS {self.whole})")

    def lookup(self, values: Mapping[str, str], key: Fragment) -> Fragment:
        """The value for a key; NULL for one that has none."""
        pairs = "".join(f"|{one}={value}" for one, value in values.items())
        return self.sql.compose(
            self.found,
            key=key,
            keys=self.literal("|".join(values)),
            values=self.literal("|".join(values.values())),
            pairs=self.literal(f"{pairs}|"),
        )

    def object_of(self, members: Sequence[tuple[str, Fragment]]) -> Fragment:
        """An object of texts by their keys, without those that are NULL; NULL without any."""
        return self.sql.compose(
            self.members,
            members=[
                self.sql.compose(self.member, key=self._key(key), value=value)
                for key, value in members
            ],
        )

    def renamed(self, value: Fragment, before: str) -> Fragment:
        """An object with something put before each of its keys, which is letters and `_` alone."""
        return self.sql.compose(self.renaming, value=value, before=Fragment(before))

    def merged(self, objects: Sequence[Fragment]) -> Fragment:
        """The members of several objects in one; NULL where none has any."""
        # DuckDB keeps the last of two members with one key, BigQuery the first.
        ordered = [*reversed(objects)] if self.sql is DUCKDB else [*objects]
        inner = [self.sql.compose(self.inner, value=one) for one in ordered]
        return self.sql.compose(self.merging, objects=inner)

    def _key(self, key: str) -> Fragment:
        if self.sql is DUCKDB:
            return self.literal(key)
        return self.literal(f"{json.dumps(key, ensure_ascii=False)}:")


# JSON that is no object is no tags. What lacks the braces around it is one: so Azure once wrote it.
# The conditions are nested, because `json_type` of what is no JSON is an error.
_DUCKDB_OBJECT: Final = (
    "CASE WHEN {value} IS NULL OR {value} IN ('', '{{}}') THEN NULL "
    "WHEN json_valid({value}) THEN "
    "CASE WHEN json_type({value}) = 'OBJECT' THEN NULLIF(json({value}), '{{}}') END "
    "WHEN json_valid('{{' || {value} || '}}') "
    "THEN NULLIF(json('{{' || {value} || '}}'), '{{}}') END"
)
_BIGQUERY_OBJECT: Final = (
    "CASE WHEN {value} IS NULL OR {value} IN ('', '{{}}') THEN NULL "
    "WHEN JSON_TYPE(SAFE.PARSE_JSON({value}, wide_number_mode => 'round')) = 'object' "
    "THEN SAFE.PARSE_JSON({value}, wide_number_mode => 'round') "
    "WHEN SAFE.PARSE_JSON({value}, wide_number_mode => 'round') IS NULL "
    "THEN SAFE.PARSE_JSON(CONCAT('{{', {value}, '}}'), wide_number_mode => 'round') END"
)

# A member of an object, for a template: what is before its key, the key, and the rest up to the end
# of a text, in which nothing else is looked for.
_MEMBER: Final = r'([{{,]\s*)"((?:[^"\\]|\\.)*)"(\s*:(?:\s*"(?:[^"\\]|\\.)*")?)'

DUCKDB_FOCUS: Final = FocusDialect(
    sql=DUCKDB,
    types={
        Kind.TEXT: "VARCHAR",
        Kind.MONEY: "DECIMAL(38,18)",
        Kind.TIME: "TIMESTAMP",
        Kind.JSON: "JSON",
    },
    texts={
        ColumnType.DECIMAL: "rtrim(rtrim(CAST({value} AS VARCHAR), '0'), '.')",
        ColumnType.TIMESTAMP: "strftime({value}, '%Y-%m-%dT%H:%M:%SZ')",
        ColumnType.BYTES: "CAST(NULL AS VARCHAR)",
    },
    moneys={
        ColumnType.DECIMAL: "{value}",
        ColumnType.INTEGER: "TRY_CAST({value} AS DECIMAL(38,18))",
        # By the text, which is the shortest that reads back as the number.
        ColumnType.FLOAT: "TRY_CAST(CAST({value} AS VARCHAR) AS DECIMAL(38,18))",
        ColumnType.STRING: "TRY_CAST(NULLIF({value}, '') AS DECIMAL(38,18))",
    },
    times={
        ColumnType.TIMESTAMP: "{value}",
        ColumnType.DATE: "CAST({value} AS TIMESTAMP)",
        ColumnType.STRING: "TRY_CAST({value} AS TIMESTAMP)",
    },
    objects={
        ColumnType.JSON: (
            "CASE WHEN CAST({value} AS VARCHAR) NOT IN ('{{}}', 'null') THEN {value} END"
        ),
        ColumnType.STRING: _DUCKDB_OBJECT,
    },
    unparsed="CASE WHEN {value} NOT IN ('', '{{}}') AND {object} IS NULL THEN {value} END",
    part="NULLIF(split_part({value}, ':', {at}), '')",
    head="NULLIF(split_part(split_part({value}, ':', {at}), '/', 1), '')",
    # Of a column that is stored as a dictionary, DuckDB looks up each of its texts once.
    found=(
        "list_extract(string_split({values}, '|'), list_position(string_split({keys}, '|'), {key}))"
    ),
    member="{key}, {value}",
    members="NULLIF(CAST(json_merge_patch('{{}}', json_object({members})) AS VARCHAR), '{{}}')",
    # DuckDB makes a join of a long IN and of `list_contains`, even for a column nobody asks for.
    contained=(
        "CASE WHEN {value} IS NOT NULL "
        "THEN COALESCE(list_position([{literals}], {value}), 0) > 0 END"
    ),
    renaming=(
        "TRY_CAST(regexp_replace(CAST({value} AS VARCHAR), "
        f"'{_MEMBER}', '\\1\"{{before}}\\2\"\\3', 'g') AS JSON)"
    ),
    inner="COALESCE({value}, '{{}}')",
    merging="CAST(NULLIF(CAST(json_merge_patch({objects}) AS VARCHAR), '{{}}') AS JSON)",
    approximate="DOUBLE",
    whole="BIGINT",
    month="strftime({value}, '%Y-%m')",
)
BIGQUERY_FOCUS: Final = FocusDialect(
    sql=BIGQUERY,
    types={
        Kind.TEXT: "STRING",
        Kind.MONEY: "BIGNUMERIC",
        Kind.TIME: "TIMESTAMP",
        Kind.JSON: "JSON",
    },
    texts={
        ColumnType.TIMESTAMP: "FORMAT_TIMESTAMP('%Y-%m-%dT%H:%M:%SZ', {value}, 'UTC')",
        # Of NULL, BigQuery makes the text `null`.
        ColumnType.JSON: "CASE WHEN {value} IS NOT NULL THEN TO_JSON_STRING({value}) END",
        ColumnType.BYTES: "CAST(NULL AS STRING)",
    },
    moneys={
        ColumnType.DECIMAL: "{value}",
        ColumnType.INTEGER: "CAST({value} AS BIGNUMERIC)",
        ColumnType.FLOAT: "SAFE_CAST(CAST({value} AS STRING) AS BIGNUMERIC)",
        ColumnType.STRING: "SAFE_CAST(NULLIF({value}, '') AS BIGNUMERIC)",
    },
    times={
        ColumnType.TIMESTAMP: "{value}",
        ColumnType.DATE: "TIMESTAMP({value}, 'UTC')",
        # A text without a zone is in UTC, not in the zone of the project.
        ColumnType.STRING: (
            "COALESCE(SAFE.TIMESTAMP({value}, 'UTC'), SAFE_CAST({value} AS TIMESTAMP))"
        ),
    },
    objects={
        ColumnType.JSON: (
            "CASE WHEN TO_JSON_STRING({value}) NOT IN ('{{}}', 'null') THEN {value} END"
        ),
        ColumnType.STRING: _BIGQUERY_OBJECT,
    },
    unparsed="CASE WHEN {value} NOT IN ('', '{{}}') AND {object} IS NULL THEN {value} END",
    part="NULLIF(SPLIT({value}, ':')[SAFE_OFFSET({at_0})], '')",
    head="NULLIF(SPLIT(SPLIT({value}, ':')[SAFE_OFFSET({at_0})], '/')[SAFE_OFFSET(0)], '')",
    found="SPLIT(SPLIT({pairs}, CONCAT('|', {key}, '='))[SAFE_OFFSET(1)], '|')[SAFE_OFFSET(0)]",
    member="CONCAT({key}, TO_JSON_STRING({value}))",
    members=(
        "PARSE_JSON(CONCAT('{{', NULLIF(ARRAY_TO_STRING("
        "ARRAY(SELECT one FROM UNNEST([{members}]) AS one WHERE NOT ENDS_WITH(one, ':null')), "
        "','), ''), '}}'))"
    ),
    contained="{value} IN ({literals})",
    renaming=(
        "SAFE.PARSE_JSON(REGEXP_REPLACE(TO_JSON_STRING({value}), "
        f"r'{_MEMBER}', r'\\1\"{{before}}\\2\"\\3'), wide_number_mode => 'round')"
    ),
    inner="REGEXP_REPLACE(TO_JSON_STRING({value}), r'^(?:null$|\\{{)|\\}}$', '')",
    merging=(
        "PARSE_JSON(CONCAT('{{', NULLIF(ARRAY_TO_STRING(ARRAY("
        "SELECT one FROM UNNEST([{objects}]) AS one WHERE one <> ''), ','), ''), '}}'), "
        "wide_number_mode => 'round')"
    ),
    approximate="FLOAT64",
    whole="INT64",
    month="FORMAT_TIMESTAMP('%Y-%m', {value}, 'UTC')",
)
