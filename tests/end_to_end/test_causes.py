"""What the log says of a load, and which cause it names for what is wrong with a file."""

from __future__ import annotations

import gzip
import json
import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contract.deliveries import AwsWriter, AzureCsvWriter, AzureWriter
from end_to_end.conftest import configure
from end_to_end.situations import BEFORE, NOW, config_of, deliver, state_no_sizes

if TYPE_CHECKING:
    from collections.abc import Callable

    from contract.deliveries import Writer
    from end_to_end.conftest import Run


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
        for file in (tmp_path / "exports").rglob("*"):
            os.utime(file, (when, when))
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
        assert "not of an Azure FOCUS export" in done.stderr
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
