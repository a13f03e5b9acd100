"""The footers of real Parquet files: what they say, and what is refused."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudbill.errors import PartMissingError, SchemaError, StoreError
from cloudbill.files.parquet_footers import Footer, read_footers
from cloudbill.manifests import ColumnType, Part
from cloudbill.store.local import LocalStore
from figures import tries

PERIOD = "BillingPeriodStart"
TIMES = pa.timestamp("us", tz="UTC")
DAYS = [datetime(2025, 10, 1, tzinfo=UTC), datetime(2025, 10, 3, 23, tzinfo=UTC)]


def table(**columns: Any) -> Any:
    """A table of arrays, or of the days under the name of the period column."""
    return pa.table(columns or {PERIOD: pa.array(DAYS, TIMES)})


def encoded(content: Any, **options: Any) -> bytes:
    """A table as a Parquet file holds it."""
    sink = pa.BufferOutputStream()
    pq.write_table(content, sink, **options)
    return bytes(sink.getvalue().to_pybytes())


@pytest.fixture
def footer_of(tmp_path: Path) -> Callable[[bytes], Footer]:
    """Reads the footer of a file of such bytes."""

    def read(content: bytes) -> Footer:
        (tmp_path / "part.parquet").write_bytes(content)
        part = Part(path="part.parquet")
        (footer,) = read_footers(
            LocalStore(tmp_path), [part], period_column=PERIOD, amounts=no_amounts
        )
        return footer

    return read


def no_amounts(name: str, kind: ColumnType) -> bool:  # noqa: ARG001
    return False


Read = Callable[[bytes], Footer]


class TestFooter:
    def test_rows_columns_and_days(self, footer_of: Read, tmp_path: Path) -> None:
        content = table(
            **{PERIOD: pa.array(DAYS, TIMES)}, Cost=pa.array([1, 2]).cast(pa.decimal128(38, 18))
        )

        footer = footer_of(encoded(content))

        assert footer.address == str(tmp_path / "part.parquet")
        assert footer.rows == 2
        assert [(column.name, column.type) for column in footer.columns] == [
            (PERIOD, ColumnType.TIMESTAMP),
            ("Cost", ColumnType.DECIMAL),
        ]
        assert (footer.first_day, footer.last_day) == (date(2025, 10, 1), date(2025, 10, 3))

    def test_footers_come_in_the_order_of_the_parts(self, tmp_path: Path) -> None:
        parts = [Part(path=f"part_{index}.parquet") for index in range(40)]
        for index, part in enumerate(parts):
            (tmp_path / part.path).write_bytes(encoded(table(a=pa.array(range(index), pa.int64()))))

        footers = read_footers(
            LocalStore(tmp_path), parts, period_column=PERIOD, amounts=no_amounts
        )

        assert [footer.rows for footer in footers] == list(range(40))

    def test_footer_that_is_longer_than_the_first_read(self, footer_of: Read) -> None:
        columns = {f"x_column_{index:05d}_{'long' * 10}": pa.array([1]) for index in range(1500)}
        content = encoded(table(**columns))
        assert int.from_bytes(content[-8:-4], "little") > 64 * 1024

        footer = footer_of(content)

        assert [column.name for column in footer.columns] == list(columns)

    def test_many_row_groups_are_one_file(self, footer_of: Read) -> None:
        content = encoded(table(**{PERIOD: pa.array(DAYS * 500, TIMES)}), row_group_size=10)

        footer = footer_of(content)

        assert (footer.rows, footer.first_day, footer.last_day) == (
            1000,
            date(2025, 10, 1),
            date(2025, 10, 3),
        )

    @pytest.mark.parametrize(
        ("content", "options"),
        [
            (table(other=pa.array([1])), {}),
            (table(), {"write_statistics": False}),
            (table(**{PERIOD: pa.array([None], TIMES)}), {}),
            (table(**{PERIOD: pa.array([], TIMES)}), {}),
            (table(**{PERIOD: pa.array(["2025-10-01"])}), {}),
            (table(**{PERIOD: pa.array([2**62], pa.timestamp("ms"))}), {}),
            (table(**{PERIOD: pa.array([-(2**62)], TIMES)}), {}),
            (table(**{PERIOD: pa.array([2**30], pa.date32())}), {}),
        ],
        ids=[
            "no such column",
            "no statistics",
            "nulls alone",
            "no rows",
            "text",
            "beyond the last year",
            "before the first year",
            "day beyond the last year",
        ],
    )
    def test_days_are_unknown(
        self, footer_of: Read, content: Any, options: dict[str, object]
    ) -> None:
        footer = footer_of(encoded(content, **options))

        assert (footer.first_day, footer.last_day) == (None, None)
        assert footer.rows == content.num_rows

    @pytest.mark.parametrize(
        ("kind", "values"),
        [
            (pa.timestamp("ms"), [datetime(2025, 10, 31, 23, 30)]),  # noqa: DTZ001
            (TIMES, [datetime(2025, 10, 31, 23, 30, tzinfo=UTC)]),
            (pa.timestamp("us", tz="Europe/Berlin"), [datetime(2025, 10, 31, 23, 30, tzinfo=UTC)]),
            (pa.date32(), [date(2025, 10, 31)]),
        ],
        ids=["no zone", "UTC", "other zone", "day"],
    )
    def test_days_are_those_of_utc(self, footer_of: Read, kind: Any, values: list[date]) -> None:
        footer = footer_of(encoded(table(**{PERIOD: pa.array(values, kind)})))

        assert footer.last_day == date(2025, 10, 31)

    def test_period_column_is_found_ignoring_case(self, footer_of: Read) -> None:
        footer = footer_of(encoded(table(billingperiodstart=pa.array(DAYS, TIMES))))

        assert footer.first_day == date(2025, 10, 1)


class TestTypes:
    @pytest.mark.parametrize(
        ("kind", "expected"),
        [
            (pa.string(), ColumnType.STRING),
            (pa.large_string(), ColumnType.STRING),
            (pa.dictionary(pa.int32(), pa.string()), ColumnType.STRING),
            (pa.decimal128(38, 18), ColumnType.DECIMAL),
            (pa.decimal256(60, 2), ColumnType.DECIMAL),
            (pa.timestamp("ms"), ColumnType.TIMESTAMP),
            (TIMES, ColumnType.TIMESTAMP),
            (pa.date32(), ColumnType.DATE),
            (pa.time64("us"), ColumnType.TIME),
            (pa.bool_(), ColumnType.BOOLEAN),
            (pa.int8(), ColumnType.INTEGER),
            (pa.uint64(), ColumnType.INTEGER),
            (pa.float32(), ColumnType.FLOAT),
            (pa.float64(), ColumnType.FLOAT),
            (pa.binary(), ColumnType.BYTES),
            (pa.binary(16), ColumnType.BYTES),
        ],
        ids=str,
    )
    def test_type_of_a_column(self, footer_of: Read, kind: Any, expected: ColumnType) -> None:
        footer = footer_of(encoded(table(a=pa.array([None], kind))))

        assert [column.type for column in footer.columns] == [expected]

    @pytest.mark.parametrize(
        "kind",
        [
            pa.list_(pa.string()),
            pa.struct([("b", pa.string())]),
            pa.map_(pa.int64(), pa.float64()),
            pa.duration("s"),
        ],
        ids=str,
    )
    def test_type_that_is_not_loaded_names_column_and_part(
        self, footer_of: Read, kind: Any
    ) -> None:
        with pytest.raises(SchemaError, match=r"^Column 'Tags' of .*part\.parquet is a .+, which"):
            footer_of(encoded(table(a=pa.array([1]), Tags=pa.array([None], kind))))

    @pytest.mark.parametrize("kind", [pa.timestamp("ns"), pa.timestamp("ns", tz="UTC")], ids=str)
    def test_times_in_nanoseconds_are_written_again(self, footer_of: Read, kind: Any) -> None:
        footer = footer_of(encoded(table(a=pa.array([1]), Tags=pa.array([None], kind))))

        assert footer.is_rewritten
        assert footer.columns[1].type is ColumnType.TIMESTAMP

    def test_a_column_whose_type_the_writer_did_not_know_is_left_out(self, footer_of: Read) -> None:
        footer = footer_of(encoded(table(a=pa.array([1]), Tags=pa.array([None], pa.null()))))

        assert footer.is_rewritten
        assert [column.name for column in footer.columns] == ["a"]

    def test_columns_without_an_empty_value_by_their_schema_are_required(
        self, footer_of: Read
    ) -> None:
        fields = [pa.field("Tags", pa.string(), nullable=False), pa.field("a", pa.string())]
        content = pa.table({"Tags": ["x"], "a": ["y"]}, schema=pa.schema(fields))

        assert footer_of(encoded(content)).required == {"tags"}

    def test_timestamps_of_96_bits_are_loaded(self, footer_of: Read) -> None:
        content = table(**{PERIOD: pa.array(DAYS, pa.timestamp("ns", tz="UTC"))})

        footer = footer_of(encoded(content, use_deprecated_int96_timestamps=True))

        assert footer.columns[0].type is ColumnType.TIMESTAMP
        assert not footer.is_rewritten


class TestDamagedFiles:
    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"PAR1",
            b"PAR1PAR1PAR1",
            b"a,b\n1,2\n",
            b"\0" * 100_000,
            b"PAR1\xff\xff\xff\x02PAR1",
            b"PAR1\0\0\0\0PAR1",
            b"PAR1" + b"\xff" * 50 + (50).to_bytes(4, "little") + b"PAR1",
        ],
        ids=[
            "empty",
            "magic alone",
            "magic everywhere",
            "CSV",
            "zeros",
            "footer longer than the file",
            "footer of no bytes",
            "footer of rubbish",
        ],
    )
    def test_what_is_no_parquet_file_is_named(self, footer_of: Read, content: bytes) -> None:
        with pytest.raises(StoreError, match=r"part\.parquet"):
            footer_of(content)

    def test_encrypted_footer_is_refused(self, footer_of: Read) -> None:
        with pytest.raises(StoreError, match="not a Parquet file"):
            footer_of(b"PARE" + encoded(table())[4:-4] + b"PARE")

    def test_file_that_is_gone_is_a_missing_part(self, tmp_path: Path) -> None:
        with pytest.raises(PartMissingError):
            read_footers(
                LocalStore(tmp_path), [Part(path="gone")], period_column=PERIOD, amounts=no_amounts
            )

    def test_file_that_was_cut_off_is_refused_wherever_it_was_cut(self, tmp_path: Path) -> None:
        content = encoded(table())
        store, part = LocalStore(tmp_path), Part(path="part.parquet")

        for length in range(len(content)):
            (tmp_path / part.path).write_bytes(content[:length])
            with pytest.raises(StoreError):
                read_footers(store, [part], period_column=PERIOD, amounts=no_amounts)


class TestAnyDamage:
    """A damaged footer is read or refused; no foreign error comes out."""

    @tries(100)
    @given(st.data())
    def test_bytes_of_the_footer_replaced(
        self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
    ) -> None:
        folder = tmp_path_factory.getbasetemp()
        days = {PERIOD: pa.array(DAYS, TIMES), "Name": pa.array(["a", None])}
        content = bytearray(encoded(table(**days), row_group_size=1))
        footer = int.from_bytes(content[-8:-4], "little")
        for _ in range(data.draw(st.integers(1, 3))):
            place = data.draw(st.integers(len(content) - 8 - footer, len(content) - 1))
            content[place] = data.draw(st.integers(0, 255))
        (folder / "damaged.parquet").write_bytes(content)
        part = Part(path="damaged.parquet")
        try:
            (found,) = read_footers(
                LocalStore(folder), [part], period_column=PERIOD, amounts=no_amounts
            )
        except (SchemaError, StoreError) as error:
            assert str(error)  # noqa: PT017
        else:
            assert found.rows >= 0

    def test_row_group_by_which_arrow_ends_the_process_is_read_or_refused(
        self, tmp_path: Path
    ) -> None:
        # pyarrow 26: "terminate called after throwing an instance of 'parquet::ParquetException'",
        # where the type of a column chunk is not that of the schema.
        content = encoded(table())
        footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
        for place in range(footer, len(content) - 8):
            changed = bytearray(content)
            changed[place] ^= 0x14
            (tmp_path / "part.parquet").write_bytes(changed)
            with contextlib.suppress(SchemaError, StoreError):
                read_footers(
                    LocalStore(tmp_path),
                    [Part(path="part.parquet")],
                    period_column=PERIOD,
                    amounts=no_amounts,
                )
