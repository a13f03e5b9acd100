"""Where exports are: a folder, or a bucket on gs://, s3:// or az://; read only.

Paths are keys relative to the bucket or folder, with `/` between folders. Every error of a client
becomes an error of ours here, once.

Pure: address, credentials.
May import: disk, text.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from cloudbill.errors import ConfigError
from cloudbill.manifests import StoredObject
from cloudbill.store.address import parse_address
from cloudbill.store.client import StoreClient
from cloudbill.store.local import LocalStore
from cloudbill.store.remote import RemoteStore
from cloudbill.store.retrying import Patience

__all__ = ["Store", "open_store"]


class Store(Protocol):
    """Reads objects; implementations raise only `StoreError` on purpose."""

    scheme: str
    """`file`, `gs`, `s3` or `az`."""
    address: str
    """The bucket or folder, for messages."""

    @property
    def title(self) -> str:
        """The name of the store for people: `GCS`."""

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Every object below a folder, which ends in `/` or is empty."""

    def read(self, path: str) -> bytes:
        """A whole object.

        Raises:
            PartMissingError: If it is not there.
            StoreError: If it cannot be read.
        """

    def read_head(self, path: str, length: int) -> bytes:
        """The first `length` bytes of an object, or all of a shorter one.

        Raises:
            PartMissingError: If it is not there.
            StoreError: If it cannot be read.
        """

    def read_tail(self, path: str, length: int) -> bytes:
        """The last `length` bytes of an object, or all of a shorter one.

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
        """The local file of an object, or None if the store is remote."""

    def uri(self, path: str) -> str:
        """The address of an object for a warehouse."""


def open_store(bucket: str, *, sections: tuple[str, ...], retry_for_s: float = 240.0) -> Store:
    """Opens a bucket name (then `gs://`), a URL, or a path, as `parse_address` reads it.

    `sections` says where dlt looks for credentials, such as `("sources", "azure_billing")`;
    `retry_for_s` says how long a failing request is tried again.

    Raises:
        ConfigError: If the scheme is unknown or its client is not installed.
    """
    address = parse_address(bucket, section=".".join(sections))
    if address.scheme == "file":
        return LocalStore(_folder_of(address.place))
    client = StoreClient.open(
        address.scheme, address.place, sections=sections, patience=Patience(retry_for_s)
    )
    return RemoteStore(client, address)


def _folder_of(place: str) -> Path:
    try:
        return Path(place).expanduser()
    except RuntimeError as error:
        raise ConfigError(
            f"'bucket' is {place}, and its ~ is the home of nobody here; write the path in full"
        ) from error
