"""The `<report>-Manifest.json` of an AWS Cost and Usage Report, and that of a Data Export."""

import hashlib
from collections.abc import Mapping, Sequence

from cloudbill.sample.aws.catalogue import ACCOUNTS
from cloudbill.sample.aws.form_columns import Column
from cloudbill.sample.schedule import ScheduledRun, guid

__all__ = ["BUCKET", "aws_manifest", "data_export_manifest"]

BUCKET = "kaskade-billing"
"""The bucket of the report in its manifests."""

_PACKED = {
    "csv.gz": ("GZIP", "text/csv"),
    "csv.zip": ("ZIP", "text/csv"),
    "snappy.parquet": ("Parquet", "Parquet"),
}
"""Compression and content type by the ending of the parts."""


def aws_manifest(
    run: ScheduledRun,
    keys: Sequence[str],
    columns: Mapping[str, str],
    *,
    seed: int,
    report_name: str,
    ending: str = "csv.gz",
) -> dict[str, object]:
    """The manifest of a run; it has no row counts, no sizes and no time.

    `keys` are the data files inside the bucket, in order. `columns` are types by `category/name`,
    in the order of the files; `ending` is that of the names of the files.
    """
    period = {"start": run.month.start, "end": run.month.end}
    compression, content_type = _PACKED[ending]
    return {
        "assemblyId": run.run_id,
        "account": ACCOUNTS[0][0],
        "columns": [
            {"category": category, "name": name, "type": type_}
            for (category, name), type_ in (
                (column.split("/", maxsplit=1), type_) for column, type_ in columns.items()
            )
        ],
        "charset": "UTF-8",
        "compression": compression,
        "contentType": content_type,
        "reportId": hashlib.sha256(f"{report_name}|{seed}".encode()).hexdigest(),
        "reportName": report_name,
        "billingPeriod": {
            bound: f"{moment:%Y%m%dT%H%M%S}.000Z" for bound, moment in period.items()
        },
        "bucket": BUCKET,
        "reportKeys": list(keys),
        "additionalArtifactKeys": [],
    }


def data_export_manifest(
    run: ScheduledRun, keys: Sequence[str], columns: Sequence[Column], *, seed: int, name: str
) -> dict[str, object]:
    """The manifest of a month of a Data Export; its period is that of its folder alone."""
    account = ACCOUNTS[0][0]
    return {
        "executionId": run.run_id,
        "exportArn": f"arn:aws:bcm-data-exports:us-east-1:{account}:export/"
        f"{name}-{guid(seed, 'export', name)}",
        "columns": [{"name": column.name, "type": column.kind} for column in columns],
        "dataFiles": [f"s3://{BUCKET}/{key}" for key in keys],
        "additionalOutputFiles": [],
    }
