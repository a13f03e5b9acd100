"""What a killed process left is removed, and nothing that anybody else made."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cloudbill.disk.spool import clear_spool, spool_folder

PROGRAM = """
import sys, time
from cloudbill.disk.spool import spool_folder
with spool_folder() as folder:
    (folder / "part").write_bytes(b"rows")
    print(folder, flush=True)
    time.sleep(60)
"""
OURS = "cloudbill-123-0123456789ab"


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def names(folder: Path) -> list[str]:
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_the_folder_of_a_process_is_removed_once_it_was_killed_and_not_before(
    temporary: Path,
) -> None:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())

    clear_spool()
    assert (folder / "part").read_bytes() == b"rows"

    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert names(temporary) == [folder.name, f"{folder.name}.lock"]
    clear_spool()
    assert names(temporary) == []


def test_a_lock_without_a_folder_is_removed(temporary: Path) -> None:
    (temporary / f"{OURS}.lock").touch()

    clear_spool()

    assert names(temporary) == []


@pytest.mark.parametrize(
    "name",
    [
        "cloudbill-backup",
        "cloudbill-2025",
        "cloudbill-2025-october",
        "cloudbill-123-0123456789AB",
        "cloudbill-123-0123456789abc",
        "cloudbill--0123456789ab",
    ],
)
def test_a_folder_with_another_name_stays_though_a_lock_lies_beside_it(
    temporary: Path, name: str
) -> None:
    (temporary / name).mkdir()
    (temporary / name / "bill.csv").write_text("mine")
    (temporary / f"{name}.lock").touch()

    clear_spool()

    assert (temporary / name / "bill.csv").read_text() == "mine"
    assert (temporary / f"{name}.lock").exists()


def test_no_link_is_followed(temporary: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "bill.csv").write_text("mine")
    (temporary / f"{OURS}.lock").touch()
    (temporary / OURS).symlink_to(own)
    other = "cloudbill-124-0123456789ab"
    (temporary / f"{other}.lock").symlink_to(own / "bill.csv")
    (temporary / other).mkdir()

    clear_spool()

    assert (own / "bill.csv").read_text() == "mine"
    assert names(temporary) == sorted([OURS, f"{OURS}.lock", other, f"{other}.lock"])


def test_a_pipe_that_is_called_as_a_lock_is_no_reason_to_wait(temporary: Path) -> None:
    os.mkfifo(temporary / f"{OURS}.lock")
    (temporary / OURS).mkdir()

    clear_spool()

    assert names(temporary) == [OURS, f"{OURS}.lock"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files to others")
def test_the_folder_of_another_user_stays(temporary: Path) -> None:
    (temporary / f"{OURS}.lock").touch()
    (temporary / OURS).mkdir()
    os.chown(temporary / OURS, 65534, 65534)

    clear_spool()

    assert names(temporary) == [OURS, f"{OURS}.lock"]


def test_a_folder_is_gone_at_its_end(temporary: Path) -> None:
    with spool_folder() as folder:
        (folder / "part").touch()
        assert names(temporary) == [folder.name, f"{folder.name}.lock"]
    assert names(temporary) == []
