"""The exports of a bucket are found by their layouts, and no deeper than needed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aws_forms import ACCOUNT, write_data_export, write_every_form, write_report
from cloudbill.errors import StoreError
from cloudbill.manifests import StoredObject
from cloudbill.providers import aws_cur, azure_focus
from cloudbill.setup.export_search import Finding, find_exports
from cloudbill.store import open_store
from cloudbill.store.folders import LocalBrowser, open_browser
from cloudbill.store.local import LocalStore
from samples import write_aws, write_azure

if TYPE_CHECKING:
    from emulators.gcs import GcsEmulator
    from emulators.s3 import S3Emulator

SECTIONS = ("sources", "azure_billing")


def find(bucket: str | Path, prefix: str = "", *, max_folders: int = 1_000) -> Finding:
    """What is found in a bucket or folder."""
    store = open_store(str(bucket), sections=SECTIONS, retry_for_s=2)
    browser = open_browser(store, sections=SECTIONS, retry_for_s=2)
    return find_exports(store, browser, prefix, max_folders=max_folders)


def places(finding: Finding) -> list[tuple[str, str, str, int, int]]:
    """Provider, prefix, name, months and manifests of each export, in order of their names."""
    return sorted(
        (e.provider.NAME, e.prefix, e.export_name, e.months, e.manifests) for e in finding.exports
    )


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    """Two Azure exports and one of AWS, in different folders, among other things."""
    folder = tmp_path / "bucket"
    write_azure(folder / "copied/azure", months=1, rows=40, seed=1)
    write_azure(folder / "copied/azure", months=2, rows=40, seed=2, export_name="monthly")
    write_aws(folder / "aws", months=1, rows=40, seed=3)
    (folder / "logs/2025/10/21").mkdir(parents=True)
    (folder / "logs/2025/10/21/manifest.json").write_text("{}")
    return folder


def manifests(folder: Path, ending: str) -> int:
    """How many files below a folder are called so."""
    return len(list(folder.rglob(f"*{ending}")))


def expected(bucket: Path) -> list[tuple[str, str, str, int, int]]:
    """What lies in the bucket."""
    azure = bucket / "copied/azure/billing"
    daily, monthly = azure / "focus-daily", azure / "monthly"
    return [
        ("aws", "aws/cur", "cur-hourly", 1, manifests(bucket / "aws", "-Manifest.json")),
        ("azure", "copied/azure/billing", "focus-daily", 1, manifests(daily, "manifest.json")),
        ("azure", "copied/azure/billing", "monthly", 2, manifests(monthly, "manifest.json")),
    ]


def test_exports_of_both_providers_are_found_among_other_things(bucket: Path) -> None:
    finding = find(bucket)

    assert finding.is_whole
    assert places(finding) == expected(bucket)


def test_the_newest_run_is_that_of_the_manifests_whatever_times_a_copy_has(bucket: Path) -> None:
    copied = sorted((bucket / "copied").rglob("manifest.json"))
    submitted = [
        datetime.fromisoformat(json.loads(path.read_text())["runInfo"]["submittedTime"])
        for path in copied
        if "focus-daily" in path.parts
    ]
    for age, path in enumerate(copied):  # the last run was copied first
        os.utime(path, (1_800_000_000 - age, 1_800_000_000 - age))
    at = {export.export_name: export.newest_at for export in find(bucket).exports}

    assert len(submitted) > 1
    assert at["focus-daily"] == max(submitted)
    (of_report,) = (e for e in find(bucket).exports if e.provider.NAME == "aws")
    files = [path.stat().st_mtime for path in (bucket / "aws").rglob("*-Manifest.json")]
    assert of_report.newest_at.timestamp() == pytest.approx(max(files), abs=1e-3)


@pytest.mark.usefixtures("own_dlt")
def test_exports_on_gs_are_found(
    bucket: Path, gcs: GcsEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs.url)
    gcs.create_bucket("bills")
    gcs.upload_tree(bucket, "bills", "")

    assert places(find("bills")) == expected(bucket)
    assert places(find("bills", "nothing/here")) == []


@pytest.mark.usefixtures("own_dlt")
def test_exports_on_s3_are_found(
    bucket: Path, s3: S3Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = "SOURCES__AZURE_BILLING__CREDENTIALS__"
    for key, value in {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "REGION_NAME": "us-east-1",
        "ENDPOINT_URL": s3.url,
    }.items():
        monkeypatch.setenv(f"{home}{key}", value)
    s3.create_bucket("bills")
    s3.upload_tree(bucket, "bills", "")

    assert places(find("s3://bills")) == expected(bucket)
    assert places(find("s3://bills", "nothing/here")) == []
    with pytest.raises(StoreError, match="There is no bucket s3://others"):
        find("s3://others")


@pytest.mark.parametrize(
    "prefix",
    ["copied", "copied/azure/billing", "/copied//azure/billing/focus-daily/"],
    ids=["a folder above", "the prefix", "the export itself"],
)
def test_an_export_is_found_from_any_folder_above_its_months(bucket: Path, prefix: str) -> None:
    found = find(bucket, prefix)

    assert ("azure", "copied/azure/billing", "focus-daily") in [one[:3] for one in places(found)]


def test_a_report_whose_folder_a_copy_lost_is_found(bucket: Path) -> None:
    shutil.copytree(bucket / "aws/cur/cur-hourly", bucket / "flat")
    (_, *rest) = expected(bucket)
    count = manifests(bucket / "flat", "-Manifest.json")

    assert places(find(bucket, "flat")) == [("aws", "flat", "cur-hourly", 1, count)]
    assert len(rest) == 2


def test_a_bucket_with_too_many_folders_is_looked_at_level_by_level_and_says_so(
    bucket: Path,
) -> None:
    for number in range(60):
        (bucket / f"lake/{number}").mkdir(parents=True)
    finding = find(bucket, max_folders=10)

    assert (finding.folders, finding.is_whole) == (10, False)
    assert find(bucket, "aws", max_folders=10).is_whole


def test_no_object_is_listed_but_those_of_months(bucket: Path) -> None:
    listed: list[str] = []
    store = open_store(str(bucket), sections=SECTIONS)
    real = store.list

    def watched(prefix: str) -> object:
        listed.append(prefix)
        return real(prefix)

    store.list = watched  # type: ignore[method-assign, assignment]
    find_exports(store, open_browser(store, sections=SECTIONS, retry_for_s=2))

    assert listed
    assert all(name.rstrip("/").rpartition("/")[2][:2] == "20" for name in listed)


def test_an_empty_folder_has_no_exports_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    assert find(tmp_path).exports == ()
    with pytest.raises(StoreError, match="There is no folder"):
        find(tmp_path / "missing")


RANGE = "20251001-20251031"


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (f"a/b/daily/{RANGE}/202510210400/guid/manifest.json", ("a/b", "daily")),
        (f"a/b/daily/{RANGE}/guid/manifest.json", ("a/b", "daily")),
        (f"daily/{RANGE}/guid/_manifest.json", ("", "daily")),
        (f"{RANGE}/guid/manifest.json", None),
        (f"/{RANGE}/guid/manifest.json", None),
        (f"daily/{RANGE}/manifest.json", None),
        (f"daily/{RANGE}/guid/part_0.parquet", None),
    ],
)
def test_the_path_of_an_azure_manifest_names_its_export(
    path: str, place: Sequence[str] | None
) -> None:
    assert azure_focus.export_of(path) == place


@pytest.mark.parametrize(
    ("path", "place"),
    [
        (f"a/cur/{RANGE}/cur-Manifest.json", ("a", "cur")),
        (f"a/cur/{RANGE}/assembly/cur-Manifest.json", ("a", "cur")),
        (f"cur/{RANGE}/cur-Manifest.json", ("", "cur")),
        (f"a/{RANGE}/cur-Manifest.json", ("a", "cur")),
        (f"{RANGE}/cur-Manifest.json", ("", "cur")),
        (f"a/cur/{RANGE}/assembly/cur-RedshiftManifest.json", None),
        (f"a/cur/{RANGE}/one/two/cur-Manifest.json", None),
        ("a/cur/cur-Manifest.json", None),
    ],
)
def test_the_path_of_an_aws_manifest_names_its_report(
    path: str, place: Sequence[str] | None
) -> None:
    assert aws_cur.export_of(path) == place


class CountingStore(LocalStore):
    """A folder that remembers what was listed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.listed: list[str] = []

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Every file below a folder."""
        self.listed.append(prefix)
        return super().list(prefix)


class TestFormsOfAws:
    def test_each_form_is_one_export_of_the_provider_that_loads_it(self, tmp_path: Path) -> None:
        names = write_every_form(tmp_path)
        write_data_export(tmp_path, "focus", table="focus", month="2025-11")
        found = find(tmp_path)
        assert {one.export_name: one.provider.NAME for one in found.exports} == dict.fromkeys(
            names, "aws"
        ) | {"focus": "aws_focus"}
        (focus,) = (one for one in found.exports if one.export_name == "focus")
        assert (focus.periods, focus.scope) == (frozenset({"202510", "202511"}), ACCOUNT)
        assert not found.others

    def test_data_is_not_listed_where_there_is_metadata(self, tmp_path: Path) -> None:
        write_data_export(tmp_path, "focus", table="focus", run="2025-11-01T00:00:00.000Z-1")
        store = CountingStore(tmp_path)
        found = find_exports(store, LocalBrowser(tmp_path))
        assert len(found.exports) == 1
        assert store.listed == ["data-exports/focus/metadata/billing_period=2025-10/"]

    @pytest.mark.parametrize("table", ["cur", "focus"])
    @pytest.mark.parametrize("content", [b"", b"{", b'{"executionId": "x"}'])
    def test_a_manifest_that_says_nothing_is_told_by_how_its_folder_is_written(
        self, tmp_path: Path, table: str, content: bytes
    ) -> None:
        write_data_export(tmp_path, "export", table=table).write_bytes(content)
        (found,) = find(tmp_path).exports
        assert {"cur": "aws", "focus": "aws_focus"}[table] == found.provider.NAME
        assert (found.scope, found.is_readable) == (None, False)

    def test_a_query_with_few_columns_is_told_by_one_of_them(self, tmp_path: Path) -> None:
        manifest = write_data_export(tmp_path, "few")
        stated = json.loads(manifest.read_text())
        stated["columns"] = [{"name": "EffectiveCost", "type": "double"}]
        manifest.write_text(json.dumps(stated))
        assert [one.provider.NAME for one in find(tmp_path).exports] == ["aws_focus"]

    @pytest.mark.parametrize(
        ("partition", "columns", "why"),
        [
            ("date=2025-10-01", ["recommendation_id", "action_type"], "cost optimization"),
            ("date=2025-10-01", [], "cost optimization"),
            ("usage_period=2025-10", [], "carbon emissions"),
            ("BILLING_PERIOD=2025-10", ["total_mbm_emissions_value"], "carbon emissions"),
            ("BILLING_PERIOD=2025-10", ["something"], "that is no bill"),
            ("week=1", [], "that is no bill"),
        ],
    )
    def test_what_is_no_bill_is_named(
        self, tmp_path: Path, partition: str, columns: list[str], why: str
    ) -> None:
        home = tmp_path / "exports/hub"
        for folder in ("data", "metadata"):
            (home / folder / partition).mkdir(parents=True)
        stated = {"executionId": "x", "columns": [{"name": name} for name in columns]}
        (home / "metadata" / partition / "hub-Manifest.json").write_text(json.dumps(stated))
        found = find(tmp_path)
        assert not found.exports
        assert [(one.prefix, one.export_name) for one in found.others] == [("exports", "hub")]
        assert why in found.others[0].why

    def test_data_without_metadata_is_named_unless_only_data_was_searched(
        self, tmp_path: Path
    ) -> None:
        shutil.rmtree(write_data_export(tmp_path, "copied").parents[1])
        assert "metadata/" in find(tmp_path).others[0].why
        assert not find(tmp_path, "data-exports/copied/data").others

    def test_exports_below_folders_that_look_like_partitions_are_found(
        self, tmp_path: Path
    ) -> None:
        write_data_export(tmp_path, "export", prefix="data/payer=1")
        (found,) = find(tmp_path).exports
        assert found.prefix == "data/payer=1"

    def test_logs_by_day_are_not_listed(self, tmp_path: Path) -> None:
        (tmp_path / "logs/year=2025/month=10/day=01").mkdir(parents=True)
        write_report(tmp_path, "athena", form="parquet")
        store = CountingStore(tmp_path)
        assert len(find_exports(store, LocalBrowser(tmp_path)).exports) == 1
        assert not any("logs" in prefix for prefix in store.listed)
