"""Objects of files as SQL of DuckDB: one spelling, whether the file has a map or text.

Keys are sorted by their code points, there is no space between them, and a number is the shortest
text that reads back as the same double, without a fraction of nothing: `{"a":1,"b":0.1}`. So two
deliveries of the same object are the same text, in every format.
"""

from __future__ import annotations

from typing import Final

from cloudbill.sql import DUCKDB, Fragment, duckdb_text

__all__ = ["is_map", "map_value", "object_value"]

_ENTRY: Final = "\x1fentry"
"""The parameter of a lambda: no column has a control character in its name."""
# Of more digits, the text of a whole number would not be read as that of the same double.
_WHOLE: Final = duckdb_text(r"^(-?[0-9]{1,15})\.0$")
_FIRST: Final = duckdb_text(r"\1")

# Most rows have the same few tags, or none: what is not sorted is what costs.
_MAP: Final = (
    "CAST(CASE WHEN {name} IS NULL THEN NULL WHEN cardinality({name}) = 0 THEN '{{}}' "
    "ELSE '{{' || array_to_string(list_transform(list_sort(map_entries({name})), "
    "lambda {entry}: to_json({entry}.key) || ':' || {value}), ',') || '}}' END AS JSON)"
)
_TEXT_IN_MAP: Final = "coalesce(to_json({entry}.value), 'null')"
_NUMBER_IN_MAP: Final = (
    "coalesce(regexp_replace(CAST(to_json({entry}.value) AS VARCHAR), {whole}, {first}), 'null')"
)
# Of a key that stands twice, which no map has, the first value counts, as it does for BigQuery.
# DuckDB writes again what it extracts: without spaces, and numbers as it writes those of a map.
_OBJECT: Final = (
    "CAST(CASE WHEN {cell} IS NULL THEN NULL WHEN {cell} = '{{}}' THEN '{{}}' "
    "WHEN NOT json_valid({cell}) THEN error('not a JSON object: ' || {cell} || {where}) "
    "WHEN json_type({cell}) <> 'OBJECT' "
    "THEN error('not a JSON object: ' || {cell} || {where}) "
    "WHEN strpos({written}, '.0') = 0 "
    "AND json_keys({cell}) = list_sort(json_keys({cell})) THEN {written} "
    "ELSE '{{' || array_to_string(list_transform("
    "list_sort(json_keys({cell})), "
    "lambda {entry}: to_json({entry}) || ':' || regexp_replace(CAST(json_extract({cell}, "
    "'/' || replace(replace({entry}, '~', '~0'), '/', '~1')) AS VARCHAR), {whole}, {first})"
    "), ',') || '}}' END AS JSON)"
)


def is_map(type_name: str) -> bool:
    """Whether a type of DuckDB is that of a map with text as its keys."""
    return type_name.startswith("MAP(VARCHAR, ")


def map_value(name: str, type_name: str) -> Fragment:
    """The value of a column of maps; `type_name` is its type, for what its values are."""
    has_numbers = "DOUBLE" in type_name or "FLOAT" in type_name
    entry = DUCKDB.compose("{entry}", entry=_ENTRY)
    value = DUCKDB.compose(
        _NUMBER_IN_MAP if has_numbers else _TEXT_IN_MAP, entry=entry, whole=_WHOLE, first=_FIRST
    )
    return DUCKDB.compose(_MAP, name=name, entry=entry, value=value)


def object_value(cell: Fragment, column: str = "") -> Fragment:
    """The value of a cell with a JSON object; another text is an error, which names the column."""
    where = f" in column '{column}'" if column else ""
    return DUCKDB.compose(
        _OBJECT,
        cell=cell,
        written=DUCKDB.compose("CAST(json_extract({cell}, '$') AS VARCHAR)", cell=cell),
        entry=DUCKDB.compose("{entry}", entry=_ENTRY),
        where=duckdb_text(where),
        whole=_WHOLE,
        first=_FIRST,
    )
