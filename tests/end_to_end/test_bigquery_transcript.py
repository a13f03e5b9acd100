"""The six keys of the configuration, gs:// and BigQuery: what a first and a second run print."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cloudbill.sample import write_azure
from end_to_end.conftest import configure

if TYPE_CHECKING:
    from pathlib import Path

    from emulators.fixtures import Cloud
    from end_to_end.conftest import Run

CONFIG = """
[sources.azure_billing]
bucket = "acme-billing"
prefix = "gcs-transfer/azure/billingdata"
export_name = "acme-focus"
table_name = "azure_focus_billing_data"
project_id = "acme"
dataset = "finops"
"""


def test_the_first_run_loads_and_the_second_skips(run: Run, cloud: Cloud, tmp_path: Path) -> None:
    configure(tmp_path, CONFIG)
    (written,) = write_azure(
        tmp_path / "exports",
        months=1,
        rows=200,
        seed=5,
        export_name="acme-focus",
        root_folder="billingdata",
        runs_per_month=1,
    )
    cloud.gcs.create_bucket("acme-billing")
    cloud.gcs.upload_tree(tmp_path / "exports", "acme-billing", "gcs-transfer/azure")
    env = {
        "STORAGE_EMULATOR_HOST": cloud.gcs.url,
        "BIGQUERY_EMULATOR_HOST": cloud.bigquery.url,
    }
    base = "gs://acme-billing/gcs-transfer/azure"
    uris = [f"{base}/{path.relative_to(tmp_path / 'exports')}" for path in written.part_paths]
    first, second = run("load", "azure", env=env), run("load", "azure", env=env)
    *shown, last = first.stdout.splitlines()
    assert shown == [
        "Discovered 1 Azure billing manifests",
        f"Processing 2025-10 (run_id: {written.run_id})",
        "  Loading 2 Parquet files from GCS...",
        f"    {uris[0]}",
        f"    {uris[1]}",
        "  Loaded 200 rows to azure_focus_billing_data",
        f"Completed loading 2025-10 (run_id: {written.run_id})",
    ]
    assert re.fullmatch(r"Finished with exit code 0 in \d+\.\d s: 1 month loaded", last)
    *shown, last = second.stdout.splitlines()
    assert shown == [
        "Discovered 1 Azure billing manifests",
        f"Skipping 2025-10 (run_id: {written.run_id}) - already loaded",
    ]
    assert re.fullmatch(r"Finished with exit code 0 in \d+\.\d s: 1 already loaded", last)
    assert (first.returncode, second.returncode) == (0, 0)
    client = cloud.bigquery.client("acme")
    rows = client.query(
        "SELECT billing_month, run_id, row_count, file_count "
        "FROM finops.azure_focus_billing_data_load_tracking"
    ).result()
    assert [tuple(row.values()) for row in rows] == [("2025-10", written.run_id, 200, 2)]
