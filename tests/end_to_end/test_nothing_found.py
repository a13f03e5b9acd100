"""A bucket in which nothing is found that can be loaded is never silently green."""

from __future__ import annotations

import gzip
import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from contract.deliveries import AwsWriter, AzureCsvWriter, AzureWriter
from end_to_end.conftest import configure
from end_to_end.situations import (
    AWS,
    AZURE,
    NOW,
    WRITERS,
    config_of,
    deliver,
    ends,
    remove_manifests,
)
from samples import write_aws, write_azure

if TYPE_CHECKING:
    from contract.deliveries import Writer
    from end_to_end.conftest import Run


class TestNothingThere:
    def test_the_nearest_export_is_named_where_the_name_is_misspelt(
        self, run: Run, tmp_path: Path
    ) -> None:
        write_azure(tmp_path / "exports", months=1, rows=40, seed=1)
        configure(tmp_path, AZURE.replace("transfer/billing", "billing").replace("daily", "dayly"))
        ends(run, 3, "Nothing was found in", "prefix 'billing' with export_name 'focus-daily'")

    @pytest.mark.parametrize(
        ("prefix", "name"), [("Billing", "focus-daily"), ("", "focus-daily"), ("billing", "x/y")]
    )
    def test_the_nearest_export_is_named_where_the_prefix_is_wrong(
        self, run: Run, tmp_path: Path, prefix: str, name: str
    ) -> None:
        write_azure(tmp_path / "exports", months=1, rows=40, seed=1)
        configure(
            tmp_path,
            "[sources.azure_billing]\nbucket = './exports'\n"
            f"prefix = '{prefix}'\nexport_name = '{name}'\n",
        )
        done = run("load")
        assert done.returncode == 3
        assert "prefix 'billing' with export_name 'focus-daily'" in done.stderr

    def test_an_export_that_lies_one_folder_deeper_is_named(self, run: Run, tmp_path: Path) -> None:
        write_azure(tmp_path / "exports/billing", months=1, rows=40, seed=1)
        config = AZURE.replace("transfer/billing", "").replace("focus-daily", "billing")
        configure(tmp_path, config)
        done = run("load")
        assert done.returncode == 3
        assert "prefix 'billing/billing' with export_name 'focus-daily'" in done.stderr

    def test_an_aws_report_of_another_name_is_named(self, run: Run, tmp_path: Path) -> None:
        write_aws(tmp_path / "exports", months=1, rows=40, seed=1)
        configure(tmp_path, AWS)
        ends(run, 3, "export_name '")

    def test_an_empty_bucket_is_said(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "exports").mkdir()
        configure(tmp_path, AZURE)
        ends(run, 3, "Nothing was found in", "There is no folder in")

    def test_a_bucket_of_other_things_is_said_with_its_folders(
        self, run: Run, tmp_path: Path
    ) -> None:
        (tmp_path / "exports/photos/2024").mkdir(parents=True)
        configure(tmp_path, AZURE)
        ends(run, 3, "its folders are called 'photos'")

    def test_a_folder_with_a_note_alone_is_no_export(self, run: Run, tmp_path: Path) -> None:
        folder = tmp_path / "exports/transfer/billing/focus-daily"
        folder.mkdir(parents=True)
        (folder / "README.txt").write_text("soon")
        configure(tmp_path, AZURE)
        ends(run, 3, "1 file, none of them a manifest.json")

    def test_one_source_that_is_empty_does_not_keep_the_other_from_loading(
        self, run: Run, tmp_path: Path
    ) -> None:
        write_azure(tmp_path / "exports", months=1, rows=40, seed=1)
        configure(tmp_path, AZURE.replace("transfer/billing", "billing") + AWS)
        done = run("load", "--json")
        document = json.loads(done.stdout)
        assert done.returncode == 3
        assert [load["source"] for load in document["loads"]] == ["azure_billing"]
        (failure,) = document["failures"]
        assert (failure["source"], failure["error"]) == ("aws_billing", "NoManifestError")

    @pytest.mark.parametrize("writer", WRITERS)
    def test_a_name_that_becomes_wrong_is_said_although_months_are_loaded(
        self, run: Run, tmp_path: Path, writer: Writer
    ) -> None:
        deliver(tmp_path, writer)
        configure(tmp_path, config_of(writer))
        assert run("load").returncode == 0
        right = f"prefix '{writer.prefix}' with export_name '{writer.export_name}'"
        said = "Nothing was found in", "although 1 month is loaded", right
        for key in ("export_name", "prefix"):
            name = getattr(writer, key)
            configure(tmp_path, config_of(writer).replace(f'{key} = "{name}', f'{key} = "x{name}'))
            ends(run, 3, *said)
        plan = run("plan")
        assert plan.returncode == 3
        assert right in plan.stderr
        assert "stays as it is" in plan.stdout
        run("report", "--output", "page.html")
        assert "Nothing was found in" in (tmp_path / "page.html").read_text()

    def test_a_bucket_that_was_emptied_is_said_although_its_months_stay_loaded(
        self, run: Run, tmp_path: Path
    ) -> None:
        write_azure(tmp_path / "exports", months=1, rows=40, seed=1)
        configure(tmp_path, AZURE.replace("transfer/billing", "billing"))
        assert run("load").returncode == 0
        shutil.rmtree(tmp_path / "exports/billing")
        ends(run, 3, "Nothing was found in", "although 1 month is loaded", "There is no folder")
        assert "LOOK  azure_billing: export - Nothing was found" in run("doctor").stdout


class TestWithoutManifests:
    @pytest.mark.parametrize("writer", [AzureWriter(), AzureCsvWriter(), AwsWriter()])
    def test_data_files_without_a_manifest_are_counted_with_what_to_do(
        self, run: Run, tmp_path: Path, writer: Writer
    ) -> None:
        configure(tmp_path, config_of(writer))
        written = deliver(tmp_path, writer, parts=3)
        remove_manifests(tmp_path, written)
        kind = (
            "Parquet"
            if isinstance(writer, AzureWriter) and writer.ending.endswith("parquet")
            else "CSV"
        )
        advice = "File partitioning" if writer.section == "azure_billing" else "copies the files"
        ends(run, 3, f"3 {kind} files but no ", "anifest.json", advice)

    def test_it_is_said_though_months_are_loaded(self, run: Run, tmp_path: Path) -> None:
        writer = AzureWriter()
        configure(tmp_path, config_of(writer))
        written = deliver(tmp_path, writer)
        assert run("load").returncode == 0
        remove_manifests(tmp_path, written)
        ends(run, 3, "2 Parquet files but no manifest.json")

    def test_a_folder_below_that_of_the_export_is_no_lack_of_manifests(
        self, run: Run, tmp_path: Path
    ) -> None:
        writer = AzureWriter()
        written = deliver(tmp_path, writer)
        *above, month, _, _, _ = written.manifest.relative_to(tmp_path).parts
        configure(
            tmp_path,
            f'[sources.azure_billing]\nbucket = "./{"/".join(above)}"\nexport_name = "{month}"\n',
        )
        ends(run, 3, "1 manifest, such as ", "a folder above or below that of the export")

    def test_deliveries_that_go_on_without_their_manifest_are_said_after_max_wait(
        self, run: Run, tmp_path: Path
    ) -> None:
        writer = AzureWriter()
        configure(tmp_path, config_of(writer))
        deliver(tmp_path, writer, at=NOW - timedelta(days=9))
        later = deliver(tmp_path, writer, at=NOW - timedelta(days=3), run_id="later")
        remove_manifests(tmp_path, later, run_id="later")
        ends(run, 3, "2 Parquet files came to", "after its newest manifest")

    @pytest.mark.parametrize("days", [0, 12])
    def test_files_that_are_new_or_left_over_from_older_runs_are_no_alarm(
        self, run: Run, tmp_path: Path, days: int
    ) -> None:
        writer = AzureWriter()
        configure(tmp_path, config_of(writer))
        deliver(tmp_path, writer, at=NOW - timedelta(days=9))
        other = deliver(tmp_path, writer, at=NOW - timedelta(days=days), run_id="other")
        remove_manifests(tmp_path, other, run_id="other")
        ends(run, 0)


class TestOtherDatasets:
    @pytest.mark.parametrize("kind", ["PriceSheet", "AmortizedCost", "ReservationDetails"])
    def test_another_dataset_of_azure_is_named_once_by_its_manifests(
        self, run: Run, tmp_path: Path, kind: str
    ) -> None:
        writer = AzureWriter()
        configure(tmp_path, config_of(writer))
        for days in (1, 2, 3):
            deliver(tmp_path, writer, at=NOW - timedelta(days=days), run_id=f"run-{days}")
        for manifest in (tmp_path / "exports").rglob("manifest.json"):
            stated = json.loads(manifest.read_text())
            stated["exportConfig"]["type"] = kind
            stated["blobs"][0]["blobName"] = "part.zip"
            manifest.write_text(json.dumps(stated))
        ends(run, 3, f"'{kind}'", "Cost and usage details (FOCUS)")

    @pytest.mark.parametrize(
        ("header", "name"),
        [
            ("meterId,unitPrice,effectiveStartDate,priceType", "an Azure price sheet"),
            ("costInBillingCurrency,meterId,date", "actual or amortized cost"),
            ("SKU,OfferTermCode,PricePerUnit", "an AWS price list"),
            ("lineItem/UnblendedCost;lineItem/UsageStartDate", "an AWS Cost and Usage Report"),
        ],
    )
    @pytest.mark.parametrize("is_packed", [False, True])
    def test_files_of_another_dataset_without_a_manifest_are_named_by_their_columns(
        self, run: Run, tmp_path: Path, header: str, name: str, *, is_packed: bool
    ) -> None:
        folder = tmp_path / "exports/transfer/billing/focus-daily"
        folder.mkdir(parents=True)
        content = f"{header}\n1,2,3,4\n".encode()
        ending = "csv.gz" if is_packed else "csv"
        (folder / f"x.{ending}").write_bytes(gzip.compress(content) if is_packed else content)
        configure(tmp_path, AZURE)
        ends(run, 3, name)

    def test_a_report_of_aws_is_sent_to_the_source_that_loads_it(
        self, run: Run, tmp_path: Path
    ) -> None:
        writer = AwsWriter()
        deliver(tmp_path, writer)
        config = config_of(writer).replace("aws_billing", "azure_billing")
        configure(tmp_path, config)
        ends(run, 3, "an AWS Cost and Usage Report", "Configure it in [sources.aws_billing]")
