"""What a person should look at ends `load`, `status --check` and `doctor` with a code of its own.

Every situation is made on disk, and the command is called as a scheduler or a monitor would.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cloudbill.sample import write_aws, write_azure
from contract.deliveries import AwsWriter, AzureCsvWriter, AzureWriter, Delivery, charges
from end_to_end.conftest import configure

if TYPE_CHECKING:
    from collections.abc import Callable

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
    damaged: bool = False,
) -> Written:
    """Adds a run to the store, all of whose files were written when it was submitted."""
    scratch = home / f"scratch-{run_id}"
    delivery = Delivery(
        period=period,
        charges=charges(period, *costs),
        submitted_at=at,
        run_id=run_id,
        parts=parts,
        damaged=damaged,
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


WRITERS = [AzureWriter(), AzureCsvWriter(), AwsWriter()]


class TestWaiting:
    @pytest.mark.parametrize("writer", WRITERS)
    @pytest.mark.parametrize("parts", [1, 2])
    def test_a_run_that_lacks_a_part_is_an_alarm_after_max_wait_and_not_before(
        self, run: Run, tmp_path: Path, writer: Writer, parts: int
    ) -> None:
        deliver(tmp_path, writer, at=NOW - timedelta(days=5))
        at = NOW - timedelta(hours=30)
        newer = deliver(tmp_path, writer, at=at, run_id="newer", parts=parts)
        newer.parts[0].unlink()
        configure(tmp_path, config_of(writer, 'max_wait = "36h"'))
        ends(run, 0)
        configure(tmp_path, config_of(writer))
        state = "gone, none of its parts" if parts == 1 else "waiting, 1/2 parts there"
        ends(run, 8, f"Run newer of {BEFORE} is {state}", "for longer than 'max_wait' allows")
        document = json.loads(run("status", "--check", "--json").stdout)
        (reason,) = document["sources"][0]["reasons"]
        assert (reason["period"], reason["run_id"], reason["exit_code"]) == (BEFORE, "newer", 8)
        assert (reason["error"], document["failures"]) == ("StaleError", [])
        assert run("status").returncode == 0

    def test_the_wait_begins_with_the_last_file_that_came(self, run: Run, tmp_path: Path) -> None:
        writer = AzureWriter()
        configure(tmp_path, config_of(writer))
        written = deliver(tmp_path, writer, at=NOW - timedelta(days=5))
        written.parts[0].unlink()
        ends(run, 8, "waiting, 1/2 parts there")
        os.utime(written.parts[1])
        ends(run, 0)

    def test_a_part_that_is_cut_short_is_said_with_its_bytes(
        self, run: Run, tmp_path: Path
    ) -> None:
        writer = AzureWriter()
        configure(tmp_path, config_of(writer))
        at = NOW - timedelta(days=5)
        part = deliver(tmp_path, writer, at=at).parts[1]
        size = part.stat().st_size
        part.write_bytes(part.read_bytes()[:-7])
        os.utime(part, (at.timestamp(), at.timestamp()))
        ends(run, 8, f"part_1_0001.snappy.parquet has {size - 7:,} of {size:,} bytes")

    def test_runs_that_wait_are_one_alarm_for_a_month(self, run: Run, tmp_path: Path) -> None:
        writer = AzureWriter()
        configure(tmp_path, config_of(writer))
        for days in (2, 3, 4):
            at = NOW - timedelta(days=days)
            deliver(tmp_path, writer, at=at, run_id=f"run-{days}").parts[0].unlink()
        done = run("load")
        assert (done.returncode, done.stderr.count("than 'max_wait' allows")) == (8, 1)
        assert f"Run run-2 of {BEFORE} (and 2 older runs)" in done.stderr

    def test_what_a_newer_run_made_pointless_is_no_alarm(self, run: Run, tmp_path: Path) -> None:
        writer = AzureWriter()
        configure(tmp_path, config_of(writer))
        older = deliver(tmp_path, writer, at=NOW - timedelta(days=9), run_id="older")
        older.parts[0].unlink()
        deliver(tmp_path, writer, at=NOW - timedelta(days=2))
        ends(run, 0)


class TestHeld:
    @pytest.mark.parametrize("writer", WRITERS)
    def test_a_held_run_ends_all_three_with_6_until_it_is_accepted(
        self, run: Run, tmp_path: Path, writer: Writer
    ) -> None:
        configure(tmp_path, config_of(writer))
        deliver(tmp_path, writer, at=NOW - timedelta(days=5), costs=("1",) * 28)
        assert run("load").returncode == 0
        deliver(tmp_path, writer, at=NOW - timedelta(days=4), run_id="small", costs=("1",) * 3)
        assert run("load").returncode == 6
        if writer.states_rows:
            ends(run, 6, "small", "held")
            document = json.loads(run("status", "--check", "--json").stdout)
            (reason,) = document["sources"][0]["reasons"]
            assert (reason["error"], reason["run_id"]) == ("HeldError", "small")
        assert run("accept", BEFORE).returncode == 0
        ends(run, 0)

    def test_anything_that_failed_goes_before_a_held_run(self, run: Run, tmp_path: Path) -> None:
        writer = AzureWriter()
        configure(tmp_path, config_of(writer))
        deliver(tmp_path, writer, at=NOW - timedelta(days=5), costs=("1",) * 28)
        run("load")
        deliver(tmp_path, writer, at=NOW - timedelta(days=4), run_id="small", costs=("1",) * 3)
        other = deliver(tmp_path, writer, period="2025-08", run_id="broken")
        other.manifest.write_text("{")
        ends(run, 3, "held", "This is not JSON")


class TestFailedBefore:
    @pytest.mark.parametrize("writer", WRITERS)
    def test_a_load_that_failed_is_remembered_with_why_and_when_until_one_succeeds(
        self, run: Run, tmp_path: Path, writer: Writer
    ) -> None:
        configure(tmp_path, config_of(writer))
        deliver(tmp_path, writer, at=NOW - timedelta(days=5))
        assert run("load").returncode == 0
        deliver(tmp_path, writer, at=NOW - timedelta(days=4), run_id="broken", damaged=True)
        failed = run("load")
        assert failed.returncode == 5
        shown = run("status")
        assert shown.returncode == 0
        assert "failed: the last try of run broken, just now (" in shown.stdout
        assert "new: run broken" not in shown.stdout
        checked = run("status", "--check")
        assert checked.returncode == 5
        assert f"The last try to load {BEFORE} (run broken) failed just now (" in checked.stderr
        assert run("doctor").returncode == 1
        document = json.loads(run("status", "--check", "--json").stdout)
        (month,) = document["sources"][0]["months"]
        assert month["last_failure"]["run_id"] == "broken"
        assert [one["error"] for one in document["sources"][0]["reasons"]] == ["LastTryError"]
        deliver(tmp_path, writer, at=NOW - timedelta(days=3), run_id="whole")
        assert run("load").returncode == 0
        ends(run, 0)
        assert "failed" not in run("status").stdout

    def test_it_is_over_when_the_run_is_taken_away(self, run: Run, tmp_path: Path) -> None:
        writer = AzureWriter()
        configure(tmp_path, config_of(writer))
        deliver(tmp_path, writer, at=NOW - timedelta(days=5))
        run("load")
        broken = deliver(tmp_path, writer, run_id="broken", damaged=True)
        assert run("load").returncode == 5
        broken.manifest.unlink()
        ends(run, 0)

    def test_a_load_of_another_month_changes_nothing(self, run: Run, tmp_path: Path) -> None:
        writer = AzureWriter()
        configure(tmp_path, config_of(writer))
        deliver(tmp_path, writer, run_id="broken", damaged=True)
        deliver(tmp_path, writer, period="2025-08", run_id="whole")
        assert run("load").returncode == 5
        assert run("load", "--month", "2025-08", "--force").returncode == 0
        assert run("status", "--check").returncode == 5

    def test_a_source_that_could_not_be_read_is_remembered_too(
        self, run: Run, tmp_path: Path
    ) -> None:
        writer = AzureWriter()
        configure(tmp_path, config_of(writer))
        deliver(tmp_path, writer)
        (tmp_path / "exports").rename(tmp_path / "away")
        assert run("load").returncode == 4
        (tmp_path / "away").rename(tmp_path / "exports")
        done = run("status", "--check")
        assert done.returncode == 5
        assert "The last try to load the source failed just now" in done.stderr
        assert "failed: the last load, just now" in done.stdout
        ends(run, 0)

    def test_a_dry_run_is_no_try(self, run: Run, tmp_path: Path) -> None:
        configure(tmp_path, config_of(AzureWriter()))
        assert run("load", "--dry-run").returncode == 4
        deliver(tmp_path, AzureWriter())
        assert run("status", "--check").returncode == 0

    def test_only_its_user_can_read_the_file_and_no_secret_is_in_it(
        self, run: Run, tmp_path: Path
    ) -> None:
        configure(tmp_path, config_of(AzureWriter()).replace("./exports", "./AccountKey=c2VjcmV0"))
        assert run("load").returncode == 4
        (file,) = (tmp_path / "dlt/cloudbill").iterdir()
        assert file.stat().st_mode & 0o777 == 0o600
        assert "c2VjcmV0" not in file.read_text()
        assert "There is no folder" in file.read_text()


class TestStale:
    def test_max_age_is_an_option_and_a_key(self, run: Run, tmp_path: Path) -> None:
        writer = AzureWriter()
        deliver(tmp_path, writer, at=NOW - timedelta(days=3))
        configure(tmp_path, config_of(writer, 'max_age = "4d"'))
        ends(run, 0)
        configure(tmp_path, config_of(writer, 'max_age = "36h"'))
        assert run("load").returncode == 0
        assert run("status").returncode == 0
        for words in COMMANDS[1:]:
            done = run(*words)
            assert done.returncode == 8, done
            assert "longer ago than 'max_age' allows" in done.stdout + done.stderr
        assert run("status", "--check", "--max-age", "4d").returncode == 0
        assert "than --max-age allows" in run("status", "--max-age", "1d").stderr

    def test_a_run_that_nobody_loads_is_said_though_deliveries_are_fresh(
        self, run: Run, tmp_path: Path
    ) -> None:
        writer = AzureWriter()
        configure(tmp_path, config_of(writer, 'max_age = "36h"'))
        deliver(tmp_path, writer, at=NOW - timedelta(hours=50), period="2025-08", run_id="left")
        deliver(tmp_path, writer, at=NOW - timedelta(hours=2))
        done = run("status", "--check")
        assert done.returncode == 8
        assert "Run left of 2025-08 has been complete since" in done.stderr
        ends(run, 0)


class TestLost:
    def test_a_month_that_lost_rows_is_7_where_no_run_can_be_loaded_again(
        self, run: Run, tmp_path: Path
    ) -> None:
        writer = AzureWriter()
        configure(tmp_path, config_of(writer))
        deliver(tmp_path, writer)
        assert run("load").returncode == 0
        with closing(duckdb.connect(str(tmp_path / "cloudbill.duckdb"))) as connection:
            connection.execute("DELETE FROM billing.azure_focus_billing_data WHERE BilledCost = 2")
        # The next load mends it, so nobody has to look.
        assert run("status", "--check").returncode == 0
        shutil.rmtree(next((tmp_path / "exports").rglob("focus-daily")))
        done = run("status", "--check")
        assert done.returncode == 7
        assert "the table has 2 rows, 3 were loaded" in done.stderr
        assert run("doctor").returncode == 7


class TestLog:
    def test_it_has_a_line_for_each_loaded_month_and_counts_the_older_runs(
        self, run: Run, tmp_path: Path
    ) -> None:
        writer = AzureWriter()
        configure(tmp_path, config_of(writer))
        for period in (BEFORE, "2025-08"):
            for days in range(2, 12):
                at = NOW - timedelta(days=days)
                deliver(tmp_path, writer, at=at, period=period, run_id=f"{period}-{days}")
        first = run("load")
        assert first.returncode == 0
        assert "superseded by" not in first.stdout
        *_, last = first.stdout.splitlines()
        assert last.startswith("Finished with exit code 0 in ")
        assert last.endswith(" s: 2 months loaded, 18 superseded; -v lists all")
        second = run("load").stdout.splitlines()
        assert [line for line in second if line.startswith("Skipping")] == [
            f"Skipping {BEFORE} (run_id: {BEFORE}-2) - already loaded",
            "Skipping 2025-08 (run_id: 2025-08-2) - already loaded",
        ]
        assert second[-1].endswith(": 2 already loaded, 18 older than loaded; -v lists all")
        assert len(second) == 4
        assert run("load", "-v").stdout.count("older than the loaded run") == 18
        assert run("plan").stdout.count("older than the loaded run") == 18
        assert "Finished" not in run("plan").stdout
        assert run("load", "--quiet").stdout == ""

    def test_the_last_line_has_the_exit_code_and_what_there_is_to_look_at(
        self, run: Run, tmp_path: Path
    ) -> None:
        writer = AzureWriter()
        configure(tmp_path, config_of(writer) + "\n" + config_of(AwsWriter()))
        deliver(tmp_path, writer, run_id="broken", damaged=True)
        deliver(tmp_path, writer, at=NOW - timedelta(days=5), period="2025-08").parts[0].unlink()
        done = run("load")
        assert done.returncode == 8
        *_, last = done.stdout.splitlines()
        assert last.startswith("Finished with exit code 8 in ")
        assert last.endswith(" s: 1 waiting, 1 failed, 2 to look at")

    def test_as_json_it_ends_with_an_event_that_has_the_same(
        self, run: Run, tmp_path: Path
    ) -> None:
        writer = AzureWriter()
        configure(tmp_path, config_of(writer))
        for days in (2, 3, 4):
            deliver(tmp_path, writer, at=NOW - timedelta(days=days), run_id=f"run-{days}")
        done = run("load", "--log-format", "json")
        events = [json.loads(line) for line in done.stdout.splitlines()]
        finished = events[-1]
        assert (finished["event"], finished["level"]) == ("finished", "info")
        assert (finished["exit_code"], finished["loaded"], finished["superseded"]) == (0, 1, 2)
        assert (finished["failed"], finished["held"], finished["reasons"]) == (0, 0, 0)
        assert 0 < finished["seconds"] < 60
        assert "skipped" not in {event["event"] for event in events}
        as_document = run("load", "--json")
        assert "Finished with exit code 0" in as_document.stderr
        assert set(json.loads(as_document.stdout)) == {"loads", "skips", "failures"}


class TestTextOfTheCause:
    """A message names what is wrong with a file, and who can put it right."""

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda text: gzip.compress(gzip.compress(text)), "is gzipped twice"),
            (lambda text: text.replace(b",", b";"), "has ';' between its cells"),
            (lambda text: gzip.compress(text.replace(b",", b"\t")), "has tabs between its cells"),
            (lambda text: b"sep=;\n" + text.replace(b",", b";"), "has ';' between its cells"),
            (lambda _: b"PK\x03\x04" + bytes(200), "is a ZIP or Excel file, not CSV"),
            (lambda text: text.decode().encode("utf-16"), "is a text in UTF-16, not CSV"),
            (lambda _: b"<?xml version='1.0'?><Error>", "is an XML document"),
            (lambda _: gzip.compress(b"<!DOCTYPE html>"), "is a web page, not CSV"),
        ],
    )
    @pytest.mark.parametrize("writer", [AzureCsvWriter(), AwsWriter()])
    def test_a_file_that_was_changed_on_its_way_is_named(
        self,
        run: Run,
        tmp_path: Path,
        writer: Writer,
        change: Callable[[bytes], bytes],
        message: str,
    ) -> None:
        configure(tmp_path, config_of(writer))
        part = deliver(tmp_path, writer, parts=1).parts[0]
        state_no_sizes(tmp_path)
        when = part.stat().st_mtime
        part.write_bytes(change(gzip.decompress(part.read_bytes())))
        os.utime(part, (when, when))
        done = run("load")
        assert done.returncode == 5
        assert f"{part} {message}" in done.stderr
        assert "provider has corrected it" not in done.stderr

    @pytest.mark.parametrize("writer", [AzureWriter(), AzureCsvWriter()])
    def test_another_dataset_is_named_by_its_columns_where_the_manifest_does_not_say(
        self, run: Run, tmp_path: Path, writer: Writer
    ) -> None:
        configure(tmp_path, config_of(writer))
        part = deliver(tmp_path, writer, parts=1).parts[0]
        state_no_sizes(tmp_path)
        columns = {"costInBillingCurrency": ["1"], "meterId": ["m"], "date": ["2025-10-01"]}
        if part.name.endswith("parquet"):
            pq.write_table(pa.table(columns), part)
        else:
            part.write_bytes(b"costInBillingCurrency,meterId,date\n1,m,2025-10-01\n")
        done = run("load")
        assert done.returncode == 3, done
        assert "not of FOCUS" in done.stderr
        assert "Azure's actual or amortized cost" in done.stderr
        assert "'Cost and usage details (FOCUS)'" in done.stderr

    def test_a_fault_of_every_delivery_is_said_to_be_one_of_the_export(
        self, run: Run, tmp_path: Path
    ) -> None:
        writer = AzureCsvWriter()
        configure(tmp_path, config_of(writer))
        for period in ("2025-08", "2025-09", "2025-10"):
            part = deliver(tmp_path, writer, period=period, run_id=period, parts=1).parts[0]
            text = gzip.decompress(part.read_bytes())
            part.write_bytes(text.replace(b",", b";"))
        state_no_sizes(tmp_path)
        done = run("load")
        assert done.returncode == 5
        assert "all 3 runs that were tried failed for the same reason" in done.stderr
        deliver(tmp_path, writer, period="2025-11", run_id="good")
        assert "for the same reason" not in run("load").stderr


def state_no_sizes(home: Path) -> None:
    """Takes the bytes and rows out of the manifests, which need not state them."""
    for manifest in (home / "exports").rglob("manifest.json"):
        stated = json.loads(manifest.read_text())
        stated["exportConfig"] = None
        stated["dataRowCount"] = None
        for blob in stated["blobs"]:
            blob["byteCount"] = blob["dataRowCount"] = None
        manifest.write_text(json.dumps(stated))
