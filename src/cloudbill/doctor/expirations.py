"""Checks what BigQuery will delete by itself: months of the table, and whole tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from google.api_core import exceptions as api

from cloudbill.doctor.check import Check
from cloudbill.errors import LoadError
from cloudbill.settings.tables import tracking_name
from cloudbill.warehouses.bigquery.client import PersistentClient, bigquery_errors
from cloudbill.warehouses.bigquery.expirations import (
    BILLING,
    days_kept,
    keep_whole_statement,
    set_days_statement,
)
from cloudbill.warehouses.ledger_rows import STATE_TABLE

if TYPE_CHECKING:
    from google.cloud import bigquery

    from cloudbill.settings import SourceSettings

__all__ = ["check_expirations"]


def check_expirations(
    client: PersistentClient, settings: SourceSettings, table: bigquery.Table
) -> Iterator[Check]:
    """What expires of a table and its ledger without being meant to; nothing if all is kept."""
    subject = f"{settings.source}: expiration"
    wanted, days = settings.partition_expiration_days, days_kept(table)
    if days != wanted:
        kept = "keeps all months" if days is None else f"deletes months after {days:g} days"
        meant = "is not set" if wanted is None else f"is {wanted}"
        yield Check(
            subject=subject,
            found=f"{table.table_id} {kept}, but 'partition_expiration_days' {meant}",
            remedy=f"{set_days_statement(table, wanted)}; {BILLING}",
        )
    ledger = (STATE_TABLE, tracking_name(settings.table_name))
    for one in (table, *_tables(client, table, ledger)):
        if one.expires is not None:
            yield Check(
                subject=subject,
                found=f"BigQuery deletes the whole of {one.table_id} on {one.expires:%Y-%m-%d}",
                remedy=f"{keep_whole_statement(one)}; {BILLING}",
            )


def _tables(
    client: PersistentClient, beside: bigquery.Table, names: tuple[str, ...]
) -> Iterator[bigquery.Table]:
    """Those of some tables of a dataset that are there."""
    for name in names:
        reference = f"{beside.project}.{beside.dataset_id}.{name}"
        try:
            with bigquery_errors(f"Reading {name}"):
                found = client.get_table(reference)
        except LoadError as error:
            if isinstance(error.__cause__, api.NotFound):
                continue
            raise
        yield found
