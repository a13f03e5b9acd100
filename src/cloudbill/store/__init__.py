"""Where exports lie: a folder, or a bucket on gs://, s3:// or az://; read only.

Paths are keys relative to the bucket or folder, with `/` between folders. Every foreign error is
mapped here, once.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from cloudbill.errors import ConfigError, PartMissingError, StoreError
from cloudbill.models import StoredObject
from cloudbill.retrying import Patience
from cloudbill.store.client import StoreClient, TruncatedError, mapped

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LocalStore", "RemoteStore", "Store", "open_store"]

_TITLES: Final[Mapping[str, str]] = {
    "file": "disk",
    "gs": "GCS",
    "s3": "S3",
    "az": "Azure Blob Storage",
}
# Other spellings that users of these stores know.
_SCHEMES: Final[Mapping[str, str]] = {"gcs": "gs", "s3a": "s3", "abfs": "az", "abfss": "az"}
# A password or a token before an @, or a query string such as a shared access signature.
_CREDENTIALS: Final = re.compile(r":[^/]*@|[?&]")
_LISTING_STRETCH: Final = 15.0
"""A listing has as many requests as pages, so it may take so many times longer than a read."""
# "Objects: list": no page has more.
_PAGE: Final = 1000
# What fsspec's implementations call the time of an object.
_MODIFIED_KEYS: Final = ("mtime", "updated", "LastModified", "last_modified")
# What tells two objects of one name apart: GCS counts them, S3 and Azure tag them.
_VERSION_KEYS: Final = ("generation", "ETag", "etag")


class Store(Protocol):
    """Reads objects; implementations raise `StoreError` and nothing else on purpose."""

    scheme: str
    """`file`, `gs`, `s3` or `az`."""
    address: str
    """The bucket or folder, for messages."""

    @property
    def title(self) -> str:
        """What people call the store: `GCS`."""

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Every object below a folder, which ends in `/` or is empty."""

    def read(self, path: str) -> bytes:
        """A whole object.

        Raises:
            PartMissingError: If it is not there.
            StoreError: If it cannot be read.
        """

    def read_head(self, path: str, length: int) -> bytes:
        """The first `length` bytes of an object, or all of it where it is shorter.

        Raises:
            PartMissingError: If it is not there.
            StoreError: If it cannot be read.
        """

    def read_tail(self, path: str, length: int) -> bytes:
        """The last `length` bytes of an object, or all of it where it is shorter.

        Raises:
            PartMissingError: If it is not there.
            StoreError: If it cannot be read.
        """

    def download(self, path: str, target: Path) -> None:
        """Copies an object to a local file.

        Raises:
            PartMissingError: If it is not there.
            StoreError: If it cannot be read.
        """

    def local_path(self, path: str) -> Path | None:
        """The local file of an object, or None where the store is remote."""

    def uri(self, path: str) -> str:
        """The address of an object as a warehouse reads it."""


def open_store(bucket: str, *, sections: tuple[str, ...], retry_for_s: float = 240.0) -> Store:
    """Opens a bucket name (then `gs://`), a URL, or a path, which starts with `/` or `.`.

    `sections` says where dlt looks for credentials, such as `("sources", "azure_billing")`;
    `retry_for_s` how long a request is tried again that fails for now.

    Raises:
        ConfigError: If the scheme is unknown or its client is not installed.
    """
    if bucket.startswith(("/", ".", "~")):
        return LocalStore(Path(bucket).expanduser())
    url = bucket if "://" in bucket else f"gs://{bucket}"
    scheme, _, rest = url.partition("://")
    scheme = _SCHEMES.get(scheme.lower(), scheme.lower())
    if scheme == "file":
        return LocalStore(Path(rest))
    if scheme not in _TITLES:
        known = ", ".join(f"{scheme}://" for scheme in _TITLES)
        raise ConfigError(f"'{bucket}' is in no known store; 'bucket' starts with one of {known}")
    if not rest.strip("/"):
        raise ConfigError(f"'{bucket}' names no bucket")
    if _CREDENTIALS.search(rest):
        raise ConfigError(
            "'bucket' holds credentials, which would stand in logs and errors; put them into "
            f".dlt/secrets.toml, [{'.'.join(sections)}.credentials]"
        )
    client = StoreClient.open(scheme, rest, sections=sections, patience=Patience(retry_for_s))
    return RemoteStore(client, scheme=scheme, bucket=rest)


class LocalStore:
    """A folder on disk."""

    scheme = "file"
    title = _TITLES["file"]

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self.address = str(folder)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Every file below a folder; links to folders are not followed."""
        if not self._folder.is_dir():
            raise StoreError(f"There is no folder {self._folder}; check 'bucket'")
        _require_inside(prefix)
        top = str(self._folder / prefix)
        cut = len(str(self._folder / "x")) - 1
        for file in _files_below(top):
            with mapped(file.path):
                try:
                    status = file.stat()
                except OSError:
                    if not Path(file).exists():
                        continue  # it went since the folder was read, or is a link to nothing
                    raise
                yield StoredObject(
                    path=file.path[cut:].replace(os.sep, "/"),
                    size=status.st_size,
                    modified_at=datetime.fromtimestamp(status.st_mtime, UTC),
                )

    def read(self, path: str) -> bytes:
        """A whole file."""
        with mapped(path):
            return self._file(path).read_bytes()

    def read_head(self, path: str, length: int) -> bytes:
        """The beginning of a file."""
        with mapped(path), self._file(path).open("rb") as file:
            return file.read(length)

    def read_tail(self, path: str, length: int) -> bytes:
        """The end of a file."""
        with mapped(path), self._file(path).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - length))
            return file.read(length)

    def download(self, path: str, target: Path) -> None:
        """Copies a file."""
        with mapped(path):
            target.write_bytes(self._file(path).read_bytes())

    def local_path(self, path: str) -> Path | None:
        """The file itself."""
        return self._file(path)

    def uri(self, path: str) -> str:
        """The absolute path."""
        return str(self._file(path))

    def _file(self, path: str) -> Path:
        _require_inside(path)
        return self._folder / path


class RemoteStore:
    """A bucket, read through fsspec."""

    def __init__(self, client: StoreClient, *, scheme: str, bucket: str) -> None:
        self._client = client
        self._sizes: dict[str, int] = {}
        self.scheme = scheme
        self._bucket = bucket.strip("/")
        self.address = f"{scheme}://{self._bucket}"

    @property
    def title(self) -> str:
        """What people call the store."""
        return _TITLES[self.scheme]

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Every object below a folder, by as many requests as there are pages."""
        key = self._key(prefix)
        find = self._pages if self.scheme == "gs" else self._find
        try:
            found = find(key)
        except PartMissingError as error:
            # A folder that is not there is an empty listing, so this is the bucket.
            raise StoreError(f"There is no bucket {self.address}; check 'bucket'") from error
        cut = len(self._bucket_of_keys) + 1
        for name, info in found:
            if info.get("type", "file") == "file" and not name.endswith("/"):
                path, size = name[cut:], int(info.get("size", 0))
                self._sizes[path] = size
                yield StoredObject(
                    path=path,
                    size=size,
                    modified_at=_modified_at(info),
                    version=next((str(info[key]) for key in _VERSION_KEYS if info.get(key)), None),
                )

    def _find(self, key: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
        async def find() -> Mapping[str, Mapping[str, Any]]:
            found: Mapping[str, Mapping[str, Any]]
            found = await self._client.filesystem._find(key, detail=True)  # noqa: SLF001
            return found

        address = f"{self.scheme}://{key}"
        return self._client.call(address, find, stretch=_LISTING_STRETCH).items()

    def _pages(self, key: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
        """As `_find`, but with no more than is needed of each object, and one deadline for a page.

        gcsfs asks for all that there is to know of each object, asks once more where there is
        none, and makes an index of the folders. A bucket has objects alone, with or without a
        hierarchical namespace.
        """
        bucket, _, prefix = key.partition("/")
        found: list[tuple[str, Mapping[str, Any]]] = []
        token: str | None = None
        while True:
            page = self._page(bucket, prefix, token)
            found += [(f"{bucket}/{info['name']}", info) for info in page.get("items", ())]
            token = page.get("nextPageToken")
            if not token:
                return found

    def _page(self, bucket: str, prefix: str, token: str | None) -> Mapping[str, Any]:
        async def ask() -> Mapping[str, Any]:
            page: Mapping[str, Any] = await self._client.filesystem._call(  # noqa: SLF001
                "GET",
                "b/{}/o",
                bucket,
                json_out=True,
                prefix=prefix or None,
                pageToken=token,
                maxResults=_PAGE,
                fields="nextPageToken,items(name,size,updated,generation)",
            )
            return page

        return self._client.call(f"{self.scheme}://{bucket}/{prefix}", ask)

    def read(self, path: str) -> bytes:
        """A whole object, by one request."""
        return self._read(path, self._size(path))

    def read_head(self, path: str, length: int) -> bytes:
        """The beginning of an object, by one request."""
        try:
            return self._read(path, length, start=0, end=length)
        except PartMissingError:
            raise
        except StoreError:
            # RFC 9110, 15.5.17: an empty object has no range that could be given (status 416).
            if self._size(path) > 0:
                raise
            return b""

    def read_tail(self, path: str, length: int) -> bytes:
        """The end of an object, by one request."""
        if self.scheme == "az":
            # Azure knows no ranges that count from the end.
            return self._read(path, length, start=max(0, self._size(path) - length))
        return self._read(path, length, start=-length)

    def _read(self, path: str, length: int, **span: int) -> bytes:
        key = self._key(path)

        async def cat() -> bytes:
            content = bytes(await self._client.filesystem._cat_file(key, **span))  # noqa: SLF001
            await self._check_length(path, len(content), length)
            return content

        return self._client.call(self.uri(path), cat, stretch=self._client.stretch(length))

    def download(self, path: str, target: Path) -> None:
        """Copies an object to a local file."""
        key, size = self._key(path), self._size(path)

        async def get() -> None:
            await self._client.filesystem._get_file(key, str(target))  # noqa: SLF001
            length = await asyncio.to_thread(target.stat)
            await self._check_length(path, length.st_size, size)

        self._client.call(self.uri(path), get, stretch=self._client.stretch(size))

    async def _check_length(self, path: str, got: int, wanted: int) -> None:
        """Compares the bytes that came with those that were listed, or are there by now."""
        if got >= min(wanted, self._sizes.get(path, 0)):
            return
        size = await self._ask_size(path)
        if got < min(wanted, size):
            raise TruncatedError(f"{got} of {min(wanted, size)} bytes came")

    def _size(self, path: str) -> int:
        """The bytes of an object as it was listed, or as it is."""
        if path not in self._sizes:

            async def ask() -> int:
                return await self._ask_size(path)

            return self._client.call(self.uri(path), ask)
        return self._sizes[path]

    async def _ask_size(self, path: str) -> int:
        info = await self._client.filesystem._info(self._key(path))  # noqa: SLF001
        self._sizes[path] = int(info["size"])
        return self._sizes[path]

    def local_path(self, path: str) -> Path | None:  # noqa: ARG002
        """None: the store is remote."""
        return None

    def uri(self, path: str) -> str:
        """The URL of an object."""
        return f"{self.address}/{path}"

    @property
    def _bucket_of_keys(self) -> str:
        # az://container@account.host is opened as the container alone.
        return self._bucket.partition("@")[0]

    def _key(self, path: str) -> str:
        _require_inside(path)
        return f"{self._bucket_of_keys}/{path}"


def _require_inside(path: str) -> None:
    """Refuses a path that may lead out of the bucket or folder, whoever made it up."""
    if path.startswith("/") or "\0" in path or {".", ".."} & {*path.split("/")}:
        raise StoreError(f"{path[:80]!r} is no path inside the store")


def _files_below(top: str) -> Iterator[os.DirEntry[str]]:
    """Every file and broken link; `os.walk` would ask the disk once more for each folder."""
    folders = [top]
    while folders:
        found: list[os.DirEntry[str]] = []
        try:
            with os.scandir(folders.pop()) as entries:
                found += entries
        except OSError as error:
            _raise_store_error(error)
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            elif not (entry.is_symlink() and Path(entry.path).is_dir()):
                yield entry


def _raise_store_error(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise StoreError(f"{error.filename} cannot be listed: {error.strerror}") from error


def _modified_at(info: Mapping[str, object]) -> datetime:
    value = next((info[key] for key in _MODIFIED_KEYS if info.get(key) is not None), None)
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, str):
        return datetime.fromisoformat(value).astimezone(UTC)
    raise StoreError(f"The store does not say when {info.get('name')} was written")
