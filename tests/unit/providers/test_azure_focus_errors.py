"""The manifests of Azure's FOCUS exports that cannot be read: the error names path and key."""

from __future__ import annotations

from typing import Any

import pytest

from cloudbill.errors import ManifestError
from unit.builders import (
    MANIFEST_PATH,
    blob,
    document,
)
from unit.providers.azure_manifests import read, run_info


class TestErrorsNamePathAndKey:
    @pytest.mark.parametrize(
        ("changes", "key"),
        [
            ({"runInfo": run_info(runId=None)}, "runInfo.runId"),
            ({"runInfo": run_info(runId=7)}, "runInfo.runId"),
            ({"runInfo": run_info(runId=" ")}, "runInfo.runId"),
            ({"runInfo": run_info(runId="a\nCompleted")}, "runInfo.runId"),
            ({"runInfo": run_info(startDate=None)}, "runInfo.startDate"),
            ({"runInfo": run_info(startDate="10/01/2025")}, "runInfo.startDate"),
            ({"runInfo": run_info(endDate=None)}, "runInfo.endDate"),
            ({"runInfo": run_info(endDate="2025-09-30")}, "runInfo.endDate"),
            ({"runInfo": run_info(submittedTime="soon")}, "runInfo.submittedTime"),
            ({"runInfo": []}, "runInfo"),
            ({"exportConfig": "FocusCost"}, "exportConfig"),
            ({"exportConfig": {"type": "ActualCost"}}, "exportConfig.type"),
            ({"exportConfig": {"dataVersion": 1.0}}, "exportConfig.dataVersion"),
            ({"blobs": {}}, "blobs"),
            ({"blobs": [blob("a.parquet"), None]}, "blobs[1]"),
            ({"blobs": [blob("a.parquet"), {}]}, "blobs[1].blobName"),
            ({"blobs": [blob("a.parquet"), blob("a.parquet")]}, "blobs[1].blobName"),
            ({"blobs": [blob("a.parquet"), blob("x/a.parquet")]}, "blobs[1].blobName"),
            ({"blobs": [blob("a.parquet"), blob("b.csv")]}, "blobs"),
            ({"blobs": [blob("a.parquet"), blob("b.orc")]}, "blobs[1].blobName"),
            ({"blobs": [blob("a.parquet", byteCount=True)]}, "blobs[0].byteCount"),
            ({"blobs": [blob("a.parquet", byteCount=-1)]}, "blobs[0].byteCount"),
            ({"blobs": [blob("a.parquet", dataRowCount="7")]}, "blobs[0].dataRowCount"),
            ({"blobs": [blob("a.parquet", dataRowCount=1.5)]}, "blobs[0].dataRowCount"),
            ({"blobCount": False}, "blobCount"),
            ({"blobCount": 10**40}, "blobCount"),
            ({"dataRowCount": True}, "dataRowCount"),
            ({"dataRowCount": 10**4000}, "dataRowCount"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_value_that_is_wrong(self, changes: dict[str, Any], key: str) -> None:
        with pytest.raises(ManifestError) as error:
            read(document() | changes)

        assert (error.value.path, error.value.key) == (MANIFEST_PATH, key)
        assert str(error.value).endswith(f"'{key}' of {MANIFEST_PATH}")

    @pytest.mark.parametrize(
        "name",
        ["..", ".", "a/..", "folder/", "/", "a\0.parquet", "a\n.parquet", "a\ud800.parquet", " "],
        ids=ascii,
    )
    def test_name_that_can_be_no_part(self, name: str) -> None:
        with pytest.raises(ManifestError) as error:
            read(document(blobCount=1, blobs=[{"blobName": name}]))

        assert (error.value.path, error.value.key) == (MANIFEST_PATH, "blobs[0].blobName")

    def test_other_dataset_says_which_one_to_choose(self) -> None:
        with pytest.raises(ManifestError, match=r"'AmortizedCost' export; choose the dataset"):
            read(document(exportConfig={"type": "AmortizedCost"}))

    def test_run_in_the_last_month_of_time_is_refused(self) -> None:
        info = run_info(startDate="9999-12-01", endDate="9999-12-31")

        with pytest.raises(ManifestError) as error:
            read(document(runInfo=info))

        assert error.value.key == "runInfo.startDate"
