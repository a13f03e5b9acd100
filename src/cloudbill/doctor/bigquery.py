"""Checks BigQuery: permissions, the dataset, its location, and the table; changes nothing.

Source: BigQuery, "Dry run".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from google.api_core import exceptions as api
from google.cloud import bigquery

from cloudbill.doctor.check import Check
from cloudbill.doctor.expirations import check_expirations
from cloudbill.doctor.layout import check_layout
from cloudbill.doctor.locations import check_location
from cloudbill.doctor.protection import check_protection
from cloudbill.doctor.rights import (
    check_creation,
    check_inherited_rights,
    check_missing_dataset,
    check_rights,
    refused_check,
)
from cloudbill.errors import LoadError
from cloudbill.warehouses.bigquery.client import PersistentClient, bigquery_errors
from cloudbill.warehouses.bigquery.dataset import Dataset

if TYPE_CHECKING:
    from cloudbill.manifests import Manifest
    from cloudbill.settings import SourceSettings
    from cloudbill.store import Store

__all__ = ["check_bigquery"]


def check_bigquery(
    client: PersistentClient,
    settings: SourceSettings,
    bucket_location: str | None,
    newest: tuple[Store, Manifest] | None = None,
) -> Iterator[Check]:
    """Checks the project, the dataset and the table, one after the other.

    `newest` is the newest run and its store, or None where there is none.
    """
    yield _check_jobs(client, settings)
    subject = f"{settings.source}: dataset"
    name = f"{settings.project_id}.{settings.dataset}"
    try:
        with bigquery_errors(f"Reading {name}"):
            dataset = client.get_dataset(name)
    except LoadError as error:
        if not isinstance(error.__cause__, api.NotFound):
            yield refused_check(subject, error, "roles/bigquery.dataEditor on the dataset")
            return
        yield check_missing_dataset(client, settings)
        yield check_location(settings, settings.location, bucket_location, exists=False)
        return
    yield Check(subject=subject, found=f"{name} exists, in {dataset.location}")
    yield check_location(settings, dataset.location, bucket_location, exists=True)
    yield check_creation(client, settings, dataset.location)
    yield from _check_table(client, settings, f"{name}.{settings.table_name}", newest)
    yield _check_ledger(client, settings)


def _check_ledger(client: PersistentClient, settings: SourceSettings) -> Check:
    """Whether the project takes the INSERT by which dlt writes the ledger; it inserts no row."""
    subject = f"{settings.source}: billing"
    try:
        is_known = Dataset(client, settings.warehouse).require_inserts()
    except LoadError as error:
        return refused_check(subject, error, "roles/bigquery.dataEditor on the dataset")
    if not is_known:
        return Check(
            subject=subject, found="the ledger does not exist yet; the first load writes it"
        )
    return Check(subject=subject, found=f"{settings.project_id} takes the INSERT of the ledger")


def _check_jobs(client: PersistentClient, settings: SourceSettings) -> Check:
    subject = f"{settings.source}: project"
    config = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False)
    try:
        with bigquery_errors(f"A dry run of a query in {settings.project_id}"):
            client.query("SELECT 1", job_config=config)
    except LoadError as error:
        return refused_check(subject, error, "roles/bigquery.jobUser on the project")
    return Check(subject=subject, found=f"{settings.project_id} accepts jobs")


def _check_table(
    client: PersistentClient,
    settings: SourceSettings,
    name: str,
    newest: tuple[Store, Manifest] | None,
) -> Iterator[Check]:
    subject = f"{settings.source}: table"
    try:
        with bigquery_errors(f"Reading {name}"):
            table = client.get_table(name)
    except LoadError as error:
        if isinstance(error.__cause__, api.NotFound):
            yield Check(
                subject=subject, found=f"{name} does not exist yet; the first load creates it"
            )
            yield check_inherited_rights(client, settings)
        else:
            yield refused_check(subject, error, "roles/bigquery.dataEditor on the dataset")
        return
    yield check_layout(settings, table, newest)
    yield from check_expirations(Dataset(client, settings.warehouse), settings, table)
    yield check_rights(client, settings, table.reference)
    yield from check_protection(client, settings, table)
