"""What a command says on a bad day leads to a repaired state, if one does what is written there."""

from __future__ import annotations

import gzip
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from contract.deliveries import AwsWriter, AzureCsvWriter, AzureWriter
from end_to_end.conftest import configure
from end_to_end.situations import BEFORE, NOW, config_of, deliver

if TYPE_CHECKING:
    from end_to_end.conftest import Run


@pytest.fixture
def home(run: Run, tmp_path: Path) -> Path:
    """A source with one month that is loaded."""
    configure(tmp_path, config_of(AzureWriter(), 'table_name = "bill"'))
    deliver(tmp_path, AzureWriter(), at=NOW - timedelta(days=5))
    assert run("load").returncode == 0
    return tmp_path


def query(home: Path, statement: str) -> list[tuple[object, ...]]:
    """Runs a statement in the DuckDB file, as somebody else would."""
    with closing(duckdb.connect(str(home / "cloudbill.duckdb"))) as connection:
        connection.execute("USE billing")
        return connection.execute(statement).fetchall()


def commands_in(text: str) -> list[list[str]]:
    """The commands that a text names, as words."""
    return [shlex.split(found)[1:] for found in re.findall(r"`(cloudbill [^`]*)`", text)]


def hold(home: Path) -> None:
    """Delivers a run that is held: it covers fewer days than the loaded run."""
    deliver(home, AzureWriter(), at=NOW - timedelta(days=4), run_id="empty", costs=())


class TestRowsOfNoMonth:
    def test_all_three_end_with_7_until_they_are_deleted(self, run: Run, home: Path) -> None:
        query(home, "INSERT INTO bill (BilledCost) VALUES (1000000)")

        checked = run("status", "--check")
        document = json.loads(run("status", "--check", "--json").stdout)
        examined = run("doctor")

        assert checked.returncode == examined.returncode == run("verify").returncode == 7
        assert "holds 1 row of no month" in checked.stderr
        (reason,) = document["sources"][0]["reasons"]
        assert (reason["error"], reason["exit_code"]) == ("VerificationError", 7)
        assert examined.stdout.count("row of no month") == 1
        told = re.search(r"`SELECT \* (FROM [^`]*)`", examined.stdout)
        assert told
        query(home, f"DELETE {told[1]}")
        assert run("status", "--check").returncode == run("doctor").returncode == 0


class TestRowsWithoutARecord:
    def forget(self, home: Path) -> None:
        """Takes away every place that remembers what was loaded."""
        for table in ("_dlt_pipeline_state", "bill_load_tracking"):
            query(home, f"DROP TABLE {table}")

    def test_they_are_7_with_how_to_be_rid_of_them_where_no_run_replaces_them(
        self, run: Run, home: Path
    ) -> None:
        deliver(home, AzureWriter(), at=NOW - timedelta(days=40), period="2025-08", run_id="old")
        assert run("load").returncode == 0
        self.forget(home)
        shutil.rmtree(next((home / "exports").rglob("20250801-20250831")))

        loaded = run("load")
        checked = run("status", "--check")

        assert loaded.returncode == 0
        assert "Found 3 rows of 2025-08 in bill that belong to no recorded load" in loaded.stderr
        assert checked.returncode == run("doctor").returncode == 7
        told = re.search(r"`SELECT \* (FROM [^`]*)`", checked.stderr)
        assert told
        query(home, f"DELETE {told[1]}")
        assert run("status", "--check").returncode == run("doctor").returncode == 0

    def test_they_are_7_until_the_run_that_replaces_them_is_loaded(
        self, run: Run, home: Path
    ) -> None:
        self.forget(home)

        # No view has such a month, and a load that was killed may never be run again.
        checked = run("status", "--check")
        assert checked.returncode == run("doctor").returncode == 7
        assert f"3 rows of {BEFORE} that belong to no recorded load" in checked.stderr
        assert "Run `cloudbill load azure_billing`, which replaces them" in checked.stderr
        loaded = run("load", "-q")

        assert loaded.returncode == 0
        assert f"Found 3 rows of {BEFORE} in bill that belong to no recorded load" in loaded.stderr
        assert run("load", "-q").stderr == ""
        assert run("status", "--check").returncode == 0


class TestLoadingAgain:
    def test_what_cannot_be_loaded_again_now_is_not_called_loaded(
        self, run: Run, tmp_path: Path
    ) -> None:
        writer = AwsWriter()
        configure(tmp_path, config_of(writer))
        written = deliver(tmp_path, writer, at=NOW - timedelta(days=5))
        assert run("load").returncode == 0
        written.parts[0].write_bytes(written.parts[0].read_bytes()[:-9])

        done = run("load", "--force", "--month", BEFORE)

        assert done.returncode == 8
        assert "is loaded, and cannot be loaded again now: it is waiting" in done.stderr
        assert "already loaded" not in done.stdout


class TestLinks:
    def test_a_folder_that_is_a_link_is_named(self, run: Run, tmp_path: Path) -> None:
        writer = AwsWriter()
        configure(tmp_path, config_of(writer))
        written = deliver(tmp_path, writer, at=NOW - timedelta(days=5))
        folder = written.parts[0].parent
        elsewhere = tmp_path / "elsewhere"
        folder.rename(elsewhere)
        folder.symlink_to(elsewhere)

        done = run("load")

        assert done.returncode in {3, 4}
        assert f"{folder.name} " in done.stderr
        assert "leads out of" in done.stderr

    def test_a_link_to_nothing_is_named(self, run: Run, tmp_path: Path) -> None:
        configure(tmp_path, config_of(AzureWriter()))
        written = deliver(tmp_path, AzureWriter(), at=NOW - timedelta(days=5))
        written.parts[0].unlink()
        written.parts[0].symlink_to("nowhere")

        done = run("load")

        assert done.returncode == 4
        assert "is a link to a file that is not there" in done.stderr


class TestTrackingTable:
    def test_after_it_was_dropped_nothing_is_forgotten_and_the_next_load_makes_it_again(
        self, run: Run, home: Path
    ) -> None:
        before = run("history").stdout
        rows = query(home, "SELECT run_id, row_count, totals, sequence FROM bill_load_tracking")
        query(home, "DROP TABLE bill_load_tracking")

        assert run("history").stdout == before
        assert run("doctor").returncode == 1
        assert run("load").returncode == 0

        again = query(home, "SELECT run_id, row_count, totals, sequence FROM bill_load_tracking")
        assert again == rows
        assert run("doctor").returncode == 0

    @pytest.mark.parametrize("column", ["row_count", "totals", "loaded_at", "sequence", "run_id"])
    def test_a_column_that_was_dropped_comes_back_with_what_it_had(
        self, run: Run, home: Path, column: str
    ) -> None:
        before = run("history", "--json").stdout
        cells = f"SELECT {column} FROM bill_load_tracking"  # noqa: S608
        values = query(home, cells)
        query(home, f"ALTER TABLE bill_load_tracking DROP COLUMN {column}")

        examined = run("doctor")
        assert examined.returncode == 1
        assert "tracking table" in examined.stdout
        assert run("history", "--json").stdout == before
        rebuilt = run("state", "rebuild")
        assert f"The tracking table gets again what it lost of {BEFORE}" in rebuilt.stdout

        assert [row for row in query(home, cells) if row != (None,)] == values
        assert run("history", "--json").stdout == before
        assert run("doctor").returncode == 0
        assert "gets again" not in run("state", "rebuild").stdout


class TestHeldRun:
    def test_quiet_or_not_it_is_said_with_what_to_do(self, run: Run, home: Path) -> None:
        hold(home)

        quiet, done = run("load", "-q"), run("load")

        assert quiet.returncode == done.returncode == 6
        assert quiet.stdout == ""
        assert "held" in quiet.stderr
        for said in (quiet.stderr, done.stderr):
            assert "More: cloudbill explain HeldError" in said
            accept, dismiss = commands_in(said)
            assert accept == ["accept", BEFORE, "--source", "azure_billing"]
            assert dismiss == ["dismiss", "azure_billing", BEFORE]

    @pytest.mark.parametrize("which", [0, 1])
    def test_either_command_ends_the_alarm(self, run: Run, home: Path, which: int) -> None:
        hold(home)
        words = commands_in(run("load").stderr)[which]

        yes = ("--yes",) if words[0] == "accept" else ()

        assert run(*words, *yes).returncode == 0

        assert run("load").returncode == run("status", "--check").returncode == 0


class TestReport:
    @staticmethod
    def page(home: Path) -> dict[str, list[dict[str, object]]]:
        """The data of the page that was written."""
        text = (home / "report.html").read_text("utf-8")
        found = re.search(
            r'<script[^>]*type="application/json"[^>]*>(.*?)</script>', text, re.DOTALL
        )
        assert found
        data: dict[str, list[dict[str, object]]] = json.loads(found[1])
        return data

    def test_a_load_that_failed_is_not_called_new(self, run: Run, home: Path) -> None:
        deliver(home, AzureWriter(), at=NOW - timedelta(days=4), run_id="broken", damaged=True)
        assert run("load").returncode == 5

        assert run("report").returncode == 0

        (pending,) = self.page(home)["trust"]["pending"]  # type: ignore[call-overload]
        assert (pending["run_id"], pending["state"]) == ("broken", "failed")
        assert "is damaged" in pending["detail"]

    def test_a_source_with_a_broken_section_is_in_it_with_why(self, run: Run, home: Path) -> None:
        config = home / ".dlt" / "config.toml"
        config.write_text(config.read_text() + "\n[sources.aws_billing]\nbuckets = './exports'\n")

        assert run("report").returncode == 2

        first, second = self.page(home)["sources"]
        assert (first["name"], first["error"]) == ("azure_billing", None)
        assert second["name"] == "aws_billing"
        assert "bucket" in str(second["error"])


class TestConfiguration:
    def test_an_address_that_cannot_be_right_is_no_empty_source(
        self, run: Run, tmp_path: Path
    ) -> None:
        configure(tmp_path, config_of(AzureWriter()).replace("./exports", "~nosuchuser/x"))

        done = run("verify")

        assert done.returncode == 2
        assert "write the path in full" in done.stderr

    def test_doctor_does_not_call_it_well_beside_a_broken_section(
        self, run: Run, home: Path
    ) -> None:
        config = home / ".dlt" / "config.toml"
        config.write_text(config.read_text() + "\n[sources.aws_billing]\nbuckets = './exports'\n")

        done = run("doctor")

        assert done.returncode == 2
        (line,) = [one for one in done.stdout.splitlines() if "configuration" in one]
        assert line.startswith("LOOK")
        assert "aws_billing" in line

    def test_a_database_that_is_no_file_is_not_called_well(self, run: Run, tmp_path: Path) -> None:
        configure(tmp_path, config_of(AzureWriter(), 'database = "./pipe"'))
        deliver(tmp_path, AzureWriter())
        os.mkfifo(tmp_path / "pipe")

        done = run("doctor")

        assert "LOOK  azure_billing: database" in done.stdout
        assert "ok    azure_billing: database" not in done.stdout
        assert "see the message" not in done.stdout

    @pytest.mark.parametrize("words", [("status", "--check"), ("history",), ("verify",)])
    def test_every_command_names_what_explains_it(
        self, run: Run, home: Path, words: tuple[str, ...]
    ) -> None:
        config = home / ".dlt" / "config.toml"
        config.write_text(config.read_text() + "\n[sources.aws_billing]\nbuckets = './exports'\n")

        assert "More: cloudbill explain ConfigError" in run(*words).stderr


class TestTable:
    def test_a_renamed_period_column_gets_its_name_back(self, run: Run, home: Path) -> None:
        query(home, "ALTER TABLE bill RENAME COLUMN BillingPeriodStart TO Started")

        done = run("load")

        assert done.returncode == 5
        assert "Binder Error" not in done.stderr
        told = re.search(r"`(ALTER TABLE [^`]*)`", done.stderr)
        assert told
        query(home, told[1].replace("the_name_now", "Started"))
        assert run("load").returncode == run("doctor").returncode == 0


class TestTerminal:
    def test_a_control_character_of_a_damaged_part_does_not_reach_it(
        self, run: Run, tmp_path: Path
    ) -> None:
        writer = AzureCsvWriter()
        configure(tmp_path, config_of(writer))
        written = deliver(tmp_path, writer, at=NOW - timedelta(days=5))
        part = written.parts[0]
        whole = gzip.decompress(part.read_bytes()) if part.suffix == ".gz" else part.read_bytes()
        damaged = whole.replace(b"\n", b'\n"\x1b]0;owned\x07,x\n', 2)
        part.write_bytes(gzip.compress(damaged) if part.suffix == ".gz" else damaged)
        manifest = json.loads(written.manifest.read_text())
        for blob in manifest["blobs"]:
            if blob["blobName"].endswith(part.name):
                blob["byteCount"] = part.stat().st_size
        written.manifest.write_text(json.dumps(manifest))
        assert run("load").returncode != 0

        for words in (("load",), ("status",), ("status", "--check"), ("doctor",), ("verify",)):
            done = run(*words)
            assert not {"\x1b", "\x07"} & {*done.stdout, *done.stderr}, words

    def test_a_reader_that_leaves_is_no_fault(self, home: Path) -> None:
        command = [str(Path(sys.executable).parent / "cloudbill"), "explain"]
        process = subprocess.Popen(
            command, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout
        assert process.stderr
        process.stdout.close()

        said = process.stderr.read().decode()
        process.stderr.close()

        assert process.wait(60) in {0, 141, -13, 1}
        assert "fault of cloudbill" not in said
        assert "Traceback" not in said
