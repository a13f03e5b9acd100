"""What the manifests of AWS have in common: reports list parts and columns as Data Exports do."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from cloudbill.manifests import Column, ColumnType, FileFormat, Manifest, Part, StoredObject
from cloudbill.providers.json_object import JsonObject

__all__ = ["file_format", "listed_columns", "listed_parts", "own_name", "part_path", "stated_type"]

_FORMATS: Final[Mapping[str, FileFormat]] = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".csv.zip": "csv",
    ".zip": "csv",
}


def own_name(export_name: str) -> str:
    """The name of an export without the folders that it may be given with."""
    return export_name.strip("/").rpartition("/")[2]


def listed_parts(
    document: JsonObject,
    key: str,
    path_of: Callable[[list[str]], str],
    *,
    key_of: Callable[[str], str] = str,
) -> tuple[Part, ...]:
    """The parts in a list of names; `path_of` finds the path of one from its folders and its name.

    `key_of` gives the key in a bucket that a name in the list stands for.

    Raises:
        ManifestError: If there is no list, or a name is that of no part, or stands twice.
    """
    if document.values.get(key) is None:
        raise document.error("Missing required value in", key)
    parts: dict[str, Part] = {}
    for index, name in enumerate(document.texts(key)):
        where = f"{key}[{index}]"
        path = path_of(_folders_of(document, key_of(name), where))
        if path in parts:
            raise document.error(f"The part {path} is listed twice in", where)
        parts[path] = Part(path=path)
    return tuple(parts.values())


def listed_columns(
    document: JsonObject, column_of: Callable[[JsonObject], Column]
) -> tuple[Column, ...]:
    """The columns in a manifest, by what `column_of` makes of an entry.

    Raises:
        ManifestError: If a column is listed twice, and not as the same.
    """
    columns: dict[str, Column] = {}
    for entry in document.children("columns"):
        column = column_of(entry)
        if columns.setdefault(column.name, column) != column:
            name = column.name[:80]
            raise entry.error(f"The column {name!r} has a second, other type in", "type")
    return tuple(columns.values())


def stated_type(header: str, manifest: Manifest) -> ColumnType | None:
    """The type of a column in a manifest that lists it.

    Case is ignored where no column is spelt so, but not in reports, whose headers have a slash:
    attributes of products may differ by case alone.
    """
    columns = manifest.columns or ()
    exact = next((column.type for column in columns if column.name == header), None)
    if exact is not None or "/" in header:
        return exact
    name = header.lower()
    return next((column.type for column in columns if column.name.lower() == name), None)


def _folders_of(document: JsonObject, key: str, where: str) -> list[str]:
    """The folders and the name of a part, without empty ones; a key that names none is refused."""
    folders = key.split("/")
    if "://" in key or not folders[-1] or {".", ".."} & {*folders}:
        raise document.error(f"{key[:80]!r} names no part of the bucket in", where)
    return [folder for folder in folders if folder]


def part_path(paths: Sequence[str], listing: Mapping[str, StoredObject], *, otherwise: str) -> str:
    """The first of some paths that is there, or where the part is expected."""
    return next((path for path in paths if path in listing), otherwise)


def file_format(document: JsonObject, paths: Sequence[str], key: str) -> FileFormat:
    """The format of the parts, by their names: what a manifest says of it is not to be relied on.

    Raises:
        ManifestError: If they have none that is read, or several.
    """
    formats: set[FileFormat] = set()
    for index, path in enumerate(paths):
        name = path.lower()
        # The longest ending first.
        ending = next((one for one in sorted(_FORMATS, reverse=True) if name.endswith(one)), None)
        if ending is None:
            raise document.error(
                f"The part {posixpath.basename(path)[:80]!r} is neither Parquet nor CSV, packed "
                "or not, in",
                f"{key}[{index}]",
            )
        formats.add(_FORMATS[ending])
    if len(formats) > 1:
        raise document.error("Both Parquet and CSV parts are listed in", key)
    return formats.pop() if formats else "parquet"
