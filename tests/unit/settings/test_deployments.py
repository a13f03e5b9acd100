"""What tells one installation from another one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cloudbill.settings.deployments import identity_of, values_without_settings, warehouse_of
from unit.loading.test_words import SETTINGS

if TYPE_CHECKING:
    import pytest


def test_a_warehouse_is_shown_as_people_call_it() -> None:
    duckdb = replace(SETTINGS, project_id=None, database=Path("/srv/bills/x.duckdb"), dataset="d")
    assert warehouse_of(duckdb) == "bills/x.duckdb d"
    assert warehouse_of(replace(duckdb, project_id="acme")) == "acme.d"


def test_another_bucket_export_dataset_or_file_is_another_installation() -> None:
    base = replace(SETTINGS, project_id=None, database=Path("/srv/a.duckdb"))
    others = [
        replace(base, bucket="gs://other"),
        replace(base, export_name="other"),
        replace(base, dataset="other"),
        replace(base, database=Path("/srv/b.duckdb")),
        replace(base, project_id="acme"),
    ]
    assert len({identity_of(one) for one in (base, *others)}) == 6


def test_a_folder_counts_with_its_whole_path_and_a_project_without_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = replace(SETTINGS, project_id="acme", bucket="gs://bills")
    local = replace(cloud, bucket="./exports")
    before = [identity_of(cloud), identity_of(local)]
    monkeypatch.chdir(tmp_path)
    assert identity_of(cloud) == before[0]
    assert identity_of(replace(cloud, database=Path("other.duckdb"))) == before[0]
    assert identity_of(local) != before[1]


def test_settings_that_cannot_be_read_are_known_by_what_can() -> None:
    values = values_without_settings("azure_billing", ())
    assert warehouse_of(values).endswith("/cloudbill.duckdb billing")
