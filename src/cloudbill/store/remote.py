"""A bucket on gs://, s3:// or az://, read through fsspec."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cloudbill.errors import PartMissingError, StoreError
from cloudbill.manifests import StoredObject
from cloudbill.store.address import Address, require_inside
from cloudbill.store.client import MAX_READ_BYTES, StoreClient
from cloudbill.store.faults import TruncatedError

if TYPE_CHECKING:
    from collections.abc import Mapping


__all__ = ["RemoteStore"]

_LISTING_STRETCH: Final = 15.0
"""A listing makes a request for each page, so it may take this many times longer than a read."""

# "Objects: list": the maximum of a page.
_PAGE: Final = 1000

# The names of an object's time in fsspec's implementations.
_MODIFIED_KEYS: Final = ("mtime", "updated", "LastModified", "last_modified")

# The version of an object: GCS has generation numbers, S3 and Azure have tags.
_VERSION_KEYS: Final = ("generation", "ETag", "etag")


class RemoteStore:
    """A bucket, read through fsspec."""

    def __init__(self, client: StoreClient, address: Address) -> None:
        self._client = client
        self._sizes: dict[str, int] = {}
        self.scheme = address.scheme
        self.title = address.title
        self._bucket = address.place.strip("/")
        self.address = f"{address.scheme}://{self._bucket}"

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Every object below a folder, with one request for each page."""
        key = self._key(prefix)
        find = {"gs": self._pages, "s3": self._objects}.get(self.scheme, self._find)
        try:
            found = find(key)
        except PartMissingError as error:
            # A missing folder gives an empty listing, so the bucket itself is missing.
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

    def _objects(self, key: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
        """As `_find`, but of the prefix as it is: s3fs would strip a slash at either end of it.

        A report of AWS whose prefix ends in a slash, or that has none, lies below a folder without
        a name: `cur/1234//report/`, `/report/`.
        """

        async def find() -> list[tuple[str, Mapping[str, Any]]]:
            filesystem = self._client.filesystem
            bucket, prefix = filesystem._find_bucket_key(key)  # noqa: SLF001
            found = filesystem._iterdir(bucket, delimiter="", prefix=prefix)  # noqa: SLF001
            return [(info["name"], info) async for info in found]

        return self._client.call(f"{self.scheme}://{key}", find, stretch=_LISTING_STRETCH)

    def _pages(self, key: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
        """Like gcsfs's `_find`, but with only the necessary fields, and a deadline for each page.

        gcsfs asks for every field of each object, makes one more request if there are no objects,
        and builds an index of folders. None of this is needed: a listing has only objects, with or
        without a hierarchical namespace.
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
        size = self._size(path)
        if size > MAX_READ_BYTES:
            raise StoreError(f"{self.uri(path)} has {size} bytes, not at most {MAX_READ_BYTES}")
        return self._read(path, size)

    def read_head(self, path: str, length: int) -> bytes:
        """The beginning of an object, by one request."""
        try:
            return self._read(path, length, start=0, end=length)
        except PartMissingError:
            raise
        except StoreError:
            # RFC 9110, 15.5.17: no range of an empty object is valid (status 416).
            if self._size(path) > 0:
                raise
            return b""

    def read_tail(self, path: str, length: int) -> bytes:
        """The end of an object, by one request."""
        if self.scheme == "az":
            # Azure has no ranges that count from the end.
            return self._read(path, length, start=max(0, self._size(path) - length))
        return self._read(path, length, start=-length)

    def _read(self, path: str, length: int, **span: int) -> bytes:
        key = self._key(path)

        async def cat() -> bytes:
            content = bytes(await self._client.filesystem._cat_file(key, **span))  # noqa: SLF001
            await self._require_length(path, len(content), length)
            return content

        return self._client.call(self.uri(path), cat, stretch=self._client.stretch(length))

    def download(self, path: str, target: Path) -> None:
        """Copies an object to a local file."""
        key, size = self._key(path), self._size(path)

        async def get() -> None:
            await self._client.filesystem._get_file(key, str(target))  # noqa: SLF001
            length = await asyncio.to_thread(target.stat)
            await self._require_length(path, length.st_size, size)

        self._client.call(self.uri(path), get, stretch=self._client.stretch(size))

    async def _require_length(self, path: str, got: int, wanted: int) -> None:
        """Compares the bytes that arrived with the listed size, or with the present one."""
        if got >= min(wanted, self._sizes.get(path, 0)):
            return
        size = await self._ask_size(path)
        if got < min(wanted, size):
            raise TruncatedError(f"{got} of {min(wanted, size)} bytes arrived")

    def _size(self, path: str) -> int:
        """The size of an object as it was listed, or as it is now."""
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
        # az://container@account.host is opened as only the container.
        return self._bucket.partition("@")[0]

    def _key(self, path: str) -> str:
        require_inside(path, is_key=True)
        return f"{self._bucket_of_keys}/{path}"


def _modified_at(info: Mapping[str, object]) -> datetime:
    value = next((info[key] for key in _MODIFIED_KEYS if info.get(key) is not None), None)
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, str):
        return datetime.fromisoformat(value).astimezone(UTC)
    raise StoreError(f"The store does not say when {info.get('name')} was written")
