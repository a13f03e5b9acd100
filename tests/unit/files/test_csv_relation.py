"""CSV parts in a real DuckDB: what arrives, and what is counted."""

from __future__ import annotations

import gzip
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cloudbill.errors import LoadError, SchemaError
from cloudbill.files.csv_plain import CsvPart
from cloudbill.files.csv_relation import read_csv_parts
from cloudbill.manifests import Column, ColumnType
from cloudbill.warehouses.duckdb.totals import Summed, count_parts
from unit.files.csv_bench import Parts


def time(year: int, month: int, day: int, *clock: int) -> datetime:
    """A time as a TIMESTAMP of DuckDB comes to Python: without a zone."""
    hour, minute, second, micro = (*clock, 0, 0, 0, 0)[:4]
    return datetime(year, month, day, hour, minute, second, micro)  # noqa: DTZ001


class TestText:
    @pytest.mark.parametrize(
        ("content", "rows"),
        [
            (b"a,b\n1,2\n", [("1", "2")]),
            (b"a,b\n1,2", [("1", "2")]),
            (b"a,b\r\n1,2\r\n3,4\r\n", [("1", "2"), ("3", "4")]),
            (b"\xef\xbb\xbfa,b\n1,2\n", [("1", "2")]),
            (b'a,b\n1,"x\ny"\n', [("1", "x\ny")]),
            (b'a,b\r\n1,"x\r\ny"\r\n2,"x\ny"\r\n', [("1", "x\r\ny"), ("2", "x\ny")]),
            (b'a,b\n1,"say ""hi"", then"\n', [("1", 'say "hi", then')]),
            (b"a,b\n\\,\\n\\\\\n", [("\\", "\\n\\\\")]),
            (b'a,b\n1,"\\"\n', [("1", "\\")]),
            (b"a,b\n 1 , 2\n", [(" 1 ", " 2")]),
            (b"a,b\nNULL,null\n\\N,NaN\n", [("NULL", "null"), ("\\N", "NaN")]),
            (b"a,b\n#1,2\n-- x,';\n", [("#1", "2"), ("-- x", "';")]),
            (b"a,b\n007,1e5\n", [("007", "1e5")]),
            ("a,b\nä€😀,\u2028\n".encode(), [("ä€😀", "\u2028")]),
            (b"a,b\n", []),
            (b"a,b", []),
            (b"a,b\n1,2\n\n\n", [("1", "2")]),
        ],
        ids=[
            "plain",
            "no line end at the end",
            "CRLF",
            "byte order mark",
            "newline in quotes",
            "both line ends in quotes",
            "doubled quotes and commas",
            "backslashes",
            "backslash before a quote",
            "spaces",
            "what other programs write for NULL",
            "what begins a comment elsewhere",
            "digits",
            "beyond ASCII",
            "header alone",
            "header alone without line end",
            "empty lines at the end",
        ],
    )
    @pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzipped"])
    def test_cells_arrive_as_they_are(
        self, parts: Parts, content: bytes, rows: list[tuple[str, str]], *, packed: bool
    ) -> None:
        parts.add(gzip.compress(content) if packed else content)
        assert parts.read() == sorted(rows, key=repr)

    @pytest.mark.parametrize("is_null", [True, False], ids=["null", "empty text"])
    def test_an_empty_cell_of_text_is_what_the_caller_says(
        self, parts: Parts, *, is_null: bool
    ) -> None:
        empty = None if is_null else ""
        parts.add(b'a,Cost\n,\n"",""\n', ("a", "Cost"))
        assert parts.read(empty_text_is_null=is_null) == [(empty, None)] * 2

    def test_a_cell_of_ten_megabytes(self, parts: Parts) -> None:
        cell = "x,\n" * 3_500_000
        parts.add(f'a,b\n1,"{cell}"\n2,{"y" * 10_000_000}\n'.encode())
        assert parts.read() == [("1", cell), ("2", "y" * 10_000_000)]

    def test_gzip_of_several_members(self, parts: Parts) -> None:
        parts.add(gzip.compress(b"a,b\n1,2\n3") + gzip.compress(b",4\n"))
        assert parts.read() == [("1", "2"), ("3", "4")]

    def test_parts_differ_in_order_columns_packing_and_line_ends(self, parts: Parts) -> None:
        parts.add(b"a,b,Cost\n1,2,3\n")
        parts.add(gzip.compress(b"Cost,a\r\n4,5\r\n"), ("Cost", "a"), name="part [1]?*.csv")
        parts.add(b"\xef\xbb\xbfb,a\n6,7\n", ("b", "a"))
        parts.parts[0] = CsvPart(
            file=parts.parts[0].file,
            address="gs://bills/part-0.csv",
            columns=(*parts.parts[0].columns, parts.parts[1].columns[0]),
        )
        assert parts.read() == sorted(
            [("1", "2", Decimal(3)), ("5", None, Decimal(4)), ("7", "6", None)], key=repr
        )

    def test_names_of_columns_stay_out_of_the_conversions(self, parts: Parts) -> None:
        names = ["p", "n", "d", "t", 'a"b', "cell_1", "filename", "{x}", "$files_0"]
        row = ["12345678901234567890123456789e-9"] * len(names)
        header = ",".join(names).replace('a"b', '"a""b"')
        parts.add(
            f"{header}\n{','.join(row)}\n".encode(),
            names,
            types=dict.fromkeys(names, ColumnType.DECIMAL),
        )
        parts.parts = [
            CsvPart(
                file=part.file,
                address=part.address,
                columns=tuple(
                    Column(name=column.name, target=column.name, type=column.type)
                    for column in part.columns
                ),
            )
            for part in parts.parts
        ]
        assert parts.read() == [(Decimal("12345678901234567890.123456789"),) * len(names)]


class TestDecimals:
    @pytest.mark.parametrize(
        "text",
        [
            "1.81E-8",
            "5e-06",
            "1E+3",
            "1e19",
            "-1.5",
            "+1.5",
            "1.",
            ".5",
            "-0.0",
            "00012.5000",
            "2.323760000E-9",
            "1e-18",
            "10e-19",
            "123456789.123456789e-9",
            "12345678901234567890123456789e-9",
            "12345678901234567890.123456789012345678",
            "-99999999999999999999.999999999999999999",
            "0.123456789012345678000000000000000000000000",
            "0e400",
            "0.000e-400",
            "0.0000000000000000000000000000001e30",
        ],
    )
    def test_every_notation_arrives_exactly(self, one_cell: Any, text: str) -> None:
        assert one_cell(text, ColumnType.DECIMAL) == Decimal(text)

    @pytest.mark.parametrize("cell", ["", '""'], ids=["empty", "quoted empty"])
    def test_an_empty_cell_is_null(self, one_cell: Any, cell: str) -> None:
        assert one_cell(cell, ColumnType.DECIMAL) is None

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("99999999999999999999.9999999999999999995", "21 digits before the point"),
            ("-999999999999999999999999999999999999995e-19", "21 digits before the point"),
            ("123456789012345678901", "21 digits before the point"),
            ("1e20", "21 digits before the point"),
            ("1e999999999999", "1000000000000 digits before the point"),
            ("1,5", None),
            ("1_000", "is not a number"),
            (" 1", "is not a number"),
            ("1 ", "is not a number"),
            ("0x1F", "is not a number"),
            ("NaN", "is not a number"),
            ("inf", "is not a number"),
            (".", "is not a number"),
            ("-", "is not a number"),
            ("1e", "is not a number"),
            ("1e5.5", "is not a number"),
            ("--1", "is not a number"),
            ("1.2.3", "is not a number"),
            ("$1", "is not a number"),
            ("\uff11", "is not a number"),
            ("NULL", "is not a number"),
        ],
    )
    def test_what_does_not_fit_is_an_error(
        self, one_cell: Any, text: str, problem: str | None
    ) -> None:
        cell = f'"{text}"' if "," in text else text
        with pytest.raises(LoadError, match=problem or "is not a number") as raised:
            one_cell(cell, ColumnType.DECIMAL)
        assert "gs://bills/part-0.csv" in str(raised.value)
        assert f"line 2: '{text}' in column 'b'" in str(raised.value)


class TestTimes:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("2023-11-01T00:00:00Z", time(2023, 11, 1)),
            ("2023-11-01T12:34:56.000Z", time(2023, 11, 1, 12, 34, 56)),
            ("2023-11-01T12:34:56.789123Z", time(2023, 11, 1, 12, 34, 56, 789123)),
            ("2023-11-01T12:34:56.7891230Z", time(2023, 11, 1, 12, 34, 56, 789123)),
            ("2024-01-01T00:00Z", time(2024, 1, 1)),
            ("2024-01-01T00:00", time(2024, 1, 1)),
            ("2023-11-01 10:11:12", time(2023, 11, 1, 10, 11, 12)),
            ("2023-11-01", time(2023, 11, 1)),
            ("2024-02-29T23:59:59Z", time(2024, 2, 29, 23, 59, 59)),
            ("2023-11-01T24:00:00Z", time(2023, 11, 2)),
            ("2023-11-01T00:00:00+00:00", time(2023, 11, 1)),
            ("2023-11-01T00:00:00+02:00", time(2023, 10, 31, 22)),
            ("2023-11-01 00:00:00.5-0530", time(2023, 11, 1, 5, 30, 0, 500000)),
            ("2023-11-01T00:00-08", time(2023, 11, 1, 8)),
            ("", None),
        ],
    )
    def test_times_arrive_in_utc(self, one_cell: Any, text: str, expected: datetime | None) -> None:
        assert one_cell(text, ColumnType.TIMESTAMP) == expected

    @pytest.mark.parametrize(
        "text",
        [
            "01/02/2024",
            "2024/01/02",
            "20240102",
            "2023-11-01T00:00:00.1234567Z",
            "2023-02-30T00:00:00Z",
            "2023-11-01T25:00:00Z",
            "2023-11-01T00:00:60Z",
            "2023-11-01T00:00:00 Europe/Berlin",
            "2023-1-1",
            "infinity",
            "epoch",
            "now",
            "1698796800",
        ],
    )
    def test_what_may_be_read_in_two_ways_or_not_at_all_is_an_error(
        self, one_cell: Any, text: str
    ) -> None:
        with pytest.raises(LoadError, match=f"line 2: '{text}' in column 'b' is not a "):
            one_cell(text, ColumnType.TIMESTAMP)


class TestOtherTypes:
    @pytest.mark.parametrize(
        ("text", "kind", "value"),
        [
            ("true", ColumnType.BOOLEAN, True),
            ("FALSE", ColumnType.BOOLEAN, False),
            ("True", ColumnType.BOOLEAN, True),
            ("", ColumnType.BOOLEAN, None),
            ("-42", ColumnType.INTEGER, -42),
            ("9223372036854775807", ColumnType.INTEGER, 2**63 - 1),
            ("", ColumnType.INTEGER, None),
            ("2024-02-29", ColumnType.DATE, date(2024, 2, 29)),
            ("", ColumnType.DATE, None),
        ],
    )
    def test_value_arrives(self, one_cell: Any, text: str, kind: ColumnType, value: object) -> None:
        assert one_cell(text, kind) == value

    @pytest.mark.parametrize(
        ("text", "kind", "problem"),
        [
            ("yes", ColumnType.BOOLEAN, "neither true nor false"),
            ("1", ColumnType.BOOLEAN, "neither true nor false"),
            ("1.5", ColumnType.INTEGER, "not a whole number"),
            ("1e3", ColumnType.INTEGER, "not a whole number"),
            ("9223372036854775808", ColumnType.INTEGER, "not a whole number"),
            ("2023-02-29", ColumnType.DATE, "not a day of the calendar"),
            ("02/28/2023", ColumnType.DATE, "not a day"),
        ],
    )
    def test_what_is_none_is_an_error(
        self, one_cell: Any, text: str, kind: ColumnType, problem: str
    ) -> None:
        with pytest.raises(LoadError, match=f"line 2: '{text}' in column 'b' is {problem}"):
            one_cell(text, kind)

    @pytest.mark.parametrize("kind", [ColumnType.FLOAT, ColumnType.TIME, ColumnType.BYTES])
    def test_types_that_csv_cannot_hold_are_refused(self, parts: Parts, kind: ColumnType) -> None:
        parts.add(b"a,b\n1,2\n", types={"b": kind})
        with pytest.raises(SchemaError, match=f"'b' is {kind}"):
            parts.read()


class TestCounts:
    def test_rows_of_each_part_and_exact_totals_by_currency(self, parts: Parts) -> None:
        header = ("Currency", "Cost")
        parts.add(b"Currency,Cost\nEUR,0.1\nUSD,1e-18\n", header)
        parts.add(b"Currency,Cost\n", header)
        parts.add(gzip.compress(b"Cost,Currency\n0.2,EUR\n,USD\n5,\n"), header[::-1])
        with read_csv_parts(parts.parts, empty_text_is_null=True) as source:
            currency, cost = source.columns
            counted = count_parts(
                parts.connection, source, Summed(costs=(cost.target,), currency=currency.target)
            )
        assert counted.part_rows == (2, 0, 3)
        assert counted.totals == {
            "EUR": {"the_Cost": Decimal("0.3")},
            "USD": {"the_Cost": Decimal("1e-18")},
            "": {"the_Cost": Decimal(5)},
        }

    def test_without_totals_rows_are_counted_all_the_same(self, parts: Parts) -> None:
        parts.add(b"a,b\n1,2\n3,4\n")
        with read_csv_parts(parts.parts, empty_text_is_null=True) as source:
            counted = count_parts(parts.connection, source, Summed())
        assert (counted.part_rows, counted.totals) == ((2,), {})


class TestFiles:
    def test_what_was_unpacked_is_removed_even_after_an_error(
        self, parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spool = tmp_path / "spool"
        spool.mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(spool))
        parts.add(gzip.compress(b"a,Cost\n1,x\n"), ("a", "Cost"))
        with pytest.raises(LoadError):
            parts.read()
        assert [path for path in spool.rglob("*") if path.is_file() and path.stat().st_size] == []

    def test_a_plain_part_is_read_where_it_lies(self, parts: Parts) -> None:
        parts.add(b"a,b\n1,2\n")
        with read_csv_parts(parts.parts, empty_text_is_null=True) as source:
            assert source.files == (str(parts.parts[0].file),)
