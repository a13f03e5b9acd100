"""A manifest of an AWS Cost and Usage Report, and how the tests read it."""

from __future__ import annotations

from typing import Any

from cloudbill.manifests import Manifest
from cloudbill.providers import aws_cur
from unit.builders import encoded, listing, stored

REPORT = "cur-hourly"
ROOT = f"cur/{REPORT}/"
RANGE = "20251001-20251101"
RUN_ID = "8f2c6c0e-5a3e-4d57-9f0a-2f1f0ce5b7aa"
CURRENT_PATH = f"{ROOT}{RANGE}/{REPORT}-Manifest.json"
RUN_PATH = f"{ROOT}{RANGE}/{RUN_ID}/{REPORT}-Manifest.json"
PARTS = tuple(f"{REPORT}-{number:05d}.csv.gz" for number in (1, 2))


def column(category: str | None, name: str, kind: str | None = None) -> dict[str, str]:
    """An entry of `columns`; None takes a key out."""
    values = {"category": category, "name": name, "type": kind}
    return {key: value for key, value in values.items() if value is not None}


def document(**changes: Any) -> dict[str, Any]:
    """A manifest as AWS writes it; None takes a key out."""
    whole: dict[str, Any] = {
        "assemblyId": RUN_ID,
        "account": "123456789012",
        "columns": [
            column("identity", "TimeInterval", "Interval"),
            column("bill", "BillingPeriodStartDate", "DateTime"),
            column("lineItem", "UnblendedRate", "String"),
            column("lineItem", "UnblendedCost", "OptionalBigDecimal"),
        ],
        "charset": "UTF-8",
        "compression": "GZIP",
        "contentType": "text/csv",
        "reportId": "0" * 64,
        "reportName": REPORT,
        "billingPeriod": {"start": "20251001T000000.000Z", "end": "20251101T000000.000Z"},
        "bucket": "billing-of-somebody",
        "reportKeys": [f"cur/{REPORT}/{RANGE}/{RUN_ID}/{part}" for part in PARTS],
        "additionalArtifactKeys": [
            {"artifactType": "RedshiftManifest", "name": f"{REPORT}-RedshiftManifest.json"}
        ],
    }
    return {key: value for key, value in (whole | changes).items() if value is not None}


def read(
    content: dict[str, Any] | bytes, *paths: str, path: str = RUN_PATH, root: str = ROOT
) -> Manifest:
    """The manifest of a document that lies at `path`, with other objects below the root."""
    return aws_cur.read_manifest(
        content if isinstance(content, bytes) else encoded(content),
        stored=stored(path),
        root=root,
        export=REPORT,
        listing=listing(*paths),
    )
