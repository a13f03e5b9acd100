"""The headers of real CSV files: what they say, and what is refused."""

from __future__ import annotations

import gzip
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudbill.errors import LoadError, PartMissingError, SchemaError
from cloudbill.files.csv_headers import MAX_HEADER_BYTES, read_headers
from cloudbill.manifests import Part
from cloudbill.store.local import LocalStore

Read = Callable[[bytes], tuple[str, ...]]


class CountingStore(LocalStore):
    """Notes how much of each object is asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.lengths: list[int] = []

    def read_head(self, path: str, length: int) -> bytes:
        self.lengths.append(length)
        return super().read_head(path, length)


@pytest.fixture
def header_of(tmp_path: Path) -> Read:
    """Reads the header of a file of such bytes."""

    def read(content: bytes) -> tuple[str, ...]:
        (tmp_path / "part.csv").write_bytes(content)
        (header,) = read_headers(LocalStore(tmp_path), [Part(path="part.csv")])
        return header.names

    return read


class TestHeader:
    @pytest.mark.parametrize(
        ("content", "names"),
        [
            (b"Cost,Day\n1,2\n", ("Cost", "Day")),
            (b"Cost,Day\r\n1,2\r\n", ("Cost", "Day")),
            (b"Cost,Day", ("Cost", "Day")),
            (b"\xef\xbb\xbfCost,Day\n", ("Cost", "Day")),
            (b'\xef\xbb\xbf"Cost",Day\n', ("Cost", "Day")),
            (b'"a,b","say ""hi"""\n', ("a,b", 'say "hi"')),
            (b'"two\nlines",Day\nx,y\n', ("two\nlines", "Day")),
            (b'"two\r\nlines",Day\r\n', ("two\r\nlines", "Day")),
            (b"product/ecu,product/ECU\n", ("product/ecu", "product/ECU")),
            (" Größe ,日\n".encode(), (" Größe ", "日")),
            (b"Cost\n", ("Cost",)),
            (b"Cost,Day\n\xff\xfe\n", ("Cost", "Day")),
        ],
        ids=[
            "plain",
            "CRLF",
            "header only, without a line end",
            "byte order mark",
            "byte order mark before a quote",
            "commas and quotes",
            "newline in quotes",
            "CRLF in quotes",
            "names that differ by case",
            "beyond ASCII",
            "one column",
            "rows are not looked at",
        ],
    )
    @pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzipped"])
    def test_names_are_those_of_the_file(
        self, header_of: Read, content: bytes, names: tuple[str, ...], *, packed: bool
    ) -> None:
        assert header_of(gzip.compress(content) if packed else content) == names

    def test_the_header_of_a_zip_is_that_of_its_file_though_a_folder_comes_first(
        self, tmp_path: Path
    ) -> None:
        with zipfile.ZipFile(tmp_path / "part.zip", "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("of/", "")
            packed.writestr("of/october/", "")
            packed.writestr("of/october/part.csv", "a,b\n1,2\n")
        (header,) = read_headers(LocalStore(tmp_path), [Part(path="part.zip")])
        assert header.names == ("a", "b")

    def test_a_zip_with_nothing_in_it_is_called_that(self, tmp_path: Path) -> None:
        zipfile.ZipFile(tmp_path / "part.zip", "w").close()
        with pytest.raises(LoadError, match="is a ZIP file with nothing in it"):
            read_headers(LocalStore(tmp_path), [Part(path="part.zip")])

    def test_gzip_is_known_by_its_content_and_not_by_its_name(self, tmp_path: Path) -> None:
        (tmp_path / "packed.csv").write_bytes(gzip.compress(b"a,b\n"))
        (tmp_path / "plain.csv.gz").write_bytes(b"c,d\n")
        parts = [Part(path="packed.csv"), Part(path="plain.csv.gz")]
        headers = read_headers(LocalStore(tmp_path), parts)
        assert [header.names for header in headers] == [("a", "b"), ("c", "d")]

    def test_many_parts_are_read_at_once_and_stay_in_order(self, tmp_path: Path) -> None:
        together = threading.Barrier(4, timeout=10)

        class WaitingStore(LocalStore):
            def read_head(self, path: str, length: int) -> bytes:
                together.wait()
                return super().read_head(path, length)

        parts = [Part(path=f"{index}.csv") for index in range(8)]
        for part in parts:
            (tmp_path / part.path).write_bytes(f"name {part.path}\n".encode())
        headers = read_headers(WaitingStore(tmp_path), parts)
        assert [header.names for header in headers] == [(f"name {part.path}",) for part in parts]


class TestBytes:
    def test_of_a_large_part_only_the_beginning_is_read(self, tmp_path: Path) -> None:
        (tmp_path / "part.csv").write_bytes(b"a,b\n" + b"1,2\n" * 1_000_000)
        store = CountingStore(tmp_path)
        read_headers(store, [Part(path="part.csv")])
        assert store.lengths == [64 * 1024]

    def test_a_longer_header_takes_a_second_request(self, tmp_path: Path) -> None:
        names = [f"column {index:05d}" for index in range(10_000)]
        (tmp_path / "part.csv").write_bytes(",".join(names).encode() + b"\n" + b"x" * 100_000)
        store = CountingStore(tmp_path)
        (header,) = read_headers(store, [Part(path="part.csv")])
        assert header.names == tuple(names)
        assert store.lengths == [64 * 1024, MAX_HEADER_BYTES]

    def test_a_small_gzip_that_unpacks_to_gigabytes_is_not_unpacked(self, header_of: Read) -> None:
        bomb = gzip.compress(b"x" * 100_000_000)
        with pytest.raises(LoadError, match="no whole header in its first"):
            header_of(bomb)


class TestRefusals:
    @pytest.mark.parametrize(
        ("content", "error", "message"),
        [
            (b"", LoadError, "is empty"),
            (b"\xef\xbb\xbf", LoadError, "is empty"),
            (b"\n1,2\n", LoadError, "is empty"),
            (gzip.compress(b""), LoadError, "is empty"),
            (b"Gr\xf6\xdfe,Day\n", LoadError, "not in UTF-8, from its byte 2"),
            ("Cost,Day\n".encode("utf-16"), LoadError, "a text in UTF-16, not CSV"),
            (b"Cost,Day,Cost\n", SchemaError, "2 columns named 'Cost'"),
            (b"Cost,,Day\n", SchemaError, "Column 2 of .* has no name"),
            (b'Cost,"Day\n1,2\n', LoadError, "is not CSV"),
            (b'Cost,"Day"x\n', LoadError, "is not CSV"),
            (b"x" * (MAX_HEADER_BYTES + 1), LoadError, "no whole header in its first"),
            (b'"' + b"x\n" * MAX_HEADER_BYTES, LoadError, "no whole header in its first"),
            (b"\x1f\x8bnothing that gzip knows", LoadError, "damaged gzip"),
            (gzip.compress(b"Cost,Day\n")[:-12], LoadError, "no whole header"),
        ],
        ids=[
            "empty file",
            "byte order mark alone",
            "empty line first",
            "gzip of nothing",
            "Latin-1",
            "UTF-16",
            "the same name twice",
            "a name that is empty",
            "a quote that is never closed",
            "text behind a quote",
            "a header without end",
            "a quote that is not closed soon",
            "damaged gzip",
            "gzip that was cut off in the header",
        ],
    )
    def test_message_names_the_part(
        self, header_of: Read, content: bytes, error: type[Exception], message: str
    ) -> None:
        with pytest.raises(error, match=message) as raised:
            header_of(content)
        assert "part.csv" in str(raised.value)

    def test_a_part_that_is_gone(self, tmp_path: Path) -> None:
        with pytest.raises(PartMissingError, match=r"part\.csv"):
            read_headers(LocalStore(tmp_path), [Part(path="part.csv")])
