"""Stores: a folder, GCS and S3 give the same answers to the same questions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cloudbill.errors import PartMissingError, StoreError
from cloudbill.store import Store, open_store
from cloudbill.store.local import LocalStore
from cloudbill.store.remote import RemoteStore
from emulators.fault_proxy import FaultProxy

if TYPE_CHECKING:
    from emulators.gcs import GcsEmulator
    from emulators.s3 import S3Emulator

# Clients of buckets are configured by dlt.
pytestmark = pytest.mark.usefixtures("own_dlt")
SECTIONS = ("sources", "azure_billing")
OBJECTS = {
    "a b/x:y/digits.txt": b"0123456789",
    "a b/x:y/empty": b"",
    "a b/deep/er/one": b"1",
    "a b2/beside": b"2",
    "ü/é+%41.csv": b"3",
    "top": b"4",
}


@dataclass(frozen=True, slots=True)
class Filled:
    """A store that holds `OBJECTS`, its address, and a way to open it under another name."""

    store: Store
    address: str
    reopen: Callable[[str], Store]


def fill_folder(folder: Path) -> Filled:
    """A folder on disk."""
    for path, content in OBJECTS.items():
        (folder / "exports" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "exports" / path).write_bytes(content)

    def reopen(name: str) -> Store:
        return open_store(str(folder / name), sections=SECTIONS)

    return Filled(reopen("exports"), str(folder / "exports"), reopen)


def fill_bucket(server: GcsEmulator | S3Emulator, scheme: str) -> Filled:
    """A bucket of an emulated cloud."""
    server.create_bucket("exports")
    for path, content in OBJECTS.items():
        server.put("exports", path, content)

    def reopen(name: str) -> Store:
        return open_store(f"{scheme}://{name}", sections=SECTIONS)

    return Filled(reopen("exports"), f"{scheme}://exports", reopen)


@pytest.fixture(params=["folder", "gs", "s3"])
def filled(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Filled:
    """Each kind of store."""
    if request.param == "folder":
        return fill_folder(tmp_path)
    if request.param == "gs":
        gcs: GcsEmulator = request.getfixturevalue("gcs")
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs.url)
        monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
        return fill_bucket(gcs, "gs")
    s3: S3Emulator = request.getfixturevalue("s3")
    use_s3(s3, monkeypatch)
    return fill_bucket(s3, "s3")


def use_s3(s3: S3Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives the source the credentials of the emulator."""
    credentials = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "REGION_NAME": "us-east-1",
        "ENDPOINT_URL": s3.url,
    }
    for name, value in credentials.items():
        monkeypatch.setenv(f"SOURCES__AZURE_BILLING__CREDENTIALS__{name}", value)


class TestAnyStore:
    @pytest.mark.parametrize(
        ("prefix", "paths"),
        [
            ("", set(OBJECTS)),
            ("a b/", {"a b/x:y/digits.txt", "a b/x:y/empty", "a b/deep/er/one"}),
            ("a b/x:y/", {"a b/x:y/digits.txt", "a b/x:y/empty"}),
            ("ü/", {"ü/é+%41.csv"}),
            ("nothing/", set()),
        ],
        ids=["all", "space", "colon", "umlaut", "missing folder"],
    )
    def test_listing_shows_what_lies_below_a_folder(
        self, filled: Filled, prefix: str, paths: set[str]
    ) -> None:
        found = list(filled.store.list(prefix))

        assert len(found) == len(paths)
        assert {stored.path: stored.size for stored in found} == {
            path: len(OBJECTS[path]) for path in paths
        }
        for stored in found:
            assert stored.modified_at.tzinfo is UTC
            assert abs(datetime.now(UTC) - stored.modified_at) < timedelta(minutes=5)

    def test_objects_are_read_whole(self, filled: Filled) -> None:
        assert {path: filled.store.read(path) for path in OBJECTS} == OBJECTS

    @pytest.mark.parametrize(
        ("path", "length", "tail"),
        [
            ("a b/x:y/digits.txt", 4, b"6789"),
            ("a b/x:y/digits.txt", 10, b"0123456789"),
            ("a b/x:y/digits.txt", 100, b"0123456789"),
            ("a b/x:y/empty", 4, b""),
        ],
        ids=["shorter", "as long", "longer", "empty"],
    )
    def test_end_of_an_object(self, filled: Filled, path: str, length: int, tail: bytes) -> None:
        assert filled.store.read_tail(path, length) == tail

    @pytest.mark.parametrize(
        ("path", "length", "head"),
        [
            ("a b/x:y/digits.txt", 4, b"0123"),
            ("a b/x:y/digits.txt", 10, b"0123456789"),
            ("a b/x:y/digits.txt", 64, b"0123456789"),
            ("ü/é+%41.csv", 4, b"3"),
            ("a b/x:y/empty", 4, b""),
        ],
        ids=["part", "all", "longer than the object", "odd name", "empty object"],
    )
    def test_head_is_the_beginning_of_an_object(
        self, filled: Filled, path: str, length: int, head: bytes
    ) -> None:
        assert filled.store.read_head(path, length) == head

    def test_objects_are_downloaded(self, filled: Filled, tmp_path: Path) -> None:
        for index, (path, content) in enumerate(OBJECTS.items()):
            target = tmp_path / f"{index}"
            filled.store.download(path, target)
            assert target.read_bytes() == content

    @pytest.mark.parametrize(
        "ask",
        [
            lambda store, _: store.read("a b/gone"),
            lambda store, _: store.read_head("a b/gone", 4),
            lambda store, _: store.read_tail("a b/gone", 4),
            lambda store, folder: store.download("a b/gone", folder / "target"),
        ],
        ids=["read", "read the beginning", "read the end", "download"],
    )
    def test_object_that_is_gone_is_a_missing_part(
        self, filled: Filled, tmp_path: Path, ask: Callable[[Store, Path], object]
    ) -> None:
        with pytest.raises(PartMissingError, match=r"a b/gone does not exist; was it replaced"):
            ask(filled.store, tmp_path)

    def test_bucket_that_is_not_there_is_named(self, filled: Filled) -> None:
        missing = filled.reopen("missing")

        with pytest.raises(StoreError, match=r"^There is no .*missing; check 'bucket'$") as error:
            list(missing.list("a/"))

        assert not isinstance(error.value, PartMissingError)

    def test_addresses(self, filled: Filled) -> None:
        assert filled.store.address == filled.address
        assert filled.store.uri("a b/x:y/empty") == f"{filled.address}/a b/x:y/empty"
        assert (filled.store.local_path("top") is None) == isinstance(filled.store, RemoteStore)


class TestFolder:
    def test_file_is_found_where_it_lies(self, tmp_path: Path) -> None:
        filled = fill_folder(tmp_path)

        assert filled.store.local_path("top") == tmp_path / "exports" / "top"
        assert filled.store.title == "disk"

    def test_relative_folder_gives_absolute_addresses(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill_folder(tmp_path)
        monkeypatch.chdir(tmp_path)

        store = open_store("./exports", sections=SECTIONS)

        assert store.uri("top") == str(tmp_path / "exports" / "top")

    def test_file_that_is_no_folder_is_refused(self, tmp_path: Path) -> None:
        fill_folder(tmp_path)

        with pytest.raises(StoreError, match=r"^There is no folder .*top; check 'bucket'$"):
            list(LocalStore(tmp_path / "exports" / "top").list(""))

    def test_folder_is_no_object(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="is a folder, not a file"):
            fill_folder(tmp_path).store.read("a b")

    def test_link_to_a_folder_is_not_followed(self, tmp_path: Path) -> None:
        filled = fill_folder(tmp_path)
        (tmp_path / "exports" / "a b" / "loop").symlink_to(tmp_path / "exports")

        listed = list(filled.store.list(""))
        assert [stored.path for stored in listed if stored.fault] == ["a b/loop"]
        assert len(listed) == len(OBJECTS) + 1


NAMELESS = {
    "/report/x": b"first",
    "report/x": b"plain",
    "cur/1234//report/x": b"second, and longer",
    "cur/1234/report/x": b"other",
}


class TestFoldersWithoutANameOnS3:
    """Reports of AWS lie below them where their prefix ends in a slash, or where there is none."""

    @pytest.fixture
    def store(self, s3: S3Emulator, monkeypatch: pytest.MonkeyPatch) -> Store:
        use_s3(s3, monkeypatch)
        s3.create_bucket("bills")
        for path, content in NAMELESS.items():
            s3.put("bills", path, content)
        return open_store("s3://bills", sections=SECTIONS)

    @pytest.mark.parametrize(
        ("prefix", "paths"),
        [
            ("", set(NAMELESS)),
            ("/", {"/report/x"}),
            ("/report/", {"/report/x"}),
            ("report/", {"report/x"}),
            ("cur/1234//", {"cur/1234//report/x"}),
            ("cur/1234/", {"cur/1234//report/x", "cur/1234/report/x"}),
        ],
    )
    def test_they_are_listed_as_they_are(self, store: Store, prefix: str, paths: set[str]) -> None:
        assert {stored.path for stored in store.list(prefix)} == paths

    def test_what_is_in_them_is_read(self, store: Store, tmp_path: Path) -> None:
        for path, content in NAMELESS.items():
            assert store.read(path) == content
            assert store.read_head(path, 3) == content[:3]
            assert store.read_tail(path, 3) == content[-3:]
            store.download(path, tmp_path / "copy")
            assert (tmp_path / "copy").read_bytes() == content


class TestListingOnGs:
    @pytest.mark.parametrize(("objects", "pages"), [(0, 1), (1, 1), (25, 3)])
    def test_takes_one_request_a_page_with_no_more_than_is_needed(
        self, gcs: GcsEmulator, monkeypatch: pytest.MonkeyPatch, objects: int, pages: int
    ) -> None:
        monkeypatch.setattr("cloudbill.store.remote._PAGE", 10)
        gcs.create_bucket("bills")
        gcs.put("bills", "beside.txt", b"")
        names = [f"a folder/{index:02d}.txt" for index in range(objects)]
        for name in names:
            gcs.put("bills", name, b".")
        with FaultProxy(gcs.url) as proxy:
            monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxy.url)
            store = open_store("gs://bills", sections=("sources", "x"))
            found = list(store.list("a folder/"))
            asked = [seen for seen in proxy.log if seen.path == "/storage/v1/b/bills/o"]

        assert [stored.path for stored in found] == names
        assert {stored.size for stored in found} <= {1}
        assert all(stored.version for stored in found)
        assert len(asked) == pages
        assert all("fields=nextPageToken" in seen.query for seen in asked)
