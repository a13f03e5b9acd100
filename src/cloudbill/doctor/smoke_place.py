"""Where the smoke test works: a dataset and a folder of a bucket, both its own."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from google.api_core import exceptions as api
from google.cloud import bigquery

from cloudbill.doctor.store import bucket_location
from cloudbill.errors import ConfigError, PartMissingError, StoreError
from cloudbill.providers import PROVIDERS
from cloudbill.settings import SourceSettings, read_source
from cloudbill.settings.names import read_project
from cloudbill.store.address import parse_address
from cloudbill.store.client import StoreClient
from cloudbill.store.remote import RemoteStore
from cloudbill.store.retrying import Patience
from cloudbill.warehouses.bigquery.client import PersistentClient, bigquery_errors

__all__ = ["Folder", "Place", "choose_place", "make_dataset", "remove_dataset"]

_MULTI_REGIONS: Final = frozenset({"EU", "US"})
_SECTION: Final = "azure_billing"
_SUFFIX: Final = re.compile(r"[0-9a-f]{10}", re.ASCII)
_LABELS: Final = {"made-by": "cloudbill-smoke-test"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The names of all that the smoke test makes; nothing else is written or removed."""

    project: str
    bucket: str
    location: str
    suffix: str
    other_bucket: str | None = None
    other_location: str | None = None

    @property
    def dataset(self) -> str:
        """The dataset, which is made for this run."""
        return f"cloudbill_smoke_{self.suffix}"

    @property
    def folder(self) -> str:
        """The folder in the bucket, and in the other one."""
        return f"cloudbill-smoke-{self.suffix}"

    def settings(self, name: str, export: str | None = None) -> SourceSettings:
        """A source of that name and table, made in memory; it reads the export of a name."""
        given = {
            "bucket": f"gs://{self.bucket}",
            "prefix": f"{self.folder}/{export or name}",
            "export_name": export or name,
            "table_name": f"bill_{name}",
            "project_id": self.project,
            "dataset": self.dataset,
            "location": self.location,
            # One month after the other, so that what is seen has an order.
            "parallel_loads": "1",
            "cache": "false",
        }
        return read_source(f"{_SECTION}.smoke_{name}", PROVIDERS["azure"], (), given)


def choose_place(
    *, project: str, bucket: str, other_bucket: str | None, location: str | None
) -> Place:
    """The place for a new run: names that nobody has, in the location of the bucket.

    Raises:
        ConfigError: If a name cannot be one, there is no such bucket, or its location is not shown.
    """
    read_project(project)
    names = [_bucket_name(one) for one in (bucket, other_bucket) if one is not None]
    where = location or _location_of(names[0])
    if where is None:
        raise ConfigError(
            f"The location of gs://{names[0]} is not shown: that needs storage.buckets.get, which "
            "roles/storage.legacyBucketReader has. Give the location with --location"
        )
    return Place(
        project=project,
        bucket=names[0],
        location=where,
        suffix=secrets.token_hex(5),
        other_bucket=names[1] if len(names) > 1 else None,
        other_location=_location_of(names[1]) if len(names) > 1 else None,
    )


def _bucket_name(given: str) -> str:
    address = parse_address(given)
    name = address.place.strip("/")
    if address.scheme != "gs" or "/" in name:
        raise ConfigError(f"'{given}' is not a bucket of Google Cloud; give its name alone")
    return name


def _location_of(bucket: str) -> str | None:
    """Where a bucket is, as datasets call it; None where that is not shown.

    Raises:
        ConfigError: If there is no such bucket.
    """
    try:
        location = bucket_location(_client_of(bucket), bucket)
    except PartMissingError as error:
        raise ConfigError(f"There is no bucket gs://{bucket}") from error
    except StoreError:  # reading it needs storage.buckets.get
        return None
    # Regions have small letters as locations of datasets, multi-regions capital ones.
    return (location if location in _MULTI_REGIONS else location.lower()) or None


def _client_of(bucket: str) -> StoreClient:
    return StoreClient.open("gs", bucket, sections=("sources", _SECTION), patience=Patience())


def make_dataset(client: PersistentClient, place: Place) -> None:
    """Makes the dataset.

    Raises:
        LoadError: If the account may not, or the location is none.
    """
    wanted = bigquery.Dataset(f"{place.project}.{place.dataset}")
    wanted.location = place.location
    wanted.labels = dict(_LABELS)
    with bigquery_errors(f"Making the dataset {place.dataset}"):
        client.create_dataset(wanted)


def remove_dataset(client: PersistentClient, place: Place) -> None:
    """Removes the dataset with all of its tables.

    Raises:
        LoadError: If it cannot be removed.
    """
    if not _SUFFIX.fullmatch(place.suffix):
        raise ConfigError(f"{place.dataset} is no dataset of a smoke test")
    reference = f"{place.project}.{place.dataset}"
    with bigquery_errors(f"Removing the dataset {place.dataset}"):
        try:
            client.delete_dataset(reference, delete_contents=True, not_found_ok=True)
        except api.NotFound:  # a job that was still running made a table meanwhile
            client.delete_dataset(reference, delete_contents=True, not_found_ok=True)


@contextmanager
def _writing(address: str) -> Iterator[None]:
    """Says of errors that they were met where an object is written or removed."""
    try:
        yield
    except StoreError as error:
        raise StoreError(
            f"{address} cannot be written or removed; the account needs roles/storage.objectUser "
            f"on the bucket ({error})"
        ) from error


class Folder:
    """The folder of the smoke test in one bucket."""

    def __init__(self, bucket: str, name: str) -> None:
        self.address = f"gs://{bucket}/{name}"
        self._client = _client_of(bucket)
        self._bucket = bucket
        self._name = name

    def put(self, name: str, content: bytes) -> str:
        """Writes an object, and gives its address.

        Raises:
            StoreError: If it cannot be written.
        """
        address = f"{self.address}/{name}"

        async def pipe() -> None:
            await self._client.filesystem._pipe_file(  # noqa: SLF001
                f"{self._bucket}/{self._name}/{name}", content
            )

        with _writing(address):
            self._client.call(address, pipe, stretch=self._client.stretch(len(content)))
        return address

    def put_tree(self, local: Path) -> None:
        """Writes every file below a folder; raises as `put` does."""
        for file in sorted(local.rglob("*")):
            if file.is_file():
                self.put(file.relative_to(local).as_posix(), file.read_bytes())

    def remove(self) -> int:
        """Removes every object of the folder, and gives how many there were.

        Raises:
            StoreError: If one cannot be removed.
        """
        removed = 0
        store = RemoteStore(self._client, parse_address(f"gs://{self._bucket}"))
        for found in list(store.list(f"{self._name}/")):
            self._remove(found.path)
            removed += 1
        return removed

    def _remove(self, key: str) -> None:
        if not key.startswith(f"{self._name}/"):
            raise StoreError(f"gs://{self._bucket}/{key} was not made by this smoke test")

        async def delete() -> Mapping[str, Any]:
            headers: Mapping[str, Any] = await self._client.filesystem._call(  # noqa: SLF001
                "DELETE", "b/{}/o/{}", self._bucket, key
            )
            return headers

        with _writing(f"gs://{self._bucket}/{key}"):
            self._client.call(f"gs://{self._bucket}/{key}", delete)
