"""AWS Data Exports, CUR 2.0 and FOCUS alike: where their manifests are, and how they are read.

Sources: AWS, "Data Exports User Guide" (export delivery, the manifest file, table dictionaries);
exports as delivered and copied. Each month has one manifest, in a folder beside that of the data,
which every refresh replaces after it has written its files.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from cloudbill.errors import ManifestError
from cloudbill.manifests import Column, ColumnType, Manifest, StoredObject
from cloudbill.periods import BillingPeriod
from cloudbill.providers.aws_manifest import file_format, listed_columns, listed_parts, part_path
from cloudbill.providers.datasets import (
    AWS_FOCUS,
    CARBON,
    COST_OPTIMIZATION,
    CUR,
    OTHER_DATA_EXPORT,
    dataset_of_data_export,
)
from cloudbill.providers.json_object import JsonObject

__all__ = [
    "MONTH_FOLDER",
    "Partition",
    "SECTIONS",
    "export_of",
    "is_data_export",
    "likely_dataset",
    "month_of",
    "partition_of",
    "read_data_export",
]

MONTH_FOLDER: Final = re.compile(
    r"billing_period=(?P<year>\d{4})-(?P<month>0[1-9]|1[0-2])", re.ASCII | re.IGNORECASE
)
"""The folder of a month: CUR 2.0 writes its name in capitals, FOCUS does not."""
_PATH: Final = re.compile(
    rf"(?P<above>(?:[^/]*/)*)metadata/{MONTH_FOLDER.pattern}/(?P<export>[^/]+)-Manifest\.json",
    re.ASCII | re.IGNORECASE,
)
_PARTITION: Final = re.compile(
    r"(?P<above>(?:[^/]*/)*)(?P<folder>data|metadata)/(?P<kind>\w+)=[^/]*(?:/.*)?",
    re.ASCII | re.IGNORECASE,
)
_OTHER_KINDS: Final[Mapping[str, str]] = {"date": COST_OPTIMIZATION, "usage_period": CARBON}
"""What is delivered by days, or by periods that nobody bills."""
_BILL: Final = "billing_period"
SECTIONS: Final[Mapping[str, str]] = {CUR: "aws_billing", AWS_FOCUS: "aws_focus_billing"}
"""The section below `sources` for each dataset that is loaded."""
_ARN: Final = re.compile(r"arn:[^:]*:bcm-data-exports:[^:]*:(?P<account>\d+):export/.*", re.ASCII)
_KIND: Final = re.compile(r"(?:optional)?([a-z]+)")
_TYPES: Final[Mapping[str, ColumnType]] = {
    **dict.fromkeys(
        ("double", "float", "real", "decimal", "numeric", "bigdecimal"), ColumnType.DECIMAL
    ),
    **dict.fromkeys(
        ("bigint", "int", "integer", "long", "smallint", "tinyint"), ColumnType.INTEGER
    ),
    **dict.fromkeys(("timestamp", "timestamptz", "datetime"), ColumnType.TIMESTAMP),
    **dict.fromkeys(("map", "struct", "json"), ColumnType.JSON),
    **dict.fromkeys(("boolean", "bool"), ColumnType.BOOLEAN),
    "date": ColumnType.DATE,
}
"""By the word that a type begins with: `timestamp_milliseconds`, `decimal(38,9)`, `map<string,..>`.

Whatever else a column is said to be is read as text.
"""


def is_data_export(path: str, export_name: str) -> bool:
    """Whether a path below the root of an export is that of one of its manifests."""
    match = _PATH.fullmatch(path)
    return match is not None and not match["above"] and match["export"] == export_name


def export_of(path: str) -> tuple[str, str] | None:
    """The path before the export's folder, or before `metadata` if a copy dropped that folder."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    above, export = match["above"].removesuffix("/"), match["export"]
    prefix, _, folder = above.rpartition("/")
    return (prefix if folder == export else above), export


def month_of(path: str) -> str | None:
    """The month of the folder that a file of an export is in, as `YYYYMM`."""
    match = next(filter(None, map(MONTH_FOLDER.fullmatch, path.split("/"))), None)
    return match and match["year"] + match["month"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """Where a file or folder of a Data Export is, by its path alone.

    `above` is the folder of the export, which ends in `/` or is empty; `dataset` is what cannot be
    loaded, or None for a bill, of which the path does not say whether it is CUR 2.0 or FOCUS.
    """

    above: str
    is_metadata: bool
    dataset: str | None


def partition_of(path: str) -> Partition | None:
    """The partition that a path is in, or None if it is in none: `data/BILLING_PERIOD=2025-10/`."""
    match = _PARTITION.fullmatch(path)
    if match is None:
        return None
    kind = match["kind"].lower()
    return Partition(
        above=match["above"],
        is_metadata=match["folder"].lower() == "metadata",
        dataset=None if kind == _BILL else _OTHER_KINDS.get(kind, OTHER_DATA_EXPORT),
    )


def likely_dataset(path: str) -> str:
    """Which of the two bills a manifest is most likely of, where its content says nothing.

    AWS writes the folders of CUR 2.0 in capitals, and those of FOCUS not.
    """
    return CUR if f"/{_BILL.upper()}=" in path else AWS_FOCUS


def read_data_export(
    content: bytes,
    *,
    stored: StoredObject,
    root: str,
    export: str,
    listing: Mapping[str, StoredObject],
    provider: str,
    dataset: str,
    required: Sequence[str],
    documented: Callable[[str], ColumnType],
) -> Manifest:
    """Parses the manifest of a month of a Data Export; its period is that of its path.

    `dataset` is what its columns have to be of, `required` are columns that no load can do without,
    and `documented` gives the type of a column in AWS's dictionary.

    Raises:
        ManifestError: If a value is missing or cannot be read, or the export is of another dataset
            or lacks a column.
    """
    document = JsonObject.parse(content, path=stored.path)
    match = _PATH.fullmatch(stored.path.removeprefix(root))
    if match is None:
        raise ManifestError("No billing period in the folders of", path=stored.path)
    period = BillingPeriod(year=int(match["year"]), month=int(match["month"]))
    columns = listed_columns(document, lambda entry: _column_of(entry, documented))
    _require_columns(document, columns, dataset, required)
    parts = listed_parts(
        document,
        "dataFiles",
        lambda folders: _path_of(folders, root, listing),
        key_of=lambda name: name.partition("://")[2] or name,
    )
    return Manifest(
        provider=provider,
        export=export,
        path=stored.path,
        run_id=document.required("executionId", document.text),
        period=period,
        covers_from=period.first_day,
        covers_to=period.next.first_day - timedelta(days=1),
        submitted_at=stored.modified_at,
        file_format=file_format(document, [part.path for part in parts], "dataFiles"),
        parts=parts,
        columns=columns or None,
        scope=_scope(document),
        stored_at=stored.modified_at,
        states_days=False,
        is_current=True,
    )


def _scope(document: JsonObject) -> str | None:
    match = _ARN.fullmatch(document.text("exportArn") or "")
    return match["account"] if match else None


def _column_of(entry: JsonObject, documented: Callable[[str], ColumnType]) -> Column:
    name = entry.required("name", entry.text)
    return Column(name=name, target=name, type=_type_of(entry.text("type"), documented(name)))


def _type_of(stated: str | None, documented: ColumnType) -> ColumnType:
    """What the manifest states, but what AWS documents as no text is that in any case."""
    if stated is None or documented is not ColumnType.STRING:
        return documented
    match = _KIND.match(stated.strip().lower())
    return _TYPES.get(match[1], ColumnType.STRING) if match else ColumnType.STRING


def _require_columns(
    document: JsonObject, columns: Sequence[Column], dataset: str, required: Sequence[str]
) -> None:
    """An export is a query of the customer's, which may leave out any column."""
    if not columns:
        return
    found = dataset_of_data_export(column.name for column in columns)
    # Of a table that nobody knows it says more which columns are missing.
    if found not in {dataset, OTHER_DATA_EXPORT}:
        section = SECTIONS.get(found or "")
        advice = "which is no bill" if section is None else f"configure it in [sources.{section}]"
        raise document.error(
            f"This Data Export is of {found}, not of {dataset}; {advice}:", "columns"
        )
    have = {column.name.lower() for column in columns}
    missing = [name for name in required if name.lower() not in have]
    if missing:
        raise document.error(
            f"The query of this Data Export leaves out {' and '.join(missing)}. Add what is "
            "missing to the columns of the export in AWS:",
            "columns",
        )


def _path_of(folders: list[str], root: str, listing: Mapping[str, StoredObject]) -> str:
    """The folder of the data, and what is below it: a copy may have moved all of it."""
    starts = [place for place, folder in enumerate(folders) if MONTH_FOLDER.fullmatch(folder)]
    start = starts[-1] if starts else len(folders) - 1
    expected = f"{root}data/{'/'.join(folders[start:])}"
    ends = [f"{root}{'/'.join(folders[at:])}" for at in range(start + 1)]
    return part_path([expected, *ends], listing, otherwise=expected)
