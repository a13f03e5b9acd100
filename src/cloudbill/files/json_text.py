"""Objects of files as SQL of DuckDB: one spelling, whether the file has a map or text.

Keys are sorted by their code points at every depth, there is no space between them, and a number
is the shortest text that reads back as the same double, without a fraction of nothing:
`{"a":1,"b":0.1}`. So two deliveries of the same object are the same text, in every format. An
object inside of an object stays in its own order if a key stands twice in it or a number has more
digits than a double, and its numbers keep a fraction of nothing.
"""

from __future__ import annotations

from typing import Final

from cloudbill.sql import DUCKDB, Fragment, duckdb_text

__all__ = ["is_map", "map_value", "object_value", "text_of_object"]

_ENTRY: Final = "\x1fentry"
"""The parameter of a lambda: no column has a control character in its name."""
_PLACE: Final = "\x1fplace"
_TEXT: Final = "\x1ftext"
_SORTED: Final = "\x1fsorted"
# Of more digits, the text of a whole number would not be read as that of the same double.
_WHOLE: Final = duckdb_text(r"^(?:-?(0)|(-?[1-9][0-9]{0,14}))\.0$")
_FIRST: Final = duckdb_text(r"\1\2")
# What may be no number, or one that DuckDB leaves as it is written. Strings may look the same.
_ODD: Final = duckdb_text(
    r":(?:\[(?:.*[\[,])?)?-?(?:[0-9]{19}|[0-9.]+[eE]\+?[0-9]{3}|[nN][aA]|[iI])"
)
_STRINGS: Final = duckdb_text(r'"(?:[^"\\]|\\.)*"')
_TOKENS: Final = duckdb_text("[^{}\\[\\]:,]+")
# DuckDB takes a comma after the last member, which JSON does not have.
_LAST_COMMA: Final = duckdb_text(r",\s*[}\]]")

# DuckDB makes no map of entries of which two have one key. No map has such, but a file may.
_IN_ORDER: Final = "CAST(to_json(TRY(map_from_entries(list_sort(map_entries({name}))))) AS VARCHAR)"
_FIRST_OF_EACH_KEY: Final = (
    "list_filter(map_entries({name}), "
    "lambda {entry}, {place}: list_position(map_keys({name}), {entry}.key) = {place})"
)
_BY_ENTRY: Final = (
    "'{{' || array_to_string(list_transform(list_sort({entries}), "
    "lambda {entry}: to_json({entry}.key) || ':' || coalesce({value}, 'null')), ',') || '}}'"
)
# Most rows have the same few tags, or none: what is not sorted is what costs.
_MAP: Final = (
    "CAST(CASE WHEN {name} IS NULL THEN NULL WHEN cardinality({name}) = 0 THEN '{{}}' "
    "ELSE {filled} END AS JSON)"
)
_TEXTS_IN_MAP: Final = "coalesce({in_order}, {by_entry})"
_NUMBERS_IN_MAP: Final = (
    "list_transform([{in_order}], lambda {text}: "
    "CASE WHEN {text} IS NULL OR regexp_matches({text}, {unlike}) THEN {by_entry} "
    "ELSE {text} END)[1]"
)
_UNLIKE: Final = duckdb_text(r"\.0[,}]|NaN|Infinity")
"""What numbers of maps have that are to be written otherwise, or not at all."""
_NUMBER: Final = "regexp_replace(CAST(to_json({number}) AS VARCHAR), {whole}, {first})"
_FLOAT_IN_MAP: Final = (
    "CASE WHEN isfinite({entry}.value) OR {entry}.value IS NULL THEN {number} "
    "ELSE error('no JSON number: ' || {entry}.value || {where}) END"
)
# The shortest text of a FLOAT is read as a double: by itself it would get the digits of one.
_OF_FLOAT: Final = "CAST(CAST({entry}.value AS VARCHAR) AS DOUBLE)"

# Of a key that stands twice the first value counts, as it does for BigQuery.
# DuckDB writes again what it extracts: without spaces, and numbers as it writes those of a map.
_OBJECT: Final = (
    "CAST(CASE WHEN {cell} IS NULL THEN NULL WHEN {cell} = '{{}}' THEN '{{}}' "
    "WHEN regexp_full_match({cell}, {plain}) AND {is_once} THEN {in_order} "
    "WHEN NOT json_valid({cell}) THEN error('not a JSON object: ' || {cell} || {where}) "
    "WHEN json_type({cell}) <> 'OBJECT' OR (regexp_matches({cell}, {last_comma}) "
    "AND regexp_matches(regexp_replace({cell}, {strings}, '', 'g'), {last_comma})) "
    "THEN error('not a JSON object: ' || {cell} || {where}) "
    "WHEN regexp_matches({written}, {odd}) THEN CASE WHEN {is_finite} THEN {by_entry} "
    "ELSE error('no JSON number: ' || {cell} || {where}) END "
    "WHEN strpos({written}, '.0') = 0 AND NOT contains(substr({written}, 2), '{{') AND {is_once} "
    "AND json_keys({cell}) = list_sort(json_keys({cell})) THEN {written} "
    "ELSE {by_entry} END AS JSON)"
)
# Tags and attributes are nearly always texts without escapes. Such an object is sorted as a text:
# between its members stands what cannot be in one of them, and after a key what comes before any
# character of a longer key. A key that begins with a colon would look like the end of another.
_CHARACTER: Final = r'[^"\\\x00-\x1f]'
_MEMBER: Final = rf'"(?:[^":\\\x00-\x1f]{_CHARACTER}*)?":"{_CHARACTER}*"'
_PLAIN: Final = duckdb_text(rf"\{{{_MEMBER}(?:,{_MEMBER})*\}}")
_PLAIN_IN_ORDER: Final = (
    "'{{\"' || replace(array_to_string(list_sort(string_split("
    "replace(substr({cell}, 3, length({cell}) - 4), '\":\"', chr(1)), '\",\"')), '\",\"'), "
    "chr(1), '\":\"') || '\"}}'"
)
_IS_ONCE: Final = "list_unique(json_keys({cell})) = len(json_keys({cell}))"
"""Whether no key stands twice."""
_WRITTEN: Final = "CAST(json_extract({cell}, '$') AS VARCHAR)"
# `json_transform` gives nothing for an object with a key that stands twice.
_ENTRIES_OF_OBJECT: Final = (
    "coalesce(map_entries(json_transform({cell}, '\"MAP(VARCHAR, JSON)\"')), "
    "list_transform(list_distinct(json_keys({cell})), lambda {entry}: {{'key': {entry}, "
    "'value': json_extract({cell}, "
    "'/' || replace(replace({entry}, '~', '~0'), '/', '~1'))}}))"
)
# Only a number begins with one of the characters from `-` to `9`.
_VALUE_OF_OBJECT: Final = (
    "CASE WHEN left(CAST({entry}.value AS VARCHAR), 1) IN ('{{', '[') THEN {inside} "
    "WHEN CAST({entry}.value AS VARCHAR) BETWEEN '-' AND ':' THEN regexp_replace("
    "CASE WHEN json_type({entry}.value) = 'DOUBLE' "
    "THEN CAST(to_json(CAST(CAST({entry}.value AS VARCHAR) AS DOUBLE)) AS VARCHAR) "
    "ELSE CAST({entry}.value AS VARCHAR) END, {whole}, {first}) "
    "ELSE CAST({entry}.value AS VARCHAR) END"
)
# A VARIANT has its keys in order. Of two equal keys it has the last alone, and its numbers have the
# digits of doubles, so what does not have the same characters in another order is left as it is.
_INSIDE: Final = (
    "list_transform([CAST(CAST({entry}.value AS VARIANT) AS JSON)], lambda {sorted}: "
    "CASE WHEN list_sort(string_split(CAST({sorted} AS VARCHAR), '')) "
    "= list_sort(string_split(CAST({entry}.value AS VARCHAR), '')) "
    "THEN CAST({sorted} AS VARCHAR) ELSE CAST({entry}.value AS VARCHAR) END)[1]"
)
# BigQuery takes neither `NaN` nor `1e400`, and DuckDB both.
_IS_FINITE: Final = (
    "list_bool_and(list_transform("
    "regexp_extract_all(regexp_replace({written}, {strings}, 'null', 'g'), {tokens}), "
    "lambda {entry}: {entry} IN ('true', 'false', 'null') "
    "OR coalesce(isfinite(TRY_CAST({entry} AS DOUBLE)), FALSE)))"
)


def is_map(type_name: str) -> bool:
    """Whether a type of DuckDB is that of a map with text as its keys."""
    return type_name.startswith("MAP(VARCHAR, ")


def text_of_object(name: str, type_name: str) -> Fragment | None:
    """A text that two values of a column have only if they are one object, where there is one.

    Entries are in the order of the file. Of decimals and floats the text might lack a digit.
    """
    if type_name == "VARCHAR":
        return DUCKDB.compose("{name}", name=name)
    if is_map(type_name) and "DECIMAL" not in type_name and "FLOAT" not in type_name:
        return DUCKDB.compose("CAST(to_json({name}) AS VARCHAR)", name=name)
    return None


def map_value(name: str, type_name: str) -> Fragment:
    """The value of a column of maps; `type_name` is its type, for what its values are.

    A value that is no number in a map of numbers is an error, which names the column.
    """
    names = {"name": DUCKDB.compose("{name}", name=name), "entry": _name(_ENTRY)}
    if _has_inside(type_name):
        return object_value(DUCKDB.compose("CAST(to_json({name}) AS VARCHAR)", **names), name)
    in_order = DUCKDB.compose(_IN_ORDER, **names)
    entries = DUCKDB.compose(_FIRST_OF_EACH_KEY, place=_name(_PLACE), **names)
    by_entry = DUCKDB.compose(
        _BY_ENTRY, entries=entries, value=_value_in_map(name, type_name), entry=names["entry"]
    )
    if "FLOAT" in type_name:
        filled = by_entry
    elif _has_fractions(type_name):
        filled = DUCKDB.compose(
            _NUMBERS_IN_MAP,
            in_order=in_order,
            by_entry=by_entry,
            text=_name(_TEXT),
            unlike=_UNLIKE,
        )
    else:
        filled = DUCKDB.compose(_TEXTS_IN_MAP, in_order=in_order, by_entry=by_entry)
    return DUCKDB.compose(_MAP, name=name, filled=filled)


def _value_in_map(name: str, type_name: str) -> Fragment:
    entry = _name(_ENTRY)
    if not _has_fractions(type_name):
        return DUCKDB.compose("to_json({entry}.value)", entry=entry)
    is_float = "FLOAT" in type_name
    value = DUCKDB.compose(_OF_FLOAT if is_float else "{entry}.value", entry=entry)
    number = DUCKDB.compose(_NUMBER, number=value, whole=_WHOLE, first=_FIRST)
    if not (is_float or "DOUBLE" in type_name):
        return number
    return DUCKDB.compose(
        _FLOAT_IN_MAP, entry=entry, number=number, where=duckdb_text(f" in column '{name}'")
    )


def _has_inside(type_name: str) -> bool:
    """Whether values of a map have values themselves."""
    value = type_name.removeprefix("MAP(VARCHAR, ")
    return any(kind in value for kind in ("MAP(", "STRUCT(", "["))


def _has_fractions(type_name: str) -> bool:
    return any(kind in type_name for kind in ("DOUBLE", "FLOAT", "DECIMAL"))


def object_value(cell: Fragment, column: str = "") -> Fragment:
    """The value of a cell with a JSON object; another text is an error, which names the column."""
    names = {"cell": cell, "entry": _name(_ENTRY)}
    written = DUCKDB.compose(_WRITTEN, cell=cell)
    value = DUCKDB.compose(
        _VALUE_OF_OBJECT,
        entry=names["entry"],
        inside=DUCKDB.compose(_INSIDE, entry=names["entry"], sorted=_name(_SORTED)),
        whole=_WHOLE,
        first=_FIRST,
    )
    return DUCKDB.compose(
        _OBJECT,
        cell=cell,
        written=written,
        where=duckdb_text(f" in column '{column}'" if column else ""),
        odd=_ODD,
        last_comma=_LAST_COMMA,
        strings=_STRINGS,
        plain=_PLAIN,
        in_order=DUCKDB.compose(_PLAIN_IN_ORDER, cell=cell),
        is_once=DUCKDB.compose(_IS_ONCE, cell=cell),
        is_finite=DUCKDB.compose(
            _IS_FINITE, written=written, strings=_STRINGS, tokens=_TOKENS, entry=names["entry"]
        ),
        by_entry=DUCKDB.compose(
            _BY_ENTRY,
            entries=DUCKDB.compose(_ENTRIES_OF_OBJECT, **names),
            value=value,
            entry=names["entry"],
        ),
    )


def _name(name: str) -> Fragment:
    return DUCKDB.compose("{name}", name=name)
