"""The forms of the AWS sample: where their files are, and the types that are in them."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from cloudbill.sample import AwsForm, read_forms, write_aws

pytestmark = pytest.mark.long

DATA_EXPORTS = (AwsForm.CUR2_PARQUET, AwsForm.FOCUS_1_0_CSV)


def digests(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        path.relative_to(folder).as_posix(): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
        )
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("form", [AwsForm.ZIP, AwsForm.FOCUS_1_2])
def test_the_same_arguments_give_the_same_bytes_and_times(tmp_path: Path, form: AwsForm) -> None:
    for name in ("one", "two"):
        write_aws(tmp_path / name, months=1, rows=40, seed=3, runs_per_month=1, form=form)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_a_data_export_has_one_manifest_a_month_and_the_data_of_every_run(tmp_path: Path) -> None:
    (run,) = write_aws(
        tmp_path, months=1, rows=40, seed=3, open_month=False, form=AwsForm.FOCUS_1_2
    )
    data = tmp_path / "exports/focus-1-2/data/billing_period=2025-10"
    assert len(list(data.iterdir())) == 3
    (manifest,) = tmp_path.rglob("*-Manifest.json")
    assert manifest == run.manifest_path
    assert manifest.parent.name == "billing_period=2025-10"
    document = json.loads(manifest.read_text())
    assert document["executionId"] == run.run_id
    listed = [name.split("/", 3)[3] for name in document["dataFiles"]]
    assert [tmp_path / name for name in listed] == list(run.part_paths)
    times = [path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")]
    assert max(times) < manifest.stat().st_mtime_ns


@pytest.mark.parametrize("form", DATA_EXPORTS)
def test_an_export_that_overwrites_has_no_folder_for_its_run(tmp_path: Path, form: AwsForm) -> None:
    (run,) = write_aws(tmp_path, months=1, rows=40, seed=3, overwrite=True, form=form)
    assert {path.parent.name.lower() for path in run.part_paths} == {"billing_period=2025-10"}
    assert {path.parent.parent.name for path in run.part_paths} == {"data"}


def test_a_report_for_athena_has_its_months_its_status_and_two_equal_manifests(
    tmp_path: Path,
) -> None:
    write_aws(tmp_path, months=2, rows=40, seed=3, form=AwsForm.ATHENA)
    home = tmp_path / "cur/cur-athena"
    months = sorted(path.name for path in (home / "cur-athena/year=2025").iterdir())
    assert months == ["month=10", "month=9"]
    name = "cur-athena-Manifest.json"
    in_range = home / "20250901-20251001" / name
    in_month = home / "cur-athena/year=2025/month=9" / name
    assert in_range.read_bytes() == in_month.read_bytes()
    status = home / "cur-athena/cost_and_usage_data_status/cost_and_usage_data_status.parquet"
    assert pq.read_table(status).to_pylist() == [{"status": "READY"}]


def test_an_archive_has_one_file_of_its_own_name(tmp_path: Path) -> None:
    (run,) = write_aws(tmp_path, months=1, rows=40, seed=3, runs_per_month=1, form=AwsForm.ZIP)
    for path in run.part_paths:
        with zipfile.ZipFile(path) as archive:
            assert archive.namelist() == [path.stem]
    assert not list(tmp_path.rglob("*.csv"))


@pytest.mark.parametrize(
    "form", [AwsForm.PARQUET, AwsForm.CUR2_PARQUET, AwsForm.FOCUS_1_0, AwsForm.FOCUS_1_2]
)
def test_parquet_has_the_types_of_aws(tmp_path: Path, form: AwsForm) -> None:
    (run,) = write_aws(tmp_path, months=1, rows=40, seed=3, runs_per_month=1, form=form)
    for path in run.part_paths:
        schema = pq.read_schema(path)
        types = {field.name: str(field.type) for field in schema}
        maps = {name for name, kind in types.items() if kind.startswith("map")}
        assert {*types.values()} - {types[name] for name in maps} == {
            "string",
            "double",
            "timestamp[ms]",
        }
        if form is AwsForm.PARQUET:
            assert not maps
        else:
            of_numbers = {name for name in maps if "double" in types[name]}
            assert of_numbers == {"discount" if form is AwsForm.CUR2_PARQUET else "x_Discounts"}
            stated = json.loads(run.manifest_path.read_text())["columns"]
            assert [column["name"] for column in stated] == schema.names


def test_forms_are_read_from_a_text_once_each() -> None:
    assert read_forms("CSV, focus-1.2,csv") == (AwsForm.CSV, AwsForm.FOCUS_1_2)
    with pytest.raises(ValueError, match="'parquett' is none of csv, zip"):
        read_forms("csv,parquett")
