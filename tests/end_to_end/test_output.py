"""Output that nobody reads, that is closed, or that a full disk takes no more of."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from end_to_end.conftest import configure
from end_to_end.imported import INSTALLED, imported_command
from end_to_end.terminal import Terminal
from samples import write_azure

LOCAL = """
[sources.azure_billing]
bucket = "./exports"
prefix = "billing"
export_name = "focus-daily"
"""
SPEAKING = (
    ("--help",),
    ("--version",),
    ("load", "--help"),
    ("help", "state", "rebuild"),
    ("completion", "bash"),
    ("explain", "5"),
    ("plan",),
    ("status",),
    ("status", "--json"),
    ("doctor",),
    ("history",),
    ("report",),
    ("sample", "exports/more", "--months", "1"),
)
FULL = "Cannot write output: No space left on device\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a month of Azure, not loaded."""
    configure(tmp_path, LOCAL)
    write_azure(tmp_path / "exports", months=1, rows=40, seed=1)
    return tmp_path


def ended(folder: Path, words: tuple[str, ...], **streams: Any) -> subprocess.CompletedProcess[str]:
    """How a command ended, with streams of its own."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    return subprocess.run(
        [imported_command(), *words],
        cwd=folder,
        text=True,
        check=False,
        timeout=120,
        stdin=subprocess.DEVNULL,
        **streams,
    )


@pytest.fixture
def full() -> Iterator[IO[bytes]]:
    """A file on a disk that has no room."""
    with Path("/dev/full").open("wb") as opened:
        yield opened


def test_where_no_room_is_left_for_the_output_it_is_said_with_exit_code_1(
    folder: Path, full: IO[bytes], subtests: pytest.Subtests
) -> None:
    for words in SPEAKING:
        with subtests.test(" ".join(words)):
            done = ended(folder, words, stdout=full)

            assert done.returncode == 1
            assert done.stderr.endswith(FULL)
            assert "fault of cloudbill" not in done.stderr
            assert "Traceback" not in done.stderr


def test_a_month_is_loaded_where_the_log_has_no_room(folder: Path, full: IO[bytes]) -> None:
    done = ended(folder, ("load",), stdout=full)
    assert (done.returncode, done.stderr) == (1, FULL)

    done = ended(folder, ("load", "--force"), stderr=full)
    assert (done.returncode, done.stdout.count("Completed loading")) == (0, 1)
    assert "already loaded" in ended(folder, ("load",)).stdout


def test_warnings_that_nobody_can_be_told_end_with_1(tmp_path: Path, full: IO[bytes]) -> None:
    done = ended(tmp_path, ("load",), stderr=full)
    assert (done.returncode, done.stdout) == (2, ""), "the code of what was to be said"


def test_a_reader_that_left_ends_the_command_without_a_word(
    folder: Path, subtests: pytest.Subtests
) -> None:
    for words in (*SPEAKING, ("load",)):
        with subtests.test(" ".join(words)):
            read, write = os.pipe()
            os.close(read)
            done = ended(folder, words, stdout=write)
            os.close(write)

            assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("closed", [">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_as_those_to_nowhere(folder: Path, closed: str) -> None:
    command = f"exec '{INSTALLED}' load --quiet {closed}"
    done = subprocess.run(
        ["sh", "-c", command], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "already loaded" in ended(folder, ("load",)).stdout


def test_a_sample_shows_on_a_terminal_how_far_it_is(tmp_path: Path) -> None:
    terminal = Terminal("sample", "exports", "--months", "1", "--rows", "40", cwd=tmp_path)
    shown = terminal.wait_for("Wrote 4 runs")
    terminal.end()

    assert "Writing runs of Azure" in shown
    assert "2/2" in shown
