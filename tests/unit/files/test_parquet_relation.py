"""What DuckDB makes of the values of Parquet parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from cloudbill.errors import SchemaError
from cloudbill.files.parquet_relation import _describe, read_parquet_parts
from cloudbill.manifests import ColumnType
from cloudbill.sql import DUCKDB
from figures import tries

YEARS = st.datetimes(
    min_value=datetime(1, 1, 2),  # noqa: DTZ001
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001
)

MAP = pa.map_(pa.string(), pa.int64())


def no_amounts(name: str, kind: ColumnType) -> bool:  # noqa: ARG001
    return False


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        opened.execute("SET TimeZone = 'UTC'")
        yield opened


def values(
    connection: duckdb.DuckDBPyConnection, folder: Path, parts: Sequence[pa.Array]
) -> list[object]:
    """The values of column `t` as the table gets them, one array for each part."""
    files = [folder / f"part-{index}.parquet" for index in range(len(parts))]
    for file, array in zip(files, parts, strict=True):
        pq.write_table(pa.table({"t": array}), file)
    source = read_parquet_parts(connection, files, amounts=no_amounts)
    statement = DUCKDB.compose(
        "SELECT t FROM (SELECT {columns} FROM {relation}) ORDER BY t",
        columns=source.projection(),
        relation=source.relation,
    )
    cursor = connection.execute(statement.text, source.parameters)
    assert [column[1] for column in cursor.description or ()] == ["TIMESTAMP"]
    return [row[0] for row in cursor.fetchall()]


def test_a_time_with_a_zone_is_that_time_in_utc(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    @tries(100, suppress=[HealthCheck.too_slow])
    @given(st.lists(YEARS, min_size=1))
    def check(times: list[datetime]) -> None:
        aware = pa.array([time.replace(tzinfo=UTC) for time in times], pa.timestamp("us", tz="UTC"))
        assert values(connection, tmp_path, [aware]) == sorted(times)

    check()


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_no_unit_and_no_zone_moves_it(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, unit: str, zone: str
) -> None:
    moment = datetime(2025, 10, 26, 0, 30, 0, 123_000, tzinfo=UTC)
    array = pa.array([moment, None], pa.timestamp(unit, tz=zone))
    assert values(connection, tmp_path, [array]) == [moment.replace(tzinfo=None), None]


def test_one_part_may_have_times_without_a_zone(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    moment = datetime(2025, 10, 26, 0, 30, tzinfo=UTC)
    plain = moment.replace(tzinfo=None, hour=1)
    parts = [
        pa.array([moment], pa.timestamp("us", tz="UTC")),
        pa.array([plain], pa.timestamp("us")),
    ]
    assert values(connection, tmp_path, parts) == [moment.replace(tzinfo=None), plain]


def test_infinity_stays_what_it_is(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    target = tmp_path / "part.parquet"
    connection.sql(
        "SELECT CAST(t AS TIMESTAMPTZ) AS t FROM (VALUES ('infinity'), ('-infinity')) v(t)"
    ).write_parquet(str(target))
    source = read_parquet_parts(connection, [target], amounts=no_amounts)
    statement = DUCKDB.compose(
        "SELECT isinf(t) FROM (SELECT {columns} FROM {relation})",
        columns=source.projection(),
        relation=source.relation,
    )
    found = connection.execute(statement.text, source.parameters).fetchall()
    assert found == [(True,), (True,)]


@pytest.mark.parametrize("names", [["Cost", "cost"], ["Cost", "Cost"], ["a", "COST", "b", "cost"]])
def test_names_that_differ_by_case_alone_are_refused(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, names: list[str]
) -> None:
    file = tmp_path / "part.parquet"
    pq.write_table(pa.Table.from_arrays([pa.array([1])] * len(names), names=names), file)

    with pytest.raises(SchemaError, match="has two columns named"):
        read_parquet_parts(connection, [file], amounts=no_amounts)


def test_a_column_has_its_name_in_the_file_whatever_is_inside_of_the_one_before(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    nested = pa.array([{"cost": [1.5], "b": {"Cost_1": "x"}}])
    file = tmp_path / "part.parquet"
    table = pa.table({"s": nested, "cost_1": ["text"], "m": pa.array([[("k", 1)]], MAP)})
    pq.write_table(table, file)

    assert _describe(connection, str(file)) == [
        ("s", 'STRUCT("cost" DOUBLE[], b STRUCT(Cost_1 VARCHAR))'),
        ("cost_1", "VARCHAR"),
        ("m", "MAP(VARCHAR, BIGINT)"),
    ]
