"""Money that Google's reference implementation sums is what DuckDB sums and what files say."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from zetasql.core.exceptions import ZetaSQLError

from cloudbill.costs.cube import CubeRequest
from cloudbill.costs.cube_query import CubeQuery
from cloudbill.costs.daily_totals import DailyQuery
from cloudbill.costs.month_totals import MonthQuery, spans_of
from cloudbill.costs.sums import Charges, SumQuery
from cloudbill.files.decimals import double_value, text_rest, text_value
from cloudbill.files.json_text import map_value, object_value
from cloudbill.manifests import ColumnType
from cloudbill.periods import BillingPeriod
from cloudbill.providers import azure_focus
from cloudbill.report.model import BY_DAY, measures_of
from cloudbill.sql import BIGQUERY, DUCKDB, Dialect, Fragment
from cloudbill.warehouses.bigquery import conversion

if TYPE_CHECKING:
    from emulators.googlesql import GoogleSql

PERIOD = "BillingPeriodStart"
OCTOBER = BillingPeriod.parse("2025-10")
KINDS = {
    "BilledCost": ColumnType.DECIMAL,
    "EffectiveCost": ColumnType.DECIMAL,
    "ListCost": ColumnType.DECIMAL,
    "ContractedCost": ColumnType.DECIMAL,
    "BillingCurrency": ColumnType.STRING,
    "ServiceName": ColumnType.STRING,
    PERIOD: ColumnType.TIMESTAMP,
    "ChargePeriodStart": ColumnType.TIMESTAMP,
}
_TYPES = {
    BIGQUERY: {"DECIMAL": "BIGNUMERIC", "STRING": "STRING", "TIMESTAMP": "TIMESTAMP"},
    DUCKDB: {"DECIMAL": "DECIMAL(38,18)", "STRING": "VARCHAR", "TIMESTAMP": "TIMESTAMPTZ"},
}
LARGEST = 10**36
_EMPTY = 0.1
_DIGITS = Context(prec=60)
TEXTS = [
    "0",
    "-0.0000000000000000004999999999",
    "0.0000000000000000005",
    "-0.0000000000000000005",
    "99999999999999999999.9999999999999999994",
    "1234567890.123456789012345678",
    "-1234567890.123456789012345678",
    "1.0000000000000000015",
    "1.0000000000000000025",
    ".5",
    "7.",
    "1e-18",
    "4.9E-19",
    "-2.5e-18",
]
HARD = [2.0**-1074, 0.1 + 0.2, 9.313225746154785e-10, 1e-18, 5e-19, 1.1, 2.675]
DOUBLES = [
    *HARD,
    123456789.123456789,
    0.1234567890123456,
    0.0012345678901234567,
    *(2.0**power for power in range(-70, 64, 3)),
    *(-(2.0**power) / 3 for power in range(-70, 60, 5)),
]


def rows_of_bill() -> list[dict[str, Any]]:
    """Charges of three months in two currencies, with amounts of all 38 digits."""
    pick = random.Random(7)
    rows = []
    for index in range(60):
        month = pick.choice([date(2025, 9, 1), date(2025, 10, 1), date(2025, 11, 1)])
        # 38 digits in all, and room for the sum of the rows.
        costs = {
            name: None if pick.random() < _EMPTY else Decimal(pick.randrange(-LARGEST, LARGEST))
            for name in ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")
        }
        rows.append(
            {
                **{
                    name: None if cost is None else cost.scaleb(-18, _DIGITS)
                    for name, cost in costs.items()
                },
                "BillingCurrency": pick.choice(["EUR", "USD", "", None]),
                "ServiceName": pick.choice(["Storage", "Compute", None]),
                PERIOD: None if index == 0 else month,
                "ChargePeriodStart": f"2025-10-{1 + index % 28:02d} 23:30:00+00",
            }
        )
    return rows


def charges_in(dialect: Dialect, kind: ColumnType) -> Charges:
    """The bill as a relation of constants."""
    kinds = KINDS | {PERIOD: kind}
    types = _TYPES[dialect] | {"DATE": "DATE"}
    selects = [
        ", ".join(
            f"CAST({_literal(value)} AS {types[kinds[name].name]}) AS {name}"
            for name, value in row.items()
        )
        for row in rows_of_bill()
    ]
    relation = " UNION ALL ".join(f"SELECT {select}" for select in selects)
    return Charges(dialect=dialect, relation=Fragment(f"({relation}) AS bill"), kinds=kinds)


def _literal(value: object) -> str:
    return "NULL" if value is None else f"'{value}'"


def queries_of(charges: Charges) -> list[SumQuery]:
    """Every query that sums money: of a month by day, of months, and of the report."""
    condition = charges.dialect.in_month(PERIOD)
    measures = measures_of(azure_focus.ROLES, azure_focus.COST_COLUMNS)
    cube = CubeRequest(dimensions=BY_DAY, measures=measures, since=OCTOBER)
    return [
        DailyQuery.of(charges, azure_focus, condition).query,
        MonthQuery.of(charges, azure_focus, charges.in_spans(PERIOD, spans_of([OCTOBER]))).query,
        CubeQuery.of(charges, azure_focus, cube).query,
        SumQuery(
            relation=charges.relation,
            where=condition,
            currency=charges.text("BillingCurrency"),
            columns={"BilledCost": charges.positive("BilledCost")},
        ),
    ]


@pytest.mark.parametrize("period", [ColumnType.TIMESTAMP, ColumnType.DATE])
def test_google_and_duckdb_sum_a_bill_alike(google_sql: GoogleSql, period: ColumnType) -> None:
    of_google, of_duckdb = charges_in(BIGQUERY, period), charges_in(DUCKDB, period)
    ends = {"month_start": OCTOBER, "month_end": OCTOBER.next, "since": OCTOBER}
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for ours, theirs in zip(queries_of(of_google), queries_of(of_duckdb), strict=True):
            statement = ours.statement(BIGQUERY).text
            known = {name: month for name, month in ends.items() if f"@{name}" in statement}
            answered = google_sql.rows(
                statement,
                {name: _first_moment(month, period) for name, month in known.items()}
                | dict(ours.parameters),
            )
            expected = connection.execute(
                theirs.statement(DUCKDB).text,
                {name: month.first_day for name, month in known.items()} | dict(theirs.parameters),
            ).fetchall()
            assert ours.read(answered) == theirs.read(expected)
            assert len(expected) > 1


def _first_moment(month: BillingPeriod, kind: ColumnType) -> date | datetime:
    if kind is ColumnType.DATE:
        return month.first_day
    return datetime(month.year, month.month, 1, tzinfo=UTC)


def texts() -> list[str]:
    """Amounts as text, most of them with 28 digits and more behind the point than a table has."""
    pick = random.Random(3)
    digits = [str(pick.randrange(10**27, 10**28)) for _ in range(300)]
    behind = [pick.randrange(8, 29) for _ in digits]
    signs = [pick.choice(["", "-"]) for _ in digits]
    return TEXTS + [
        f"{sign}{number[: len(number) - point]}.{number[len(number) - point :]}"
        for sign, number, point in zip(signs, digits, behind, strict=True)
    ]


def in_duckdb(values: Sequence[object], kind: str, *expressions: Fragment) -> list[tuple[Any, ...]]:
    """Expressions over the column `cell`, for each of some values."""
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE cells (cell {kind})")
        connection.executemany("INSERT INTO cells VALUES (?)", [[value] for value in values])
        listed = ", ".join(map(str, expressions))
        return connection.execute(f"SELECT {listed} FROM cells ORDER BY rowid").fetchall()  # noqa: S608


def test_text_is_rounded_as_google_rounds_it_and_its_rest_is_what_is_left(
    google_sql: GoogleSql,
) -> None:
    cells = texts()
    listed = ", ".join(f"'{cell}'" for cell in cells)
    answered = google_sql.rows(
        "SELECT ROUND(amount, 18), amount - ROUND(amount, 18) FROM (SELECT CAST(cell AS "  # noqa: S608
        f"BIGNUMERIC) AS amount, number FROM UNNEST([{listed}]) AS cell WITH OFFSET AS number) "
        "ORDER BY number"
    )
    cell = Fragment("cell")
    found = in_duckdb(cells, "VARCHAR", text_value(cell), text_rest(cell))
    assert [(value, rest or 0) for value, rest in found] == answered


def test_sums_of_long_texts_are_those_of_google(google_sql: GoogleSql) -> None:
    cells = texts()
    listed = ", ".join(f"'{cell}'" for cell in cells)
    ((total, rounded),) = google_sql.rows(
        "SELECT SUM(CAST(cell AS BIGNUMERIC)), SUM(ROUND(CAST(cell AS BIGNUMERIC), 18)) "  # noqa: S608
        f"FROM UNNEST([{listed}]) AS cell"
    )
    cell = Fragment("cell")
    with localcontext(prec=80):
        found = in_duckdb(cells, "VARCHAR", text_value(cell), text_rest(cell))
        values = sum(value for value, _ in found)
        assert values == rounded
        assert values + sum(rest or 0 for _, rest in found) == total


def test_the_text_of_a_double_is_the_amount_and_google_reads_it_as_the_double(
    google_sql: GoogleSql,
) -> None:
    found = in_duckdb(DOUBLES, "DOUBLE", Fragment("CAST(cell AS VARCHAR)"), double_value("cell"))
    listed = ", ".join(f"'{text}'" for text, _ in found)
    answered = google_sql.rows(
        "SELECT CAST(cell AS FLOAT64), ROUND(CAST(cell AS BIGNUMERIC), 18) "  # noqa: S608
        f"FROM UNNEST([{listed}]) AS cell WITH OFFSET AS number ORDER BY number"
    )
    assert answered == [(double, value) for double, (_, value) in zip(DOUBLES, found, strict=True)]


def test_hard_doubles_are_the_amounts_that_google_writes_them_as(google_sql: GoogleSql) -> None:
    # Google writes 15 digits, or 17 where these are not the double; 16 may be the shortest.
    doubles = [*HARD, *(2.0**power for power in range(-70, 53))]
    listed = ", ".join(map(repr, doubles))
    answered = google_sql.rows(
        "SELECT ROUND(CAST(CAST(cell AS STRING) AS BIGNUMERIC), 18) "  # noqa: S608
        f"FROM UNNEST([{listed}]) AS cell WITH OFFSET AS number ORDER BY number"
    )
    assert in_duckdb(doubles, "DOUBLE", double_value("cell")) == answered


def test_the_statement_that_converts_doubles_gives_their_shortest_texts_and_all_of_their_rests(
    google_sql: GoogleSql,
) -> None:
    pick = random.Random(11)
    doubles = [
        *DOUBLES,
        *(sign * 2.0**power for power in range(-80, 66) for sign in (1, -1)),
        *(round(pick.uniform(-1e4, 1e4), pick.randrange(13)) for _ in range(60)),
        *(pick.uniform(-1, 1) * 10.0 ** pick.randrange(-22, 19) for _ in range(60)),
    ]
    value = str(conversion.double_value("cell", "column")).replace("@column", "'cell'")
    rest = conversion.double_rest("cell")
    answered = google_sql.rows(
        f"SELECT {value}, {rest} FROM "  # noqa: S608
        f"UNNEST({list(doubles)!r}) AS cell WITH OFFSET AS number ORDER BY number"
    )
    for double, (amount, left) in zip(doubles, answered, strict=True):
        with localcontext(prec=400):
            exact = Decimal(repr(double))
            assert amount == exact.quantize(Decimal("1e-18"), ROUND_HALF_UP)
            whole = (exact - amount).scaleb(conversion.REST_DIGITS)
            assert (left or 0) == whole.quantize(Decimal("1e-38"), ROUND_HALF_UP)


@pytest.mark.parametrize("number", ["nan", "inf", "1e22"])
def test_the_statement_that_converts_doubles_names_the_column_of_what_is_no_amount(
    google_sql: GoogleSql, number: str
) -> None:
    value = str(conversion.double_value("cell", "column")).replace("@column", "'cell'")
    with pytest.raises(ZetaSQLError, match=r"'cell' holds \S+, which is no amount"):
        google_sql.rows(f"SELECT {value} FROM (SELECT CAST('{number}' AS FLOAT64) AS cell)")  # noqa: S608


def literal(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def of_numbers() -> str:
    return str(conversion.number_map_value("cell", "column")).replace("@column", "'cell'")


def test_maps_are_the_same_objects_in_both_warehouses(google_sql: GoogleSql) -> None:
    pairs = {"b": "1", 'a"': None, "A": "\u00e9", "a": "x y", "\U0001f600": "\\", "a b": ""}
    rows = ", ".join(
        f"({literal(key)}, {'CAST(NULL AS STRING)' if value is None else literal(value)})"
        for key, value in pairs.items()
    )
    ((found,),) = google_sql.rows(
        f"SELECT TO_JSON_STRING({conversion.map_value('cell')}) FROM (SELECT STRUCT("  # noqa: S608
        f"ARRAY<STRUCT<key STRING, value STRING>>[{rows}] AS key_value) AS cell)"
    )
    ((here,),) = in_duckdb([pairs], "MAP(VARCHAR, VARCHAR)", map_value("cell", "MAP(VARCHAR, ..."))
    assert here == json.dumps(pairs, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert json.loads(found) == json.loads(here)


def test_numbers_of_maps_are_the_same_doubles_in_both_warehouses(google_sql: GoogleSql) -> None:
    pairs = {f"{number!r}": number for number in [*HARD, 5.0, -2.0, 1e300, 0.1234567890123456]}
    rows = ", ".join(f"({literal(key)}, {value!r})" for key, value in pairs.items())
    ((found,),) = google_sql.rows(
        f"SELECT TO_JSON_STRING({of_numbers()}) FROM (SELECT STRUCT("  # noqa: S608
        f"ARRAY<STRUCT<key STRING, value FLOAT64>>[{rows}] AS key_value) AS cell)"
    )
    ((here,),) = in_duckdb(
        [pairs], "MAP(VARCHAR, DOUBLE)", map_value("cell", "MAP(VARCHAR, DOUBLE)")
    )
    assert json.loads(found) == json.loads(here) == pairs


def test_of_a_key_that_stands_twice_in_a_map_the_first_value_counts_in_both_warehouses(
    google_sql: GoogleSql, tmp_path: Path
) -> None:
    pairs = [("b", "9"), ("a", "2"), ("a", "1"), ("b", "10")]
    rows = ", ".join(f"({literal(key)}, {literal(value)})" for key, value in pairs)
    ((found,),) = google_sql.rows(
        f"SELECT TO_JSON_STRING({conversion.map_value('cell')}) FROM (SELECT STRUCT("  # noqa: S608
        f"ARRAY<STRUCT<key STRING, value STRING>>[{rows}] AS key_value) AS cell)"
    )
    kind = pa.map_(pa.string(), pa.string())
    pq.write_table(pa.table({"cell": pa.array([pairs], kind)}), tmp_path / "map.parquet")
    value = map_value("cell", "MAP(VARCHAR, VARCHAR)")
    (row,) = duckdb.execute(f"SELECT {value} FROM '{tmp_path / 'map.parquet'}'").fetchall()  # noqa: S608
    assert row == (found,) == ('{"a":"2","b":"9"}',)


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_what_is_no_number_in_a_map_is_refused_by_its_column_in_both_warehouses(
    google_sql: GoogleSql, number: str
) -> None:
    with pytest.raises(ZetaSQLError, match=r"'cell' holds \S+, which is no number"):
        google_sql.rows(
            f"SELECT {of_numbers()} FROM (SELECT STRUCT(ARRAY<STRUCT<key STRING, value FLOAT64>>"  # noqa: S608
            f"[('a', CAST('{number}' AS FLOAT64))] AS key_value) AS cell)"
        )
    value = map_value("cell", "MAP(VARCHAR, DOUBLE)")
    with pytest.raises(duckdb.Error, match=r"no JSON number: -?(nan|inf) in column 'cell'"):
        in_duckdb([{"a": float(number)}], "MAP(VARCHAR, DOUBLE)", value)


def test_a_text_in_a_map_may_be_a_word_for_no_number(google_sql: GoogleSql) -> None:
    ((found,),) = google_sql.rows(
        f"SELECT TO_JSON_STRING({conversion.map_value('cell')}) FROM (SELECT STRUCT("  # noqa: S608
        "ARRAY<STRUCT<key STRING, value STRING>>[('a', 'NaN'), ('b', 'CAST(')] AS key_value) "
        "AS cell)"
    )
    assert found == '{"a":"NaN","b":"CAST("}'


@pytest.mark.parametrize(
    "text",
    [
        '{"b":1,"a":2,"a":3}',
        '{"a":1,"a":2}',
        '{"a":18446744073709551616,"b":-9223372036854775809}',
        '{"a":-0.0,"b":1E16,"c":[1.0,null]}',
    ],
)
def test_texts_of_objects_are_read_alike_in_both_warehouses(
    google_sql: GoogleSql, text: str
) -> None:
    value = str(conversion.text_value("cell"))
    ((found,),) = google_sql.rows(f"SELECT TO_JSON_STRING({value}) FROM (SELECT '{text}' AS cell)")  # noqa: S608
    ((here,),) = in_duckdb([text], "VARCHAR", object_value(Fragment("cell")))
    assert json.loads(found) == json.loads(here)


def test_objects_inside_of_objects_have_their_keys_in_order_in_both_warehouses(
    google_sql: GoogleSql,
) -> None:
    text, value = '{"b":{"z":1,"A":[{"y":"x","b":null}]},"a":2}', conversion.text_value("cell")
    ((found,),) = google_sql.rows(f"SELECT TO_JSON_STRING({value}) FROM (SELECT '{text}' AS cell)")  # noqa: S608
    ((here,),) = in_duckdb([text], "VARCHAR", object_value(Fragment("cell")))
    assert found == here == '{"a":2,"b":{"A":[{"b":null,"y":"x"}],"z":1}}'


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,}',
        '{"a":[1,]}',
        '{"a":NaN}',
        '{"a":[1,-Infinity]}',
        '{"a":1e400}',
        '{"a":"\\ud83d"}',
    ],
)
def test_texts_that_are_no_objects_are_refused_by_both_warehouses(
    google_sql: GoogleSql, text: str
) -> None:
    value = str(conversion.text_value("cell"))
    with pytest.raises(ZetaSQLError):
        google_sql.rows(f"SELECT {value} FROM (SELECT r'{text}' AS cell)")  # noqa: S608
    with pytest.raises(duckdb.Error, match="in column 'Tags'"):
        in_duckdb([text], "VARCHAR", object_value(Fragment("cell"), "Tags"))
