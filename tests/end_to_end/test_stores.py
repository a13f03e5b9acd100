"""DuckDB from every store that has a server here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from end_to_end.conftest import configure
from samples import write_azure

if TYPE_CHECKING:
    from pathlib import Path

    from emulators.gcs import GcsEmulator
    from emulators.s3 import S3Emulator
    from end_to_end.conftest import Run


def test_exports_on_gs_are_loaded_into_duckdb(run: Run, gcs: GcsEmulator, tmp_path: Path) -> None:
    runs = write_azure(tmp_path / "exports", months=1, rows=50, seed=2)
    gcs.create_bucket("bills")
    gcs.upload_tree(tmp_path / "exports", "bills", "a folder/with: colon")
    configure(
        tmp_path,
        """
        [sources.azure_billing]
        bucket = "bills"
        prefix = "a folder/with: colon/billing"
        export_name = "focus-daily"
        """,
    )
    result = run("load", "--json", env={"STORAGE_EMULATOR_HOST": gcs.url})
    (load,) = json.loads(result.stdout)["loads"]
    assert load["run_id"] == runs[-1].run_id
    assert load["rows"] == 50


def test_exports_on_s3_are_loaded_into_duckdb(run: Run, s3: S3Emulator, tmp_path: Path) -> None:
    runs = write_azure(tmp_path / "exports", months=1, rows=50, seed=2)
    s3.create_bucket("bills")
    s3.upload_tree(tmp_path / "exports", "bills", "copied")
    configure(
        tmp_path,
        f"""
        [sources.azure_billing]
        bucket = "s3://bills"
        prefix = "copied/billing"
        export_name = "focus-daily"
        [sources.azure_billing.credentials]
        aws_access_key_id = "key"
        region_name = "us-east-1"
        endpoint_url = "{s3.url}"
        """,
    )
    (tmp_path / ".dlt/secrets.toml").write_text(
        '[sources.azure_billing.credentials]\naws_secret_access_key = "a-secret-value"\n'
    )
    result = run("load", "--json")
    assert "a-secret-value" not in result.stdout + result.stderr
    (load,) = json.loads(result.stdout)["loads"]
    assert load["run_id"] == runs[-1].run_id
    assert load["rows"] == 50
