"""What a person should look at ends `load`, `status --check` and `doctor` with a code of its own.

Every situation is made on disk, and the command is called as a scheduler or a monitor would.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cloudbill.sample import write_aws, write_azure
from contract.deliveries import AwsWriter, AzureCsvWriter, AzureWriter, Delivery, charges
from end_to_end.conftest import configure

if TYPE_CHECKING:
    from contract.deliveries import Writer, Written
    from end_to_end.conftest import Run

AZURE = """
[sources.azure_billing]
bucket = "./exports"
prefix = "transfer/billing"
export_name = "focus-daily"
"""
AWS = """
[sources.aws_billing]
bucket = "./exports"
prefix = "reports"
export_name = "daily"
"""
COMMANDS = (("load",), ("status", "--check"), ("doctor",))
NOW = datetime.now(UTC)
MONTH, BEFORE = f"{NOW:%Y-%m}", f"{NOW.replace(day=1) - timedelta(days=1):%Y-%m}"


def config_of(writer: Writer, *lines: str) -> str:
    """The configuration that loads what a writer delivers."""
    return "\n".join(
        [
            f"[sources.{writer.section}]",
            'bucket = "./exports"',
            f'prefix = "{writer.prefix}"',
            f'export_name = "{writer.export_name}"',
            *lines,
        ]
    )


def ends(run: Run, code: int, *said: str) -> None:
    """All three commands end with a code and say why."""
    for words in COMMANDS:
        done = run(*words)
        assert (words, done.returncode) == (words, code), done
        for text in said:
            assert text in done.stdout + done.stderr, (words, done)
        assert "Traceback" not in done.stderr


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

    def test_what_is_loaded_may_leave_its_bucket(self, run: Run, tmp_path: Path) -> None:
        write_azure(tmp_path / "exports", months=1, rows=40, seed=1)
        configure(tmp_path, AZURE.replace("transfer/billing", "billing"))
        assert run("load").returncode == 0
        shutil.rmtree(tmp_path / "exports/billing")
        ends(run, 0)


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
    def test_an_aws_data_export_is_named_where_a_report_is_configured(
        self, run: Run, tmp_path: Path
    ) -> None:
        folder = tmp_path / "exports/reports/daily"
        manifest = folder / "metadata/BILLING_PERIOD=2025-10/daily-Manifest.json"
        data = folder / "data/BILLING_PERIOD=2025-10/daily-00001.snappy.parquet"
        for file in (manifest, data):
            file.parent.mkdir(parents=True)
        data.write_bytes(b"PAR1")
        columns = [{"name": "line_item_unblended_cost", "type": "double"}]
        manifest.write_text(
            json.dumps({"executionId": "x", "exportArn": "arn:aws", "columns": columns})
        )
        configure(tmp_path, AWS)
        ends(run, 3, "an AWS Data Export (CUR 2.0)", "Legacy CUR export")
        manifest.unlink()
        ends(run, 3, "is of an AWS Data Export")

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


def deliver(
    home: Path,
    writer: Writer,
    *,
    at: datetime = NOW - timedelta(hours=3),
    period: str = BEFORE,
    run_id: str = "run",
    parts: int = 2,
    costs: tuple[str, ...] = ("1", "2", "3"),
) -> Written:
    """Adds a run to the store, all of whose files were written when it was submitted."""
    scratch = home / f"scratch-{run_id}"
    delivery = Delivery(
        period=period, charges=charges(period, *costs), submitted_at=at, run_id=run_id, parts=parts
    )
    written = writer.write(scratch, delivery)
    for file in scratch.rglob("*"):
        os.utime(file, (at.timestamp(), at.timestamp()))
    shutil.copytree(scratch, home / "exports", dirs_exist_ok=True)
    shutil.rmtree(scratch)
    files = [home / "exports" / one.relative_to(scratch) for one in written.parts]
    manifest = home / "exports" / written.manifest.relative_to(scratch)
    return type(written)(folder=home / "exports", manifest=manifest, parts=tuple(files))


def remove_manifests(home: Path, written: Written, run_id: str = "") -> None:
    """Takes the manifests away, or those of one run."""
    for manifest in (home / "exports").rglob("*anifest.json"):
        if run_id in str(manifest):
            manifest.unlink()
    assert not written.manifest.exists()


class TestMonths:
    @pytest.fixture
    def loaded(self, run: Run, tmp_path: Path) -> None:
        """A source that has two months."""
        configure(tmp_path, config_of(AzureWriter()))
        for period in ("2025-08", "2025-09", "2025-11"):
            deliver(tmp_path, AzureWriter(), period=period, run_id=period)
        assert run("load", "--month", "2025-08", "--month", "2025-09").returncode == 0

    @pytest.mark.usefixtures("loaded")
    @pytest.mark.parametrize("words", [("load",), ("plan",), ("history",), ("verify",)])
    def test_a_month_that_no_source_has_is_refused_with_the_months_there_are(
        self, run: Run, words: tuple[str, ...]
    ) -> None:
        done = run(*words, "--month", "2024-01", "--month", "2025-08")
        assert done.returncode == 2, done
        assert "no source has a run or a record of 2024-01; the months there are: " in done.stderr
        assert "2025-08 to 2025-09, 2025-11" in done.stderr

    @pytest.mark.usefixtures("loaded")
    @pytest.mark.parametrize("words", [("load",), ("plan",), ("history",), ("verify",)])
    def test_a_month_in_the_future_is_refused_before_anything_is_done(
        self, run: Run, words: tuple[str, ...]
    ) -> None:
        done = run(*words, "--month", f"{NOW.year + 1}-12", "--month", "2025-11")
        assert (done.returncode, done.stdout) == (2, "")
        assert f"{NOW.year + 1}-12 is in the future; the current month is " in done.stderr

    @pytest.mark.usefixtures("loaded")
    @pytest.mark.parametrize("words", [("load",), ("plan",), ("history",), ("verify",)])
    def test_the_current_month_is_never_refused(self, run: Run, words: tuple[str, ...]) -> None:
        assert run(*words, "--month", MONTH).returncode == 0

    @pytest.mark.usefixtures("loaded")
    def test_a_month_with_a_run_or_a_record_alone_is_known(self, run: Run, tmp_path: Path) -> None:
        assert run("history", "--month", "2025-11").returncode == 0
        for month in ("20250801-20250831", "20250901-20250930"):
            shutil.rmtree(next((tmp_path / "exports").rglob(month)))
        assert run("load", "--month", "2025-08").returncode == 0

    def test_a_month_that_one_of_two_sources_has_is_known(self, run: Run, tmp_path: Path) -> None:
        configure(tmp_path, config_of(AzureWriter()) + "\n" + config_of(AwsWriter()))
        deliver(tmp_path, AzureWriter(), period="2025-08", run_id="azure")
        deliver(tmp_path, AwsWriter(), period="2025-09", run_id="aws")
        assert run("load", "--month", "2025-08").returncode == 0
        assert run("load", "aws", "--month", "2025-08").returncode == 2
