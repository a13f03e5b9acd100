"""A disk that is full: the message says which, and the table is as it was; room mends it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from end_to_end.conftest import configure
from samples import write_aws, write_azure

if TYPE_CHECKING:
    from end_to_end.conftest import Run

BOTH = """
[sources]
database = "{database}"

[sources.azure_billing]
bucket = "./exports"
prefix = "billing"
export_name = "focus-daily"

[sources.aws_billing]
bucket = "./exports"
prefix = "cur"
export_name = "cur-hourly"
"""
NO_ROOM = "there is no room on the disk of"


class SmallDisk:
    """A disk of a few megabytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def resize(self, size: str) -> None:
        """Makes it larger."""
        options = f"remount,size={size}"
        subprocess.run(["mount", "-o", options, str(self.folder)], check=True)

    def close(self) -> None:
        """Makes it read-only."""
        subprocess.run(["mount", "-o", "remount,ro", str(self.folder)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], SmallDisk]]:
    """Makes a disk of a size, which takes the right to mount one."""
    folder = tmp_path / "small disk"
    folder.mkdir()
    mounted = []

    def make(size: str) -> SmallDisk:
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        if os.getuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("no disk can be mounted here")
        mounted.append(folder)
        return SmallDisk(folder)

    yield make
    for place in mounted:
        subprocess.run(["umount", str(place)], check=True)


@pytest.fixture
def exports(tmp_path: Path) -> None:
    """Exports of two clouds, a month each."""
    configure(tmp_path, BOTH.format(database="bills.duckdb"))
    write_azure(tmp_path / "exports", months=1, rows=600, seed=1)
    write_aws(tmp_path / "exports", months=1, rows=600, seed=1)


def errors(document: str) -> dict[str, str]:
    """What each source or month failed of."""
    return {
        f"{failure['source']} {failure['period']}": failure["message"]
        for failure in json.loads(document)["failures"]
    }


@pytest.mark.usefixtures("exports")
def test_a_full_disk_under_the_database_is_named_and_room_is_all_that_it_needs(
    run_process: Run, tmp_path: Path, small_disk: Callable[[str], SmallDisk]
) -> None:
    disk = small_disk("300k")
    configure(tmp_path, BOTH.format(database=disk.folder / "bills.duckdb"))

    full = run_process("load", "--json")

    found = errors(full.stdout)
    assert full.returncode == 5
    assert set(found) == {"azure_billing 2025-10", "aws_billing 2025-10"}
    for message in found.values():
        assert f"The month was not changed: {NO_ROOM} {disk.folder}: " in message
        assert " are free, and about " in message
        assert "set 'database' to a file on another disk, and run again" in message
    assert "rollback" not in full.stderr + full.stdout
    room = run_process("doctor").stdout
    assert room.count("; free some space") == 2
    assert "--month" not in room  # no month alone would fit
    disk.resize("60m")
    assert run_process("load", "-q").returncode == 0
    disk.close()
    closed = run_process("load", "--force")
    assert closed.returncode == 5
    assert closed.stderr.count("its disk is read-only: mount its file system so that") == 2
    looked = run_process("doctor").stdout
    assert looked.count("for its disk is read-only; mount its file system so that") == 4
    assert "permission" not in looked


@pytest.mark.usefixtures("exports")
def test_a_full_folder_of_temporary_files_is_named_with_what_fits_into_it(
    run_process: Run, small_disk: Callable[[str], SmallDisk]
) -> None:
    disk = small_disk("64k")

    full = run_process("load", "--json", env={"TMPDIR": str(disk.folder)})

    found = errors(full.stdout)
    assert full.returncode == 5
    assert set(found) == {"azure_billing None", "aws_billing 2025-10"}
    assert (
        "2025-10 of azure_billing are loaded, but the ledger could not be written: there is"
        in (found["azure_billing None"])
    )
    assert "cur-hourly-00001.csv.gz cannot be unpacked: there is" in found["aws_billing 2025-10"]
    assert " are needed" in found["aws_billing 2025-10"]
    for message in found.values():
        assert f"{NO_ROOM} {disk.folder}" in message
        assert "name a folder on another disk in TMPDIR" in message
    assert list(disk.folder.iterdir()) == []
    assert run_process("load", "-q").returncode == 0


@pytest.mark.usefixtures("exports")
def test_a_file_that_may_not_grow_is_said_to_be_limited(tmp_path: Path) -> None:
    # The process limits itself: a function that ran between fork and exec would run in a copy of
    # this process, whose threads (those of gRPC) do not live there.
    limited = (
        "import os, resource, sys;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000));"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    cloudbill = str(Path(sys.executable).parent / "cloudbill")
    done = subprocess.run(
        [sys.executable, "-c", limited, cloudbill, "load", "azure", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 5
    (message,) = errors(done.stdout).values()
    assert f"a file in {tmp_path} may not grow any more, by a limit of this process" in message


@pytest.mark.usefixtures("exports")
def test_an_export_leaves_no_part_of_a_file(
    run: Run, small_disk: Callable[[str], SmallDisk]
) -> None:
    assert run("load").returncode == 0
    disk = small_disk("48k")
    for form in ("parquet", "csv", "duckdb"):
        done = run("export", "--format", form, "-o", str(disk.folder / f"out.{form}"))
        assert done.returncode == 2
        assert NO_ROOM in done.stderr
        assert "--output" in done.stderr
        assert [file for file in disk.folder.rglob("*") if file.is_file()] == []
