"""The `<report>-Manifest.json` of an AWS Cost and Usage Report."""

import hashlib
from collections.abc import Mapping, Sequence

from cloudbill.sample.aws.catalogue import ACCOUNTS
from cloudbill.sample.schedule import ScheduledRun

__all__ = ["BUCKET", "aws_manifest"]

BUCKET = "kaskade-billing"
"""The bucket of the report in its manifests."""


def aws_manifest(
    run: ScheduledRun,
    keys: Sequence[str],
    columns: Mapping[str, str],
    *,
    seed: int,
    report_name: str,
) -> dict[str, object]:
    """The manifest of a run; it has no row counts, no sizes and no time.

    `keys` are the data files inside the bucket, in order. `columns` are types by `category/name`,
    in the order of the files.
    """
    period = {"start": run.month.start, "end": run.month.end}
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
        "compression": "GZIP",
        "contentType": "text/csv",
        "reportId": hashlib.sha256(f"{report_name}|{seed}".encode()).hexdigest(),
        "reportName": report_name,
        "billingPeriod": {
            bound: f"{moment:%Y%m%dT%H%M%S}.000Z" for bound, moment in period.items()
        },
        "bucket": BUCKET,
        "reportKeys": list(keys),
        "additionalArtifactKeys": [],
    }
