"""Every export of a bucket is configured at once, whatever its provider and form."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aws_forms import write_data_export, write_every_form, write_report
from end_to_end.conftest import ROOT
from samples import write_azure

if TYPE_CHECKING:
    from emulators.s3 import S3Emulator
    from end_to_end.conftest import Run


def written(folder: Path) -> dict[str, Any]:
    """The sources of the configuration file."""
    found: dict[str, Any] = tomllib.loads((folder / ".dlt/config.toml").read_text())["sources"]
    return found


def test_all_forms_of_aws_and_azure_are_configured_loaded_and_verified_at_once(
    run: Run, tmp_path: Path
) -> None:
    write_azure(tmp_path / "exports", months=1, rows=40, seed=1)
    names = write_every_form(tmp_path / "exports")
    words = ("init", "--bucket", "./exports", "--all")
    assert run(*words).returncode == 0
    sources = written(tmp_path)
    aws = sources["aws_billing"]
    sections = [one for one in aws.values() if isinstance(one, dict)]
    exports = {
        one["export_name"]: one["table_name"]
        for one in (aws, *sections, sources["aws_focus_billing"], sources["azure_billing"])
    }
    assert exports.keys() == {*names, "focus-daily"}
    assert len({*exports.values()}) == len(names) + 1
    assert run("load", "--quiet").returncode == 0
    verified = json.loads(run("verify", "--json", "--strict").stdout)["months"]
    assert [one["result"] for one in verified] == ["equal"] * (len(names) + 1)
    again = json.loads(run("load", "--json").stdout)
    assert again["loads"] == []
    before = (tmp_path / ".dlt/config.toml").read_text()
    repeated = run(*words)
    assert repeated.returncode == 0
    assert "every export is configured already" in repeated.stdout
    assert (tmp_path / ".dlt/config.toml").read_text() == before


def test_one_that_is_added_to_configured_exports_gets_a_section_and_a_table_of_its_own(
    run: Run, tmp_path: Path
) -> None:
    for prefix in ("one", "two"):
        write_report(tmp_path / "exports", "table-name", prefix=prefix)
    words = ("init", "--bucket", "./exports", "--all")
    assert run(*words).returncode == 0
    write_report(tmp_path / "exports", "table-name", prefix="three")
    added = run(*words)
    assert added.returncode == 0, added.stderr
    assert "deliver the same charges, those of 123456789012" in added.stderr
    found = written(tmp_path)["aws_billing"]
    # 'table_name' would be a key of the section.
    assert {name for name, one in found.items() if isinstance(one, dict)} == {
        "export_table_name",
        "export_table_name_2",
    }
    assert found["export_table_name_2"]["prefix"] == "three"
    assert found["export_table_name_2"]["table_name"] == (
        "aws_cur_billing_data_export_table_name_2"
    )


def test_what_cannot_be_loaded_is_named_with_the_reason(run: Run, tmp_path: Path) -> None:
    manifest = write_data_export(tmp_path / "exports", "copied", prefix="lost")
    shutil.rmtree(manifest.parents[1])
    kept = write_data_export(tmp_path / "exports", "hub")
    kept.parents[1].joinpath("date=2025-10-01").mkdir()
    kept.rename(kept.parents[1] / "date=2025-10-01" / kept.name)
    kept.parent.rmdir()
    done = run("init", "--bucket", "./exports", "--all")
    assert done.returncode == 2
    assert "No export was found" in done.stderr
    assert "copied in lost, because its manifests are missing" in done.stderr
    assert (
        "hub in data-exports, because it is of AWS cost optimization recommendations" in done.stderr
    )


def test_main_py_loads_both_kinds_of_aws_by_the_name_of_the_cloud(run: Run, tmp_path: Path) -> None:
    write_data_export(tmp_path / "exports", "cur2", account="1")
    write_data_export(tmp_path / "exports", "focus", table="focus", account="2")
    write_azure(tmp_path / "exports", months=1, rows=40, seed=1)
    assert run("init", "--bucket", "./exports", "--all").returncode == 0
    done = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), "aws", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert [load["source"] for load in json.loads(done.stdout)["loads"]] == [
        "aws_billing",
        "aws_focus_billing",
    ]


def test_a_bucket_is_searched_with_the_credentials_of_a_section_and_all_can_share_them(
    run: Run, tmp_path: Path, s3: S3Emulator
) -> None:
    write_data_export(tmp_path / "tree", "cur2", account="1")
    write_data_export(tmp_path / "tree", "focus", table="focus", account="2")
    s3.create_bucket("bills")
    s3.upload_tree(tmp_path / "tree", "bills", "")
    keys = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "REGION_NAME": "us-east-1",
        "ENDPOINT_URL": s3.url,
    }
    own = {f"SOURCES__AWS_BILLING__CREDENTIALS__{name}": key for name, key in keys.items()}
    shared = {f"SOURCES__CREDENTIALS__{name}": key for name, key in keys.items()}
    done = run("init", "--bucket", "s3://bills", "--all", env=own)
    assert done.returncode == 0, done.stderr
    assert "[sources.credentials]: aws_access_key_id" in done.stdout
    assert "SOURCES__CREDENTIALS__AWS_ACCESS_KEY_ID" in done.stdout
    assert run("load", "--quiet", env=shared).returncode == 0
    assert run("verify", "--strict", env=shared).returncode == 0
