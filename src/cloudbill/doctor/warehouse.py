"""Checks the warehouse of a source, of either kind; changes nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from cloudbill.doctor.check import Check
from cloudbill.doctor.machine import unwritable
from cloudbill.sql import DUCKDB, duckdb_text
from cloudbill.text.sizes import shown_size

if TYPE_CHECKING:
    from cloudbill.manifests import Manifest
    from cloudbill.settings import SourceSettings
    from cloudbill.store import Store

__all__ = ["check_warehouse"]


def check_warehouse(
    settings: SourceSettings,
    bucket_location: str | None,
    newest: tuple[Store, Manifest] | None = None,
) -> Iterator[Check]:
    """Checks the DuckDB file, or the project, the dataset and the table of BigQuery.

    `newest` is the newest run and its store, or None where there is none.

    Raises:
        CloudbillError: If it cannot be opened.
    """
    if settings.project_id is None:
        yield _check_file(settings)
        if settings.database.is_file():
            yield _check_storage(settings)
        return
    # Imported here, because the client takes a second and need not be installed.
    from cloudbill.doctor.bigquery import check_bigquery
    from cloudbill.warehouses.bigquery.client import open_client

    with closing(open_client(settings.warehouse)) as client:
        yield from check_bigquery(client, settings, bucket_location, newest)


def _check_file(settings: SourceSettings) -> Check:
    subject, file = f"{settings.source}: database", settings.database
    if file.exists() and not file.is_file():
        return Check(
            subject=subject,
            found=f"{file} is no regular file",
            remedy="set 'database' to another file",
        )
    if file.exists() and not os.access(file, os.W_OK):
        return unwritable(subject, file)
    if file.exists():
        return Check(subject=subject, found=f"{file} has {shown_size(file.stat().st_size)}")
    return Check(subject=subject, found=f"{file} does not exist yet; the first load creates it")


def _check_storage(settings: SourceSettings) -> Check:
    """Which DuckDB can read the file; sources of one file say the same."""
    from cloudbill.warehouses.duckdb.warehouse import DuckDBWarehouse

    file, wanted = settings.database, settings.storage_version
    with closing(DuckDBWarehouse.open(settings.warehouse, read_only=True)) as warehouse:
        version = warehouse.storage_version
    number = version.removeprefix("v")
    found = f"storage version {version}: DuckDB {number} and newer can read it"
    if wanted == "latest" or _numbers(version) <= _numbers(wanted):
        return Check(subject=str(file), found=found)
    copy = DUCKDB.compose(
        "ATTACH {old} AS old (READ_ONLY); ATTACH {new} AS new (STORAGE_VERSION {version}); "
        "COPY FROM DATABASE old TO new",
        old=duckdb_text(str(file.absolute())),
        new=duckdb_text(f"{file.absolute()}.new"),
        version=duckdb_text(wanted),
    )
    return Check(
        subject=str(file),
        found=f"{found}; many BI drivers and command lines have an older DuckDB, and cannot",
        remedy=f"to have it as {wanted}, end what uses the file, run this in DuckDB {number}, such "
        "as the one in the Python of cloudbill, and give the new file the name of the old one: "
        f"{copy.text}",
        is_note=True,
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))
