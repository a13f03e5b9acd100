"""Lists one folder of a store at a time, because listing everything below it costs too much.

A company's bucket may have millions of objects; an export is a few of its folders.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from cloudbill.errors import PartMissingError, StoreError
from cloudbill.store import Store
from cloudbill.store.address import require_inside
from cloudbill.store.client import StoreClient
from cloudbill.store.faults import store_errors
from cloudbill.store.local import require_folder
from cloudbill.store.retrying import Patience

__all__ = ["Browser", "LocalBrowser", "RemoteBrowser", "open_browser"]

_LISTING_STRETCH: Final = 15.0
"""One folder may have many pages, and each page is a request."""


class Browser(Protocol):
    """Lists the folders of a store level by level."""

    def folders(self, prefix: str) -> tuple[str, ...]:
        """The names of the folders in a folder, which ends in `/` or is empty.

        Empty if there is no such folder.

        Raises:
            StoreError: If it cannot be listed.
        """


def open_browser(store: Store, *, sections: tuple[str, ...], retry_for_s: float) -> Browser:
    """Opens a store to list its folders, with the same credentials as the store.

    Raises:
        ConfigError: If its client is not installed or finds no credentials.
    """
    folder = store.local_path("")
    if folder is not None:
        return LocalBrowser(folder)
    bucket = store.address.removeprefix(f"{store.scheme}://")
    client = StoreClient.open(
        store.scheme, bucket, sections=sections, patience=Patience(retry_for_s)
    )
    return RemoteBrowser(client=client, address=store.address, bucket=bucket.partition("@")[0])


@dataclass(frozen=True, slots=True)
class LocalBrowser:
    """A folder on disk; links to folders are not followed."""

    folder: Path

    def folders(self, prefix: str) -> tuple[str, ...]:
        """The folders in a folder."""
        require_folder(self.folder)
        require_inside(prefix)
        place = self.folder / prefix
        with store_errors(str(place)):
            if not place.is_dir():
                return ()
            with os.scandir(place) as entries:
                return tuple(
                    sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteBrowser:
    """A bucket, by one request for each page of a folder."""

    client: StoreClient
    address: str
    bucket: str

    def folders(self, prefix: str) -> tuple[str, ...]:
        """The folders in a folder; on S3, one of them may have no name."""
        is_s3 = self.address.startswith("s3://")
        key = f"{self.bucket}/{prefix}" if is_s3 else f"{self.bucket}/{prefix}".rstrip("/")

        async def look() -> list[Mapping[str, Any]]:
            filesystem = self.client.filesystem
            found: list[Mapping[str, Any]]
            if is_s3:
                bucket, exact = filesystem._find_bucket_key(key)  # noqa: SLF001
                listed = filesystem._iterdir(bucket, delimiter="/", prefix=exact)  # noqa: SLF001
                found = [info async for info in listed]
            else:
                found = await filesystem._ls(key, detail=True)  # noqa: SLF001
            return found

        try:
            found = self.client.call(f"{self.address}/{prefix}", look, stretch=_LISTING_STRETCH)
        except PartMissingError as error:
            if not prefix:
                raise StoreError(f"There is no bucket {self.address}; check 'bucket'") from error
            return ()
        if is_s3:
            names = (
                str(entry["name"]).removeprefix(key)
                for entry in found
                if entry.get("type") == "directory"
            )
            return tuple(sorted({*names}))
        return tuple(sorted({*self._names(found, key)}))

    @staticmethod
    def _names(found: list[Mapping[str, Any]], key: str) -> Iterator[str]:
        for entry in found:
            name = str(entry["name"]).rstrip("/").removeprefix(f"{key}/")
            # A folder that was created by hand lists itself.
            if entry.get("type") == "directory" and name and "/" not in name:
                yield name
