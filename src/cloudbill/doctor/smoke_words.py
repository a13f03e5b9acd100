"""What the smoke test says: before it begins, of each point, and as JSON for a bug report."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from cloudbill.doctor.smoke import SmokeTest
from cloudbill.doctor.smoke_place import Place
from cloudbill.doctor.smoke_point import Finding, Seen, Verdict
from cloudbill.doctor.smoke_statements import MOST_BYTES
from cloudbill.errors import CloudbillError
from cloudbill.redaction import redacted
from cloudbill.text.times import iso_time
from cloudbill.warehouses.bigquery.client import EMULATOR_VARIABLE

__all__ = ["finding_line", "intention_lines", "left_lines", "smoke_json"]

_WORDS: Final = {
    Verdict.AS_EXPECTED: "ok  ",
    Verdict.DIFFERENT: "LOOK",
    Verdict.FAILED: "LOOK",
    Verdict.NOT_TRIED: "--  ",
}
_PACKAGES: Final = ("cloudbill", "dlt", "duckdb", "gcsfs", "google-cloud-bigquery", "pyarrow")
_ACCOUNT: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.ASCII)


def intention_lines(place: Place, *, keep: bool) -> Iterator[str]:
    """What will be made, and what it costs."""
    yield f"This tries what cloudbill needs of BigQuery, in project {place.project}. It makes:"
    yield f"  the dataset {place.dataset}, in {place.location}"
    yield f"  the folder gs://{place.bucket}/{place.folder}/, with some small files"
    if place.other_bucket:
        where = place.other_location or "a location that is not shown"
        yield f"  the same folder in gs://{place.other_bucket}, in {where}"
    yield (
        "It leaves both, for you to look at."
        if keep
        else "It removes both at the end, also after Ctrl-C."
    )
    yield (
        "It bills less than 1 GB of queries; each may bill at most "
        f"{MOST_BYTES // 10**6} MB. Load and copy jobs are free."
    )
    yield "Nothing else is written or removed. If this process is killed, remove them yourself:"
    yield from removal_lines(place)


def removal_lines(place: Place) -> Iterator[str]:
    """The commands that remove what was made."""
    yield f"  bq rm -r -f -d {place.project}:{place.dataset}"
    for bucket in (place.bucket, place.other_bucket):
        if bucket is not None:
            yield f"  gcloud storage rm --recursive gs://{bucket}/{place.folder}/"


def left_lines(test: SmokeTest) -> Iterator[str]:
    """What became of all that was made."""
    for name in test.removed:
        yield f"Removed the {name}"
    for name in test.left:
        yield f"The {name} is left"
    if test.left:
        yield from removal_lines(test.place)


def finding_line(finding: Finding) -> str:
    """The line of a point."""
    told = [one.text if one.is_expected is not False else f"{one.text} (!)" for one in finding.seen]
    if finding.error is not None:
        told.append(f"then {type(finding.error).__name__}: {finding.error}")
    point = finding.point
    line = f"{_WORDS[finding.verdict]}  {point.number} {point.title}: {'; '.join(told)}"
    if finding.verdict in {Verdict.DIFFERENT, Verdict.FAILED}:
        line += f". Expected: {point.expected}"
    return line


def smoke_json(
    test: SmokeTest,
    errors: Iterable[CloudbillError],
    *,
    began_at: datetime,
    seconds: float,
    exit_code: int,
) -> str:
    """All that was found, for a report of a fault; the names of projects and buckets are hidden.

    `errors` are those that ended the test itself, or kept it from beginning.
    """
    document: dict[str, Any] = {
        "versions": {"python": platform.python_version(), **_versions()},
        "began_at": iso_time(began_at),
        "seconds": round(seconds, 1),
        "location": test.place.location,
        "other_location": test.place.other_location,
        "is_emulator": EMULATOR_VARIABLE in os.environ,
        "is_complete": test.is_complete,
        "exit_code": exit_code,
        "errors": [_error_json(error, test.place) for error in errors],
        "bytes_billed": test.bytes_billed,
        "points": [_point_json(one, test.place) for one in test.findings],
        "left": [_hidden(name, test.place) for name in test.left],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def _point_json(finding: Finding, place: Place) -> dict[str, Any]:
    error = finding.error
    return {
        "number": finding.point.number,
        "title": finding.point.title,
        "verdict": str(finding.verdict),
        "expected": finding.point.expected,
        "seen": [_seen_json(one, place) for one in finding.seen],
        "error": None if error is None else _error_json(error, place),
        "seconds": round(finding.seconds, 1),
    }


def _error_json(error: CloudbillError, place: Place) -> dict[str, str]:
    return {"kind": type(error).__name__, "message": _hidden(str(error), place)}


def _seen_json(seen: Seen, place: Place) -> dict[str, Any]:
    return {"text": _hidden(seen.text, place), "is_expected": seen.is_expected}


def _hidden(text: str, place: Place) -> str:
    """The text without secrets, names of the project and the buckets, and names of people."""
    text = redacted(text).replace(str(Path.home()), "~")
    names = {place.other_bucket: "OTHER_BUCKET", place.bucket: "BUCKET", place.project: "PROJECT"}
    for name, word in names.items():
        if name:
            text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", word, text)
    return _ACCOUNT.sub("ACCOUNT", text)
