"""The traceback of a fault is kept for whoever looks into it, and nothing else is given away."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from cloudbill.disk.fault_log import write_fault

SECRET = "AccountKey=c2VjcmV0c2VjcmV0c2VjcmV0"  # noqa: S105 - it is one that must not be kept


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder of cloudbill, which is not there yet."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "cloudbill"


def fault(text: str = "boom") -> Exception:
    """An error that was raised somewhere."""
    with pytest.raises(KeyError) as caught:
        raise KeyError(text)
    return caught.value


def test_it_has_the_traceback_and_the_versions_and_is_for_this_user_alone(folder: Path) -> None:
    file = write_fault(fault())

    assert file == folder / "faults.log"
    text = file.read_text()
    assert text.startswith("=== ")
    assert "Python 3." in text.splitlines()[0]
    assert "Traceback (most recent call last):" in text
    assert text.rstrip().endswith("KeyError: 'boom'")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_it_has_no_secret(folder: Path) -> None:
    write_fault(fault(f"cannot sign with {SECRET};"))

    text = (folder / "faults.log").read_text()
    assert "c2VjcmV0" not in text
    assert "[redacted]" in text


def test_a_second_fault_is_added_and_a_file_that_others_may_read_becomes_private(
    folder: Path,
) -> None:
    write_fault(fault("first"))
    (folder / "faults.log").chmod(0o644)
    write_fault(fault("second"))

    text = (folder / "faults.log").read_text()
    assert text.index("first") < text.index("second")
    assert stat.S_IMODE((folder / "faults.log").stat().st_mode) == 0o600


def test_it_does_not_grow_without_end(folder: Path) -> None:
    for _ in range(25):
        write_fault(fault("x" * 300_000))

    sizes = {file.name: file.stat().st_size for file in folder.iterdir()}
    assert set(sizes) == {"faults.log", "faults.log.1"}
    assert max(sizes.values()) <= 1_000_000


@pytest.mark.parametrize("kind", ["link", "pipe", "file in the place of the folder"])
def test_nothing_is_written_through_what_others_put_there(
    folder: Path, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "mine").write_text("mine")
    if kind == "file in the place of the folder":
        folder.parent.mkdir()
        folder.write_text("mine")
    else:
        folder.mkdir(parents=True)
        if kind == "link":
            (folder / "faults.log").symlink_to(tmp_path / "mine")
        else:
            os.mkfifo(folder / "faults.log")

    assert write_fault(fault()) is None
    assert (tmp_path / "mine").read_text() == "mine"
