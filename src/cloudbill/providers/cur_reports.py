"""The manifest of a legacy Cost and Usage Report, CSV and Parquet alike.

Sources: AWS, "Cost and Usage Reports User Guide" (folder layout, versions of a report, the
manifest, reports for Athena); delivered and copied reports.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from cloudbill.manifests import Column, ColumnType, Manifest, StoredObject
from cloudbill.periods import BillingPeriod
from cloudbill.providers.aws_manifest import file_format, listed_columns, listed_parts, part_path
from cloudbill.providers.cur_columns import athena_name, documented_type
from cloudbill.providers.json_object import JsonObject

__all__ = ["RANGE", "is_report", "month_of_report", "place_of_report", "read_report"]

RANGE: Final = re.compile(r"\d{8}-\d{8}", re.ASCII)
"""The folder of a month, with an exclusive end."""
# <YYYYMMDD-YYYYMMDD>/ contains the manifest of the current run, and a folder with the manifest of
# each run, unless the report overwrites its versions. A report for Athena has its data, and
# perhaps its manifest as well, in <report>/year=YYYY/month=M/.
_OF_RANGE: Final = rf"(?:{RANGE.pattern})(?:/[^/]+)?"
_OF_MONTH: Final = r"(?:[^/]+/)?year=\d{4}/month=\d{1,2}"
_FOLDER: Final = re.compile(rf"{_OF_RANGE}|{_OF_MONTH}", re.ASCII)
_CURRENT: Final = re.compile(rf"{RANGE.pattern}|{_OF_MONTH}", re.ASCII)
_PATH: Final = re.compile(
    rf"(?P<above>(?:[^/]*/)*?)(?:{_OF_RANGE}|year=\d{{4}}/month=\d{{1,2}})"
    r"/(?P<report>[^/]+)-Manifest\.json",
    re.ASCII,
)
_YEAR: Final = re.compile(r"year=\d{4}", re.ASCII)
_STATED_TYPES: Final[Mapping[str, ColumnType]] = {
    "bigdecimal": ColumnType.DECIMAL,
    "datetime": ColumnType.TIMESTAMP,
}


def is_report(path: str, export_name: str) -> bool:
    """Whether a path below the root of a report is that of one of its manifests.

    The name leaves out the manifests for Redshift and QuickSight, and those of other reports in
    the same folder.
    """
    folder, _, name = path.rpartition("/")
    return name == f"{export_name}-Manifest.json" and _FOLDER.fullmatch(folder) is not None


def place_of_report(path: str) -> tuple[str, str] | None:
    """The path before the report's folder, or before the month if a copy dropped that folder."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    above, report = match["above"].removesuffix("/"), match["report"]
    folders = above.split("/") if above else []
    # A report for Athena has the folder of its name twice.
    times = 2 if "/year=" in f"/{path}" else 1
    while times and folders and folders[-1] == report:
        folders.pop()
        times -= 1
    return "/".join(folders), report


def month_of_report(path: str) -> str | None:
    """The month of the folder that a file of a report is in, as `YYYYMM`."""
    folders = path.split("/")
    for folder, below in pairwise(folders):
        if RANGE.fullmatch(folder):
            return folder[:6]
        if _YEAR.fullmatch(folder) and below.startswith("month="):
            return folder.removeprefix("year=") + below.removeprefix("month=").zfill(2)
    return None


def read_report(
    content: bytes,
    *,
    stored: StoredObject,
    root: str,
    export: str,
    listing: Mapping[str, StoredObject],
    provider: str,
) -> Manifest:
    """Parses a manifest; it has no row counts and no time, so the time of the object is used.

    Raises:
        ManifestError: If a value is missing or cannot be read.
    """
    document = JsonObject.parse(content, path=stored.path)
    run_id = document.required("assemblyId", document.text)
    folder = stored.path.removeprefix(root).rpartition("/")[0]
    starts_at, ends_at = _cut(_read_period(document), _range_of(folder))
    parts = listed_parts(
        document, "reportKeys", lambda folders: _resolve(folders, root + folder, root, listing)
    )
    kind = file_format(document, [part.path for part in parts], "reportKeys")
    return Manifest(
        provider=provider,
        export=export,
        path=stored.path,
        run_id=run_id,
        period=BillingPeriod.of(starts_at),
        covers_from=starts_at.date(),
        # The end is exclusive, and may be any time of day.
        covers_to=(ends_at - timedelta(microseconds=1)).date(),
        submitted_at=stored.modified_at,
        file_format=kind,
        parts=parts,
        # Parquet files say themselves what they hold, under names that the manifest may not have.
        columns=(listed_columns(document, _column_of) or None) if kind == "csv" else None,
        scope=(document.text("account") or "").strip("/").lower() or None,
        stored_at=stored.modified_at,
        states_days=False,
        is_current=_CURRENT.fullmatch(folder) is not None,
    )


def _read_period(document: JsonObject) -> tuple[datetime, datetime]:
    period = document.required("billingPeriod", document.child)
    starts_at = period.required("start", period.time)
    ends_at = period.required("end", period.time)
    if ends_at <= starts_at:
        raise period.error("The billing period ends before it starts in", "end")
    return starts_at, ends_at


def _cut(
    stated: tuple[datetime, datetime], of_folder: tuple[datetime, datetime] | None
) -> tuple[datetime, datetime]:
    """The stated period without what is outside of the folder's; as stated if they do not meet.

    A period in another time zone than UTC begins in the month before, of which it has no charge.
    """
    if of_folder is None:
        return stated
    starts_at, ends_at = max(stated[0], of_folder[0]), min(stated[1], of_folder[1])
    return (starts_at, ends_at) if starts_at < ends_at else stated


def _range_of(folder: str) -> tuple[datetime, datetime] | None:
    """The start and the exclusive end of the month that a manifest is in, by its folders."""
    span = next(filter(RANGE.fullmatch, folder.split("/")), None)
    month = month_of_report(f"{folder}/")
    try:
        if span is not None:
            first, _, last = span.partition("-")
        elif month is not None:
            period = BillingPeriod.parse(f"{month[:4]}-{month[4:]}")
            first, last = f"{month}01", f"{period.next.partition_id}01"
        else:
            return None
        return _midnight(first), _midnight(last)
    except ValueError:
        return None  # no days of a calendar


def _midnight(day: str) -> datetime:
    return datetime.strptime(f"{day}+0000", "%Y%m%d%z")


def _resolve(
    folders: list[str], beside: str, root: str, listing: Mapping[str, StoredObject]
) -> str:
    """The longest end of a key that exists below the root, or the path where it is expected.

    A copy tool may have dropped or added folders before a key. But the folder of the month and the
    folder of the run must match, because every run and every month uses the same file names.
    """
    months = [
        index
        for index, folder in enumerate(folders[:-1])
        if RANGE.fullmatch(folder) or _YEAR.fullmatch(folder)
    ]
    if not months:
        return f"{beside}/{folders[-1]}"
    # Where no end of the key is there, what is expected is the month in the folder of the report.
    expected = months[-1] - 1 if _YEAR.fullmatch(folders[months[-1]]) else months[-1]
    paths = [root + "/".join(folders[start:]) for start in range(months[-1] + 1)]
    return part_path(paths, listing, otherwise=paths[max(0, expected)])


def _column_of(entry: JsonObject) -> Column:
    category, name = entry.text("category"), entry.required("name", entry.text)
    header = f"{category}/{name}" if category else name
    kind = _type_of(header, entry.text("type"))
    return Column(name=header, target=athena_name(header), type=kind)


def _type_of(header: str, stated: str | None) -> ColumnType:
    """What the manifest states, but what AWS documents as no text is that in any case."""
    documented = documented_type(header)
    if documented is not ColumnType.STRING or not stated:
        return documented
    # Interval, String and any type that AWS may add are text.
    return _STATED_TYPES.get(stated.lower().removeprefix("optional"), ColumnType.STRING)
