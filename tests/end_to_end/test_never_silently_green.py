"""What a person should look at ends `load`, `status --check` and `doctor` with a code of its own.

Every situation is made on disk, and the command is called as a scheduler or a monitor would.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from contract.deliveries import AwsWriter, AzureWriter
from end_to_end.conftest import configure
from end_to_end.situations import (
    BEFORE,
    COMMANDS,
    EVERY_WRITER,
    MONTH,
    NOW,
    WRITERS,
    config_of,
    deliver,
    ends,
)

if TYPE_CHECKING:
    from contract.deliveries import Writer
    from end_to_end.conftest import Run


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
        assert run("accept", BEFORE, "--yes").returncode == 0
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
    @pytest.mark.parametrize("writer", EVERY_WRITER)
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

    @pytest.mark.parametrize("writer", WRITERS)
    def test_it_is_over_at_once_when_the_run_is_dismissed_by_its_id(
        self, run: Run, tmp_path: Path, writer: Writer
    ) -> None:
        configure(tmp_path, config_of(writer))
        deliver(tmp_path, writer, at=NOW - timedelta(days=5))
        run("load")
        deliver(tmp_path, writer, run_id="broken", damaged=True)
        assert run("load").returncode == 5
        dismiss = f"cloudbill dismiss {writer.section} {BEFORE} broken"
        assert f"; if it never is, `{dismiss}` ends the alarm" in run("status", "--check").stderr
        refused = run("dismiss", writer.section, BEFORE)
        assert refused.returncode == 2
        assert "that could not be loaded, is dismissed by its id" in refused.stderr
        assert run(*dismiss.split()[1:]).returncode == 0
        assert run("status", "--check").returncode == 0
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
    def test_a_month_that_lost_rows_is_7_whether_or_not_its_run_can_be_loaded_again(
        self, run: Run, tmp_path: Path
    ) -> None:
        writer = AzureWriter()
        configure(tmp_path, config_of(writer))
        deliver(tmp_path, writer)
        assert run("load").returncode == 0
        with closing(duckdb.connect(str(tmp_path / "cloudbill.duckdb"))) as connection:
            connection.execute("DELETE FROM billing.azure_focus_billing_data WHERE BilledCost = 2")
        # The next load mends it, but until then every sum over the table is wrong.
        again = "Run `cloudbill load azure_billing`, which loads it again"
        for is_stored in (True, False):
            if not is_stored:
                written = next((tmp_path / "exports").rglob("focus-daily/*"))
                shutil.move(written, tmp_path)
                deliver(tmp_path, writer, period="2025-01", run_id="other")
            done = run("status", "--check")
            assert done.returncode == 7
            assert "the table has 2 rows, 3 were loaded" in done.stderr
            assert (again in done.stderr) == is_stored
            doctor = run("doctor")
            assert (doctor.returncode, doctor.stdout.count("LOOK")) == (7, 2 if is_stored else 1)
        assert run("load").returncode == 7
