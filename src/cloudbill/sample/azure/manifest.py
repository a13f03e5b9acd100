"""The manifest.json of an Azure export run, manifestVersion 2024-04-01."""

from collections.abc import Sequence
from dataclasses import dataclass

from cloudbill.sample.schedule import ScheduledRun, draw, guid

__all__ = ["Blob", "azure_manifest"]


_COMPRESSION = {"parquet": "Snappy", "csv": "None", "csv.gz": "Gzip"}
_BEHAVIOUR = {False: "CreateNewReport", True: "OverwritePreviousReport"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A data file as the manifest describes it."""

    name: str
    """Path inside the container."""
    size: int
    rows: int
    """Without the header."""

    def as_json(self) -> dict[str, object]:
        """The entry of the manifest's `blobs`."""
        return {"blobName": self.name, "byteCount": self.size, "dataRowCount": self.rows}


def azure_manifest(
    run: ScheduledRun,
    blobs: Sequence[Blob],
    *,
    seed: int,
    root_folder: str,
    export_name: str,
    file_format: str,
    overwrite: bool,
) -> dict[str, object]:
    """The manifest of a run, with Azure's three ways to write a date.

    `blobs` are the data files in order. `export_name` is a folder below `root_folder` of the
    container. `file_format` is `parquet`, `csv` or `csv.gz`. `overwrite` says whether the export
    overwrites its previous run.
    """
    account = f"{guid(seed, 'account')}:{guid(seed, 'agreement')}_2019-05-31"
    zone = "+00:00" if run.kind == "mid-month" else "Z"
    # Seven digits, as .NET prints its ticks.
    submitted = f"{run.submitted_at:%Y-%m-%dT%H:%M:%S.%f}{draw(run.run_id) % 10}Z"
    return {
        "manifestVersion": "2024-04-01",
        "byteCount": sum(blob.size for blob in blobs),
        "blobCount": len(blobs),
        "dataRowCount": sum(blob.rows for blob in blobs),
        "exportConfig": {
            "exportName": export_name,
            "resourceId": f"/providers/Microsoft.Billing/billingAccounts/{account}"
            f"/providers/Microsoft.CostManagement/exports/{export_name}",
            "dataVersion": "1.0r2",
            "apiVersion": "2023-07-01-preview",
            "type": "FocusCost",
            "timeFrame": "Custom" if run.kind == "closing" else "MonthToDate",
            "granularity": "Daily",
        },
        "deliveryConfig": {
            "partitionData": True,
            "dataOverwriteBehavior": _BEHAVIOUR[overwrite],
            "fileFormat": "Parquet" if file_format == "parquet" else "Csv",
            "compressionMode": _COMPRESSION[file_format],
            "containerUri": f"/subscriptions/{guid(seed, 'subscription', 0)}/resourceGroups/"
            "rg-billing/providers/Microsoft.Storage/storageAccounts/stkaskadebilling",
            "rootFolderPath": root_folder,
        },
        "runInfo": {
            "executionType": "Scheduled",
            "submittedTime": submitted,
            "runId": run.run_id,
            "startDate": f"{run.month.start:%Y-%m-%dT%H:%M:%S}",
            "endDate": f"{run.last_day:%Y-%m-%dT%H:%M:%S}{zone}",
        },
        "blobs": [blob.as_json() for blob in blobs],
    }
