"""Prepares local CSV parts for parsing: unpacked, checked to be whole, and without NUL bytes."""

from __future__ import annotations

import gzip
import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, NoReturn, cast

from isal import igzip, igzip_lib

from cloudbill.disk.room import full_disk_of
from cloudbill.disk.spool import ANOTHER_FOLDER, room_for, spool_folder
from cloudbill.errors import LoadError, SchemaError, StoreError
from cloudbill.files.csv_headers import (
    BOM,
    MAX_HEADER_BYTES,
    Header,
    PartColumns,
    is_gzip,
    is_zip,
    parse_header,
    unended_line,
)
from cloudbill.files.damage import AGAIN
from cloudbill.manifests import Column

__all__ = ["CsvFile", "CsvPart", "plain_files"]

# Its stubs declare an exception object instead of a class.
_Damaged: Final = cast("type[Exception]", igzip_lib.IsalError)
# What zipfile says of damage, of a method that it does not know, and of a password.
_BAD_ZIP: Final = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)
_BLOCK_BYTES: Final = 256 * 1024
_UNPACKERS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvPart:
    """A part on the local disk, plain or gzipped.

    `address` names it in messages; `columns` have the names and the order of its header. With
    `has_nameless_end` the header has one more column at its end, without a name. With
    `must_end_line` it is whole only if its last line has an end.
    """

    file: Path
    address: str
    columns: tuple[Column, ...]
    has_nameless_end: bool = False
    must_end_line: bool = False

    @classmethod
    def of(cls, file: Path, address: str, header: PartColumns) -> CsvPart:
        """A part whose header was read before."""
        return cls(
            file=file,
            address=address,
            columns=header.columns,
            has_nameless_end=header.has_nameless_end,
            must_end_line=header.must_end_line,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvFile:
    """A part that can be parsed: `path` is a plain file that begins with the header."""

    path: Path
    part: CsvPart


@contextmanager
def plain_files(parts: Sequence[CsvPart]) -> Iterator[tuple[CsvFile, ...]]:
    """The parts as plain files; unpacked files are removed at the end.

    DuckDB can also unpack gzip, but it does not compare the checksum, so a flipped bit could become
    another amount. It would also unpack a part again for every statement that reads it.

    Raises:
        StoreError: If a part cannot be read.
        LoadError: If a part is damaged, was cut off or has a NUL byte, or there is no space to
            unpack it.
        SchemaError: If the header of a part is not that of its columns.
    """
    with spool_folder() as folder:

        def open_part(item: tuple[int, CsvPart]) -> CsvFile:
            index, part = item
            return _open(part, Path(folder, f"{index:05d}.csv"))

        workers = min(_UNPACKERS, os.cpu_count() or 1)
        with ThreadPoolExecutor(workers, thread_name_prefix="unpack") as unpackers:
            files = tuple(unpackers.map(open_part, enumerate(parts)))
        yield files


def _open(part: CsvPart, target: Path) -> CsvFile:
    try:
        path = target if _is_packed(part) else part.file
        _copy(part, None if path == part.file else target)
        with path.open("rb") as file:
            head = file.read(MAX_HEADER_BYTES + len(BOM) + 1)
    except EOFError as error:
        raise LoadError(
            f"{part.address} is a gzip file that was cut off, or has other bytes after its end, "
            f"and the table was not changed. {AGAIN}"
        ) from error
    except (gzip.BadGzipFile, _Damaged, *_BAD_ZIP) as error:
        kind = "ZIP" if is_zip(part.address) else "gzip"
        raise LoadError(
            f"{part.address} is a damaged {kind} file ({error}), and the table was not changed. "
            f"{AGAIN}"
        ) from error
    except OSError as error:
        full = full_disk_of(error, target, needed=_unpacked_size(part), remedy=ANOTHER_FOLDER)
        if full is not None:
            raise LoadError(
                f"{part.address} cannot be unpacked: {full}", is_of_run=False
            ) from error
        raise StoreError(f"{part.address} cannot be read: {error}") from error
    header = _require_header(head, part)
    if header.has_mark_after:
        path = _without_mark(path, target.with_suffix(".clean.csv"), at=header.size)
    return CsvFile(path=path, part=part)


def _without_mark(path: Path, cleaned: Path, *, at: int) -> Path:
    """A copy without the byte order marks before the first row, which would be part of a cell."""
    with (
        room_for("A copy of a part", cleaned, needed=path.stat().st_size),
        path.open("rb") as file,
        cleaned.open("wb") as copy,
    ):
        copy.write(file.read(at))
        start = file.read(len(BOM))
        while start == BOM:
            start = file.read(len(BOM))
        copy.write(start)
        shutil.copyfileobj(file, copy, _BLOCK_BYTES)
    return cleaned


def _copy(part: CsvPart, target: Path | None) -> None:
    """Checks a part, and writes it unpacked to `target` if one is given."""
    last = b""
    with _reader(part) as file, target.open("wb") if target else nullcontext() as plain:
        for block in iter(lambda: file.read(_BLOCK_BYTES), b""):
            if b"\0" in block:
                _refuse_nul(part)
            if plain is not None:
                plain.write(block)
            last = block
    if part.must_end_line and not last.endswith(b"\n"):
        raise unended_line(part.address)


def _unpacked_size(part: CsvPart) -> int | None:
    """The bytes of a packed file once it is unpacked, as it says itself; None for another."""
    with suppress(OSError, *_BAD_ZIP), part.file.open("rb") as opened:
        if is_zip(part.address):
            return sum(member.file_size for member in zipfile.ZipFile(opened).infolist())
        if is_gzip(opened.read(2)):
            opened.seek(-4, os.SEEK_END)
            # RFC 1952, "Member trailer": modulo 2^32, which few parts reach.
            return int.from_bytes(opened.read(4), "little")
    return None


def _is_packed(part: CsvPart) -> bool:
    with part.file.open("rb") as file:
        return is_zip(part.address) or is_gzip(file.read(2))


def _reader(part: CsvPart) -> BinaryIO:
    if not _is_packed(part):
        return part.file.open("rb")
    if is_zip(part.address):
        return _only_member(part)
    return cast("BinaryIO", igzip.open(part.file, "rb"))  # type: ignore[no-untyped-call]


def _only_member(part: CsvPart) -> BinaryIO:
    """The one file in a ZIP file, whose checksum is compared as it is read."""
    with zipfile.ZipFile(part.file) as packed:
        members = [member for member in packed.infolist() if not member.is_dir()]
        if len(members) != 1:
            raise zipfile.BadZipFile(f"it holds {len(members)} files, where AWS writes one")
        # The member keeps the file open once the archive is closed.
        return cast("BinaryIO", packed.open(members[0]))


def _refuse_nul(part: CsvPart) -> NoReturn:
    with _reader(part) as file:
        line = next((number for number, text in enumerate(file, start=1) if b"\0" in text), 1)
    raise LoadError(
        f"{part.address} has a NUL byte in line {line}, which text must not have; export it again"
    )


def _require_header(head: bytes, part: CsvPart) -> Header:
    is_whole = len(head) <= MAX_HEADER_BYTES
    header = parse_header(head, part.address, is_whole=is_whole)
    names = tuple(column.name for column in part.columns)
    if header is None or (header.names, header.has_nameless_end) != (names, part.has_nameless_end):
        raise SchemaError(
            f"The header of {part.address} changed since it was read, so the part is being "
            "replaced; run again when the delivery is whole"
        )
    return header
