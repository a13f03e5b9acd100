"""Text of CSV and JSON files, turned into typed values without losing a digit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulators.bigquery.errors import JobError, unreadable
from emulators.bigquery.schema import BIGNUMERIC_SCALE, Field, storage_type
from emulators.bigquery.tables import quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import duckdb

_DATE = r"\d{4}-\d{1,2}-\d{1,2}"
_TIME = r"\d{1,2}:\d{1,2}:\d{1,2}(\.\d{1,6})?"
_DECIMAL = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
_ZONE = r" ?(Z|UTC|[+-]\d{1,2}(:?\d{2})?)"

# https://cloud.google.com/bigquery/docs/loading-data-cloud-storage-csv#data_types
# A TIMESTAMP has a time of day; a DATE alone is refused.
_PATTERNS = {
    "INTEGER": r"[+-]?\d+",
    "NUMERIC": _DECIMAL,
    "BIGNUMERIC": _DECIMAL,
    "BOOLEAN": r"(?i:1|0|t|f|true|false|y|n|yes|no)",
    "DATE": _DATE,
    "TIME": _TIME,
    "DATETIME": f"{_DATE}[ T]{_TIME}",
    "TIMESTAMP": f"{_DATE}[ T]{_TIME}({_ZONE})?",
}
_TRUE = "('1', 't', 'true', 'y', 'yes')"

# https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#decimal_types
_FRACTION_DIGITS = {"NUMERIC": 9, "BIGNUMERIC": 38}


def insert_text(
    connection: duckdb.DuckDBPyConnection,
    stage: str,
    raw: str,
    columns: Mapping[str, Field],
    uri: str,
) -> None:
    """Move the text columns of ``raw`` into the typed ``stage``; one bad value fails the job."""
    for column, field in _suspects(connection, raw, columns).items():
        _check(connection, raw, column, field, uri)
    names = ", ".join(quoted(field["name"]) for field in columns.values())
    values = ", ".join(_value(quoted(column), field) for column, field in columns.items())
    if names:
        connection.execute(f"INSERT INTO {stage} ({names}) SELECT {values} FROM {raw}")


def _suspects(
    connection: duckdb.DuckDBPyConnection, raw: str, columns: Mapping[str, Field]
) -> Mapping[str, Field]:
    """The columns to look at one by one: none, if all values fit, which one query says."""
    bad = [
        f"{quoted(column)} IS NOT NULL AND {_is_bad(quoted(column), field)}"
        for column, field in columns.items()
    ]
    found = (
        bad
        and connection.execute(
            f"SELECT 1 FROM {raw} WHERE ({') OR ('.join(bad)}) LIMIT 1"
        ).fetchone()
    )
    if found:
        return columns
    return {name: field for name, field in columns.items() if field["type"] == "BIGNUMERIC"}


def _check(
    connection: duckdb.DuckDBPyConnection, raw: str, column: str, field: Field, uri: str
) -> None:
    """Raise for the first value of the column that its type cannot hold."""
    name = quoted(column)
    bad = connection.execute(
        f"SELECT {name}::VARCHAR FROM {raw} WHERE {name} IS NOT NULL AND {_is_bad(name, field)} "
        "LIMIT 1"
    ).fetchone()
    if bad:
        raise unreadable(
            f'Invalid {field["type"]} value: {bad[0]}; column_name: "{field["name"]}".', uri
        )
    if field["type"] == "BIGNUMERIC":
        _check_storage(connection, raw, name, field)


def _is_bad(name: str, field: Field) -> str:
    """SQL condition: the text is no value of the field's type."""
    kind = field["type"]
    conditions = [f"TRY({_value(name, field)}) IS NULL"]
    if kind in _PATTERNS and field["mode"] != "REPEATED":
        conditions.insert(0, f"NOT regexp_full_match({name}, '{_PATTERNS[kind]}')")
        if kind in _FRACTION_DIGITS:
            conditions.insert(1, f"{_fraction_digits(name)} > {_FRACTION_DIGITS[kind]}")
    return "(" + " OR ".join(conditions) + ")"


def _fraction_digits(name: str, *, trimmed: bool = False) -> str:
    """SQL: how many digits the decimal has after its point, once its exponent is applied."""
    fraction = rf"regexp_extract({name}, '\.(\d*)', 1)"
    if trimmed:
        fraction = f"rtrim({fraction}, '0')"
    exponent = f"TRY_CAST(regexp_extract({name}, '[eE]([+-]?\\d+)$', 1) AS INTEGER)"
    return f"(length({fraction}) - coalesce({exponent}, 0))"


def _check_storage(
    connection: duckdb.DuckDBPyConnection, raw: str, name: str, field: Field
) -> None:
    """Refuse what BigQuery would hold and the emulator cannot, rather than round it."""
    if field["mode"] == "REPEATED":
        return
    digits = _fraction_digits(name, trimmed=True)
    long = connection.execute(
        f"SELECT {name} FROM {raw} WHERE {digits} > {BIGNUMERIC_SCALE} "
        f"AND TRY_CAST({name} AS DOUBLE) <> 0 LIMIT 1"
    ).fetchone()
    if long:
        raise JobError(
            "notImplemented",
            f"The emulator keeps {BIGNUMERIC_SCALE} fraction digits of a BIGNUMERIC: {long[0]}",
        )


def _value(name: str, field: Field) -> str:
    """SQL that turns the text into the value."""
    if field["mode"] == "REPEATED" or field["type"] == "RECORD":
        return f"CAST({name}::JSON AS {storage_type(field)})"
    match field["type"]:
        case "STRING":
            return name
        case "BYTES":
            return f"from_base64({name})"
        case "BOOLEAN":
            return f"lower({name}) IN {_TRUE}"
        case _:
            return f"CAST({name} AS {storage_type(field)})"


def by_name(fields: Collection[Field]) -> dict[str, Field]:
    """The fields under their names, without regard to case."""
    return {field["name"].lower(): field for field in fields}
