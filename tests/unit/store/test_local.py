"""A folder on disk: only regular files are read, and only inside; nothing else is waited for."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudbill.errors import PartMissingError, StoreError
from cloudbill.exports.discovery import discover
from cloudbill.providers import aws_cur
from cloudbill.store.client import MAX_READ_BYTES
from cloudbill.store.folders import LocalBrowser
from cloudbill.store.local import LocalStore

pytestmark = pytest.mark.timeout(60)


def make_pipe(place: Path) -> None:
    os.mkfifo(place)


def make_socket(place: Path) -> None:
    # The name of a socket is short.
    here = Path.cwd()
    os.chdir(place.parent)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(place.name)
    finally:
        os.chdir(here)


def make_device(place: Path) -> None:
    place.symlink_to("/dev/zero")


def make_link_to_pipe(place: Path) -> None:
    os.mkfifo(place.parent / "pipe inside")
    place.symlink_to("pipe inside")


def make_link_outside(place: Path) -> None:
    outside = place.parents[len(place.parts) - 2] / "etc" / "passwd"
    assert outside.exists()
    place.symlink_to(outside)


def make_loop(place: Path) -> None:
    place.symlink_to(place.name)


def make_long_loop(place: Path) -> None:
    place.symlink_to("other end")
    (place.parent / "other end").symlink_to(place.name)


ODD: dict[str, tuple[Callable[[Path], None], str]] = {
    "pipe": (make_pipe, "is a named pipe, not a file, and is not read; remove it"),
    "socket": (make_socket, "is a socket, not a file, and is not read; remove it"),
    "device": (make_device, "leads out of {bucket}, to /dev/zero, and is not read; copy"),
    "link to a pipe": (make_link_to_pipe, "is a named pipe, not a file"),
    "link outside": (make_link_outside, "leads out of {bucket}, to /etc/passwd, and is not read"),
    "loop": (make_loop, "is a link that leads back to itself; put the file itself there"),
    "long loop": (make_long_loop, "is a link that leads back to itself"),
}


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    """A folder that is a store."""
    folder = tmp_path / "bucket"
    (folder / "a").mkdir(parents=True)
    return folder


@pytest.fixture(params=ODD)
def odd(request: pytest.FixtureRequest, bucket: Path) -> str:
    """What is no file of the store, as `a/odd`; gives what is said of it."""
    make, said = ODD[request.param]
    make(bucket / "a" / "odd")
    return said.format(bucket=bucket)


def test_it_is_listed_with_what_is_wrong_and_each_way_to_read_it_says_so(
    bucket: Path, odd: str, tmp_path: Path
) -> None:
    (bucket / "a" / "beside").write_bytes(b"1")
    store = LocalStore(bucket)
    listed = {stored.path: stored.fault for stored in store.list("")}

    assert listed["a/beside"] is None
    assert str(listed["a/odd"]).startswith(odd)
    for read in (
        store.read,
        lambda path: store.read_head(path, 10),
        lambda path: store.read_tail(path, 10),
        lambda path: store.download(path, tmp_path / "copy"),
        store.local_path,
    ):
        with pytest.raises(StoreError) as raised:
            read("a/odd")
        assert str(raised.value).startswith(f"{bucket}/a/odd {odd}")
    assert not (tmp_path / "copy").exists()


def test_it_is_read_no_other_way_by_a_store_that_listed_a_file_in_its_place(bucket: Path) -> None:
    store = LocalStore(bucket)
    (bucket / "a" / "odd").write_bytes(b"1")
    assert len(list(store.list(""))) == 1
    (bucket / "a" / "odd").unlink()
    os.mkfifo(bucket / "a" / "odd")

    with pytest.raises(StoreError, match="is a named pipe"):
        store.read("a/odd")


def test_links_inside_a_store_and_a_store_that_is_a_link_are_followed(bucket: Path) -> None:
    (bucket / "a" / "file").write_bytes(b"rows")
    (bucket / "a" / "link").symlink_to("../a/file")
    (bucket / "prefix").symlink_to("a")
    link = bucket.parent / "link to the bucket"
    link.symlink_to(bucket)
    for folder in (bucket, link):
        store = LocalStore(folder)
        for prefix in ("a/", "prefix/"):
            found = {stored.path: stored.fault for stored in store.list(prefix)}
            assert found == {f"{prefix}file": None, f"{prefix}link": None}
            assert {store.read(path) for path in found} == {b"rows"}
            assert all(store.local_path(path) for path in found)


def test_a_prefix_that_leads_out_of_the_store_shows_files_that_are_not_read(
    bucket: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").write_bytes(b"1")
    (bucket / "prefix").symlink_to(tmp_path / "elsewhere")

    (found,) = LocalStore(bucket).list("prefix/")

    assert str(found.fault).startswith(f"leads out of {bucket}, to {tmp_path}/elsewhere/file")
    with pytest.raises(StoreError, match="leads out of"):
        LocalStore(bucket).read("prefix/file")


def test_a_link_to_nothing_is_named_and_no_file(bucket: Path) -> None:
    (bucket / "a" / "link").symlink_to("nowhere")

    (listed,) = LocalStore(bucket).list("")
    assert str(listed.fault).startswith("is a link to a file that is not there")
    with pytest.raises(PartMissingError):
        LocalStore(bucket).read("a/link")


def test_a_file_that_is_too_large_to_be_read_whole_is_named(bucket: Path) -> None:
    with (bucket / "large").open("wb") as file:
        file.truncate(MAX_READ_BYTES + 1)  # takes no room on the disk

    with pytest.raises(StoreError, match=f"large has more than {MAX_READ_BYTES} bytes"):
        LocalStore(bucket).read("large")


def test_a_manifest_or_a_part_that_is_no_file_fails_alone_and_is_named(bucket: Path) -> None:
    from samples import write_aws

    write_aws(bucket, months=2, rows=40, seed=1)
    manifests = sorted(bucket.rglob("cur-hourly-Manifest.json"))
    parts = sorted(bucket.rglob("*.csv.gz"))
    for file in (manifests[1], parts[-1]):
        file.unlink()
        os.mkfifo(file)

    part = parts[-1].relative_to(bucket)

    found = discover(LocalStore(bucket), aws_cur, prefix="cur", export_name="cur-hourly")

    assert found.runs
    assert {str(failure.error).partition(" is a named pipe")[0] for failure in found.failures} >= {
        str(manifests[1].relative_to(bucket)),
        f"{part} (a part of {part.parent}/cur-hourly-Manifest.json)",
    }


@pytest.mark.parametrize("prefix", ["../", "a/../../", "/etc/"])
def test_a_search_for_exports_stays_inside(bucket: Path, prefix: str) -> None:
    with pytest.raises(StoreError, match="is not a path inside the store"):
        LocalBrowser(bucket).folders(prefix)


AS_NOBODY = """
import os, sys
from pathlib import Path
from cloudbill.errors import StoreError
from cloudbill.store.folders import LocalBrowser
from cloudbill.store.local import LocalStore
os.setgid(65534); os.setuid(65534)
for ask in (lambda: list(LocalStore(Path(sys.argv[1])).list("")),
            lambda: LocalBrowser(Path(sys.argv[1])).folders("")):
    try:
        ask()
    except StoreError as error:
        print(error)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root becomes another user")
@pytest.mark.parametrize("closed", ["bucket", "above"])
def test_a_folder_without_permission_is_named(tmp_path: Path, closed: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory(dir="/tmp") as home:
        Path(home).chmod(0o755)
        folder = Path(home) / "above" / "bucket"
        folder.mkdir(parents=True)
        (folder if closed == "bucket" else folder.parent).chmod(0o700)
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, str(folder)],
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
        )

    lines = done.stdout.splitlines()
    assert len(lines) == 2
    for line in lines:
        assert str(folder) in line
        assert "ermission" in line
