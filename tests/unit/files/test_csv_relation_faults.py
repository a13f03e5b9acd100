"""CSV parts that are refused, and how the fault is named."""

from __future__ import annotations

import gzip
from typing import Any

import duckdb
import pytest

from cloudbill.errors import LoadError, SchemaError, StoreError
from cloudbill.files.csv_faults import MAX_ROW_BYTES
from cloudbill.files.csv_relation import read_csv_parts
from cloudbill.manifests import ColumnType
from unit.files.csv_bench import ROWS, Parts


class TestFaults:
    """Errors say which part, which line and which cell."""

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"a,b\n1,2\n3\n", "line 3: the row has 1 cell, the header 2"),
            (b"a,b\n1,2\n3,4,5\n", "line 3: the row has 3 cells, the header 2"),
            (b"a,b\n1,2\n3", "line 3: the row has 1 cell, the header 2"),
            (b'a,b\n1,"x\ny"\n3\n', "line 4: the row has 1 cell, the header 2"),
            (b'a,b\n1,2\n3,"x\ny\n', "line 3: it is not CSV"),
            (b'a,b\n1,2\n3,"x"y\n', "line 3: it is not CSV"),
            (b"a,b\n1,2\n3,x\ry\n", "line 3: it is not CSV"),
            (b"a,b\n1,2\n3,\xff\xfe\n", r"line 3: b'3,\\xff\\xfe\\n' is not in UTF-8"),
            (b"a,b\n1,2\n3,x\0y\n", "NUL byte in line 3"),
            (b"a,b\n1," + b"x" * (MAX_ROW_BYTES + 1) + b"\n", "line 2: the row is longer than"),
        ],
        ids=[
            "too few cells",
            "too many cells",
            "too few cells at the end",
            "too few cells behind a row of two lines",
            "a quote that is never closed",
            "text behind a quote",
            "a carriage return outside quotes",
            "not UTF-8",
            "NUL",
            "a row beyond all bounds",
        ],
    )
    @pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzipped"])
    def test_a_broken_file_is_named_with_its_line(
        self, parts: Parts, content: bytes, message: str, *, packed: bool
    ) -> None:
        parts.add(b"a,b\n1,2\n")
        parts.add(gzip.compress(content, 1) if packed else content)
        with pytest.raises(LoadError, match=message) as raised:
            parts.read()
        assert "gs://bills/part-1.csv" in str(raised.value)

    def test_a_wrong_cell_deep_in_a_large_part_is_found(self, parts: Parts) -> None:
        rows = [f"{number},0.{number}" for number in range(150_000)]
        rows[123_456] = "x,12.3.4"
        parts.add(("a,Cost\n" + "\n".join(rows) + "\n").encode(), ("a", "Cost"))
        with pytest.raises(LoadError, match=r"line 123458: '12\.3\.4' in column 'Cost'"):
            parts.read()

    @pytest.mark.parametrize(
        ("cell", "problem"),
        [
            ('{""a"":NaN}', "has a number that JSON does not have"),
            ('{""a"":[1,-Infinity]}', "has a number that JSON does not have"),
            ('{""a"":1e400}', "has a number that JSON does not have"),
            (f'{{""a"":1{"0" * 400}}}', "has a number that JSON does not have"),
            (r'{""a"":""\ud83d""}', "has half of a character: one surrogate of two"),
            ("[1]", "is not a JSON object"),
        ],
    )
    def test_what_is_no_object_of_json_is_named_with_its_line_and_column(
        self, parts: Parts, cell: str, problem: str
    ) -> None:
        content = f'a,Tags\n1,"{{""a"":1}}"\n2,"{cell}"\n'.encode()
        parts.add(content, ("a", "Tags"), types={"Tags": ColumnType.JSON})
        with pytest.raises(LoadError, match=rf"part-0\.csv .* line 3: .* column 'Tags' {problem}"):
            parts.read()

    def test_a_long_cell_is_shortened(self, parts: Parts) -> None:
        parts.add(b"a,Cost\n1," + b"x" * 5_000 + b"\n", ("a", "Cost"))
        with pytest.raises(LoadError, match=r"'x{60}\.\.\. \(5000 characters\)'"):
            parts.read()

    def test_a_header_that_is_not_the_one_that_was_read_before(self, parts: Parts) -> None:
        parts.add(b"a,c\n1,2\n")
        with pytest.raises(SchemaError, match=r"part-0\.csv changed since it was read"):
            parts.read()

    @pytest.mark.parametrize(
        ("damage", "message"),
        [
            (lambda packed: packed[: len(packed) // 2], "cut off"),
            (lambda packed: packed[:-8], "cut off"),
            (lambda packed: packed[:-8] + bytes(8), r"damaged gzip file \(CRC"),
            (lambda packed: packed[:60] + b"\xff" * 9 + packed[69:], "damaged gzip file"),
            (lambda packed: packed + b"some garbage", "damaged gzip file"),
            (lambda packed: packed + b"some", "cut off"),
        ],
        ids=[
            *("half of it", "without its end", "wrong checksum", "damaged inside"),
            *("text behind it", "a little behind it"),
        ],
    )
    def test_damaged_gzip(self, parts: Parts, damage: Any, message: str) -> None:
        content = b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(10_000))
        parts.add(damage(gzip.compress(content)))
        with pytest.raises(LoadError, match=message) as raised:
            parts.read()
        assert "gs://bills/part-0.csv" in str(raised.value)

    def test_a_digit_that_flipped_in_a_stored_gzip_is_noticed(self, parts: Parts) -> None:
        packed = gzip.compress(b"a,b\n1,200\n", 0)
        parts.add(packed.replace(b"200", b"900"))
        with pytest.raises(LoadError, match="CRC"):
            parts.read()

    def test_a_part_that_is_gone(self, parts: Parts) -> None:
        parts.add(ROWS)
        parts.parts[0].file.unlink()
        with pytest.raises(StoreError, match=r"gs://bills/part-0\.csv cannot be read"):
            parts.read()

    def test_an_error_that_is_not_in_the_files_is_left_as_it_is(self, parts: Parts) -> None:
        parts.add(b"a,b\n1,2\n")
        with (
            pytest.raises(duckdb.ConversionException),
            read_csv_parts(parts.parts, empty_text_is_null=True),
        ):
            parts.connection.execute("SELECT CAST('x' AS INTEGER)")
