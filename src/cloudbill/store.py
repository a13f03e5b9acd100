"""Where exports lie: a folder, or a bucket on gs://, s3:// or az://; read only.

Paths are keys relative to the bucket or folder, with `/` between folders. Every foreign error is
mapped here, once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from cloudbill.errors import ConfigError, PartMissingError, StoreError
from cloudbill.models import StoredObject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fsspec import AbstractFileSystem

__all__ = ["LocalStore", "RemoteStore", "Store", "open_store"]

_TITLES: Final[Mapping[str, str]] = {
    "file": "disk",
    "gs": "GCS",
    "s3": "S3",
    "az": "Azure Blob Storage",
}
# Other spellings that users of these stores know.
_SCHEMES: Final[Mapping[str, str]] = {"gcs": "gs", "s3a": "s3", "abfs": "az", "abfss": "az"}
# What fsspec's implementations call the time of an object.
_MODIFIED_KEYS: Final = ("mtime", "updated", "LastModified", "last_modified")


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


def open_store(bucket: str, *, sections: tuple[str, ...]) -> Store:
    """Opens a bucket name (then `gs://`), a URL, or a path, which starts with `/` or `.`.

    `sections` says where dlt looks for credentials, such as `("sources", "azure_billing")`.

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
    filesystem = _open_filesystem(scheme, rest, sections)
    return RemoteStore(filesystem, scheme=scheme, bucket=rest, errors=_client_errors(scheme))


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
        for folder, _, names in os.walk(self._folder / prefix, onerror=_raise_store_error):
            for name in names:
                file = Path(folder, name)
                with _mapped(str(file)):
                    status = file.stat()
                yield StoredObject(
                    path=file.relative_to(self._folder).as_posix(),
                    size=status.st_size,
                    modified_at=datetime.fromtimestamp(status.st_mtime, UTC),
                )

    def read(self, path: str) -> bytes:
        """A whole file."""
        with _mapped(path):
            return self._file(path).read_bytes()

    def read_tail(self, path: str, length: int) -> bytes:
        """The end of a file."""
        with _mapped(path), self._file(path).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - length))
            return file.read(length)

    def download(self, path: str, target: Path) -> None:
        """Copies a file."""
        with _mapped(path):
            target.write_bytes(self._file(path).read_bytes())

    def local_path(self, path: str) -> Path | None:
        """The file itself."""
        return self._file(path)

    def uri(self, path: str) -> str:
        """The absolute path."""
        return str(self._file(path))

    def _file(self, path: str) -> Path:
        return self._folder / path


class RemoteStore:
    """A bucket, read through fsspec."""

    def __init__(
        self,
        filesystem: AbstractFileSystem,
        *,
        scheme: str,
        bucket: str,
        errors: tuple[type[Exception], ...],
    ) -> None:
        self._filesystem = filesystem
        self._errors = errors
        self.scheme = scheme
        self._bucket = bucket.strip("/")
        self.address = f"{scheme}://{self._bucket}"

    @property
    def title(self) -> str:
        """What people call the store."""
        return _TITLES[self.scheme]

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Every object below a folder, by as many requests as there are pages."""
        try:
            with _mapped(f"{self.address}/{prefix}", *self._errors):
                found = self._filesystem.find(self._key(prefix), detail=True)
        except PartMissingError as error:
            # A folder that is not there is an empty listing, so this is the bucket.
            raise StoreError(f"There is no bucket {self.address}; check 'bucket'") from error
        cut = len(self._bucket_of_keys) + 1
        for key, info in found.items():
            if info.get("type", "file") == "file" and not key.endswith("/"):
                yield StoredObject(
                    path=key[cut:], size=int(info["size"]), modified_at=_modified_at(info)
                )

    def read(self, path: str) -> bytes:
        """A whole object, by one request."""
        with _mapped(self.uri(path), *self._errors):
            return bytes(self._filesystem.cat_file(self._key(path)))

    def read_tail(self, path: str, length: int) -> bytes:
        """The end of an object, by one request."""
        with _mapped(self.uri(path), *self._errors):
            return bytes(self._filesystem.cat_file(self._key(path), start=-length))

    def download(self, path: str, target: Path) -> None:
        """Copies an object to a local file."""
        with _mapped(self.uri(path), *self._errors):
            self._filesystem.get_file(self._key(path), str(target))

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
        return f"{self._bucket_of_keys}/{path}"


def _open_filesystem(scheme: str, bucket: str, sections: tuple[str, ...]) -> AbstractFileSystem:
    # gcsfs asks for the layout of each bucket over gRPC, which no emulator answers: 60 s a bucket.
    emulator = os.environ.get("STORAGE_EMULATOR_HOST") if scheme == "gs" else None
    if emulator:
        os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    # Imported late: dlt and the clients take a second each.
    from dlt.common.configuration import resolve_configuration
    from dlt.common.configuration.exceptions import ConfigurationException
    from dlt.common.exceptions import MissingDependencyException
    from dlt.common.storages.configuration import FilesystemConfiguration
    from dlt.common.storages.fsspec_filesystem import fsspec_from_config

    try:
        if emulator:
            from gcsfs import GCSFileSystem

            options = {"token": "anon", "endpoint_url": emulator, "use_listings_cache": False}
            return GCSFileSystem(**options)
        config = resolve_configuration(
            FilesystemConfiguration(bucket_url=f"{scheme}://{bucket}"), sections=sections
        )
        return fsspec_from_config(config)[0]
    except (ImportError, MissingDependencyException) as error:
        hint = f"pip install 'cloudbill[{scheme}]'"
        raise ConfigError(f"Reading {scheme}:// needs a client; install it: {hint}") from error
    except ConfigurationException as error:
        raise ConfigError(f"No credentials for {scheme}://{bucket}: {error}") from error


def _client_errors(scheme: str) -> tuple[type[Exception], ...]:
    """What the client of a store raises beside OSError; they share no base class."""
    if scheme == "gs":
        from aiohttp import ClientError
        from gcsfs.retry import HttpError
        from google.auth.exceptions import GoogleAuthError

        return ClientError, HttpError, GoogleAuthError
    if scheme == "s3":
        from botocore import exceptions

        return exceptions.BotoCoreError, exceptions.ClientError
    from azure.core.exceptions import AzureError

    return (AzureError,)


@contextmanager
def _mapped(address: str, *client_errors: type[Exception]) -> Iterator[None]:
    """Maps what the clients raise to `StoreError`, with the address and what to do."""
    mapped: tuple[type[Exception], ...] = (OSError, *client_errors)
    try:
        yield
    except FileNotFoundError as error:
        raise PartMissingError(f"There is no {address}; was it replaced meanwhile?") from error
    except PermissionError as error:
        hint = "the credentials need the right to list and read objects there"
        raise StoreError(f"No permission to read {address}: {hint}") from error
    except mapped as error:
        raise StoreError(f"{address} cannot be read: {error}") from error


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
