"""Reads the headers of CSV parts in the store: a few kilobytes at the beginning of each file."""

from __future__ import annotations

import csv
import re
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from cloudbill.errors import LoadError, SchemaError
from cloudbill.files.columns import assign_columns
from cloudbill.files.damage import AGAIN
from cloudbill.manifests import Column
from cloudbill.providers.datasets import dataset_of_columns

if TYPE_CHECKING:
    from cloudbill.manifests import Manifest, Part
    from cloudbill.providers import Provider
    from cloudbill.store import Store

__all__ = [
    "BOM",
    "Header",
    "MAX_HEADER_BYTES",
    "PartColumns",
    "is_gzip",
    "is_zip",
    "parse_header",
    "read_columns",
    "read_headers",
    "unended_line",
]

# A header of 1,000 columns has about 30,000 bytes, or 5,000 with gzip.
_FIRST_READ_BYTES: Final = 64 * 1024
MAX_HEADER_BYTES: Final = 1024 * 1024
"""A file with a longer header is assumed not to be CSV."""
# RFC 1952, "Member header and trailer": every gzip file begins with these two bytes.
_GZIP_MAGIC: Final = b"\x1f\x8b"
_ANY_GZIP: Final = 16 + zlib.MAX_WBITS
# APPNOTE.TXT of PKWARE, "Local file header": its size without the name and the extra field, whose
# lengths are its last four bytes, and where the method stands.
_ZIP_MAGIC: Final = b"PK\x03\x04"
_ZIP_END: Final = b"PK\x05\x06"
_ZIP_HEADER_BYTES: Final = 30
_ZIP_METHOD: Final = slice(8, 10)
_ZIP_SIZE: Final = slice(18, 22)
_DEFLATED: Final = 8
BOM: Final = b"\xef\xbb\xbf"
"""The byte order mark, which some programs write before the first row as well."""
_OTHER_FORMATS: Final = {
    _ZIP_MAGIC: "a ZIP or Excel file",
    b"PAR1": "a Parquet file",
    b"\xff\xfe": "a text in UTF-16",
    b"\xfe\xff": "a text in UTF-16",
    b"<!doctype": "a web page",
    b"<html": "a web page",
    b"<?xml": "an XML document, such as a store's error message",
    b'{"': "a JSON document",
}
"""By their first bytes."""
_OTHER_DELIMITERS: Final = {";": "';'", "\t": "tabs", "|": "'|'"}
_MANY: Final = 5
"""So many other delimiters and no comma are no name of one column."""
_IN_QUOTES: Final = re.compile(r'"[^"]*"')
_READERS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The first record of a part, which has `size` bytes.

    `names` are those of its columns; a last column without a name is not among them.
    """

    names: tuple[str, ...]
    size: int = 0
    has_nameless_end: bool = False
    """Whether a column without a name comes last, as a comma at the end of each line makes it."""
    has_mark_after: bool = False
    """Whether a byte order mark comes before the first row."""
    is_packed: bool = False
    """Whether the file is packed, so that what packed it says where it ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartColumns:
    """The columns of a part, in the order of its header, with their types and names in the table.

    A column without a name that comes last is not among them.
    """

    columns: tuple[Column, ...]
    has_nameless_end: bool = False
    is_plain: bool = True
    """Whether a reader that skips the first record has rows of just these columns after it."""
    must_end_line: bool = False
    """Whether only the end of its last line says that the part is whole."""


def read_columns(
    store: Store, manifest: Manifest, provider: Provider, existing: Mapping[str, str]
) -> tuple[PartColumns, ...]:
    """The columns of each part, in the order of the parts.

    `existing` gives, for every column of the table, the header that it came from. The same header
    gets the same name in all parts of the run.

    Raises:
        StoreError: If a part cannot be read.
        LoadError: If a part does not begin with a header in UTF-8, or ends within a line where
            nothing else says whether it is whole.
        SchemaError: If a header names a column twice, or leaves a name empty.
    """
    headers = read_headers(store, manifest.parts)
    must_end = [part.size is None and part.rows is None for part in manifest.parts]
    for part, header, is_needed in zip(manifest.parts, headers, must_end, strict=True):
        if is_needed and not header.is_packed and store.read_tail(part.path, 1) != b"\n":
            raise unended_line(store.uri(part.path))
    targets = assign_columns(
        dict.fromkeys(name for header in headers for name in header.names),
        existing,
        provider.column_name,
    )
    columns = {
        name: Column(name=name, target=target, type=provider.column_type(name, manifest))
        for name, target in targets.items()
    }
    return tuple(
        PartColumns(
            columns=tuple(columns[name] for name in header.names),
            has_nameless_end=header.has_nameless_end,
            is_plain=not (header.has_nameless_end or header.has_mark_after),
            must_end_line=is_needed,
        )
        for header, is_needed in zip(headers, must_end, strict=True)
    )


def read_headers(store: Store, parts: Sequence[Part]) -> tuple[Header, ...]:
    """The header of each part, in order; plain or gzipped, many are read at a time.

    Raises:
        StoreError: If a part cannot be read.
        LoadError: If a part does not begin with a header in UTF-8.
        SchemaError: If a header names a column twice, or leaves a name empty.
    """

    def read(part: Part) -> Header:
        return _read_header(store, part.path)

    with ThreadPoolExecutor(_READERS, thread_name_prefix="header") as readers:
        return tuple(readers.map(read, parts))


def is_gzip(head: bytes) -> bool:
    """Whether a file with these first bytes is gzipped, whatever its name is."""
    return head.startswith(_GZIP_MAGIC)


def is_zip(name: str) -> bool:
    """Whether a file of this name is zipped, as AWS's reports can be.

    By its name, because a workbook of Excel begins like a ZIP file as well.
    """
    return name.lower().endswith(".zip")


def parse_header(head: bytes, address: str, *, is_whole: bool) -> Header | None:
    """The header in the first bytes of an unpacked file, or None if more bytes are needed.

    `is_whole` says that `head` is the whole file.

    Raises:
        LoadError: If there is no header, or none in UTF-8.
        SchemaError: If it names a column twice, or leaves a name empty.
    """
    _require_csv(head, address)
    end = _end_of_record(head)
    if end is None:
        if not is_whole:
            return None
        end = len(head)
    elif not is_whole and end + len(BOM) > len(head):
        return None
    names = _names(_without_marks(head[:end]), address)
    # A comma at the end of each line makes a last column without a name, and nothing in it.
    has_nameless_end = len(names) > 1 and names[-1] == ""
    names = names[:-1] if has_nameless_end else names
    _require_names(names, address)
    return Header(
        names=names,
        size=end,
        has_nameless_end=has_nameless_end,
        has_mark_after=head.startswith(BOM, end),
    )


def _without_marks(text: bytes) -> bytes:
    while text.startswith(BOM):
        text = text.removeprefix(BOM)
    return text


def _read_header(store: Store, path: str) -> Header:
    address = store.uri(path)
    # Almost every header fits into the first read; the second one is for hundreds of tag columns.
    for length in (_FIRST_READ_BYTES, MAX_HEADER_BYTES):
        head = store.read_head(path, length)
        is_whole = len(head) < length
        is_packed = is_gzip(head) or is_zip(path)
        if is_gzip(head):
            head, is_whole = _unpack(head, address, is_whole=is_whole)
        elif is_zip(path):
            head, is_whole = _unzip(head, address)
        header = parse_header(head, address, is_whole=is_whole)
        if header is not None:
            return replace(header, is_packed=is_packed)
    raise LoadError(
        f"{address} has no whole header in its first {MAX_HEADER_BYTES} bytes: it was cut off, a "
        f"quote is never closed, or it is not a CSV file. {AGAIN}"
    )


def unended_line(address: str) -> LoadError:
    """What is said of a part that may be cut off in its last number, and would load as another one.

    Every provider ends each line. A stated size or number of rows is compared with the part; AWS
    states neither.
    """
    return LoadError(
        f"{address} ends without the end of a line: it was cut off, or another program wrote it. "
        f"{AGAIN}"
    )


def _unpack(head: bytes, address: str, *, is_whole: bool) -> tuple[bytes, bool]:
    """The first unpacked bytes of a gzipped file, and whether they are the whole file."""
    # Unpacks at most the longest header: a few kilobytes of gzip may unpack to gigabytes.
    unpacker = zlib.decompressobj(_ANY_GZIP)
    try:
        unpacked = unpacker.decompress(head, MAX_HEADER_BYTES + 1)
    except zlib.error as error:
        raise LoadError(f"{address} is a damaged gzip file ({error}). {AGAIN}") from error
    # A gzip file may have several members; only the end of the last is the end of the text.
    is_whole = is_whole and unpacker.eof and not unpacker.unused_data
    return unpacked[:MAX_HEADER_BYTES], is_whole and len(unpacked) <= MAX_HEADER_BYTES


def _unzip(head: bytes, address: str) -> tuple[bytes, bool]:
    """The first unpacked bytes of the first file in a ZIP file, and whether they are all of it."""
    if head.startswith(_ZIP_END):
        raise LoadError(f"{address} is a ZIP file with nothing in it. {AGAIN}")
    start, name = _zipped(head)
    while name.endswith(b"/"):  # a folder, whose bytes are none or the end of none
        head = head[start + int.from_bytes(head[_ZIP_SIZE], "little") :]
        start, name = _zipped(head)
    if int.from_bytes(head[_ZIP_METHOD], "little") != _DEFLATED:
        raise LoadError(
            f"{address} is a ZIP file that was packed in an unknown way. Bring the file as AWS "
            "wrote it"
        )
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        unpacked = unpacker.decompress(head[start:], MAX_HEADER_BYTES + 1)
    except zlib.error as error:
        raise LoadError(f"{address} is a damaged ZIP file ({error}). {AGAIN}") from error
    return unpacked[:MAX_HEADER_BYTES], unpacker.eof and len(unpacked) <= MAX_HEADER_BYTES


def _zipped(head: bytes) -> tuple[int, bytes]:
    """Where the bytes of the first entry of a ZIP file begin, and its name."""
    lengths = head[_ZIP_HEADER_BYTES - 4 : _ZIP_HEADER_BYTES]
    name, extra = (int.from_bytes(lengths[at : at + 2], "little") for at in (0, 2))
    end_of_name = _ZIP_HEADER_BYTES + name
    return end_of_name + extra, head[_ZIP_HEADER_BYTES:end_of_name]


def _end_of_record(head: bytes) -> int | None:
    """Where the first record ends: after the first line end outside quotes."""
    # A header with a line end in a name has an odd number of quotes before that line end. A doubled
    # quote inside a name counts as two, so it does not change the parity.
    end = head.find(b"\n") + 1
    quotes = head.count(b'"', 0, end)
    while end and quotes % 2:
        start, end = end, head.find(b"\n", end) + 1
        quotes += head.count(b'"', start, end)
    return end or None


def _require_csv(head: bytes, address: str) -> None:
    """Refuses what is something else by its first bytes.

    Raises:
        LoadError: If it is; the message says what the file is, and what makes such files.
    """
    if is_gzip(head):
        raise LoadError(
            f"{address} is gzipped twice: unpacked, it is a gzip file again. What brings the files "
            "into the store packs them a second time; let it copy them as they are, and bring this "
            "run again"
        )
    start = _without_marks(head).lstrip()
    for magic, kind in _OTHER_FORMATS.items():
        if start.startswith((magic, magic.upper())):
            raise LoadError(
                f"{address} is {kind}, not CSV. Look at what brings the files into the store, and "
                "bring the file as the provider wrote it"
            )


def _require_commas(text: str, address: str) -> None:
    """Refuses a header whose cells are parted by something else, as spreadsheets write it.

    Raises:
        LoadError: If they are.
    """
    bare = _IN_QUOTES.sub("", text)
    for delimiter, name in _OTHER_DELIMITERS.items():
        is_meant = dataset_of_columns(text.split(delimiter)) and "," not in bare
        is_many = bare.count(delimiter) >= _MANY and "," not in bare
        if is_meant or is_many or text.lower().startswith(f"sep={delimiter}"):
            raise LoadError(
                f"{address} has {name} between its cells, where the provider writes commas: it was "
                "saved again by a spreadsheet or another program. Bring the file as the provider "
                "wrote it"
            )


def _names(record: bytes, address: str) -> tuple[str, ...]:
    try:
        text = record.decode("utf-8")
    except UnicodeDecodeError as error:
        raise LoadError(
            f"The header of {address} is not in UTF-8, from its byte {error.start} on; export it "
            "again"
        ) from error
    if not text.strip():
        raise LoadError(
            f"{address} is empty, without even a header: it is being written, or was cut off; run "
            "again when the delivery is whole"
        )
    _require_commas(text, address)
    try:
        return tuple(next(csv.reader([text.rstrip("\r\n")], strict=True)))
    except csv.Error as error:
        raise LoadError(f"The header of {address} is not CSV: {error}; export it again") from error


def _require_names(names: tuple[str, ...], address: str) -> None:
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise SchemaError(
            f"{address} has {times} columns named '{name}', which cannot be told apart; export "
            "it again"
        )
    if "" in names:
        raise SchemaError(f"Column {names.index('') + 1} of {address} has no name; export it again")
