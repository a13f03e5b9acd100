"""Checks what the account may do with a dataset and its tables, as far as BigQuery tells.

Sources: `tables.testIamPermissions`, which there is of tables alone, and `tables.list`. That a dry
run of CREATE TABLE is refused without the right to create is recorded (github.com/mozilla/
bigquery-etl, pull request 1805); of CREATE SCHEMA nobody has said so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from google.api_core import exceptions as api
from google.cloud import bigquery

from cloudbill.doctor.check import Check, failed_check
from cloudbill.errors import LoadError
from cloudbill.sql import BIGQUERY
from cloudbill.warehouses.bigquery.client import bigquery_errors

if TYPE_CHECKING:
    from cloudbill.settings import SourceSettings
    from cloudbill.warehouses.bigquery.client import PersistentClient

__all__ = [
    "check_creation",
    "check_inherited_rights",
    "check_missing_dataset",
    "check_rights",
    "refused_check",
]

_EDITOR: Final = "roles/bigquery.dataEditor on the dataset"
# Staging tables are deleted, and so is the partition of a month that has no rows any more.
_EDITING: Final = (
    "bigquery.tables.delete",
    "bigquery.tables.get",
    "bigquery.tables.getData",
    "bigquery.tables.update",
    "bigquery.tables.updateData",
)


def check_missing_dataset(client: PersistentClient, settings: SourceSettings) -> Check:
    """Whether the account may make the dataset where it is to be; a dry run makes nothing."""
    subject = f"{settings.source}: dataset"
    name = f"{settings.project_id}.{settings.dataset}"
    where = settings.location or "BigQuery's default location"
    config = bigquery.QueryJobConfig(dry_run=True)
    statement = BIGQUERY.compose(
        "CREATE SCHEMA {dataset}", dataset=(str(settings.project_id), settings.dataset)
    )
    try:
        with bigquery_errors(f"{name} does not exist yet, and a dry run of creating it in {where}"):
            client.query(statement.text, job_config=config, location=settings.location)
    except LoadError as error:
        role = (
            "roles/bigquery.user on the project, or create the dataset and grant the account "
            f"{_EDITOR}"
        )
        return refused_check(subject, error, role)
    return Check(
        subject=subject, found=f"{name} does not exist yet; the first load creates it in {where}"
    )


def check_creation(client: PersistentClient, settings: SourceSettings, location: str) -> Check:
    """Whether the account may create and list tables of a dataset that exists."""
    subject = f"{settings.source}: creation"
    path = (str(settings.project_id), settings.dataset)
    config = bigquery.QueryJobConfig(dry_run=True)
    statement = BIGQUERY.compose(
        "CREATE TABLE {table} (x INT64)", table=(*path, f"{settings.table_name}_of_a_dry_run")
    )
    try:
        with bigquery_errors(f"A dry run of creating a table in {settings.dataset}"):
            client.query(statement.text, job_config=config, location=location)
        with bigquery_errors(f"Listing the tables of {settings.dataset}"):
            _any_table(client, settings)
    except LoadError as error:
        return refused_check(subject, error, _EDITOR)
    return Check(subject=subject, found=f"tables of {settings.dataset} can be created and listed")


def _any_table(
    client: PersistentClient, settings: SourceSettings
) -> bigquery.TableReference | None:
    """A table of the dataset, if it has any."""
    listed = client.list_tables(f"{settings.project_id}.{settings.dataset}", max_results=1)
    return next((table.reference for table in listed), None)


def check_inherited_rights(client: PersistentClient, settings: SourceSettings) -> Check:
    """The rights on any table of the dataset, which one that does not exist yet would inherit."""
    try:
        with bigquery_errors(f"Listing the tables of {settings.dataset}"):
            table = _any_table(client, settings)
    except LoadError:  # `check_creation` says why
        table = None
    if table is not None:
        return check_rights(client, settings, table)
    return Check(
        subject=f"{settings.source}: rights",
        found=f"BigQuery tells rights of tables alone, and no table of {settings.dataset} is seen",
        is_checked=False,
    )


def check_rights(
    client: PersistentClient, settings: SourceSettings, table: bigquery.TableReference
) -> Check:
    """Whether the account may read, change and delete a table."""
    subject = f"{settings.source}: rights"
    try:
        with bigquery_errors(f"Asking for the rights on {table.table_id}"):
            answer = client.test_iam_permissions(table, _EDITING)
    except LoadError as error:
        return Check(subject=subject, found=f"BigQuery does not say: {error}", is_checked=False)
    missing = sorted({*_EDITING} - {*answer.get("permissions", ())})
    if missing:
        return Check(
            subject=subject,
            found=f"{', '.join(missing)} is missing on {table.table_id}",
            remedy=f"grant the account {_EDITOR}",
        )
    return Check(subject=subject, found=f"{table.table_id} can be read and written")


def refused_check(subject: str, error: LoadError, role: str) -> Check:
    """What was refused, and the role that the account lacks, if it is for want of one."""
    is_role = isinstance(error.__cause__, api.Forbidden | api.Unauthorized)
    if is_role and " is not allowed: " in str(error):
        return Check(subject=subject, found=str(error), remedy=f"grant the account {role}")
    return failed_check(subject, error)
